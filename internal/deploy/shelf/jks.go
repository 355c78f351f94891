package shelf

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
)

// The words of the format, which is documented by the JDK's source alone: class
// sun.security.provider.JavaKeyStore.
const (
	jksMagic    = 0xfeedfeed
	jksVersion  = 2
	jksKeyEntry = 1
	jksWhitener = "Mighty Aphrodite"
)

var (
	errNotJKS      = errors.New("it is not a Java keystore of the format JKS")
	errJKSPassword = errors.New("it has another password")
)

// JKS lays out a Java keystore of the format JKS, with the certificate, its chain
// without the root and its key as one entry. The settings are those of JKSFields.
// The other entries of a store that is there stay, unless Replace Store says
// otherwise. The key has the password of the store where it has none of its own.
func JKS(s deploy.Settings) (Layout, error) {
	if err := Check(s, JKSFields); err != nil {
		return Layout{}, err
	}
	place, alias, replaces := s.Value(clm.KeyStore, ""), s.Value(clm.StoreAlias, ""), s.IsOn(clm.ReplaceStore, false)
	if err := checkPath(labelOf(clm.KeyStore), place); err != nil {
		return Layout{}, err
	}
	if kind := s.Value(clm.StoreType, "JKS"); !strings.EqualFold(kind, "JKS") {
		return Layout{}, fmt.Errorf("%s: %q is not supported, only JKS is", labelOf(clm.StoreType), kind)
	}
	password, ofKey := s.Secrets[clm.StoreCredential], s.Secrets[clm.KeyCredential]
	data := func(b pki.Bundle, old []byte) ([]byte, error) {
		b.FriendlyName, b.Password, b.Chain = alias, ofKey.Reveal(), served(b)
		store, err := pki.EncodeJKS(b, password.Reveal())
		if err != nil || len(old) == 0 || replaces {
			return store, err
		}
		return mergeJKS(old, store, password.Reveal())
	}
	f := File{Path: place, Name: "store", Key: true, Data: mustBeThere(s, data), Merges: !replaces}
	return Layout{Files: []File{f}, Read: func(files map[string][]byte) (deploy.Found, error) {
		return readJKS(files["store"], password.Reveal(), alias)
	}}, nil
}

// A jksEntry is an entry of a store as it is written there.
type jksEntry struct {
	alias []byte
	certs [][]byte // with a key; a certificate that is trusted is none of these
	whole []byte
}

// mergeJKS puts the entries of one store into another, each in the place of that
// with its alias.
func mergeJKS(old, more, password []byte) ([]byte, error) {
	entries, err := parseJKS(old, password)
	if err != nil {
		return nil, err
	}
	added, err := parseJKS(more, password)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e jksEntry) bool {
		return slices.ContainsFunc(added, func(a jksEntry) bool { return bytes.Equal(a.alias, e.alias) })
	})
	entries = append(entries, added...)
	var out cryptobyte.Builder
	out.AddUint32(jksMagic)
	out.AddUint32(jksVersion)
	out.AddUint32(uint32(len(entries)))
	for _, e := range entries {
		out.AddBytes(e.whole)
	}
	store, err := out.Bytes()
	return append(store, jksDigest(store, password)...), err
}

// readJKS finds the certificate of the key under the alias.
func readJKS(store, password []byte, alias string) (deploy.Found, error) {
	if len(store) == 0 {
		return deploy.Found{}, nil
	}
	entries, err := parseJKS(store, password)
	if err != nil {
		return deploy.Found{}, err
	}
	name := javaText(strings.ToLower(alias))
	for _, e := range entries {
		if bytes.Equal(e.alias, name) && len(e.certs) > 0 {
			return deploy.Found{Cert: e.certs[0], Chain: e.certs[1:]}, nil
		}
	}
	return deploy.Found{}, nil
}

// parseJKS takes a store apart. It fails with errNotJKS or errJKSPassword.
func parseJKS(store, password []byte) (entries []jksEntry, err error) {
	var magic, version, count uint32
	body := store[:max(len(store)-sha1.Size, 0)]
	in := cryptobyte.String(body)
	if !in.ReadUint32(&magic) || !in.ReadUint32(&version) || !in.ReadUint32(&count) || magic != jksMagic || version != jksVersion {
		return nil, errNotJKS
	}
	if !bytes.Equal(jksDigest(body, password), store[len(body):]) {
		return nil, errJKSPassword
	}
	for range count {
		start := in
		e, ok := readJKSEntry(&in)
		if !ok {
			return nil, errNotJKS
		}
		e.whole = start[:len(start)-len(in)]
		entries = append(entries, e)
	}
	return entries, nil
}

func readJKSEntry(in *cryptobyte.String) (e jksEntry, ok bool) {
	var kind, count uint32
	var alias, key, cert []byte
	if !in.ReadUint32(&kind) || !readJavaText(in, &alias) || !in.Skip(8) { // the time at which it was made
		return e, false
	}
	e.alias = alias
	if kind != jksKeyEntry {
		return e, readJavaText(in, new([]byte)) && readJavaBytes(in, &cert)
	}
	if !readJavaBytes(in, &key) || !in.ReadUint32(&count) {
		return e, false
	}
	for range count {
		if !readJavaText(in, new([]byte)) || !readJavaBytes(in, &cert) {
			return e, false
		}
		e.certs = append(e.certs, cert)
	}
	return e, true
}

func readJavaText(in *cryptobyte.String, out *[]byte) bool {
	var text cryptobyte.String
	ok := in.ReadUint16LengthPrefixed(&text)
	*out = text
	return ok
}

func readJavaBytes(in *cryptobyte.String, out *[]byte) bool {
	var n uint32
	return in.ReadUint32(&n) && uint64(n) <= uint64(len(*in)) && in.ReadBytes(out, int(n))
}

// jksDigest protects a store against change by whoever has not its password.
func jksDigest(store, password []byte) []byte {
	h := sha1.New()
	for _, u := range utf16.Encode([]rune(string(password))) {
		h.Write([]byte{byte(u >> 8), byte(u)})
	}
	h.Write([]byte(jksWhitener))
	h.Write(store)
	return h.Sum(nil)
}

// javaText is text as Java's DataOutput.writeUTF writes it: UTF-8 of each UTF-16
// unit, the zero in two bytes.
func javaText(text string) (out []byte) {
	for _, u := range utf16.Encode([]rune(text)) {
		switch {
		case u != 0 && u < 0x80:
			out = append(out, byte(u))
		case u < 0x800:
			out = append(out, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
		default:
			out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		}
	}
	return out
}
