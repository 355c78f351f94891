package pki

import "testing"

// A password is strong when it is long enough and mixed of three kinds.
func TestStrongPasswords(t *testing.T) {
	for password, want := range map[string]bool{
		"":                      false,
		"Passw0rd":              false, // too short, though mixed
		"Passw0rd123":           false, // 11
		"Passw0rd1234":          true,
		"newPassw0rd!":          true,
		"abcdefghijkl":          false,
		"abcdefGHIJKL":          false,
		"abcdef123456":          false,
		"abcdef12345!":          true,
		"ABCDEF12345!":          true,
		"ABCDEFghijk!":          true,
		"123456789012":          false,
		"correct horse battery": false, // blanks are special, but that makes two kinds
		"Correct horse battery": true,
		"ÄÖÜäöü123456":          true,
		"Äö1Äö1Äö1Äö":           false, // 11 characters, though more bytes
	} {
		if got := IsStrongPassword([]byte(password)); got != want {
			t.Errorf("%q: got %v, want %v", password, got, want)
		}
	}
}
