package tpp

import (
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// TestEveryKeyHasAParameterSet names every key that can be made here.
func TestEveryKeyHasAParameterSet(t *testing.T) {
	for want, key := range map[string]pki.KeySpec{
		"1.3.6.1.4.1.28783.10.1.1.1024": {Algorithm: clm.RSA, Bits: 1024},
		"1.3.6.1.4.1.28783.10.1.1.2048": {Algorithm: clm.RSA, Bits: 2048},
		"1.3.6.1.4.1.28783.10.1.1.3072": {Algorithm: clm.RSA, Bits: 3072},
		"1.3.6.1.4.1.28783.10.1.1.4096": {Algorithm: clm.RSA, Bits: 4096},
		"1.3.6.1.4.1.28783.10.1.1.8192": {Algorithm: clm.RSA, Bits: 8192},
		"1.3.6.1.4.1.28783.10.2.1.256":  {Algorithm: clm.ECC, Curve: clm.P256},
		"1.3.6.1.4.1.28783.10.2.1.384":  {Algorithm: clm.ECC, Curve: clm.P384},
		"1.3.6.1.4.1.28783.10.2.1.521":  {Algorithm: clm.ECC, Curve: clm.P521},
		"":                              {Algorithm: clm.RSA, Bits: 1536},
	} {
		if got := pkixSetOf(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}
