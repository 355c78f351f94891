package pki

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
)

// The words of the format, which is documented by the JDK's source alone: class
// sun.security.provider.JavaKeyStore.
const (
	jksMagic       = 0xfeedfeed
	jksVersion     = 2
	jksKeyEntry    = 1
	jksCertEntry   = 2
	jksWhitener    = "Mighty Aphrodite"
	jksCertificate = "X.509"
)

// oidKeyProtector is the JDK's way to encrypt keys, class sun.security.provider.KeyProtector.
var oidKeyProtector = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}

// EncodeJKS writes a bundle as a Java keystore, format JKS. The friendly name, in
// lower case as Java has it, is the alias of the key, which is encrypted with the
// bundle's password or, if it has none, with the store's. Without a key the
// certificates are trusted ones: the leaf under the alias, the chain under the
// alias with -1, -2 and so on behind it. An entry is as old as its certificate.
//
// JKS protects keys weakly (SHA-1, a single round); whoever can choose takes
// PKCS #12. We write it ourselves so that passwords and aliases may be of any
// characters. It fails with ErrNoFriendlyName, ErrNoPassword, ErrNotCertificate or
// ErrUnsupportedKey.
func EncodeJKS(b Bundle, storePassword []byte) ([]byte, error) {
	if b.FriendlyName == "" {
		return nil, ErrNoFriendlyName
	}
	if len(storePassword) == 0 {
		return nil, ErrNoPassword
	}
	if len(b.Password) == 0 {
		b.Password = storePassword
	}
	entries, err := jksEntries(b)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddUint32(jksMagic)
	out.AddUint32(jksVersion)
	out.AddUint32(uint32(len(entries)))
	for _, e := range entries {
		e.write(&out)
	}
	store, err := out.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode JKS: %w", err)
	}
	digest := sha1.Sum(slices.Concat(utf16BE(string(storePassword)), []byte(jksWhitener), store))
	return append(store, digest[:]...), nil
}

// A jksEntry is a key with its certificates or, without key, a trusted certificate.
type jksEntry struct {
	alias string
	since time.Time
	key   []byte // an EncryptedPrivateKeyInfo, DER
	certs [][]byte
}

func jksEntries(b Bundle) ([]jksEntry, error) {
	alias := strings.ToLower(b.FriendlyName)
	var entries []jksEntry
	for i, der := range b.certs() {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotCertificate, err)
		}
		entries = append(entries, jksEntry{alias: alias, since: cert.NotBefore, certs: [][]byte{der}})
		if i > 0 {
			entries[i].alias = fmt.Sprintf("%s-%d", alias, i)
		}
	}
	if b.Key == nil {
		return entries, nil
	}
	key, err := MarshalKey(b.Key)
	if err != nil {
		return nil, err
	}
	leaf := entries[0]
	leaf.key, leaf.certs = jksProtect(key, b.Password), b.certs()
	return []jksEntry{leaf}, nil
}

func (e jksEntry) write(out *cryptobyte.Builder) {
	kind := uint32(jksKeyEntry)
	if e.key == nil {
		kind = jksCertEntry
	}
	out.AddUint32(kind)
	addJavaText(out, e.alias)
	out.AddUint64(uint64(e.since.UnixMilli()))
	if e.key != nil {
		out.AddUint32LengthPrefixed(func(out *cryptobyte.Builder) { out.AddBytes(e.key) })
		out.AddUint32(uint32(len(e.certs)))
	}
	for _, der := range e.certs {
		addJavaText(out, jksCertificate)
		out.AddUint32LengthPrefixed(func(out *cryptobyte.Builder) { out.AddBytes(der) })
	}
}

// jksProtect encrypts a key, PKCS #8: it is combined with a stream of hashes,
// each over the password and the one before, the first of which is a salt.
func jksProtect(key, password []byte) []byte {
	secret := utf16BE(string(password))
	salt := random(sha1.Size)
	data, link := slices.Clone(salt), salt
	for i, b := range key {
		if i%sha1.Size == 0 {
			sum := sha1.Sum(slices.Concat(secret, link))
			link = sum[:]
		}
		data = append(data, b^link[i%sha1.Size])
	}
	check := sha1.Sum(slices.Concat(secret, key))
	return marshal(encryptedKey{algorithm(oidKeyProtector, asn1.NullRawValue), append(data, check[:]...)})
}

// addJavaText writes text as Java's DataOutput.writeUTF does: UTF-8 of each UTF-16
// unit, the zero in two bytes.
func addJavaText(out *cryptobyte.Builder, text string) {
	out.AddUint16LengthPrefixed(func(out *cryptobyte.Builder) {
		for _, u := range utf16.Encode([]rune(text)) {
			switch {
			case u != 0 && u < 0x80:
				out.AddUint8(byte(u))
			case u < 0x800:
				out.AddBytes([]byte{0xc0 | byte(u>>6), 0x80 | byte(u&0x3f)})
			default:
				out.AddBytes([]byte{0xe0 | byte(u>>12), 0x80 | byte(u>>6&0x3f), 0x80 | byte(u&0x3f)})
			}
		}
	})
}
