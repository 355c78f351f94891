package secret

import (
	"strings"
	"testing"
)

// A hash knows its password and no other, and does not contain it.
func TestPasswordHash(t *testing.T) {
	t.Parallel()
	p := NewString(theSecret)
	hash := UsualCost.HashPassword(p)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || isLeaked(hash) {
		t.Errorf("got %q", hash)
	}
	if hash == UsualCost.HashPassword(p) {
		t.Error("two hashes of one password are the same: there is no salt")
	}
	for name, c := range map[string]struct {
		password Plain
		hash     string
		want     bool
	}{
		"the password":           {p, hash, true},
		"another":                {NewString("hunter3!hunter3!"), hash, false},
		"the empty one":          {Plain{}, hash, false},
		"no hash":                {p, "", false},
		"the empty one, no hash": {Plain{}, "", false},
		"the password as hash":   {p, theSecret, false},
		"hash cut off":           {p, hash[:len(hash)-4], false},
		"hash without its sum":   {p, hash[:strings.LastIndex(hash, "$")+1], false},
		"other parameters":       {p, strings.Replace(hash, "t=2", "t=1", 1), false},
		"no time":                {p, strings.Replace(hash, "t=2", "t=0", 1), false},
		"memory without bounds":  {p, strings.Replace(hash, "m=19456", "m=4000000000", 1), false},
		"other algorithm":        {p, strings.Replace(hash, "argon2id", "argon2i", 1), false},
	} {
		if got := UsualCost.CheckPassword(c.password, c.hash); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
