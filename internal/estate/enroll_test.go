package estate

import (
	"context"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// details are all there is to know of the certificate at the DN.
func details(t testing.TB, r *coretest.Rig, dn string) core.Details {
	t.Helper()
	node, err := r.Object(context.Background(), r.Admin, dn)
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Details(context.Background(), r.Admin, node.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Settings hold for a place from the start and are changed where they differ, while
// the certificate that it has stays. One that is not managed here is not requested.
func TestCertificateSettings(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		const head = "fields: [{name: Team, kind: list, values: [red, blue]}]\nusers: [{name: ann}]\ncertificates:\n" +
			`  - {dn: '\VED\Policy\New\x', commonName: x.example.com, keyAlgorithm: ECC, validityDays: 60`
		const dn = `\VED\Policy\New\x`
		for _, step := range []struct {
			name, file string
			want       []string
			isIssued   bool
		}{
			{"new", head + ", managementType: Monitoring, class: X509 Device Certificate, contacts: ann, customFields: {team: [blue, red]}, renewalWindow: 20, description: d}", []string{
				"create user ann", "create field Team", "field Team: for = X509 Certificate", "field Team: kind = list", "field Team: values = red, blue",
				`create Policy \VED\Policy\New`, `create certificate \VED\Policy\New\x (not issued)`,
			}, false},
			{"other settings", head + ", disableAutomaticRenewal: true, contacts: [admin, 'AD+x:y'], customFields: {Team: blue}, origin: the tests}", []string{
				dn + `: Contact = admin, AD+x:y`, dn + `: Team = blue`, dn + `: Disable Automatic Renewal = 1`, dn + `: Origin = the tests`,
			}, false},
			{"managed here", head + ", managementType: Enrollment}", []string{dn + `: Management Type = Enrollment`, "request certificate " + dn}, true},
			{"issued", head + ", managementType: Enrollment, class: x509 device certificate}", nil, true},
			{"emptied", head + ", customFields: {Team: []}, contacts: [], description: ''}", []string{
				dn + `: Contact: none`, dn + `: Description: none`, dn + `: Team: none`,
			}, true},
			{"never to be issued", head + ", issue: false}", nil, true},
		} {
			if diff := cmp.Diff(step.want, change(t, r, step.file)); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
			}
			if again := change(t, r, step.file); len(again) > 0 {
				t.Errorf("%s: applying again changes %q", step.name, again)
			}
			if got := details(t, r, dn); got.Place.Class != clm.DeviceCertificate || (got.Place.Current != 0) != step.isIssued {
				t.Errorf("%s: got a %s, issued %v", step.name, got.Place.Class, got.Place.Current != 0)
			}
		}
	})
}

// A place whose folder is not managed here is left alone when the file is applied again.
func TestUnmanagedFolders(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	text := `{folders: [{dn: '\VED\Policy\A', policy: {Management Type: Unassigned}}], ` + certificateText("commonName: x.example.com") + "}"
	change(t, r, text)
	if again := change(t, r, text); len(again) > 0 {
		t.Errorf("applying again changes %q", again)
	}
	if got := details(t, r, `\VED\Policy\A\x`); got.Place.Current != 0 || got.Open != nil {
		t.Errorf("got %+v, want nothing begun", got.Issued)
	}
}

// Signing requests and certificates come from files in any usual form, beside the
// estate file; what is there is not imported again.
func TestCertificatesFromOutside(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		dir := t.TempDir()
		const password = "Sesame-Street-9"
		r.Secret(secret.NewString(password))
		cert, key := selfSigned(t, "legacy.example.com")
		r.Secret(secret.NewPlain(keyPEM(t, key)))
		keyDER, err := pki.MarshalKey(key)
		if err != nil {
			t.Fatal(err)
		}
		p12, err := pki.EncodePKCS12(pki.Bundle{Cert: cert, Key: key, Password: []byte(password), FriendlyName: "x"}, pki.AES256)
		if err != nil {
			t.Fatal(err)
		}
		_, other := selfSigned(t, "other.example.com")
		csr, err := pki.CreateCSR(clm.Names{CommonName: "csr.example.com"}, other)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"cert.der": cert, "key.der": keyDER, "store.p12": p12, "x.csr": csr, "p12.password": []byte(password + "\n"),
			"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), "key.pem": keyPEM(t, key)} {
			write(t, dir, name, content)
		}
		for _, c := range []struct {
			name, keys, line string
			hasKey           bool
		}{
			{"PEM without its key", "certificateFile: cert.pem, managementType: Monitoring", "import", false},
			{"PEM with its key", "certificateFile: cert.pem, keyFile: key.pem, authority: '" + core.ECDSACA + "'", "import", true},
			{"DER with its key", "certificateFile: cert.der, keyFile: key.der, disabled: true", "import", true},
			{"PEM with the ID of its record", "certificateFile: cert.pem, resourceId: 5F5641a7e74e187a7e3d5266", "import", false},
			{"PKCS 12", "certificateFile: store.p12, password: " + password, "import", true},
			{"PKCS 12 with the password elsewhere", "certificateFile: store.p12, passwordFile: p12.password", "import", true},
			{"a signing request", "csr: x.csr, validityDays: 30", "request", false},
		} {
			dn := `\VED\Policy\Default\` + c.name
			text := "certificates: [{dn: '" + dn + "', " + c.keys + "}]"
			if got, want := changeIn(t, r, dir, text), []string{c.line + " certificate " + dn}; !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", c.name, got, want)
			}
			if again := changeIn(t, r, dir, text); len(again) > 0 {
				t.Errorf("%s: applying again changes %q", c.name, again)
			}
			if got := details(t, r, dn); got.Place.Current == 0 || (len(got.Version.Sealed) > 0) != c.hasKey || got.Place.IsOff() != strings.Contains(c.keys, "disabled") {
				t.Errorf("%s: got version %d with %d bytes of key", c.name, got.Place.Current, len(got.Version.Sealed))
			}
		}

		if rec, err := r.Record(context.Background(), r.Admin, core.RecordRef{ID: "5f5641a7e74e187a7e3d5266"}); err != nil || rec.Path.Last().DN.Name() != "PEM with the ID of its record" {
			t.Errorf("by the ID of the record: got %+v, %v", rec, err)
		}

		write(t, dir, "other.pem", keyPEM(t, other))
		write(t, dir, "large.pem", []byte(strings.Repeat("x", pki.MaxImportSize)))
		for _, c := range []struct{ name, keys, want string }{
			{"another's key", "certificateFile: cert.pem, keyFile: other.pem", "line 1: certificates[0].certificateFile: the private key does not match the certificate"},
			{"a wrong password", "certificateFile: store.p12, password: Sesame-Street-8", "line 1: certificates[0].certificateFile: the private key cannot be extracted"},
			{"a key instead of its file", "certificateFile: cert.pem, keyFile: '-----BEGIN PRIVATE KEY----- Sesame'", "line 1: certificates[0].keyFile: no such file or directory"},
			{"a key for a signing request", "csr: key.pem", "line 1: certificates[0].csr: not a certificate signing request"},
			{"a file that is too large", "certificateFile: large.pem", "line 1: certificates[0].certificateFile: the file is larger than 384 KiB"},
		} {
			_, err := Apply(context.Background(), r.Core, r.Admin, load(t, certificateText(c.keys)), Options{Dir: dir})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "Sesame") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: got %v, want %s", c.name, err, c.want)
			}
		}
	})
}

// Certificates are put on stage once, stay there while runners are at work, and
// are taken from it again.
func TestRehearsals(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Rehearsal: true})
		for _, c := range []struct {
			keys, want string
			state      clm.State
			failure    clm.Kind // of handing the certificate out with its key
		}{
			{"state: in-error, stage: 700, text: out of paper", "in-error at stage 700: out of paper", clm.Stopped, 0},
			{"state: queued", "queued", clm.Queued, 0},
			{"state: processing, stage: 300", "processing at stage 300", clm.Processing, 0},
			{"state: waiting-csr", "waiting-csr", clm.AwaitsCSR, 0},
			{"state: ticket", "ticket at stage 500", clm.Gated, 0},
			{"state: key-mismatch", "key-mismatch", 0, clm.NoKey},
			{"state: key-missing", "key-missing", 0, clm.NoKey},
			{"state: no-certificate", "no-certificate", 0, clm.NotIssued},
		} {
			name, _, _ := strings.Cut(c.want, " ")
			dn := `\VED\Policy\Default\` + name
			head := "certificates: [{dn: '" + dn + "', commonName: x.example.com, keyAlgorithm: ECC"
			text := head + ", rehearsal: {" + c.keys + "}}]"
			want := []string{"request certificate " + dn, "rehearse " + dn + ": " + c.want}
			if got := change(t, r, text); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
			for _, same := range []string{text, head + "}]"} {
				if again := change(t, r, same); len(again) > 0 {
					t.Errorf("%s: applying again changes %q", name, again)
				}
			}
			_, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: dn, WithKey: true, InUse: true})
			if c.failure != 0 && !errors.Is(err, c.failure) || c.failure == 0 && err != nil {
				t.Errorf("%s: got %v, want %v", name, err, c.failure)
			}
			if c.failure != 0 {
				continue
			}
			if got := details(t, r, dn); got.Open == nil || got.Open.State != c.state {
				t.Errorf("%s: got %+v, want state %d", name, got.Open, c.state)
			}
			if got := change(t, r, head+", rehearsal: {state: idle}}]"); !slices.Equal(got, []string{"rehearse " + dn + ": idle"}) {
				t.Errorf("%s: got %q, want it idle", name, got)
			}
		}
		onStage(t, r)
		never := certificateText("commonName: x.example.com, issue: false, rehearsal: {state: in-error, text: no}")
		want := []string{`create Policy \VED\Policy\A`, `create certificate \VED\Policy\A\x (not issued)`, `rehearse \VED\Policy\A\x: in-error at stage 500: no`}
		if got := change(t, r, never); !slices.Equal(got, want) {
			t.Errorf("never issued: got %q, want %q", got, want)
		}
		if again := change(t, r, never); len(again) > 0 {
			t.Errorf("never issued: applying again changes %q", again)
		}
	})
}

// onStage puts on stage what is about revocation, another certificate's key, and an
// application, each once only.
func onStage(t *testing.T, r *coretest.Rig) {
	t.Helper()
	text := `
certificates:
  - {dn: '\VED\Policy\Default\own', commonName: own.example.com, keyAlgorithm: ECC}
  - {dn: '\VED\Policy\Default\borrows', commonName: b.example.com, keyAlgorithm: ECC, rehearsal: {state: key-foreign, other: '\VED\Policy\Default\own'}}
  - {dn: '\VED\Policy\Default\asked', commonName: c.example.com, keyAlgorithm: ECC, rehearsal: {state: revocation-requested}}
  - {dn: '\VED\Policy\Default\gone', commonName: d.example.com, keyAlgorithm: ECC, managementType: Provisioning, rehearsal: {state: revocation-done}}
  - {dn: '\VED\Policy\Default\kept', commonName: e.example.com, keyAlgorithm: ECC, rehearsal: {state: revocation-failed, text: not ours}}
devices:
  - dn: \VED\Policy\Default\web1
    applications: [{name: shop, certificate: '\VED\Policy\Default\gone', rehearsal: {state: in-error, stage: 900, text: no such host}}]
`
	// The one that is borrowed from is there first.
	first := "certificates: [{dn: '\\VED\\Policy\\Default\\own', commonName: own.example.com, keyAlgorithm: ECC, rehearsal: {state: idle}}]"
	change(t, r, strings.ReplaceAll(first, `\\`, `\`))
	if did := change(t, r, text); len(did) == 0 {
		t.Error("nothing was put on stage")
	}
	if again := change(t, r, text); len(again) > 0 {
		t.Errorf("applying again changes %q", again)
	}
	for dn, want := range map[string]func(core.Details) bool{
		`\VED\Policy\Default\borrows`: func(d core.Details) bool { return d.Key == core.KeyForeign },
		`\VED\Policy\Default\asked`:   func(d core.Details) bool { return d.Revocation.IsKnown() && !d.Revocation.IsDone() && d.Refusal == "" },
		`\VED\Policy\Default\gone`:    func(d core.Details) bool { return d.Revocation.IsDone() && !d.Installing.IsOver() },
		`\VED\Policy\Default\kept`:    func(d core.Details) bool { return d.Refusal == "not ours" },
	} {
		if got := details(t, r, dn); !want(got) {
			t.Errorf("%s: got %+v, key %s", dn, got.Revocation, got.Key)
		}
	}
}
