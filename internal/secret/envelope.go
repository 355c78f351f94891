package secret

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"golang.org/x/crypto/argon2"
)

// What can be wrong with a key file.
var (
	ErrPassphraseNeeded = errors.New("key file is protected by a passphrase, and none was given")
	ErrWrongPassphrase  = errors.New("wrong passphrase for the key file")
	ErrNotProtected     = errors.New("a passphrase was given, but the key file is not protected by one")
	ErrCorrupt          = errors.New("key file is damaged, or is none")
)

// The version of the file's format that this code reads and writes.
const fileVersion = 1

// How the key that protects the file is made of the passphrase: argon2id with the
// second choice of RFC 9106, section 4. The file says what it was made with.
const (
	argonTime    = 3
	argonMemory  = 64 * 1024 // KiB
	argonThreads = 4
	saltSize     = 16
	wrapKeySize  = 32 // AES-256
)

// Limits of what a file may ask for.
const (
	maxFileSize    = 1 << 20
	maxArgonTime   = 64
	maxArgonMemory = 1024 * 1024 // KiB
)

// contents is what a key file holds, and what it is protected with.
type contents struct {
	handle     *keyset.Handle
	passphrase Plain
}

// envelope is the file: JSON. Sum tells damage from a wrong passphrase; it is
// over the same JSON with an empty Sum.
type envelope struct {
	Version int    `json:"certwright-key-file"`
	Argon   *argon `json:"argon2id,omitempty"` // absent in a file that is not protected
	Keyset  []byte `json:"keyset"`
	Sum     []byte `json:"sha256"`
}

// argon is how the key that protects the file is made of the passphrase.
type argon struct {
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory-kib"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
}

// render makes the text of a key file.
func render(c contents) ([]byte, error) {
	e := envelope{Version: fileVersion}
	var b bytes.Buffer
	var err error
	if c.passphrase.IsEmpty() {
		err = insecurecleartextkeyset.Write(c.handle, keyset.NewBinaryWriter(&b))
	} else {
		e.Argon = &argon{Time: argonTime, Memory: argonMemory, Threads: argonThreads, Salt: make([]byte, saltSize)}
		_, _ = rand.Read(e.Argon.Salt) // never fails
		err = e.Argon.write(c, &b)
	}
	if err != nil {
		return nil, err
	}
	e.Keyset = b.Bytes()
	e.Sum = e.sum()
	text, err := json.MarshalIndent(e, "", "\t")
	return append(text, '\n'), err
}

// parse reads the text of a key file.
func parse(text []byte, passphrase Plain) (contents, error) {
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return contents{}, ErrCorrupt
	}
	if e.Version > fileVersion {
		return contents{}, fmt.Errorf("key file is of version %d, which is newer than this program", e.Version)
	}
	if e.Version < 1 || !bytes.Equal(e.Sum, e.sum()) {
		return contents{}, ErrCorrupt
	}
	c := contents{passphrase: passphrase}
	var err error
	switch isProtected := e.Argon != nil; {
	case isProtected && passphrase.IsEmpty():
		return contents{}, ErrPassphraseNeeded
	case isProtected:
		c.handle, err = e.Argon.read(e.Keyset, passphrase)
	case !passphrase.IsEmpty():
		return contents{}, ErrNotProtected
	default:
		c.handle, err = insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(e.Keyset)))
		if err != nil {
			err = ErrCorrupt
		}
	}
	return c, err
}

// sum is the checksum over all else in the envelope.
func (e envelope) sum() []byte {
	e.Sum = nil
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // numbers and bytes always marshal
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

func (a *argon) write(c contents, w io.Writer) error {
	wrap, err := a.wrap(c.passphrase)
	if err != nil {
		return err
	}
	return c.handle.Write(keyset.NewBinaryWriter(w), wrap)
}

func (a *argon) read(sealed []byte, passphrase Plain) (*keyset.Handle, error) {
	wrap, err := a.wrap(passphrase)
	if err != nil {
		return nil, err
	}
	handle, err := keyset.Read(keyset.NewBinaryReader(bytes.NewReader(sealed)), wrap)
	if err != nil {
		return nil, ErrWrongPassphrase
	}
	return handle, nil
}

// wrap makes the cipher that protects the file.
func (a *argon) wrap(passphrase Plain) (*subtle.AESGCM, error) {
	if a.Time < 1 || a.Time > maxArgonTime || a.Memory > maxArgonMemory || a.Threads < 1 || len(a.Salt) < saltSize {
		return nil, fmt.Errorf("%w: its argon2id parameters are out of bounds", ErrCorrupt)
	}
	return subtle.NewAESGCM(argon2.IDKey(passphrase.Reveal(), a.Salt, a.Time, a.Memory, a.Threads, wrapKeySize))
}

// readLimited reads all of a file that is not larger than a key file can be.
func readLimited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err == nil && len(text) > maxFileSize {
		err = ErrCorrupt
	}
	return text, err
}
