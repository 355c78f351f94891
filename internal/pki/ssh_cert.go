package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// An SSHOrder says what is to stand in an SSH certificate (file PROTOCOL.certkeys of
// OpenSSH). The certificate is valid from NotBefore up to NotAfter, in whole seconds.
type SSHOrder struct {
	KeyID      string // what the server logs; not empty
	Host       bool   // for a host, not for users
	Principals []string
	NotBefore  time.Time
	NotAfter   time.Time
	Serial     uint64 // 0: not numbered
	Key        crypto.PublicKey

	// Extensions are names with values, most of them empty: "permit-pty". They may
	// stand in certificates of users and hosts; the two that follow only in users'.
	Extensions      map[string]string
	ForceCommand    string   // "": any command
	SourceAddresses []string // IP addresses and networks; none: any

	// Nonce is 32 random bytes, or nil for fresh ones. For the same order with the
	// same nonce a CA with an RSA or Ed25519 key signs the same certificate.
	Nonce []byte
}

// The names of the critical options.
const (
	sshForceCommand  = "force-command"
	sshSourceAddress = "source-address"
)

const sshNonceSize = 32 // bytes

// SignSSH makes a certificate: a single line of type, base64 and key id, without a
// line end. A CA with an RSA key signs with SHA-512 (RFC 8332). It fails with
// ErrBadSSHOrder when something in the order cannot stand in a certificate, or would
// make one that no server accepts or that any accepts, and with ErrUnsupportedKey
// for weak and unusual keys.
func SignSSH(order SSHOrder, ca crypto.Signer) (string, error) {
	options, err := order.check()
	if err != nil {
		return "", err
	}
	key, err := sshPublicKey(order.Key)
	if err != nil {
		return "", err
	}
	signer, err := sshAuthority(ca)
	if err != nil {
		return "", err
	}
	cert := &ssh.Certificate{
		Key:             key,
		Serial:          order.Serial,
		CertType:        ssh.UserCert,
		KeyId:           order.KeyID,
		ValidPrincipals: order.Principals,
		ValidAfter:      uint64(order.NotBefore.Unix()),
		ValidBefore:     uint64(order.NotAfter.Unix()),
		Permissions:     ssh.Permissions{CriticalOptions: options, Extensions: order.Extensions},
	}
	if order.Host {
		cert.CertType = ssh.HostCert
	}
	if err := cert.SignCert(io.MultiReader(bytes.NewReader(order.Nonce), rand.Reader), signer); err != nil {
		return "", fmt.Errorf("sign SSH certificate: %w", err)
	}
	line := sshLine(cert, order.KeyID)
	if len(line) > maxSSHLine {
		return "", fmt.Errorf("%w: %w: %d bytes", ErrBadSSHOrder, ErrTooLarge, len(line))
	}
	return line, nil
}

// sshAuthority makes a CA's key sign as it should.
func sshAuthority(ca crypto.Signer) (ssh.Signer, error) {
	if _, err := sshPublicKey(ca.Public()); err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromSigner(ca)
	if err != nil {
		return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, ca)
	}
	if signer.PublicKey().Type() != ssh.KeyAlgoRSA {
		return signer, nil
	}
	return ssh.NewSignerWithAlgorithms(signer.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSASHA512})
}

// SSHFacts are what a certificate says. The fingerprints are as SSHFingerprint makes
// them.
type SSHFacts struct {
	KeyType         string // "ssh-rsa-cert-v01@openssh.com"
	Host            bool
	KeyID           string
	Serial          uint64
	Principals      []string
	NotBefore       time.Time
	NotAfter        time.Time // zero: never ends
	ForceCommand    string
	SourceAddresses []string
	Extensions      map[string]string
	Fingerprint     string // of the certificate, all of it
	KeyFingerprint  string
	CAFingerprint   string
}

// DescribeSSH reads a certificate as SignSSH writes it, also one that was signed
// elsewhere. It does not check the signature. It fails with ErrNotSSHCertificate, or
// with ErrUnsupportedKey if that is what it is for.
func DescribeSSH(text string) (SSHFacts, error) {
	line, err := parseSSHLine(text)
	if err != nil {
		return SSHFacts{}, fmt.Errorf("%w: %w", ErrNotSSHCertificate, err)
	}
	cert, ok := line.key.(*ssh.Certificate)
	if !ok || cert.ValidAfter > math.MaxInt64 {
		return SSHFacts{}, fmt.Errorf("%w: %s", ErrNotSSHCertificate, line.key.Type())
	}
	if _, err := plainSSHKey(cert.Key); err != nil {
		return SSHFacts{}, err
	}
	f := SSHFacts{
		KeyType:        cert.Type(),
		Host:           cert.CertType == ssh.HostCert,
		KeyID:          cert.KeyId,
		Serial:         cert.Serial,
		Principals:     cert.ValidPrincipals,
		NotBefore:      time.Unix(int64(cert.ValidAfter), 0).UTC(),
		ForceCommand:   cert.CriticalOptions[sshForceCommand],
		Extensions:     cert.Extensions,
		Fingerprint:    sshFingerprint(cert),
		KeyFingerprint: sshFingerprint(cert.Key),
		CAFingerprint:  sshFingerprint(cert.SignatureKey),
	}
	if cert.ValidBefore <= math.MaxInt64 {
		f.NotAfter = time.Unix(int64(cert.ValidBefore), 0).UTC()
	}
	if from := cert.CriticalOptions[sshSourceAddress]; from != "" {
		f.SourceAddresses = strings.Split(from, ",")
	}
	return f, nil
}
