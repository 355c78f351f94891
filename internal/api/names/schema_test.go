package names

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// TestClassesComeBack gives every class back under the vendor's name: by itself,
// and as that of an object that bears its marks.
func TestClassesComeBack(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Classes() {
		if seen[fold(d.Name)] {
			t.Errorf("%s stands there twice", d.Name)
		}
		seen[fold(d.Name)] = true
		for _, spelling := range []string{d.Name, strings.ToUpper(d.Name), fold(d.Name)} {
			if class, kind := Class(spelling); class != d.Class || kind != d.Kind {
				t.Errorf("%s: got %q %q, want %q %q", spelling, class, kind, d.Class, d.Kind)
			}
		}
		if d.Kind == "" && ClassName(d.Class) != d.Name {
			t.Errorf("%s came back as %s", d.Name, ClassName(d.Class))
		}
		if got := TypeName(clm.Object{Class: d.Class, Own: d.Marks()}); !d.Abstract && got != d.Name {
			t.Errorf("an object of %s came back as one of %s", d.Name, got)
		}
	}
}

// TestSupersEnd lets every class derive from classes that there are, and none from itself.
func TestSupersEnd(t *testing.T) {
	var below func(d *ClassDef, path []string)
	below = func(d *ClassDef, path []string) {
		if slices.Contains(path, d.Name) {
			t.Fatalf("%s derives from itself: %v", d.Name, path)
		}
		for _, super := range d.Supers {
			above, ok := ClassNamed(super)
			if !ok || above.Name != super {
				t.Fatalf("%s derives from %q, which is no class", d.Name, super)
			}
			below(above, append(path, d.Name))
		}
	}
	for _, d := range Classes() {
		below(d, nil)
	}
}

// TestAttrsAreSpelledOnce lets every attribute have one spelling, stand once in
// its class, and come back under its name.
func TestAttrsAreSpelledOnce(t *testing.T) {
	spelled := map[string]string{}
	for _, c := range Classes() {
		if len(c.own) != len(c.Attrs) {
			t.Errorf("an attribute of %s stands there twice", c.Name)
		}
		for _, name := range c.Attrs {
			if before := spelled[fold(name)]; before != "" && before != name {
				t.Errorf("%s has %q, and another class %q", c.Name, name, before)
			}
			spelled[fold(name)] = name
		}
	}
	if len(Attrs()) != len(spelled) {
		t.Errorf("got %d attributes, want %d", len(Attrs()), len(spelled))
	}
	ours := map[clm.Attr]bool{}
	for _, d := range Attrs() {
		if ours[d.Attr] {
			t.Errorf("%s is two attributes there", d.Attr)
		}
		ours[d.Attr] = true
		for _, spelling := range []string{d.Name, strings.ToUpper(d.Name), fold(d.Name)} {
			if got, ok := AttrNamed(spelling); !ok || got != d {
				t.Errorf("%s is not found", spelling)
			}
			if got := Attr(spelling); got != d.Attr || AttrName(got) != d.Name {
				t.Errorf("%s is %q and came back as %q", spelling, got, AttrName(got))
			}
		}
	}
	for _, p := range attributes {
		if spelled[fold(p.vendor)] != p.vendor {
			t.Errorf("no class has %s", p.vendor)
		}
	}
}

// TestTraits are of attributes that some class has, each once, and references are
// DNs on both sides.
func TestTraits(t *testing.T) {
	for i, tr := range traits {
		all := list(tr.names)
		for j, name := range all {
			if d, ok := attrDefByVendor[fold(name)]; !ok || d.Name != name {
				t.Errorf("row %d: no class has %s", i, name)
			}
			if slices.Contains(all[:j], name) {
				t.Errorf("row %d: %s stands there twice", i, name)
			}
		}
	}
	for a := range clm.Referring {
		if d, ok := AttrNamed(AttrName(a)); !ok || d.Syntax != SyntaxDN {
			t.Errorf("%s is a reference here, but no DN there", a)
		}
	}
}

// TestDerivesAsHere compares the vendor's hierarchy with ours wherever both sides
// of it have rules. Only the branches of the tree are no kinds of its root here.
func TestDerivesAsHere(t *testing.T) {
	for _, d := range Classes() {
		for _, from := range Classes() {
			switch {
			case strings.HasPrefix(string(d.Class), Unknown), strings.HasPrefix(string(from.Class), Unknown):
			case from.Class == clm.Root && d != from, from.Kind != "" && d != from:
			case d.Derives(from.Name) != d.Class.Is(from.Class):
				t.Errorf("%s derives from %s: %v there and %v here", d.Name, from.Name, d.Derives(from.Name), d.Class.Is(from.Class))
			}
		}
	}
}

// TestRulesHaveAName lets no class that may hold or be held be without a name there.
func TestRulesHaveAName(t *testing.T) {
	for _, d := range Classes() {
		for _, child := range d.Class.Classes() {
			if ClassName(child) == string(child) && child != clm.Container {
				t.Errorf("%s may hold %s, which no client can name", d.Name, child)
			}
		}
	}
}

// TestDerives has a row for every line by which a class may derive.
func TestDerives(t *testing.T) {
	for _, c := range []struct {
		name, class, from string
		want              bool
	}{
		{"from itself", "Device", "device", true},
		{"by the main line, far up", "X509 Server Certificate", "Top", true},
		{"by another line", "X509 Server Certificate", "ValidationBase", true},
		{"by no line", "Device", "Driver Base", false},
		{"from what is below it", "X509 Certificate", "X509 Server Certificate", false},
		{"from what is no class", "Device", "Colour", false},
		{"from the family of its kind", "DigiCert CA", "Certificate Authority Base", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, ok := ClassNamed(c.class)
			if !ok || d.Derives(c.from) != c.want {
				t.Errorf("got %v, want %v", !c.want, c.want)
			}
		})
	}
}

// TestHas has a row for every reason why a class has an attribute or not.
func TestHas(t *testing.T) {
	for _, c := range []struct {
		name, class, attr string
		want              bool
	}{
		{"its own", "Apache", "Private Key File", true},
		{"its own in another spelling", "Apache", "privatekeyfile", true},
		{"inherited by the main line", "Apache", "Contact", true},
		{"inherited by another line", "Apache", "SSL Listen Port", true},
		{"what starts work", "Apache", "Provisioning Work To Do", true},
		{"that of another class", "Apache", "Domain Suffix Whitelist", false},
		{"what nobody knows", "Apache", "Colour", false},
		{"what an authority understands, of a certificate", "X509 Device Certificate", "DigiCert CA:Request Id", true},
		{"what an authority understands, of an application", "Apache", "DigiCert CA:Request Id", false},
		{"a custom field", "Policy", "{8d9c1b0e-0000-4000-8000-00000000000a}", true},
		{"a setting of ours", "X509 Certificate", "Certwright:consumers", false},
		{"an attribute of ours", "X509 Certificate", "Certwright:all-or-nothing", true},
		{"an attribute of ours, of another class", "X509 Certificate", "Certwright:look-at", false},
		{"an attribute of ours, inherited", "Basic", "Certwright:look-at", true},
		{"an attribute of ours, of one of our classes", "nginx", "Certwright:service-config", true},
		{"an attribute of ours, of some of our classes", "NGINX", "Certwright:secret-name", false},
		{"a program that nobody would run", "NGINX", "Certwright:reload-command", false},
		{"an attribute of the vendor's, of one of our classes", "Postfix", "Private Key File", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, ok := ClassNamed(c.class)
			if !ok || d.Has(c.attr) != c.want {
				t.Errorf("got %v, want %v", !c.want, c.want)
			}
			if _, listed := attrDefByVendor[fold(c.attr)]; listed && ok {
				if among := slices.ContainsFunc(d.AllAttrs(), func(a string) bool { return fold(a) == fold(c.attr) }); among != c.want {
					t.Errorf("among all: got %v, want %v", among, c.want)
				}
			}
		})
	}
}

// TestAllAttrs names what two lines bring only once.
func TestAllAttrs(t *testing.T) {
	for _, d := range Classes() {
		all := d.AllAttrs()
		slices.Sort(all)
		if n := len(all); len(slices.Compact(all)) != n {
			t.Errorf("%s has an attribute twice", d.Name)
		}
	}
}

// TestParents has a row for every depth of the tree.
func TestParents(t *testing.T) {
	for _, c := range []struct {
		class string
		want  []string
	}{
		{"Policy", []string{"Tree Root", "Policy"}},
		{"Comodo CCM", []string{"Policy"}},
		{"Certificate Authority Base", []string{"Policy"}},
		{"Application Base", []string{"Device"}},
		{"Apache", []string{"Device"}},
		{"Certificate Manager", []string{"Venafi Platform"}},
		{"Workflow Ticket", []string{"Workflow Root"}},
		{"Log SMTP", nil},
		{"Tree Root", nil},
	} {
		d, ok := ClassNamed(c.class)
		if !ok {
			t.Fatalf("there is no class %s", c.class)
		}
		if got := d.Parents(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.class, got, c.want)
		}
	}
}

// TestContains holds what the class may hold, and never what there are no objects of.
func TestContains(t *testing.T) {
	for _, c := range []struct {
		class   string
		yes, no []string
	}{
		{"Policy",
			[]string{"Policy", "Device", "Jump Server", "Workflow", "X509 Certificate", "Microsoft CA", "Password Credential", "X509 Intermediate Root Certificate"},
			[]string{"Certificate Authority Base", "HTTP CA Base", "X509 Certificate Base", "Credential Base", "Apache", "Top", "User"}},
		{"Device", []string{"Basic", "NGINX", "PEM Trust Store", "Adaptable Bulk App"}, []string{"Application Base", "Device", "Policy"}},
		{"Identity Root", []string{"User", "Group"}, []string{"Person"}},
		{"Metadata Root", []string{"Metadata Text", "Metadata Choice"}, []string{"Metadata Base"}},
		{"Venafi Platform", []string{"Certificate Manager"}, []string{"Service Module"}},
		{"X509 Certificate", nil, []string{"Policy"}},
	} {
		d, _ := ClassNamed(c.class)
		var got []string
		for _, child := range d.Contains() {
			got = append(got, child.Name)
		}
		for _, name := range c.yes {
			if !slices.Contains(got, name) {
				t.Errorf("%s may not hold %s", c.class, name)
			}
		}
		for _, name := range c.no {
			if slices.Contains(got, name) {
				t.Errorf("%s may hold %s", c.class, name)
			}
		}
	}
}

// TestApplicationKinds are the names by which drivers are found.
func TestApplicationKinds(t *testing.T) {
	for vendor, kind := range map[string]string{
		"Apache": "apache", "PEM": "pem", "PKCS#12": "pkcs#12", "JKS": "jks", "NGINX": "nginx", "HAProxy": "haproxy", "Tomcat": "tomcat",
		"Postfix": "postfix", "Dovecot": "dovecot", "PostgreSQL": "postgresql", "Command": "command", "Kubernetes": "kubernetes",
	} {
		if class, _ := Class(vendor); class != clm.ApplicationClass(kind) {
			t.Errorf("%s is of class %s, want %s", vendor, class, clm.ApplicationClass(kind))
		}
		if d, ok := ClassNamed(vendor); !ok || !d.Derives("Application Base") || d.Abstract {
			t.Errorf("%s is no class of applications", vendor)
		}
	}
}

// TestMigrationRenames lets no attribute that a migration renames have another name here.
func TestMigrationRenames(t *testing.T) {
	text, err := os.ReadFile("../../store/migrations/0006_push.sql")
	if err != nil {
		t.Fatal(err)
	}
	renamed := map[string]map[string]string{}
	for _, form := range []string{`'"tpp:(.+)":', '"(.+)":'`, `'"attr":"tpp:(.+)"', '"attr":"(.+)"'`} {
		renamed[form] = map[string]string{}
		for _, m := range regexp.MustCompile(form).FindAllStringSubmatch(string(text), -1) {
			renamed[form][m[1]] = m[2]
			if got := Attr(m[1]); got != clm.Attr(m[2]) || AttrName(got) != m[1] {
				t.Errorf("%s becomes %s, but it is %s", m[1], m[2], got)
			}
		}
	}
	forms := slices.Collect(maps.Values(renamed))
	if len(forms[0]) == 0 || !maps.Equal(forms[0], forms[1]) {
		t.Errorf("got %d names of own values and %d of policy", len(forms[0]), len(forms[1]))
	}
}

// TestAttrNamed has a row for every trait, and for attributes that no table lists.
func TestAttrNamed(t *testing.T) {
	for _, c := range []struct {
		name, vendor string
		want         AttrDef
	}{
		{"plain", "retry interval", AttrDef{Name: "Retry Interval", Attr: "tpp:Retry Interval", Syntax: 5, Property: 16, Policyable: true, listed: true}},
		{"several principals", "Approver", AttrDef{Name: "Approver", Attr: clm.Approver, Syntax: 5, Policyable: true, listed: true}},
		{"a reference", "Certificate Authority", AttrDef{Name: "Certificate Authority", Attr: clm.IssuedBy, Syntax: 7, Property: 16, Policyable: true, listed: true}},
		{"several references of a folder's own", "Workflow",
			AttrDef{Name: "Workflow", Attr: clm.Workflows, Syntax: 7, Guarded: true, listed: true}},
		{"yes or no, and never inherited", "Disabled", AttrDef{Name: "Disabled", Attr: clm.Off, Syntax: 5, Property: 16, Flag: true, listed: true}},
		{"what the server says", "Last Pushed On", AttrDef{Name: "Last Pushed On", Attr: clm.PushedOn, Syntax: 5, Property: 16, Computed: true, listed: true}},
		{"one of ours", "certwright:Service-Unit", AttrDef{Name: "Certwright:service-unit", Attr: clm.ServiceUnit, Syntax: 5, Property: 16, Policyable: true, listed: true}},
		{"one of ours with several values", "Certwright:look-at", AttrDef{Name: "Certwright:look-at", Attr: clm.LookAt, Syntax: 5, Policyable: true, listed: true}},
		{"one of ours that is yes or no", "Certwright:all-or-nothing",
			AttrDef{Name: "Certwright:all-or-nothing", Attr: clm.AllOrNothing, Syntax: 5, Property: 16, Policyable: true, Flag: true, listed: true}},
		{"what nobody may write", "GUID", AttrDef{Name: "GUID", Attr: "tpp:GUID", Syntax: 5, Property: 16 | 8, Computed: true, listed: true}},
		{"what nobody sees", "Password", AttrDef{Name: "Password", Attr: "tpp:Password", Syntax: 5, Property: 16 | 2, listed: true}},
		{"what starts work", "Work To Do", AttrDef{Name: "Work To Do", Attr: "tpp:Work To Do", Syntax: 5, Property: 16 | 2, Flag: true, Trigger: true, listed: true}},
		{"classes", "Associated Classes", AttrDef{Name: "Associated Classes", Attr: clm.FieldClasses, Syntax: 5, Classes: true, listed: true}},
		{"a custom field", "{8D9C1B0E-0000-4000-8000-00000000000A}", AttrDef{Name: "{8d9c1b0e-0000-4000-8000-00000000000a}",
			Attr: clm.FieldAttr("8d9c1b0e-0000-4000-8000-00000000000a"), Syntax: 5, Policyable: true}},
		{"what some authority understands", "digicert ca:specific end date", AttrDef{Name: "DigiCert CA:Specific End Date",
			Attr: clm.EndDateFor("DigiCert CA"), Syntax: 5, Property: 16, Policyable: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := AttrNamed(c.vendor); !ok || *got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	for _, vendor := range []string{"", "Colour", ":Request Id", "DigiCert CA:", "Certwright:consumers"} {
		if d, ok := AttrNamed(vendor); ok {
			t.Errorf("%q is known as %+v", vendor, d)
		}
	}
}
