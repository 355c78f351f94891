package names

import (
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// TestTablesAreOneToOne lets no name stand twice on either side: what is read
// must be written back under the name that it came with.
func TestTablesAreOneToOne(t *testing.T) {
	if len(attrByVendor) != len(attributes) || len(attrByOurs) != len(attributes) {
		t.Errorf("got %d and %d different attribute names, want %d", len(attrByVendor), len(attrByOurs), len(attributes))
	}
}

// TestAttr has a row for every way in which a name is matched.
func TestAttr(t *testing.T) {
	for _, c := range []struct {
		name, vendor string
		want         clm.Attr
		back         string
	}{
		{"as the vendor spells it", "Management Type", clm.ManagementType, "Management Type"},
		{"in another case", "management type", clm.ManagementType, "Management Type"},
		{"without its blanks", "ManagementType", clm.ManagementType, "Management Type"},
		{"as one of the vendor's examples spells it", "Generate Keypair on Application", clm.KeyOnApplication, "Generate Keypair On Application"},
		{"city is a locality", "City", clm.Locality, "City"},
		{"end date for every CA", "Specific End Date", clm.EndDate, "Specific End Date"},
		{"end date for one kind of CA", "DigiCert CA:Specific End Date", clm.EndDateFor("DigiCert CA"), "DigiCert CA:Specific End Date"},
		{"end date for a kind in another case", "digicert ca:specific end date", clm.EndDateFor("DigiCert CA"), "DigiCert CA:Specific End Date"},
		{"end date for a kind that nobody knows", "Foo CA:Specific End Date", clm.EndDateFor("Foo CA"), "Foo CA:Specific End Date"},
		{"a name that we have no word for", "Text Field 1", "tpp:Text Field 1", "Text Field 1"},
		{"a name that looks like one of ours", "organization-unit", "tpp:organization-unit", "organization-unit"},
		{"a name that bears our Unknown", "tpp:x", "tpp:tpp:x", "tpp:x"},
		{"a custom field", "{0198FE00-aaaa-7bbb-8ccc-0123456789ab}", clm.FieldAttr("0198fe00-aaaa-7bbb-8ccc-0123456789ab"), "{0198fe00-aaaa-7bbb-8ccc-0123456789ab}"},
		{"a setting of ours", "Certwright:issue-after", clm.IssueAfter, "Certwright:issue-after"},
		{"an attribute of ours in a class", "certwright:LOOK-AT", clm.LookAt, "Certwright:look-at"},
		{"our word for a name of the vendor's", "Certwright:locality", clm.Locality, "City"},
		{"no name of ours", "Certwright:end-date/x", "tpp:Certwright:end-date/x", "Certwright:end-date/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Attr(c.vendor)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if back := AttrName(got); back != c.back {
				t.Errorf("got %q back, want %q", back, c.back)
			}
		})
	}
}

// TestClass has a row for every way in which a class is matched.
func TestClass(t *testing.T) {
	for _, c := range []struct {
		name, vendor string
		class        clm.Class
		kind         string
	}{
		{"folder", "Policy", clm.Folder, ""},
		{"certificate without blanks", "X509ServerCertificate", clm.ServerCertificate, ""},
		{"any template", "Certificate Authority Base", clm.Authority, ""},
		{"template of a kind", "microsoft ca", clm.Authority, "Microsoft CA"},
		{"kind of a class", "usernamepassword credential", clm.Credential.Kind("usernamepasswordcredential"), ""},
		{"custom field", "Metadata Choice", clm.CustomField, clm.ListField},
		{"class without rules, in the vendor's spelling", "log smtp", "tpp:Log SMTP", ""},
		{"class that nobody knows", "Log Pigeon", "tpp:Log Pigeon", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			class, kind := Class(c.vendor)
			if class != c.class || kind != c.kind {
				t.Errorf("got %q %q, want %q %q", class, kind, c.class, c.kind)
			}
		})
	}
}

// TestTypeName shows templates under their kind.
func TestTypeName(t *testing.T) {
	for _, c := range []struct {
		want string
		o    clm.Object
	}{
		{"X509 Server Certificate", clm.Object{Class: clm.ServerCertificate}},
		{"Self Signed CA", clm.Object{Class: clm.Authority}},
		{"Microsoft CA", clm.Object{Class: clm.Authority, Own: map[clm.Attr][]string{clm.AuthorityKind: {"microsoft ca"}}}},
		{"Device", clm.Object{Class: "tpp:Device"}},
	} {
		if got := TypeName(c.o); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// FuzzAttr gives every name back, in its own spelling or the vendor's, and maps
// what it gave back to the same attribute.
func FuzzAttr(f *testing.F) {
	for _, a := range attributes {
		f.Add(a.vendor)
	}
	f.Add("Foo CA:Specific End Date")
	f.Add("tpp:x")
	f.Fuzz(func(t *testing.T, vendor string) {
		a := Attr(vendor)
		back := AttrName(a)
		if _, spelled := attrDefByVendor[fold(vendor)]; strings.HasPrefix(string(a), Unknown) && back != vendor && !spelled {
			t.Errorf("%q came back as %q", vendor, back)
		}
		if again := Attr(back); again != a {
			t.Errorf("%q is %q, but what it came back as is %q", vendor, a, again)
		}
	})
}
