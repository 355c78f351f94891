package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A pastVersion is a certificate that a place held before.
type pastVersion struct {
	VaultId            int
	CertificateDetails struct{ Serial, Thumbprint string }
}

// history lists what a place held before, the newest first.
func (a *api) history(t *testing.T, dn string) []pastVersion {
	t.Helper()
	got, err := a.get("vedsdk/certificates/" + a.guid(t, dn) + "/PreviousVersions")
	var past struct{ PreviousVersions []pastVersion }
	if err == nil {
		err = json.Unmarshal(got.Body, &past)
	}
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("previous versions of %s: %v, %v", dn, got, err)
	}
	return past.PreviousVersions
}

// TestOldVersionsStayInReach finds each certificate that was renewed, with the key it
// had, by its number; also while the next one is on its way.
func TestOldVersionsStayInReach(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a, dn := login(t, s, "alice"), `\VED\Policy\Slow\old.example.org`
		held := []files{enrol(t, a, object{"PolicyDN": `\VED\Policy\Slow`, "Subject": "old.example.org", "KeyAlgorithm": "ECC"})}
		held = append(held, renewed(t, a, dn))
		a.must(t, "vedsdk/certificates/renew", object{"CertificateDN": dn})
		past := a.history(t, dn)
		if len(past) != 1 {
			t.Fatalf("got %v, want one while the third is on its way", past)
		}
		within(t, time.Minute, "the third certificate", func() bool { return len(a.history(t, dn)) == 2 })
		past = a.history(t, dn)
		slices.Reverse(held)
		for i, was := range held {
			got := a.must(t, fmt.Sprint("vedsdk/certificates/retrieve/", past[i].VaultId), object{
				"VaultId": past[i].VaultId, "Format": "Base64 (PKCS#8)", "IncludePrivateKey": true, "Password": keyPassword,
			})
			f := unpackPEM(t, string(got.file(t)))
			checkKey(t, f, "")
			if serial(t, f.cert) != serial(t, was.cert) || serial(t, f.cert) != "serial="+past[i].CertificateDetails.Serial {
				t.Errorf("%d: got %s, which is listed as %s, want %s", i, serial(t, f.cert), past[i].CertificateDetails.Serial, serial(t, was.cert))
			}
		}
	})
}

// TestChangedAttributesCountFromNextRenewal writes attributes of a certificate. What
// policy locks stays.
func TestChangedAttributesCountFromNextRenewal(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a, dn, name := login(t, s, "alice"), `\VED\Policy\Shop\changed.example.com`, "changed.example.com"
		enrol(t, a, object{"PolicyDN": `\VED\Policy\Shop`, "Subject": name, "KeyAlgorithm": "ECC"})
		set := func(name string, value any) object { return object{"Name": name, "Value": value} }
		put := func(attributes ...object) answer {
			t.Helper()
			body, err := json.Marshal(object{"AttributeData": attributes})
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.do(http.MethodPut, "vedsdk/certificates/"+a.guid(t, dn), bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		got := put(set("City", []string{"Bruges"}), set("Organization", []string{"Umbrella"}), set("Key Algorithm", "RSA"),
			set("X509 SubjectAltName DNS", []string{name, "new.example.com"}), set("Organizational Unit", []string{"Web", "Ops"}))
		if got.Status != http.StatusOK || got.get("Success") != "true" || !strings.Contains(got.get("Warnings"), "The attribute Organization is locked by policy") {
			t.Errorf("got %v, want that all but the organization is changed", got)
		}
		f := renewed(t, a, dn)
		checkCert(t, s, f, name, name, "new.example.com")
		checkKey(t, f, "")
		checkAlgorithm(t, f, "(2048 bit)")
		subject := openssl(t, "x509", "-in", f.cert, "-noout", "-subject", "-nameopt", "multiline")
		for attribute, want := range map[string]string{"localityName": "Bruges", "organizationName": "Acme"} {
			if got := line(subject, attribute); got != want {
				t.Errorf("%s: got %q, want %q", attribute, got, want)
			}
		}

		if got := put(set("City", nil), set("X509 SubjectAltName DNS", nil)); got.get("Success") != "true" {
			t.Fatalf("clearing: %v", got)
		}
		f = renewed(t, a, dn)
		said := openssl(t, "x509", "-in", f.cert, "-noout", "-subject", "-nameopt", "multiline", "-ext", "subjectAltName")
		if line(said, "localityName") != "Ghent" || strings.Contains(said, "new.example.com") {
			t.Errorf("cleared: got %s, want the folder's city, and no name but the subject's", said)
		}
		if got := put(set("City", []string{"Bruges"}), set("Colour", []string{"red"})); got.Status != http.StatusBadRequest {
			t.Errorf("an attribute that there is not: got %v, want it refused", got)
		}
	})
}

// TestDeletesWithWhatHangsOnIt removes a certificate and the devices that nothing
// else is on, for those who may. Its name is free again.
func TestDeletesWithWhatHangsOnIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a, dn := login(t, s, "alice"), `\VED\Policy\Workshop\gone.example.org`
		order := object{"PolicyDN": `\VED\Policy\Workshop`, "Subject": "gone.example.org", "KeyAlgorithm": "ECC", "Devices": []object{
			{"PolicyDN": `\VED\Policy\Workshop`, "ObjectName": "gone", "Applications": []object{{"ObjectName": "app", "Class": "Basic", "DriverName": "appbasic"}}},
		}}
		enrol(t, a, order)
		guid := a.guid(t, dn)
		remove := func(a *api) answer {
			t.Helper()
			got, err := a.do(http.MethodDelete, "vedsdk/certificates/"+strings.Trim(guid, "{}"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := remove(a); got.Status != http.StatusForbidden {
			t.Errorf("without the scope: got %v, want 403", got)
		}
		if got := remove(loginWith(t, s, "bob", "janitor", "certificate:delete")); got.Status != http.StatusBadRequest || !strings.Contains(got.get("Error"), "InsufficientPrivileges") {
			t.Errorf("without the right: got %v, want it refused", got)
		}
		if got := remove(loginWith(t, s, "alice", "janitor", "certificate:manage,delete")); got.Status != http.StatusOK || got.get("Success") != "true" {
			t.Fatalf("got %v", got)
		}
		for _, dn := range []string{dn, `\VED\Policy\Workshop\gone`, `\VED\Policy\Workshop\gone\app`} {
			if a.guid(t, dn) != "" {
				t.Errorf("%s is still there", dn)
			}
		}
		if _, got, err := a.retrieve(dn); err != nil || got.Phrase != "Certificate does not exist." {
			t.Errorf("retrieval: got %v, %v, want that it does not exist", got, err)
		}
		enrol(t, a, order)
		if a.guid(t, dn) == guid || len(a.history(t, dn)) != 0 {
			t.Error("the new place remembers the old one")
		}
	})
}
