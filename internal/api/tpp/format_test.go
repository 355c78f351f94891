package tpp

import (
	"testing"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// TestNobodyWaitsLongerThanTwoMinutes whatever the call asks for (REN-05).
func TestNobodyWaitsLongerThanTwoMinutes(t *testing.T) {
	for _, c := range []struct {
		seconds int
		want    time.Duration
	}{{0, 0}, {60, time.Minute}, {120, 2 * time.Minute}, {300, 2 * time.Minute}, {1 << 60, 2 * time.Minute}} {
		o := waiting{WorkToDoTimeout: lenient.Int{Presence: lenient.Presence{Set: true}, Value: c.seconds}}
		if got := o.asked(); got != c.want {
			t.Errorf("%d seconds: got %v, want %v", c.seconds, got, c.want)
		}
	}
}

// TestKeyIsWanted has a row for each default of IncludePrivateKey.
func TestKeyIsWanted(t *testing.T) {
	yes, no := lenient.Bool{Presence: lenient.Presence{Set: true}, Value: true}, lenient.Bool{Presence: lenient.Presence{Set: true}}
	password := secret.NewString("x")
	for _, c := range []struct {
		name          string
		format        string
		include       lenient.Bool
		password      secret.Plain
		renewing      bool
		wanted, ifAny bool
	}{
		{"asked for", "", yes, password, false, true, false},
		{"asked for without a password", "", yes, secret.Plain{}, false, true, false},
		{"not wanted", "Base64 (PKCS #8)", no, password, true, false, false},
		{"Base64 says nothing", "Base64", lenient.Bool{}, password, true, false, false},
		{"PKCS #8 says nothing, Renew", "base64 (pkcs#8)", lenient.Bool{}, password, true, false, true},
		{"PKCS #8 says nothing, Retrieve", "Base64 (PKCS #8)", lenient.Bool{}, password, false, false, false},
		{"PKCS #8 without a password", "Base64 (PKCS #8)", lenient.Bool{}, secret.Plain{}, true, false, false},
	} {
		o := output{Format: lenient.String{Value: c.format}, IncludePrivateKey: c.include, Password: c.password}
		if wanted, ifAny := o.key(c.renewing); wanted != c.wanted || ifAny != c.ifAny {
			t.Errorf("%s: got %v %v, want %v %v", c.name, wanted, ifAny, c.wanted, c.ifAny)
		}
	}
}

// TestFileName falls back to the place's name and has nothing that a file system
// or a header could take amiss.
func TestFileName(t *testing.T) {
	for dn, want := range map[clm.DN]string{
		`\VED\Policy\www`: "www", `\VED\Policy\*.example.com`: "_.example.com", "\\VED\\Policy\\a\"b/c:d": "a_b_c_d",
	} {
		if got := fileName(core.Issued{Place: clm.Certificate{Object: clm.Object{DN: dn}}}); got != want {
			t.Errorf("%s: got %q, want %q", dn, got, want)
		}
	}
}
