package pki

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// What can be wrong with what is given to the SSH functions, besides ErrTooLarge,
// ErrUnsupportedKey and ErrBadKey; to be told apart with errors.Is.
var (
	ErrNotSSHKey         = errors.New("not an SSH public key")
	ErrNotSSHCertificate = errors.New("not an SSH certificate")
	ErrBadSSHOrder       = errors.New("cannot stand in an SSH certificate")
	ErrBadSSHValidity    = errors.New("not a validity of an SSH certificate")
)

// sshCertTypes are the keys that are dealt with here, as the first word of their
// line and of the line of a certificate for them. DSA keys are weak, and those of
// hardware tokens have no form outside SSH.
var sshCertTypes = map[string]string{
	ssh.KeyAlgoRSA:      ssh.CertAlgoRSAv01,
	ssh.KeyAlgoED25519:  ssh.CertAlgoED25519v01,
	ssh.KeyAlgoECDSA256: ssh.CertAlgoECDSA256v01,
	ssh.KeyAlgoECDSA384: ssh.CertAlgoECDSA384v01,
	ssh.KeyAlgoECDSA521: ssh.CertAlgoECDSA521v01,
}

// Bounds of what is read and written. An RSA modulus below 2048 bits is not
// accepted by all of OpenSSH any more, and not here.
const (
	minSSHBits    = 2048
	maxSSHLine    = 64 << 10 // bytes of a public key or certificate; SSH sends up to 256 KiB at once
	maxSSHComment = 1024     // bytes
)

// ParseSSHPublicKey reads a key as ssh-keygen writes it: a single line of type,
// base64 and, if there is one, a comment. Options before the key, certificates and
// second lines are refused with ErrNotSSHKey, weak and unusual keys with
// ErrUnsupportedKey.
func ParseSSHPublicKey(text string) (pub crypto.PublicKey, comment string, err error) {
	line, err := parseSSHLine(text)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotSSHKey, err)
	}
	if _, isCert := line.key.(*ssh.Certificate); isCert {
		return nil, "", fmt.Errorf("%w: it is a certificate", ErrNotSSHKey)
	}
	pub, err = plainSSHKey(line.key)
	if err != nil {
		return nil, "", err
	}
	return pub, line.comment, nil
}

// EncodeSSHPublicKey writes a key as ssh-keygen does, without a line end. It fails
// with ErrUnsupportedKey, or with ErrNotSSHKey for a comment that is too long or
// cannot be printed.
func EncodeSSHPublicKey(pub crypto.PublicKey, comment string) (string, error) {
	key, err := sshPublicKey(pub)
	if err != nil {
		return "", err
	}
	if !isSSHText(comment, maxSSHComment) {
		return "", fmt.Errorf("%w: its comment", ErrNotSSHKey)
	}
	return sshLine(key, comment), nil
}

// SSHFingerprint is the SHA-256 over the key as SSH sends it, in base64 without
// padding: what OpenSSH prints after "SHA256:". It is empty for a key that SSH has
// no form for.
func SSHFingerprint(pub crypto.PublicKey) string {
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return ""
	}
	return sshFingerprint(key)
}

func sshFingerprint(key ssh.PublicKey) string {
	return base64.RawStdEncoding.EncodeToString(hashOf(key.Marshal()))
}

// sshPublicKey is the key in its SSH form, or ErrUnsupportedKey.
func sshPublicKey(pub crypto.PublicKey) (ssh.PublicKey, error) {
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, pub)
	}
	if _, err := plainSSHKey(key); err != nil {
		return nil, err
	}
	return key, nil
}

// plainSSHKey takes a key out of its SSH form, or fails with ErrUnsupportedKey.
func plainSSHKey(key ssh.PublicKey) (crypto.PublicKey, error) {
	plain, ok := key.(ssh.CryptoPublicKey)
	if !ok || sshCertTypes[key.Type()] == "" {
		return nil, fmt.Errorf("%w: %s", ErrUnsupportedKey, key.Type())
	}
	pub := plain.CryptoPublicKey()
	if k, isRSA := pub.(*rsa.PublicKey); isRSA && (k.N.BitLen() < minSSHBits || k.N.BitLen() > maxRSABits) {
		return nil, fmt.Errorf("%w: RSA of %d bits", ErrUnsupportedKey, k.N.BitLen())
	}
	return pub, nil
}

// An sshText is a line of a public key or certificate, taken apart.
type sshText struct {
	key     ssh.PublicKey
	comment string
}

// parseSSHLine reads a line that has been written in the one way there is. What
// could be read in another way by others is refused.
func parseSSHLine(text string) (sshText, error) {
	if len(text) > maxSSHLine {
		return sshText{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(text))
	}
	kind, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	encoded, comment, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	comment = strings.TrimSpace(comment)
	if !isSSHText(comment, maxSSHComment) {
		return sshText{}, errors.New("more than a line, or a comment that cannot be printed")
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return sshText{}, ErrNotBase64
	}
	key, err := ssh.ParsePublicKey(blob)
	switch {
	case err != nil:
		return sshText{}, err
	case key.Type() != kind:
		return sshText{}, fmt.Errorf("%.64q before a key of type %s", kind, key.Type())
	case !bytes.Equal(key.Marshal(), blob):
		return sshText{}, errors.New("encoded in an unusual way")
	}
	return sshText{key, comment}, nil
}

func sshLine(key ssh.PublicKey, comment string) string {
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
	return strings.TrimSpace(line + " " + comment)
}

// isSSHText reports whether a text can stand on a line and in a log: it is UTF-8,
// all of it can be printed, and it has no more than limit bytes.
func isSSHText(s string, limit int) bool {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable)
}
