package secret

import (
	"encoding/json"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

func mustHandle(t testing.TB) *keyset.Handle {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// No text of a key file makes the parser panic, not even one whose checksum is
// right, and what it accepts can be sealed with.
func FuzzParse(f *testing.F) {
	text, err := render(contents{handle: mustHandle(f)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, true)
	f.Add(text, false)
	f.Add([]byte(`{"certwright-key-file":1,"argon2id":{"time":1,"memory-kib":8,"threads":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="},"keyset":"AAAA"}`), true)
	f.Fuzz(func(t *testing.T, text []byte, mendSum bool) {
		var e envelope
		if json.Unmarshal(text, &e) == nil && e.Argon != nil && (e.Argon.Time > 2 || e.Argon.Memory > 64) {
			return // too slow to try many of
		}
		if mendSum {
			e.Sum = e.sum()
			text, _ = json.Marshal(e)
		}
		for _, passphrase := range []Plain{{}, NewString("p")} {
			c, err := parse(text, passphrase)
			if err != nil {
				continue
			}
			k, err := newKeys(c.handle)
			if err != nil {
				continue
			}
			if _, err := k.aead.Encrypt([]byte("x"), []byte("row")); err != nil {
				t.Error(err)
			}
		}
	})
}
