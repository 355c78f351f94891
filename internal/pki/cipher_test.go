package pki

import (
	"crypto"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
)

// allCiphers are the ciphers by the OIDs that clients name them by.
var allCiphers = map[string]Cipher{
	"2.16.840.1.101.3.4.1.42": AES256,
	"2.16.840.1.101.3.4.1.22": AES192,
	"2.16.840.1.101.3.4.1.2":  AES128,
	"1.2.840.113549.3.7":      TripleDES,
	"1.2.840.113549.1.12.1.3": OldTripleDES,
}

// Every OID that clients send means a cipher, and no other does.
func TestCiphersByOID(t *testing.T) {
	for oid, want := range allCiphers {
		if got, err := ParseCipher(oid); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", oid, got, err, want)
		}
	}
	for _, oid := range []string{"", "1.2.840.113549.1.12.1.6", "2.16.840.1.101.3.4.1.42 ", "AES256"} {
		if _, err := ParseCipher(oid); !errors.Is(err, ErrUnknownCipher) {
			t.Errorf("%q: got %v, want %v", oid, err, ErrUnknownCipher)
		}
	}
}

// What openssl calls the ciphers.
var opensslNames = map[Cipher]string{
	AES256: ":aes-256-cbc", AES192: ":aes-192-cbc", AES128: ":aes-128-cbc", TripleDES: ":des-ede3-cbc",
	OldTripleDES: ":pbeWithSHA1And3-KeyTripleDES-CBC",
}

// A PKCS #8 key is encrypted with the cipher that was asked for, and openssl,
// certtool, another library and we ourselves open it with the password only.
func TestPKCS8InEveryCipher(t *testing.T) {
	t.Parallel()
	for _, c := range allCiphers {
		t.Run(opensslNames[c], func(t *testing.T) {
			key := eccKey()
			b := threeCerts(t, key)
			b.Chain = nil
			text, err := EncodePEM(b, PEMOptions{PKCS8: true, Cipher: c})
			if err != nil {
				t.Fatal(err)
			}
			_, rest := pem.Decode(text)
			block, _ := pem.Decode(rest)
			if out := openssl(t, block.Bytes, "asn1parse", "-inform", "DER"); !strings.Contains(out, opensslNames[c]) {
				t.Errorf("%s is missing from:\n%s", opensslNames[c], out)
			}
			plain := openssl(t, text, "pkcs8", "-passin", "pass:"+password)
			if got := openssl(t, []byte(plain), "pkey", "-pubout"); !isKeyOf(t, got, key) {
				t.Error("openssl finds another key")
			}
			if got := tool(t, "certtool", nil, "--pubkey-info", "--load-privkey", inFile(t, rest), "--password", password); !isKeyOf(t, got, key) {
				t.Error("certtool finds another key")
			}
			got, err := readKey(text, []byte(password))
			if err != nil || !isSameKey(got, key) {
				t.Errorf("we read %v, %v", got, err)
			}
			if _, err := readKey(text, []byte("wrong")); !errors.Is(err, ErrBadKey) {
				t.Errorf("wrong password: got %v, want %v", err, ErrBadKey)
			}
			other, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
			if c != OldTripleDES && (err != nil || !isSameKey(other, key)) {
				t.Errorf("another library reads %v, %v", other, err)
			}
		})
	}
}

func isSameKey(a any, b crypto.Signer) bool {
	same, ok := b.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && same.Equal(a)
}

// The derivation of PKCS #12 yields what other software derives: the values are
// of the test of the Bouncy Castle, which took them from a draft of the standard.
func TestPKCS12KeyDerivation(t *testing.T) {
	smeg := append(utf16BE("smeg"), 0, 0)
	queeg := append(utf16BE("queeg"), 0, 0)
	for _, c := range []struct {
		password []byte
		salt     string
		rounds   int
		purpose  byte
		want     string
	}{
		{smeg, "0A58CF64530D823F", 1, kdfForKey, "8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3"},
		{smeg, "0A58CF64530D823F", 1, kdfForIV, "79993DFE048D3B76"},
		{smeg, "642B99AB44FB4B1F", 1, kdfForKey, "F3A95FEC48D7711E985CFE67908C5AB79FA3D7C5CAA5D966"},
		{smeg, "3D83C0E4546AC140", 1, kdfForMAC, "8D967D88F6CAA9D714800AB3D48051D63F73A312"},
		{queeg, "05DEC959ACFF72F7", 1000, kdfForKey, "ED2034E36328830FF09DF1E1A07DD357185DAC0D4F9EB3D4"},
		{queeg, "05DEC959ACFF72F7", 1000, kdfForIV, "11DEDAD7758D4860"},
	} {
		salt, _ := hex.DecodeString(c.salt)
		got := pkcs12KDF(sha1.New, c.purpose, c.password, pbeParams{salt, c.rounds}, len(c.want)/2)
		if upperHex(got) != c.want {
			t.Errorf("%s %d: got %X, want %s", c.salt, c.purpose, got, c.want)
		}
	}
}

// Text beyond ASCII, and beyond the basic plane, is two bytes a unit.
func TestUTF16(t *testing.T) {
	if got := fmt.Sprintf("%x", utf16BE("aé世😀")); got != "006100e94e16d83dde00" {
		t.Errorf("got %s", got)
	}
}

// A stranger's file cannot make us compute for long; if it could, this test would
// not end.
func TestUnreasonableDerivationsAreRefused(t *testing.T) {
	null := asn1.NullRawValue
	iv := algorithm(cbcs[AES256].oid, make([]byte, 16))
	for name, a := range map[string]any{
		"PBKDF2 rounds":   pbes2Params{algorithm(oidPBKDF2, pbkdf2Params{Salt: []byte{1}, Rounds: 1 << 40, PRF: algorithm(oidHMACWithSHA256, null)}), iv},
		"scrypt N":        pbes2Params{algorithm(oidScrypt, scryptParams{Salt: []byte{1}, N: 1 << 40, R: 1, P: 1}), iv},
		"scrypt memory":   pbes2Params{algorithm(oidScrypt, scryptParams{Salt: []byte{1}, N: 1 << 17, R: 8, P: 1}), iv},
		"scrypt zero":     pbes2Params{algorithm(oidScrypt, scryptParams{Salt: []byte{1}, N: 16384, R: 8, P: 0}), iv},
		"unknown KDF":     pbes2Params{algorithm(oidData, null), iv},
		"scrypt negative": pbes2Params{algorithm(oidScrypt, scryptParams{Salt: []byte{1}, N: 16384, R: -1 << 32, P: -1 << 32}), iv},
		"PBKDF2 negative": pbes2Params{algorithm(oidPBKDF2, pbkdf2Params{Salt: []byte{1}, Rounds: -1, PRF: algorithm(oidHMACWithSHA256, null)}), iv},
		"unknown PRF":     pbes2Params{algorithm(oidPBKDF2, pbkdf2Params{Salt: []byte{1}, Rounds: 1, PRF: algorithm(oidData, null)}), iv},
		"short IV":        pbes2Params{algorithm(oidPBKDF2, pbkdf2Params{Salt: []byte{1}, Rounds: 1}), algorithm(cbcs[AES256].oid, []byte{1})},
		"unknown cipher":  pbes2Params{algorithm(oidPBKDF2, pbkdf2Params{Salt: []byte{1}, Rounds: 1}), algorithm(oidData, make([]byte, 16))},
	} {
		if _, ok := newOpener(nil).unlock(algorithm(oidPBES2, a), make([]byte, 32)); ok {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, oid := range []asn1.ObjectIdentifier{oidOldTripleDES, {1, 2, 840, 113549, 1, 12, 1, 6}, {1, 2, 840, 113549, 1, 5, 3}} {
		if _, ok := newOpener(nil).unlock(algorithm(oid, pbeParams{[]byte{1}, 1 << 40}), make([]byte, 32)); ok {
			t.Errorf("%s: accepted", oid)
		}
	}
}

// RC2 decrypts the examples of RFC 2268, section 5, whose keys are as long as
// their effective bits.
func TestRC2(t *testing.T) {
	for _, c := range []struct{ key, plain, encrypted string }{
		{"ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"},
		{"3000000000000000", "1000000000000001", "30649edf9be7d2c2"},
		{"88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"},
	} {
		key, _ := hex.DecodeString(c.key)
		data, _ := hex.DecodeString(c.encrypted)
		block, err := newRC2(key)
		if err != nil {
			t.Fatal(err)
		}
		block.Decrypt(data, data)
		if got := hex.EncodeToString(data); got != c.plain {
			t.Errorf("%s: got %s, want %s", c.key, got, c.plain)
		}
	}
}
