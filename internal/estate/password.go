package estate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/certwright/certwright/internal/secret"
)

// A password stands in the file itself, in another file or in the environment.
type password struct {
	place
	word string // what it is called, where that is not password
	text secret.Plain
	file string
	env  string
}

// isThere reports whether a password is said at all.
func (p password) isThere() bool { return !p.text.IsEmpty() || p.file != "" || p.env != "" }

// keys are the ways to say the password of what stands at the place.
func (p *password) keys(of place) keys {
	ways, word := 0, p.called()
	oneWay := func(read reader) reader {
		return func(v value) error {
			if ways++; ways > 1 {
				return of.fail("has more than one of %s, %s and %s", word, word+"File", word+"Env")
			}
			p.place = v.place()
			return read(v)
		}
	}
	return keys{
		word:          oneWay(to(&p.text, passwordText)),
		word + "File": oneWay(to(&p.file, line)),
		word + "Env":  oneWay(to(&p.env, line)),
	}
}

func (p password) called() string { return cmp.Or(p.word, "password") }

// passwordText reads a password as it is written. Its errors do not repeat it.
func passwordText(v value) (secret.Plain, error) {
	s, err := v.raw()
	switch {
	case err != nil:
		return secret.Plain{}, err
	case v.node.Anchor != "":
		return secret.Plain{}, v.fail("a password that begins with & must stand in quotes")
	case s == "":
		return secret.Plain{}, v.fail("is empty")
	case len(s) > MaxPassword:
		return secret.Plain{}, v.fail("is longer than %d bytes", MaxPassword)
	}
	return secret.NewString(s), nil
}

// read finds a password where the file says that it is. Its errors do not repeat it.
func (p password) read(dir string) (secret.Plain, error) {
	switch {
	case p.env != "":
		s, ok := os.LookupEnv(p.env)
		if !ok || s == "" {
			return secret.Plain{}, p.fail("the environment has no %s", p.env)
		}
		return p.checked([]byte(s))
	case p.file != "":
		path := p.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		b, err := readAtMost(path, MaxPassword+2) // and a line end
		if err != nil {
			return secret.Plain{}, p.fail("%w", err)
		}
		return p.checked([]byte(strings.TrimRight(string(b), "\r\n")))
	}
	return p.text, nil
}

func (p password) checked(b []byte) (secret.Plain, error) {
	switch {
	case len(b) == 0:
		return secret.Plain{}, p.fail("the %s is empty", p.called())
	case len(b) > MaxPassword:
		return secret.Plain{}, p.fail("the %s is longer than %d bytes", p.called(), MaxPassword)
	}
	return secret.NewPlain(b), nil
}

// readAtMost reads a file but for what is beyond so many bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}
