package names

import (
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// TestCertificateAttr has a row for every way in which an attribute is judged.
func TestCertificateAttr(t *testing.T) {
	for _, c := range []struct {
		name, vendor    string
		want            clm.Attr
		known, mayWrite bool
	}{
		{"a value that has a meaning", "X509 SubjectAltName DNS", clm.SANDNS, true, true},
		{"in another case and without blanks", "managementtype", clm.ManagementType, true, true},
		{"a value that only the vendor knows, in his spelling", "NOTES", "tpp:Notes", true, true},
		{"a colon that is part of the name", "certificate download: pbes2 algorithm", Attr("Certificate Download: PBES2 Algorithm"), true, true},
		{"state", "In Error", "tpp:In Error", true, false},
		{"what the organisation decides", "disable password complexity", clm.AnyPassword, true, false},
		{"who made it", "Created By", clm.CreatedBy, true, false},
		{"what the server counts", "License Count", "tpp:License Count", true, false},
		{"state that has a meaning", "Consumers", clm.Consumers, true, false},
		{"what some authority understands", "DigiCert CA:Request Id", "tpp:DigiCert CA:Request Id", true, true},
		{"an end date for some authority", "Microsoft CA:Specific End Date", clm.EndDateFor("Microsoft CA"), true, true},
		{"a custom field", "{8D9C1B0E-0000-4000-8000-00000000000A}", clm.FieldAttr("8d9c1b0e-0000-4000-8000-00000000000a"), true, true},
		{"a setting of ours", "Certwright:consumers", clm.Consumers, false, false},
		{"an attribute of ours", "Certwright:all-or-nothing", clm.AllOrNothing, true, true},
		{"an attribute of an application", "Certificate", clm.Bound, false, false},
		{"nothing that anybody knows", "Colour", "tpp:Colour", false, false},
		{"no authority", ":Request Id", "tpp::Request Id", false, false},
		{"nothing of an authority", "DigiCert CA:", "tpp:DigiCert CA:", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, known, mayWrite := CertificateAttr(c.vendor)
			if got != c.want || known != c.known || mayWrite != c.mayWrite {
				t.Errorf("got %q %v %v, want %q %v %v", got, known, mayWrite, c.want, c.known, c.mayWrite)
			}
		})
	}
}
