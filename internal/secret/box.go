package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrCannotOpen says that a sealed value was changed, was sealed for something
// else, or was sealed under keys that the box does not have.
var ErrCannotOpen = errors.New("sealed value does not open")

// errNoBind says that a caller forgot what the secret belongs to.
var errNoBind = errors.New("a sealed value must be bound to something")

// Sealed is a secret that only the Box that sealed it can open: AES-256-GCM under
// one of the box's keys, with the key's number in front.
type Sealed []byte

// A Box seals secrets and opens them again. Its keys are in a file. It is safe
// for concurrent use, by several processes on the same file too: a box that meets
// a key it does not know looks into the file once more.
type Box struct {
	// Watch is told every secret that is sealed or opened, so that tests can search
	// logs for it. It is nil outside tests and must be set before the box is used.
	Watch func(Plain)

	path string
	keys atomic.Pointer[keys]

	changing   sync.Mutex // held while the file is read or changed
	passphrase Plain      // what the file is protected with; guarded by changing
}

// keys is what a box seals with; it never changes.
type keys struct {
	aead    tink.AEAD       // built once: building it costs more than using it
	primary string          // the prefix of what Seal makes
	known   map[string]bool // the prefixes of what opens
}

// OpenBox opens the box whose keys are in the file at path, and makes the file,
// with a first key, where there is none; its directory must exist. With a
// passphrase that is not empty the file is protected by it.
//
// It fails with ErrPassphraseNeeded or ErrWrongPassphrase when the file is
// protected and does not open, with ErrNotProtected when a passphrase is given
// for a file that has none (use Rewrap to protect it), with ErrExposed when the
// file is open to everyone on the machine, and with ErrCorrupt when it is damaged.
func OpenBox(path string, passphrase Plain) (*Box, error) {
	b := &Box{path: path, passphrase: passphrase}
	if err := createFile(path, passphrase); err != nil {
		return nil, fmt.Errorf("create key file %s: %w", path, err)
	}
	if err := b.reload(); err != nil {
		return nil, err
	}
	return b, nil
}

// Seal seals plain for whatever bind names, say a row: it will open for the same
// bind only, so that sealed values cannot be swapped. bind must not be empty.
func (b *Box) Seal(plain Plain, bind string) (Sealed, error) {
	if bind == "" {
		return nil, errNoBind
	}
	b.watch(plain)
	s, err := b.keys.Load().aead.Encrypt(plain.Reveal(), []byte(bind))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return s, nil
}

// Open gives the secret that was sealed for bind, or ErrCannotOpen.
func (b *Box) Open(s Sealed, bind string) (Plain, error) {
	if !b.keys.Load().known[prefixOf(s)] {
		if err := b.reload(); err != nil {
			return Plain{}, fmt.Errorf("%w: look for its key: %w", ErrCannotOpen, err)
		}
	}
	plain, err := b.keys.Load().aead.Decrypt(s, []byte(bind))
	if err != nil {
		return Plain{}, ErrCannotOpen
	}
	p := NewPlain(plain)
	b.watch(p)
	return p, nil
}

// Knows reports whether the box has the key under which the value was sealed: what it
// knows and does not open was changed, or sealed for something else.
func (b *Box) Knows(s Sealed) bool { return b.keys.Load().known[prefixOf(s)] }

// IsCurrent reports whether s is sealed under the key that Seal uses now. What is
// not current should be opened and sealed again.
func (b *Box) IsCurrent(s Sealed) bool { return prefixOf(s) == b.keys.Load().primary }

// Rotate adds a new key, writes the file and seals under the new key from then
// on. What was sealed before still opens.
func (b *Box) Rotate() error {
	return b.change("rotate", func(c *contents) error {
		m := keyset.NewManagerFromHandle(c.handle)
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		if err := m.SetPrimary(id); err != nil {
			return err
		}
		c.handle, err = m.Handle()
		return err
	})
}

// DropOld forgets all keys but the one that Seal uses. Whatever is still sealed
// under another is lost for good: seal everything again first.
func (b *Box) DropOld() error {
	return b.change("drop old keys", func(c *contents) error {
		m := keyset.NewManagerFromHandle(c.handle)
		for entry := range entries(c.handle) {
			if entry.IsPrimary() {
				continue
			}
			if err := m.Delete(entry.KeyID()); err != nil {
				return err
			}
		}
		var err error
		c.handle, err = m.Handle()
		return err
	})
}

// Rewrap protects the file with another passphrase; an empty one takes the
// protection away. The keys stay the same.
func (b *Box) Rewrap(passphrase Plain) error {
	return b.change("change passphrase", func(c *contents) error {
		c.passphrase = passphrase
		return nil
	})
}

func (b *Box) watch(p Plain) {
	if b.Watch != nil {
		b.Watch(p)
	}
}

func newKeys(handle *keyset.Handle) (*keys, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	k := &keys{aead: primitive, known: map[string]bool{}}
	for entry := range entries(handle) {
		prefix := string(binary.BigEndian.AppendUint32([]byte{cryptofmt.TinkStartByte}, entry.KeyID()))
		k.known[prefix] = true
		if entry.IsPrimary() {
			k.primary = prefix
		}
	}
	return k, nil
}

// entries lists the keys of a keyset.
func entries(handle *keyset.Handle) iter.Seq[*keyset.Entry] {
	return func(yield func(*keyset.Entry) bool) {
		for i := range handle.Len() {
			if entry, err := handle.Entry(i); err != nil || !yield(entry) {
				return
			}
		}
	}
}

// prefixOf is what names the key that s is sealed under; empty when s is too short.
func prefixOf(s Sealed) string {
	if len(s) < cryptofmt.NonRawPrefixSize {
		return ""
	}
	return string(s[:cryptofmt.NonRawPrefixSize])
}
