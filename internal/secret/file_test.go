package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A new file is for its owner only, and nothing is left beside it.
func TestNewFileIsPrivate(t *testing.T) {
	b := openBox(t, "")
	if err := b.Rotate(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("got mode %o, want 600", got)
	}
	entries, err := os.ReadDir(filepath.Dir(b.path))
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v, want the key file alone", entries, err)
	}
}

// A file that everyone may read is refused; one that its group may read is not.
func TestExposedFileIsRefused(t *testing.T) {
	b := openBox(t, "")
	for mode, want := range map[os.FileMode]error{0o604: ErrExposed, 0o602: ErrExposed, 0o777: ErrExposed, 0o640: nil, 0o400: nil} {
		if err := os.Chmod(b.path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBox(b.path, Plain{}); !errors.Is(err, want) {
			t.Errorf("mode %o: got %v, want %v", mode, err, want)
		}
	}
}

// No file appears where there is no directory, and an existing file is never
// written over by opening it.
func TestOpeningNeverOverwrites(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing", "keys")
	if _, err := OpenBox(missing, Plain{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %v", err, os.ErrNotExist)
	}
	if _, err := os.Stat(filepath.Dir(missing)); err == nil {
		t.Error("the directory was made")
	}
	path := filepath.Join(t.TempDir(), "keys")
	for _, text := range []string{"", "precious", `{"certwright-key-file":1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBox(path, NewString("p")); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: got %v, want %v", text, err, ErrCorrupt)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("got %q, want %q untouched", got, text)
		}
	}
	if err := writeFile(path, contents{handle: mustHandle(t)}, os.Link); !errors.Is(err, os.ErrExist) {
		t.Errorf("writing a new file over one: got %v, want %v", err, os.ErrExist)
	}
}

// A file that is reached by a symbolic link is changed where it is; the link stays.
func TestSymbolicLinkStays(t *testing.T) {
	real := openBox(t, "")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real.path, link); err != nil {
		t.Fatal(err)
	}
	b := openBox(t, link)
	if err := b.Rotate(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	mustOpen(t, real, mustSeal(t, b, "x", "row"), "row", "x")
}

// The passphrase protects the keys: with it they are had, without it or with
// another they are not, and each case is told apart.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	right, wrong := NewString("correct horse"), NewString("correct house")
	path := filepath.Join(t.TempDir(), "keys")
	b, err := OpenBox(path, right)
	if err != nil {
		t.Fatal(err)
	}
	s := mustSeal(t, b, "x", "row")
	for name, c := range map[string]struct {
		passphrase Plain
		want       error
	}{
		"right": {right, nil}, "wrong": {wrong, ErrWrongPassphrase}, "none": {Plain{}, ErrPassphraseNeeded},
	} {
		again, err := OpenBox(path, c.passphrase)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "correct") {
			t.Errorf("%s: the error tells the passphrase: %v", name, err)
		}
		if err == nil {
			mustOpen(t, again, s, "row", "x")
		}
	}
	if _, err := OpenBox(openBox(t, "").path, right); !errors.Is(err, ErrNotProtected) {
		t.Errorf("passphrase for a file without: got %v, want %v", err, ErrNotProtected)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("correct")) {
		t.Errorf("the file tells the passphrase:\n%s", text)
	}
}

// The passphrase can be set, changed and taken away; the keys stay, rotation
// keeps the protection, and a box with the old passphrase goes on with what it has.
func TestRewrap(t *testing.T) {
	t.Parallel()
	one, two := NewString("one"), NewString("two")
	b := openBox(t, "")
	s := mustSeal(t, b, "x", "row")
	check := func(when string, works Plain, fails map[error]Plain) {
		t.Helper()
		again, err := OpenBox(b.path, works)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		mustOpen(t, again, s, "row", "x")
		for want, passphrase := range fails {
			if _, err := OpenBox(b.path, passphrase); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", when, err, want)
			}
		}
	}
	steps := []struct {
		when  string
		do    func() error
		works Plain
		fails map[error]Plain
	}{
		{"set", func() error { return b.Rewrap(one) }, one, map[error]Plain{ErrPassphraseNeeded: {}, ErrWrongPassphrase: two}},
		{"changed", func() error { return b.Rewrap(two) }, two, map[error]Plain{ErrPassphraseNeeded: {}, ErrWrongPassphrase: one}},
		{"rotated", b.Rotate, two, map[error]Plain{ErrPassphraseNeeded: {}}},
		{"taken away", func() error { return b.Rewrap(Plain{}) }, Plain{}, map[error]Plain{ErrNotProtected: two}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.when, err)
		}
		check(step.when, step.works, step.fails)
		mustOpen(t, b, s, "row", "x")
	}
	stale := openBox(t, b.path)
	if err := b.Rewrap(one); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, stale, s, "row", "x")
	if err := stale.Rotate(); !errors.Is(err, ErrPassphraseNeeded) {
		t.Errorf("a box without the new passphrase: got %v, want %v", err, ErrPassphraseNeeded)
	}
}

// Whatever bit of the file is damaged, it is said to be damaged, and never that
// the passphrase is wrong.
func TestDamageIsNotAWrongPassphrase(t *testing.T) {
	for name, passphrase := range map[string]Plain{"not protected": {}, "protected": NewString("p")} {
		t.Run(name, func(t *testing.T) {
			text, err := render(contents{mustHandle(t), passphrase})
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range values(t, text) {
				at := bytes.Index(text, value) + len(value)/2
				damaged := bytes.Clone(text)
				damaged[at]++
				if _, err := parse(damaged, passphrase); !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s changed: got %v, want %v", value, err, ErrCorrupt)
				}
			}
			for _, cut := range []int{0, 1, len(text) / 2, len(text) - 3} {
				if _, err := parse(text[:cut], passphrase); !errors.Is(err, ErrCorrupt) {
					t.Errorf("cut off at %d: got %v, want %v", cut, err, ErrCorrupt)
				}
			}
		})
	}
}

// values lists the base64 values in the JSON of a file.
func values(t *testing.T, text []byte) [][]byte {
	t.Helper()
	var found [][]byte
	for _, word := range bytes.Split(text, []byte(`"`)) {
		if len(word) >= 22 {
			found = append(found, word)
		}
	}
	if len(found) < 2 {
		t.Fatalf("too few values in\n%s", text)
	}
	return found
}

// A file of a later version of the program is not taken for a damaged one.
func TestLaterVersionIsToldApart(t *testing.T) {
	_, err := parse([]byte(`{"certwright-key-file":2,"something":"new"}`), Plain{})
	if err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

// A file cannot make us burn memory and time without bounds.
func TestParametersHaveBounds(t *testing.T) {
	salt := make([]byte, saltSize)
	for name, a := range map[string]argon{
		"no time":         {0, 64, 1, salt},
		"too much time":   {maxArgonTime + 1, 64, 1, salt},
		"too much memory": {1, maxArgonMemory + 1, 1, salt},
		"no threads":      {1, 64, 0, salt},
		"short salt":      {1, 64, 1, salt[1:]},
	} {
		e := envelope{Version: fileVersion, Argon: &a}
		e.Sum = e.sum()
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(text, NewString("p")); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want %v", name, err, ErrCorrupt)
		}
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, make([]byte, maxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBox(path, Plain{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a huge file: got %v, want %v", err, ErrCorrupt)
	}
}
