package embedded

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
)

// Limits of RSA keys, as the BR set them (section 6.1.6), but for the greatest
// size: the TLS of Go refuses greater ones.
const (
	minModulus  = 2048
	maxModulus  = 8192
	minExponent = 65537
)

// curves are those that the BR allow (section 6.1.5).
var curves = []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}

// checkKey refuses keys that are weak or that too few programs understand.
// Ed25519 is one of the latter: the BR forbid it, and browsers refuse it.
func checkKey(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return checkRSA(key)
	case *ecdsa.PublicKey:
		if !slices.Contains(curves, key.Curve) {
			return fmt.Errorf("the key's curve is %s; it must be P-256, P-384 or P-521", key.Curve.Params().Name)
		}
		return nil
	}
	return errors.New("the key is neither RSA nor ECDSA")
}

func checkRSA(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minModulus || bits > maxModulus || bits%8 != 0:
		return fmt.Errorf("the RSA key has %d bits; it must have from %d to %d, in whole octets", bits, minModulus, maxModulus)
	case key.E < minExponent || key.E%2 == 0:
		return fmt.Errorf("the RSA key's exponent is %d; it must be odd and at least %d", key.E, minExponent)
	case key.N.Bit(0) == 0:
		return errors.New("the RSA key's modulus is even")
	}
	return nil
}
