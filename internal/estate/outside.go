package estate

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// An outside is what a certificate brings from outside: a signing request, or the
// certificate itself, perhaps with its key.
type outside struct {
	csr         outsideFile // or its text
	certificate outsideFile
	key         outsideFile
	password    password
}

// An outsideFile is a file that the estate file names; what has no name is none.
type outsideFile struct {
	place
	name string
}

// material is what was read of an outside.
type material struct {
	csr                        string
	certificate, key, password secret.Plain
}

func (f *outsideFile) read(c check) reader {
	return func(v value) (err error) {
		f.place = v.place()
		f.name, err = c(v)
		return err
	}
}

const armor = "-----BEGIN"

// csrOrFile reads a signing request in PEM or the name of a file with one.
func csrOrFile(v value) (string, error) {
	s, err := text(v)
	if err != nil || !strings.Contains(s, armor) {
		return line(v)
	}
	if _, err := pki.ParseCSR(s); err != nil {
		return "", v.fail("%w", err)
	}
	return s, nil
}

// isThere reports whether a certificate brings anything from outside.
func (o outside) isThere() bool { return o.csr.name+o.certificate.name != "" }

// load reads the files, relative to the folder, and checks that they are what they
// should be. Its errors repeat nothing of them.
func (o outside) load(dir string) (m material, err error) {
	if o.csr.name != "" {
		if m.csr = o.csr.name; !strings.Contains(m.csr, armor) {
			b, err := o.csr.load(dir, pki.MaxCSRSize)
			if err != nil {
				return m, err
			}
			m.csr = string(b.Reveal())
		}
		if _, err := pki.ParseCSR(m.csr); err != nil {
			return m, o.csr.fail("%w", err)
		}
		return m, nil
	}
	if m.certificate, err = o.certificate.load(dir, pki.MaxImportSize*3/4); err != nil { // as base64 it becomes longer
		return m, err
	}
	if m.key, err = o.key.load(dir, pki.MaxKeySize*3/4); err != nil {
		return m, err
	}
	if m.password, err = o.password.read(dir); err != nil {
		return m, err
	}
	if _, err := pki.ParseImport(string(m.certificate.Reveal()), m.key.Reveal(), m.password.Reveal()); err != nil {
		return m, o.certificate.fail("%w", err)
	}
	return m, nil
}

// load reads a file as text: what is binary becomes base64. No file is empty.
func (f outsideFile) load(dir string, most int64) (secret.Plain, error) {
	content, err := f.raw(dir, most)
	isBinary := func(c byte) bool { return c < '\t' || c > '~' }
	if err == nil && slices.ContainsFunc(content.Reveal(), isBinary) {
		return secret.NewString(base64.StdEncoding.EncodeToString(content.Reveal())), nil
	}
	return content, err
}

// raw reads a file as it is.
func (f outsideFile) raw(dir string, most int64) (secret.Plain, error) {
	if f.name == "" {
		return secret.Plain{}, nil
	}
	path := f.name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	b, err := readAtMost(path, most+1)
	isKey := strings.HasSuffix(f.path, ".keyFile") || strings.HasSuffix(f.path, ".privateKeyFile")
	if failed, ok := errors.AsType[*fs.PathError](err); ok && isKey {
		err = failed.Err // what stands there may be the key itself
	}
	switch {
	case err != nil:
		return secret.Plain{}, f.fail("%w", err)
	case int64(len(b)) > most:
		return secret.Plain{}, f.fail("the file is larger than %d KiB", most>>10)
	}
	return secret.NewPlain(b), nil
}
