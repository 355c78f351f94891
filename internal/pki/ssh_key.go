package pki

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/clm"
)

// DefaultSSHAlgorithm is the algorithm of keys for which none is asked.
const DefaultSSHAlgorithm = "RSA4096"

// sshAlgorithms are the keys that GenerateSSHKey makes, by name.
var sshAlgorithms = map[string]KeySpec{
	"RSA2048":  {Algorithm: clm.RSA, Bits: 2048},
	"RSA3072":  {Algorithm: clm.RSA, Bits: 3072},
	"RSA4096":  {Algorithm: clm.RSA, Bits: 4096},
	"ED25519":  {Algorithm: ed25519Name},
	"ECDSA256": {Algorithm: clm.ECC, Curve: clm.P256},
	"P256":     {Algorithm: clm.ECC, Curve: clm.P256},
	"ECDSA384": {Algorithm: clm.ECC, Curve: clm.P384},
	"P384":     {Algorithm: clm.ECC, Curve: clm.P384},
	"ECDSA521": {Algorithm: clm.ECC, Curve: clm.P521},
	"P521":     {Algorithm: clm.ECC, Curve: clm.P521},
}

const ed25519Name = "Ed25519" // as SpecOf calls it

// SSHKeySpec is the kind of key that has this name: RSA2048, RSA3072, RSA4096,
// ED25519, ECDSA256 or P256, ECDSA384 or P384, ECDSA521 or P521, in any case and
// with blanks, hyphens or underscores anywhere. No name stands for
// DefaultSSHAlgorithm; an unknown one fails with ErrUnsupportedKey.
func SSHKeySpec(algorithm string) (KeySpec, error) {
	name := strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(algorithm))
	spec, known := sshAlgorithms[cmp.Or(name, DefaultSSHAlgorithm)]
	if !known {
		return KeySpec{}, fmt.Errorf("%w: %.64q", ErrUnsupportedKey, algorithm)
	}
	return spec, nil
}

// GenerateSSHKey makes a key of the kind that SSHKeySpec finds, or fails as it does.
func GenerateSSHKey(algorithm string) (crypto.Signer, error) {
	spec, err := SSHKeySpec(algorithm)
	if err != nil {
		return nil, err
	}
	if spec.Algorithm != ed25519Name {
		return GenerateKey(spec)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// EncodeSSHPrivateKey writes a key as ssh-keygen does: PEM with the label OPENSSH
// PRIVATE KEY, lines ended with LF. It is encrypted with the passphrase unless that
// is empty. It fails with ErrUnsupportedKey, or with ErrNotSSHKey for a comment
// that EncodeSSHPublicKey would refuse.
func EncodeSSHPrivateKey(key crypto.Signer, comment string, passphrase []byte) ([]byte, error) {
	if _, err := EncodeSSHPublicKey(key.Public(), comment); err != nil {
		return nil, err
	}
	if k, isRSA := key.(*rsa.PrivateKey); isRSA && len(k.Primes) != 2 {
		return nil, fmt.Errorf("%w: RSA of %d primes", ErrUnsupportedKey, len(k.Primes))
	}
	encode := ssh.MarshalPrivateKey
	if len(passphrase) > 0 {
		encode = func(key crypto.PrivateKey, comment string) (*pem.Block, error) {
			return ssh.MarshalPrivateKeyWithPassphrase(key, comment, passphrase)
		}
	}
	block, err := encode(key, comment)
	if err != nil {
		return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, key)
	}
	return pem.EncodeToMemory(block), nil
}

// Opening an encrypted key takes time with the rounds, of which ssh-keygen makes 16
// or 24 unless told otherwise, and reading an RSA key with its size.
const (
	maxSSHRounds = 128     // 2 seconds
	maxSSHSecret = 4 << 10 // bytes; enough for RSA keys of 8192 bits
)

const sshKeyMagic = "openssh-key-v1\x00"

// An sshKeyFile is what is in the PEM of ssh-keygen, after the magic (file
// PROTOCOL.key of OpenSSH).
type sshKeyFile struct {
	Cipher, KDF string
	KDFOptions  []byte
	Count       uint32
	Public      []byte
	Secret      []byte
	Rest        []byte `ssh:"rest"`
}

// ParseSSHPrivateKey reads what ssh-keygen writes, and the PEM that private keys of
// certificates come in; of the latter Ed25519 is not supported. The passphrase is
// not used when the key is not encrypted. It fails with ErrTooLarge or ErrBadKey; a
// weak or unusual key fails with ErrUnsupportedKey too. Its errors do not repeat any
// of the key.
func ParseSSHPrivateKey(text, passphrase []byte) (crypto.Signer, error) {
	if len(text) > MaxKeySize {
		return nil, fmt.Errorf("%w: %d bytes of private key", ErrTooLarge, len(text))
	}
	read := readKey
	if a := armorsWithin(string(text))[0]; a.label == "OPENSSHPRIVATEKEY" {
		read = func(_, passphrase []byte) (crypto.Signer, error) { return a.openSSHKey(passphrase) }
	}
	key, err := read(text, passphrase)
	if err != nil {
		return nil, err
	}
	if _, err := sshPublicKey(key.Public()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	return key, nil
}

func (a armor) openSSHKey(passphrase []byte) (crypto.Signer, error) {
	data, err := a.decode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	var f sshKeyFile
	content, ok := strings.CutPrefix(string(data), sshKeyMagic)
	if !ok || ssh.Unmarshal([]byte(content), &f) != nil {
		return nil, fmt.Errorf("%w: not of the OpenSSH form", ErrBadKey)
	}
	if f.isCostly() {
		return nil, fmt.Errorf("%w: it would take too long to read", ErrBadKey)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: data})
	var key any
	if f.Cipher == "none" {
		key, err = ssh.ParseRawPrivateKey(block)
	} else {
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(block, passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: not readable with this passphrase", ErrBadKey)
	}
	return soundSSHKey(key)
}

// isCostly reports whether a key would take too long to read, or hides how long.
func (f sshKeyFile) isCostly() bool {
	var bcrypt struct {
		Salt   []byte
		Rounds uint32
	}
	if f.KDF == "bcrypt" && (ssh.Unmarshal(f.KDFOptions, &bcrypt) != nil || bcrypt.Rounds > maxSSHRounds) {
		return true
	}
	return len(f.Secret) > maxSSHSecret
}

// soundSSHKey is the key if its parts belong together, which the form does not
// assure: it has numbers with a sign, and holds the public half of an Ed25519 key
// apart from the seed.
func soundSSHKey(key any) (crypto.Signer, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		for _, n := range []*big.Int{k.N, k.D, k.Primes[0], k.Primes[1]} {
			if n.Sign() <= 0 {
				return nil, fmt.Errorf("%w: it has a negative number", ErrBadKey)
			}
		}
		return k, nil
	case *ecdsa.PrivateKey:
		raw, err := k.Bytes()
		if err != nil {
			break
		}
		if again, err := ecdsa.ParseRawPrivateKey(k.Curve, raw); err == nil && again.PublicKey.Equal(&k.PublicKey) {
			return again, nil
		}
	case *ed25519.PrivateKey:
		if k.Equal(ed25519.NewKeyFromSeed(k.Seed())) {
			return *k, nil
		}
	}
	return nil, fmt.Errorf("%w: it contradicts itself", ErrBadKey)
}
