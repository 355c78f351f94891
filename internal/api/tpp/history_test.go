package tpp

import (
	"strconv"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A version is found by the numbers of its certificate and its private key, as they
// are told, and by no other; old numbers are large and have no others beside them.
func TestVersionOf(t *testing.T) {
	const old = 1<<40 + 2
	for _, c := range []struct {
		sent string
		want clm.VersionID // zero: none
	}{
		{"4", 4}, {"5", 4}, {" 8 ", 8}, {"6", 0}, {"7", 0}, {"0", 0}, {"1", 0}, {"-4", 0}, {"x", 0}, {"", 0},
		{strconv.Itoa(old), old}, {strconv.Itoa(old + 1), old + 1}, {"4294967293", 4294967292}, {"4294967295", 0}, {"4294967297", 4294967297},
		{"99999999999999999999", 0},
	} {
		if got, ok := versionOf(c.sent); ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%q: got %d %v, want %d", c.sent, got, ok, c.want)
		}
	}
	for _, id := range []clm.VersionID{4, 400, 1<<32 - 4, 1 << 32, old, old + 1} {
		key, _ := core.VaultID(id, core.KeyPart)
		for _, n := range []int64{int64(id), key} {
			if got, ok := versionOf(strconv.FormatInt(n, 10)); !ok || got != id {
				t.Errorf("%d of %d: got %d %v", n, id, got, ok)
			}
		}
	}
}
