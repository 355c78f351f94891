package shelf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// A slow host is one on which somebody else does something before one of our
// operations, whether that reads or changes.
type slow struct {
	*mortal
	until int // operations before that
	then  func()
}

func (h *slow) wait() {
	if h.until--; h.until == -1 {
		h.then()
	}
}

func (h *slow) ReadFile(ctx context.Context, name string) ([]byte, error) {
	h.wait()
	return h.mortal.ReadFile(ctx, name)
}

func (h *slow) ReadOwned(ctx context.Context, name string) ([]byte, remote.Owner, error) {
	h.wait()
	return h.mortal.ReadOwned(ctx, name)
}

func (h *slow) Owner(ctx context.Context, name string) (remote.Owner, error) {
	h.wait()
	return h.mortal.Owner(ctx, name)
}

func (h *slow) Readlink(ctx context.Context, name string) (string, error) {
	h.wait()
	return h.mortal.Readlink(ctx, name)
}

func (h *slow) ReadDir(ctx context.Context, name string) ([]string, error) {
	h.wait()
	return h.mortal.ReadDir(ctx, name)
}

func (h *slow) WriteFile(ctx context.Context, name string, data []byte, o remote.Owner) error {
	h.wait()
	return h.mortal.WriteFile(ctx, name, data, o)
}

func (h *slow) Symlink(ctx context.Context, target, name string) error {
	h.wait()
	return h.mortal.Symlink(ctx, target, name)
}

func (h *slow) Mkdir(ctx context.Context, name string, o remote.Owner) error {
	h.wait()
	return h.mortal.Mkdir(ctx, name, o)
}

func (h *slow) RemoveAll(ctx context.Context, name string) error {
	h.wait()
	return h.mortal.RemoveAll(ctx, name)
}

func (h *slow) RemoveEmpty(ctx context.Context, name string) error {
	h.wait()
	return h.mortal.RemoveEmpty(ctx, name)
}

// TestTwoAtOnce lets a second worker go to work before each operation of a first one,
// with the same bundle and with another one. No path that had content is ever without
// while both go forward; when one of them forgets or gives up what it finds, which
// may fall into the moment between a look and a change of the other, it has its
// content when both have ended, with or without an error.
func TestTwoAtOnce(t *testing.T) {
	b := newBundles(t)
	third := deploytest.NewBundle(t, "third.test", deploytest.NewKey(t, deploytest.ECC))
	place := func(ctx context.Context, s *Shelf, b pki.Bundle) error { return s.Place(ctx, b) }
	turn := func(ctx context.Context, s *Shelf, b pki.Bundle) error { return s.Switch(ctx, b) }
	keep := func(ctx context.Context, s *Shelf, _ pki.Bundle) error { return s.Keep(ctx) }
	back := func(ctx context.Context, s *Shelf, _ pki.Bundle) error { return s.Back(ctx) }
	type steps []func(context.Context, *Shelf, pki.Bundle) error
	first := map[string]steps{"forward": {place, turn, keep}, "back": {place, turn, back}}
	second := []struct {
		name    string
		steps   steps
		bundles []pki.Bundle
		always  bool // the paths have their content at each moment
	}{
		{"places", steps{place}, []pki.Bundle{b.is}, true},
		{"switches", steps{place, turn}, []pki.Bundle{b.is, third}, true},
		{"keeps", steps{place, turn, keep}, []pki.Bundle{third}, false},
		{"gives up", steps{back}, []pki.Bundle{b.is}, false},
		{"goes back", steps{place, turn, back}, []pki.Bundle{third}, false},
	}
	for i, c := range scenes {
		if !slices.Contains([]string{"two directories", "links of somebody else's", "a tool has written over one of the links"}, c.name) {
			continue // they bring nothing more
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for way, mine := range first {
				for _, theirs := range second {
					if way == "back" && theirs.name != "switches" {
						continue
					}
					for _, other := range theirs.bundles {
						for until := 0; ; until++ {
							s := newScene(t, i, b)
							what := fmt.Sprintf("%s, the other one %s before operation %d", way, theirs.name, until)
							look := func() {
								for name := range s.was {
									if now := s.found(); now[name] == "" {
										t.Errorf("%s: nothing is found in %s", what, name)
									}
								}
							}
							always := func() {}
							if theirs.always && way == "forward" {
								always = look
							}
							h := &slow{mortal: &mortal{Host: remote.Local(), left: -1, look: always}, until: until}
							h.then = func() {
								other, rival := other, s.shelf(&mortal{Host: remote.Local(), left: -1, look: always})
								for _, step := range theirs.steps {
									_ = step(t.Context(), rival, other) // it may come upon the work of the first
								}
							}
							shelf := s.shelf(h)
							for _, step := range mine {
								if step(t.Context(), shelf, b.is) != nil {
									break
								}
							}
							look()
							if h.until >= 0 || t.Failed() {
								break
							}
						}
					}
				}
			}
		})
	}
}

// TestPlaceSweepsOldOnes leaves alone what another may be at work with, and removes
// what a crash has left long ago.
func TestPlaceSweepsOldOnes(t *testing.T) {
	b := newBundles(t)
	s, shelf := sceneNamed(t, "in use already", b)
	for range 3 {
		if err := shelf.Place(t.Context(), b.is); err != nil {
			t.Fatal(err)
		}
	}
	if idle := s.idleKeys(); len(idle) != 3 {
		t.Errorf("got %d keys beside the one in use, want 3, since all are new: %q", len(idle), idle)
	}
	for _, key := range s.idleKeys() {
		long := time.Now().Add(-2 * leftoverAge)
		if err := os.Chtimes(filepath.Dir(key), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := shelf.Place(t.Context(), b.is); err != nil {
		t.Fatal(err)
	}
	if idle := s.idleKeys(); len(idle) != 1 {
		t.Errorf("got %d keys beside the one in use, want that of next: %q", len(idle), idle)
	}
	if !equal(s.found(), s.was) {
		t.Error("what is in use has gone")
	}
}

// TestShelvesOfOthersAreRefused puts something else in the place of a shelf, as who
// owns the directory of the files may: no step works in it, and nothing is removed.
func TestShelvesOfOthersAreRefused(t *testing.T) {
	b := newBundles(t)
	const victim = "etc/passwd"
	cases := []struct {
		name string
		set  func(s *scene, root string)
		want string
	}{
		{"a link in the place of all shelves", func(s *scene, root string) {
			s.link(filepath.Join(s.dir, "etc"), mustRel(s, filepath.Dir(root)))
		}, "it is not a directory"},
		{"a link in the place of the shelf", func(s *scene, root string) {
			s.mkdir(filepath.Dir(root))
			s.link(filepath.Join(s.dir, "etc"), mustRel(s, root))
		}, "it is not a directory"},
		{"somebody else's shelf", func(s *scene, root string) {
			if os.Getuid() != 0 {
				s.t.Skip("only root gives files away")
			}
			s.mkdir(root)
			s.own(mustRel(s, root), deploytest.Unprivileged(s.t).UID, 0o755)
		}, "it belongs to user"},
		{"a link that leads elsewhere", func(s *scene, root string) {
			s.mkdir(root)
			for _, name := range []string{next, current, former} {
				s.link("../../../etc", mustRel(s, filepath.Join(root, name)))
			}
		}, "which is not on the shelf"},
		{"a link to what is no directory of ours", func(s *scene, root string) {
			s.mkdir(filepath.Join(root, "etc"))
			for _, name := range []string{next, current, former} {
				s.link("etc", mustRel(s, filepath.Join(root, name)))
			}
		}, "which is not on the shelf"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, shelf := sceneNamed(t, "two directories", b)
			s.write(victim, "root")
			c.set(s, shelf.root)
			for name, step := range map[string]func() error{
				"Place":  func() error { return shelf.Place(t.Context(), b.is) },
				"Switch": func() error { return shelf.Switch(t.Context(), b.is) },
				"Keep":   func() error { return shelf.Keep(t.Context()) },
				"Back":   func() error { return shelf.Back(t.Context()) },
			} {
				err := step()
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: got %v, want %q", name, err, c.want)
				}
			}
			if data, err := os.ReadFile(filepath.Join(s.dir, victim)); err != nil || string(data) != "root" {
				t.Errorf("%s: got %q, %v", victim, data, err)
			}
			if !equal(s.found(), s.was) {
				t.Error("the paths do not hold what they held")
			}
		})
	}
}

func mustRel(s *scene, name string) string {
	s.t.Helper()
	rel, err := filepath.Rel(s.dir, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return rel
}

func (s *scene) mkdir(name string) {
	s.t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// TestOnlyOurOwnIsSwept leaves files of other names on the shelf.
func TestOnlyOurOwnIsSwept(t *testing.T) {
	b := newBundles(t)
	s, shelf := sceneNamed(t, "in use already", b)
	root := mustRel(s, shelf.root)
	s.write(filepath.Join(root, "notes"), "mine")
	s.write(filepath.Join(root, "a/b"), "mine")
	if err := errors.Join(s.all(remote.Local(), b.is, false), shelf.Back(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"notes", "a/b"} {
		if _, err := os.Stat(filepath.Join(shelf.root, name)); err != nil {
			t.Error(err)
		}
	}
}

// A fickle host is one on which a path means another file each time it is looked at.
type fickle struct {
	*remote.Host
	turn func()
}

func (h fickle) ReadFile(ctx context.Context, name string) ([]byte, error) {
	defer h.turn()
	return h.Host.ReadFile(ctx, name)
}

func (h fickle) ReadOwned(ctx context.Context, name string) ([]byte, remote.Owner, error) {
	defer h.turn()
	return h.Host.ReadOwned(ctx, name)
}

// TestOwnerIsOfWhatWasRead switches a path from a file that is kept to an open one,
// between all looks at it: no copy of the first is ever open.
func TestOwnerIsOfWhatWasRead(t *testing.T) {
	b := newBundles(t)
	s, _ := sceneNamed(t, "two directories", b)
	s.write("kept", "secret")
	s.write("open", "public")
	if err := os.Chmod(filepath.Join(s.dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(s.dir, "tls/site.crt")
	lead := func(to string) {
		if err := errors.Join(os.RemoveAll(site), os.Symlink(filepath.Join(s.dir, to), site)); err != nil {
			t.Fatal(err)
		}
	}
	h := fickle{remote.Local(), func() {
		if target, err := os.Readlink(site); err == nil && strings.HasSuffix(target, "kept") {
			lead("open")
		} else if err == nil && strings.HasSuffix(target, "open") {
			lead("kept")
		}
	}}
	lead("kept")
	shelf := s.shelf(h)
	_ = errors.Join(shelf.Place(t.Context(), b.is), shelf.Switch(t.Context(), b.is)) // they may fail
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		info, statErr := d.Info()
		if string(data) == "secret" && statErr == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return errors.Join(err, statErr)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestShelfIsBesideTheKey looks at where the key lies of a certificate that is in use.
func TestShelfIsBesideTheKey(t *testing.T) {
	b := newBundles(t)
	s, _ := sceneNamed(t, "in use already", b)
	lines := s.list()
	isKey := func(line string) bool { return strings.HasSuffix(line, "/key") && !strings.Contains(line, "->") }
	if i := slices.IndexFunc(lines, isKey); i < 0 || !strings.HasPrefix(lines[i], "private/.certwright/") {
		t.Errorf("got %q", lines)
	}
	at := s.settings(map[clm.Attr]string{clm.CertificateFile: "c/x", clm.KeyFile: "c/x"})
	l, err := PEM(at)
	if err != nil {
		t.Fatal(err)
	}
	if shelf, err := New(at, l); err != nil || shelf.root != filepath.Join(s.dir, "c/.certwright", string(application)) {
		t.Errorf("of one file: got %s, %v", shelf.root, err)
	}
}
