package estate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// No secret of any kind stands in an export: what is written to the log is searched for
// all that were sealed, opened or told.
func TestExportTellsNoSecrets(t *testing.T) {
	r := applied(t, coretest.SQLite(t))
	for _, s := range []string{adaPassword, "Bob-of-the-example-1", "Carol-of-the-example-1"} {
		r.Secret(secret.NewString(s))
	}
	change(t, r, `credentials: [{dn: '\VED\Policy\Shop\token', kind: Password, password: Token-of-the-tests-1}]`)
	r.Secret(secret.NewString("Token-of-the-tests-1"))
	if _, err := r.RetrieveCredential(context.Background(), r.Admin, core.Credential{DN: `\VED\Policy\Shop\token`, Number: clm.SecretNumber}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Put(context.Background(), clm.System, core.Put{DN: `\VED\Policy\Shop`, Class: clm.Folder, Own: map[clm.Attr][]string{
		names.Attr("Scep Challenge Password"): {"Scep-of-the-tests-1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	text := export(t, r, ExportOptions{})
	if _, err := r.Log.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "Scep-of-the-tests-1") {
		t.Error("an attribute that is a secret by its name stands in the export")
	}
	if want := `# - \VED\Policy\Shop: Scep Challenge Password, which is a secret`; !strings.Contains(text, want) {
		t.Errorf("the export does not say %q", want)
	}
}

// What a file cannot say is told at the end, and the rest can be read.
func TestExportRemarks(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	change(t, r, `
users: [{name: bob}]
fields: [{name: Contract}]
folders: [{dn: '\VED\Policy\A', rights: [{to: bob, allow: [view]}], policy: {Contract: A-17}}]
certificates: [{dn: '\VED\Policy\A\x', class: X509 Certificate, issue: false}]
`)
	put := func(dn string, class clm.Class, own map[clm.Attr][]string, policy map[clm.PolicyKey]clm.Rule) {
		t.Helper()
		if _, err := r.Put(context.Background(), clm.System, core.Put{DN: dn, Class: class, Own: own, Policy: policy}); err != nil {
			t.Fatal(err)
		}
	}
	put(`\VED\Policy\A`, clm.Folder, map[clm.Attr][]string{
		clm.Description: {" with blanks "}, "tpp:Contacts": {"x"}, "tpp:My password\nusers: [{name: eve, master: true}]": {"y"}, names.Attr("Credential"): {`\VED\Policy\nowhere`}, clm.Contact: {"0f9f8e26-0d51-4e4b-b7d5-2f41b4f1c7a8"},
	}, map[clm.PolicyKey]clm.Rule{
		{Class: clm.AnyCertificate, Attr: clm.KeySize}: {Values: []string{"1000"}}, {Class: clm.AnyCertificate, Attr: clm.Off}: {Values: []string{"1"}},
	})
	put(`\VED\Policy\A\d`, clm.Device, map[clm.Attr][]string{clm.ConnectBy: {"Agentless"}, clm.TrustedKeys: {"00:11"}, clm.Sudo: {"often"}}, nil)
	put(`\VED\Policy\A\x`, clm.AnyCertificate, map[clm.Attr][]string{clm.ManagementType: {"Sometimes"}}, nil)
	text := export(t, r, ExportOptions{})
	load(t, text)
	for _, want := range []string{
		`\VED\Policy\A: Description = [" with blanks "]`, `\VED\Policy\A: Contacts = ["x"]`, `\VED\Policy\A: Credential = ["\\VED\\Policy\\nowhere"]`,
		`\VED\Policy\A: My password users: [{name: eve, master: true}], which is a secret`, `\VED\Policy\A: Contact = ["0f9f8e26-0d51-4e4b-b7d5-2f41b4f1c7a8"]`, `\VED\Policy\A: policy for X509 Certificate: Key Bit Strength = ["1000"]`,
		`\VED\Policy\A: policy for X509 Certificate: Disabled = ["1"]`,
		`\VED\Policy\A\d: Trusted Fingerprint = ["00:11"]`, `\VED\Policy\A\d: Global sudo = ["often"]`, `\VED\Policy\A\x: Management Type = ["Sometimes"]`,
	} {
		if !strings.Contains(text, "\n# - "+want+"\n") {
			t.Errorf("the export does not say %s", want)
		}
	}
	if !strings.Contains(text, "\n      Contract: A-17\n") || !strings.Contains(text, "\n      Connection Method: Agentless\n") || t.Failed() {
		t.Error(text)
	}
}

// Without certificates nothing is said of them, and what uses them is remarked.
func TestExportWithoutCertificates(t *testing.T) {
	r := applied(t, coretest.SQLite(t))
	text := export(t, r, ExportOptions{NoCertificates: true})
	if f := load(t, text); len(f.certificates) > 0 {
		t.Errorf("got %d certificates, want none", len(f.certificates))
	}
	if want := `# - \VED\Policy\Shop\web1\shop: it uses \VED\Policy\Shop\www`; !strings.Contains(text, want) {
		t.Errorf("the export does not say %q", want)
	}
}

// Who is no master exports nothing.
func TestOnlyMastersExport(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	change(t, r, "users: [{name: bob, password: Bob-of-the-tests-1}]\n"+rights("{to: bob, allow: [all]}"))
	bob := login(t, r, "bob", "Bob-of-the-tests-1")
	var b bytes.Buffer
	if err := Export(context.Background(), r.Core, bob, &b, ExportOptions{}); !errors.Is(err, clm.Denied) || b.Len() > 0 {
		t.Errorf("got %v and %q, want it denied", err, b.String())
	}
}

// Devices get what is on them also when the names of others only begin like theirs.
func TestExportOfNestedNames(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	change(t, r, `
devices:
  - {dn: '\VED\Policy\A\web', applications: [{name: x}, {name: y}]}
  - {dn: '\VED\Policy\A\web 1', applications: [{name: x}]}
  - {dn: '\VED\Policy\A\web1', applications: [{name: z, disabled: true}]}
  - {dn: '\VED\Policy\A\web1.a', applications: [{name: z}]}
`)
	want := map[string]string{`\VED\Policy\A\web`: "x y", `\VED\Policy\A\web 1`: "x", `\VED\Policy\A\web1`: "z", `\VED\Policy\A\web1.a`: "z"}
	got := map[string]string{}
	for _, d := range load(t, export(t, r, ExportOptions{})).devices {
		var on []string
		for _, p := range d.programs {
			on = append(on, p.name)
		}
		got[string(d.dn)] = strings.Join(on, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// A sheet is never larger than what can be read: it begins another, or fails.
func TestSheetsAreWithinLimits(t *testing.T) {
	large := strings.Repeat("x", MaxText)
	for _, c := range []struct {
		name  string
		items int
		text  string
		want  int // files
	}{
		{"few", 10, "x", 1},
		{"as many as a section may have", MaxItems, "x", 1},
		{"one more", MaxItems + 1, "x", 2},
		{"large ones", 7000, large, 3},
	} {
		i := newItem()
		i.add("dn", scalar(`\VED\Policy\A`))
		i.add("description", scalar(c.text))
		var files []*bytes.Buffer
		next := func() (io.Writer, error) {
			files = append(files, &bytes.Buffer{})
			return files[len(files)-1], nil
		}
		first, _ := next()
		several, alone := &sheet{out: first, next: next}, &sheet{out: io.Discard}
		var failed error
		for range c.items {
			if err := several.add("folders", i.node); err != nil {
				t.Fatal(err)
			}
			if failed == nil {
				failed = alone.add("folders", i.node)
			}
		}
		if len(files) != c.want || errors.Is(failed, ErrTooLarge) != (c.want > 1) {
			t.Errorf("%s: got %d files, and %v from one alone; want %d", c.name, len(files), failed, c.want)
		}
		items := 0
		for _, file := range files {
			var read map[string][]map[string]string
			if err := yaml.Unmarshal(file.Bytes(), &read); err != nil {
				t.Fatal(err)
			}
			if items += len(read["folders"]); file.Len() > MaxSize-reserve {
				t.Errorf("%s: got a file of %d bytes", c.name, file.Len())
			}
		}
		if items != c.items {
			t.Errorf("%s: got %d items, want %d", c.name, items, c.items)
		}
	}
}

// Two thousand certificates come and go as two do.
func TestExportOfManyCertificates(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		const many = 2000
		r := coretest.New(t, d, coretest.Options{Idle: true})
		var b strings.Builder
		b.WriteString("certificates:\n")
		for n := range many {
			fmt.Fprintf(&b, "  - {dn: '\\VED\\Policy\\Many\\c%04d', class: X509 Server Certificate, issue: false, attributes: {X509 Subject: c%d.example.com}}\n", n, n)
		}
		apply(t, r, load(t, b.String()), Options{})
		text := export(t, r, ExportOptions{})
		f := load(t, text)
		if len(f.certificates) != many {
			t.Fatalf("got %d certificates, want %d", len(f.certificates), many)
		}
		if report := apply(t, r, f, Options{}); len(report.Changes) > 0 {
			t.Errorf("got %d changes, want none: %s", len(report.Changes), report.Changes[0])
		}
	})
}

// What is kept in another spelling than files have it is as it shall be all the same.
func TestExportOfOtherSpellings(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	change(t, r, "users: [{name: bob}]\nfields: [{name: Contract}]\nfolders: [{dn: '\\VED\\Policy\\A'}]\nworkflows: [{dn: '\\VED\\Policy\\A\\w'}]")
	bob, err := r.PrincipalNamed(context.Background(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	contact := "local:{" + strings.ToUpper(string(bob)) + "}"
	for _, p := range []core.Put{
		{DN: `\VED\Policy\A`, Class: clm.Folder, Own: map[clm.Attr][]string{clm.Contact: {contact}, names.Attr("Jump Server DN"): {`\ved\policy\A\W`}}},
		{DN: `\VED\Policy\A\w`, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.Approvers: {contact}, clm.Off: {"0"}}},
		{DN: core.FieldsDN + `\Contract`, Class: clm.CustomField, Own: map[clm.Attr][]string{clm.FieldPolicyable: {"1"}, clm.FieldSingle: {"0"}}},
	} {
		if _, err := r.Put(context.Background(), clm.System, p); err != nil {
			t.Fatal(err)
		}
	}
	text := export(t, r, ExportOptions{})
	for _, want := range []string{"Contact: bob\n", "approvers: [bob]\n", `Jump Server DN: \ved\policy\A\W`} {
		if !strings.Contains(text, want) {
			t.Errorf("the export does not say %q", want)
		}
	}
	if report := apply(t, r, load(t, text), Options{}); len(report.Changes) > 0 {
		t.Errorf("applied where it came from, it changes %q", report.Changes)
	}
}
