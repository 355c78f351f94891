package secret

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// openBox opens a box on a new file, or on that at path, without a passphrase.
func openBox(t testing.TB, path string) *Box {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "keys")
	}
	b, err := OpenBox(path, Plain{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustSeal(t testing.TB, b *Box, text, bind string) Sealed {
	t.Helper()
	s, err := b.Seal(NewString(text), bind)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustOpen(t testing.TB, b *Box, s Sealed, bind, want string) {
	t.Helper()
	p, err := b.Open(s, bind)
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Reveal()) != want {
		t.Fatalf("got %q, want %q", p.Reveal(), want)
	}
}

// What is sealed opens again, for what it was sealed for, and shows nothing.
func TestSealedOpens(t *testing.T) {
	b := openBox(t, "")
	for _, text := range []string{"", "x", theSecret, strings.Repeat("k", 1<<20)} {
		s := mustSeal(t, b, text, "row 1")
		mustOpen(t, b, s, "row 1", text)
		if isLeaked(string(s)) {
			t.Errorf("the sealed value contains the secret: %q", s)
		}
	}
	if bytes.Equal(mustSeal(t, b, "x", "row 1"), mustSeal(t, b, "x", "row 1")) {
		t.Error("sealing twice gives the same bytes, which tells that the secrets are the same")
	}
}

// A value that was moved to another row, changed or cut off does not open.
func TestSealedValuesCannotBeSwappedOrChanged(t *testing.T) {
	b := openBox(t, "")
	s := mustSeal(t, b, theSecret, "row 1")
	for name, c := range map[string]struct {
		s    Sealed
		bind string
	}{
		"another row":          {s, "row 2"},
		"no row":               {s, ""},
		"longer name":          {s, "row 11"},
		"a bit of its key":     {flip(s, 1), "row 1"},
		"a bit of its nonce":   {flip(s, 6), "row 1"},
		"a bit of its text":    {flip(s, 20), "row 1"},
		"a bit of its tag":     {flip(s, len(s)-1), "row 1"},
		"cut off":              {s[:len(s)-1], "row 1"},
		"almost nothing":       {s[:3], "row 1"},
		"nothing":              {nil, "row 1"},
		"something appended":   {append(bytes.Clone(s), 0), "row 1"},
		"sealed by another":    {mustSeal(t, openBox(t, ""), theSecret, "row 1"), "row 1"},
		"never sealed by none": {Sealed(theSecret + theSecret + theSecret), "row 1"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := b.Open(c.s, c.bind)
			if !errors.Is(err, ErrCannotOpen) || !p.IsEmpty() {
				t.Errorf("got %q, %v, want %v", p.Reveal(), err, ErrCannotOpen)
			}
			if err != nil && isLeaked(err.Error()) {
				t.Error(err)
			}
		})
	}
}

func flip(s Sealed, at int) Sealed {
	changed := bytes.Clone(s)
	changed[at] ^= 0x40
	return changed
}

// A value that belongs to nothing could be put anywhere, so it is not made.
func TestSealingNeedsABind(t *testing.T) {
	if s, err := openBox(t, "").Seal(NewString("x"), ""); err == nil {
		t.Errorf("got %x, want an error", s)
	}
}

// After a rotation the old opens, the new is sealed under the new key, and once
// all is sealed again the old key can go.
func TestRotation(t *testing.T) {
	b := openBox(t, "")
	old := mustSeal(t, b, "old", "row 1")
	if !b.IsCurrent(old) {
		t.Error("what was just sealed is not current")
	}
	if err := b.Rotate(); err != nil {
		t.Fatal(err)
	}
	fresh := mustSeal(t, b, "fresh", "row 2")
	if b.IsCurrent(old) || !b.IsCurrent(fresh) || b.IsCurrent(nil) {
		t.Errorf("current: old %v, fresh %v, nothing %v; want only fresh", b.IsCurrent(old), b.IsCurrent(fresh), b.IsCurrent(nil))
	}
	again := openBox(t, b.path)
	for _, box := range []*Box{b, again} {
		mustOpen(t, box, old, "row 1", "old")
		mustOpen(t, box, fresh, "row 2", "fresh")
	}
	if err := b.DropOld(); err != nil {
		t.Fatal(err)
	}
	for _, box := range []*Box{b, openBox(t, b.path)} {
		mustOpen(t, box, fresh, "row 2", "fresh")
		if _, err := box.Open(old, "row 1"); !errors.Is(err, ErrCannotOpen) {
			t.Errorf("a dropped key still opens: %v", err)
		}
	}
}

// Boxes of several processes on one file find each other's keys, and none loses
// a key that another has made.
func TestRotationsOfSeveralProcessesAddUp(t *testing.T) {
	first := openBox(t, "")
	boxes := []*Box{first, openBox(t, first.path), openBox(t, first.path)}
	var sealed []Sealed
	for range 3 {
		for _, b := range boxes {
			if err := b.Rotate(); err != nil {
				t.Fatal(err)
			}
			sealed = append(sealed, mustSeal(t, b, "x", "row"))
		}
	}
	for _, b := range boxes {
		for _, s := range sealed {
			mustOpen(t, b, s, "row", "x")
		}
	}
}

// A box can be sealed with, opened and rotated at once, and boxes can be opened
// on the same new file at once; all share the same keys in the end.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	var all sync.WaitGroup
	failures := make(chan error, 100)
	for i := range 4 {
		all.Go(func() {
			b, err := OpenBox(path, Plain{})
			if err != nil {
				failures <- err
				return
			}
			for j := range 4 {
				all.Go(func() { failures <- sealAndOpen(b, fmt.Sprintf("row %d %d", i, j)) })
			}
			for range 3 {
				failures <- b.Rotate()
			}
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Error(err)
		}
	}
	c, err := readFile(path, Plain{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.handle.Len(), 1+4*3; got != want {
		t.Errorf("got %d keys, want %d: some were lost", got, want)
	}
}

// Of several processes that meet a missing file at the same moment, one makes it
// and all use it.
func TestOneFirstKey(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "keys")
		boxes := make([]*Box, 4)
		errs := make([]error, len(boxes))
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range boxes {
			all.Go(func() {
				<-start
				boxes[i], errs[i] = OpenBox(path, Plain{})
			})
		}
		close(start)
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for _, b := range boxes {
			mustOpen(t, boxes[0], mustSeal(t, b, "x", "row"), "row", "x")
		}
	}
}

func sealAndOpen(b *Box, bind string) error {
	for range 200 {
		s, err := b.Seal(NewString(bind), bind)
		if err != nil {
			return err
		}
		b.IsCurrent(s)
		p, err := b.Open(s, bind)
		if err != nil {
			return err
		}
		if string(p.Reveal()) != bind {
			return fmt.Errorf("got %q, want %q", p.Reveal(), bind)
		}
	}
	return nil
}

// Watch sees every secret that passes through the box, and nothing that did not open.
func TestWatchSeesEverySecret(t *testing.T) {
	b := openBox(t, "")
	s := mustSeal(t, b, "before", "row")
	var seen []string
	b.Watch = func(p Plain) { seen = append(seen, string(p.Reveal())) }
	mustSeal(t, b, "one", "row")
	mustOpen(t, b, s, "row", "before")
	if _, err := b.Open(s, "other row"); err == nil {
		t.Error("opened for another row")
	}
	if got := strings.Join(seen, " "); got != "one before" {
		t.Errorf("got %q, want %q", got, "one before")
	}
}

// When the file is gone, what the box knows still serves, and nothing is changed.
func TestBoxOutlivesItsFile(t *testing.T) {
	b := openBox(t, "")
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	s := mustSeal(t, b, "x", "row")
	mustOpen(t, b, s, "row", "x")
	for name, change := range map[string]func() error{"rotate": b.Rotate, "drop": b.DropOld, "rewrap": func() error { return b.Rewrap(NewString("p")) }} {
		if err := change(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want %v", name, err, os.ErrNotExist)
		}
	}
	if !b.IsCurrent(s) {
		t.Error("a rotation that failed changed the box")
	}
}

func BenchmarkSeal(b *testing.B) {
	box, key := openBox(b, ""), NewPlain(make([]byte, 1200))
	for b.Loop() {
		if _, err := box.Seal(key, "version 12345"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	box := openBox(b, "")
	s := mustSeal(b, box, strings.Repeat("k", 1200), "version 12345")
	for b.Loop() {
		if _, err := box.Open(s, "version 12345"); err != nil {
			b.Fatal(err)
		}
	}
}
