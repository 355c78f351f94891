package shelf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

var errKilled = errors.New("killed")

// A mortal is a host that can be changed so many times more. After that it fails
// once, or is gone for good.
type mortal struct {
	*remote.Host
	left    int
	forGood bool
	changes int
	look    func() // after each change
}

func (m *mortal) change(do func() error) error {
	if m.left == 0 {
		if !m.forGood {
			m.left = -1
		}
		return errKilled
	}
	m.left--
	m.changes++
	err := do()
	if m.look != nil {
		m.look()
	}
	return err
}

func (m *mortal) WriteFile(ctx context.Context, name string, data []byte, o remote.Owner) error {
	return m.change(func() error { return m.Host.WriteFile(ctx, name, data, o) })
}

func (m *mortal) Symlink(ctx context.Context, target, name string) error {
	return m.change(func() error { return m.Host.Symlink(ctx, target, name) })
}

func (m *mortal) Mkdir(ctx context.Context, name string, o remote.Owner) error {
	return m.change(func() error { return m.Host.Mkdir(ctx, name, o) })
}

func (m *mortal) RemoveAll(ctx context.Context, name string) error {
	return m.change(func() error { return m.Host.RemoveAll(ctx, name) })
}

// A scene is a host in a state in which a certificate may be placed.
type scene struct {
	t     *testing.T
	dir   string
	paths map[clm.Attr]string
	files []File
	was   map[string]string // what was found at the paths
}

// was and is are the bundles that all scenes are about.
type bundles struct{ was, is pki.Bundle }

func newBundles(t *testing.T) bundles {
	return bundles{
		deploytest.NewBundle(t, "was.test", deploytest.NewKey(t, deploytest.ECC)),
		deploytest.NewBundle(t, "is.test", deploytest.NewKey(t, deploytest.ECC)),
	}
}

const application = clm.ObjectID("00000000-0000-4000-8000-000000000001")

func (s *scene) settings(paths map[clm.Attr]string) deploy.Settings {
	values := map[clm.Attr][]string{}
	for a, p := range paths {
		values[a] = []string{filepath.Join(s.dir, p)}
	}
	return deploy.Settings{ID: application, Values: values, Host: func() (*remote.Host, error) { return remote.Local(), nil }}
}

// shelf makes a shelf on the host, as a new process does.
func (s *scene) shelf(d disk) *Shelf {
	s.t.Helper()
	return s.shelfAt(d, s.paths)
}

func (s *scene) shelfAt(d disk, paths map[clm.Attr]string) *Shelf {
	s.t.Helper()
	settings := s.settings(paths)
	l, err := PEM(settings)
	if err != nil {
		s.t.Fatal(err)
	}
	shelf, err := New(settings, l)
	if err != nil {
		s.t.Fatal(err)
	}
	s.files = l.Files
	shelf.open = func() (disk, error) { return d, nil }
	return shelf
}

// found reads the paths as a service does.
func (s *scene) found() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, f := range s.files {
		data, err := os.ReadFile(f.Path)
		if err == nil {
			all[f.Name] = string(data)
		} else if !errors.Is(err, fs.ErrNotExist) {
			s.t.Fatal(err)
		}
	}
	return all
}

// wanted is what is to be found with the bundle in use.
func (s *scene) wanted(b pki.Bundle) map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, f := range s.files {
		data, err := f.Data(b, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		all[f.Name] = string(data)
	}
	return all
}

func (s *scene) write(name, text string) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.RemoveAll(name); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// use puts the bundle in use without trouble.
func (s *scene) use(shelf *Shelf, b pki.Bundle) {
	s.t.Helper()
	ctx := s.t.Context()
	if err := errors.Join(shelf.Place(ctx, b), shelf.Switch(ctx, b), shelf.Keep(ctx)); err != nil {
		s.t.Fatal(err)
	}
}

// shelved lists the keys in the directories of shelves that are not in use.
func (s *scene) idleKeys() (idle []string) {
	s.t.Helper()
	inUse := strings.Join(values(s.found()), "")
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(name, ".certwright") {
			return err
		}
		data, err := os.ReadFile(name)
		if i := bytes.Index(data, []byte("-----BEGIN PRIVATE KEY")); i >= 0 && !strings.Contains(inUse, string(data[i:])) {
			idle = append(idle, name)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return idle
}

func values(m map[string]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

var (
	twoFiles   = map[clm.Attr]string{clm.CertificateFile: "tls/site.crt", clm.KeyFile: "tls/site.key"}
	threeFiles = map[clm.Attr]string{clm.CertificateFile: "tls/site.crt", clm.KeyFile: "tls/site.key", clm.ChainFile: "tls/chain.crt"}
	twoFolders = map[clm.Attr]string{clm.CertificateFile: "tls/site.crt", clm.KeyFile: "private/site.key"}
	oneFile    = map[clm.Attr]string{clm.CertificateFile: "tls/site.pem", clm.KeyFile: "tls/site.pem", clm.ChainFile: "tls/site.pem"}
	otherPaths = map[clm.Attr]string{clm.CertificateFile: "tls/other.crt", clm.KeyFile: "tls/site.key"}
)

// scenes are the states that a certificate may come upon.
var scenes = []struct {
	name  string
	paths map[clm.Attr]string
	set   func(s *scene, b bundles)
}{
	{"nothing is there", threeFiles, func(*scene, bundles) {}},
	{"all files are there", threeFiles, func(s *scene, b bundles) {
		files := s.wanted(b.was)
		s.write("tls/site.crt", files["certificate"])
		s.write("tls/site.key", files["key"])
		s.write("tls/chain.crt", files["chain"])
	}},
	{"there is no chain as yet", threeFiles, func(s *scene, b bundles) {
		files := s.wanted(b.was)
		s.write("tls/site.crt", files["certificate"])
		s.write("tls/site.key", files["key"])
	}},
	{"two directories", twoFolders, func(s *scene, b bundles) {
		files := s.wanted(b.was)
		s.write("tls/site.crt", files["certificate"])
		s.write("private/site.key", files["key"])
	}},
	{"all in one file", oneFile, func(s *scene, b bundles) { s.write("tls/site.pem", s.wanted(b.was)["certificate"]) }},
	{"links of somebody else's", twoFiles, func(s *scene, b bundles) {
		files := s.wanted(b.was)
		s.write("live/cert.pem", files["certificate"])
		s.write("live/key.pem", files["key"])
		s.link("../live/cert.pem", "tls/site.crt")
		s.link(filepath.Join(s.dir, "live/key.pem"), "tls/site.key")
	}},
	{"in use already", twoFolders, func(s *scene, b bundles) { s.use(s.shelf(remote.Local()), b.was) }},
	{"a tool has written over the links", twoFiles, func(s *scene, b bundles) {
		s.use(s.shelf(remote.Local()), deploytest.NewBundle(s.t, "a.test", deploytest.NewKey(s.t, deploytest.ECC)))
		files := s.wanted(b.was)
		s.write("tls/site.crt", files["certificate"])
		s.write("tls/site.key", files["key"])
	}},
	{"a tool has written over one of the links", twoFiles, func(s *scene, b bundles) {
		s.use(s.shelf(remote.Local()), deploytest.NewBundle(s.t, "was.test", b.was.Key))
		s.write("tls/site.crt", s.wanted(b.was)["certificate"])
	}},
	{"an earlier one was never kept", twoFiles, func(s *scene, b bundles) {
		s.use(s.shelf(remote.Local()), b.was)
		lost := deploytest.NewBundle(s.t, "lost.test", deploytest.NewKey(s.t, deploytest.ECC))
		if err := s.shelf(remote.Local()).Place(s.t.Context(), lost); err != nil {
			s.t.Fatal(err)
		}
	}},
	{"one more file is asked for", threeFiles, func(s *scene, b bundles) { s.use(s.shelfAt(remote.Local(), twoFiles), b.was) }},
	{"one file less is asked for", twoFiles, func(s *scene, b bundles) { s.use(s.shelfAt(remote.Local(), threeFiles), b.was) }},
}

func (s *scene) link(target, name string) {
	s.t.Helper()
	if err := os.Symlink(target, filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

// newScene makes one of the scenes.
func newScene(t *testing.T, i int, b bundles) *scene {
	t.Helper()
	s := &scene{t: t, dir: deploytest.QuickDir(t), paths: scenes[i].paths}
	for _, dir := range []string{"tls", "private"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.shelf(remote.Local())
	scenes[i].set(s, b)
	s.shelf(remote.Local())
	s.was = s.found()
	return s
}

// watch fails the test as soon as the paths hold neither all of what was there nor
// all of the bundle.
func (s *scene) watch(b pki.Bundle) func() {
	wanted := s.wanted(b)
	return func() {
		s.t.Helper()
		if now := s.found(); !equal(now, s.was) && !equal(now, wanted) {
			s.t.Errorf("at this moment the paths hold neither the old nor the new: %s", names(now))
		}
	}
}

func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func names(m map[string]string) (text string) {
	for name, data := range m {
		text += fmt.Sprintf("%s (%d bytes) ", name, len(data))
	}
	return text
}

// all puts the bundle in use from the first step to the last; in the end it goes back
// instead of keeping it, if that is wanted.
func (s *scene) all(d disk, b pki.Bundle, goesBack bool) error {
	ctx, shelf := s.t.Context(), s.shelf(d)
	for _, step := range []func() error{
		func() error { return shelf.Place(ctx, b) },
		func() error { return shelf.Switch(ctx, b) },
		func() error {
			if goesBack {
				return shelf.Back(ctx)
			}
			return shelf.Keep(ctx)
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestKilledAnywhere stops each way through the steps before each change of the
// host, by the death of the process or by one failure, and then goes on or back.
// Whoever reads the paths at any moment finds the old or the new; in the end there is
// what was asked for, and no key that nobody uses.
func TestKilledAnywhere(t *testing.T) {
	b, ways := newBundles(t), ways
	if testing.Short() {
		ways = ways[:2]
	}
	for i, c := range scenes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, w := range ways {
				killEverywhere(t, i, b, w)
			}
		})
	}
}

// A way is how the steps are gone through until they are stopped, and after that.
type way struct{ wentBack, forGood, goesBack bool }

var ways = []way{
	{wentBack: false, forGood: true, goesBack: false},
	{wentBack: false, forGood: true, goesBack: true},
	{wentBack: true, forGood: true, goesBack: false},
	{wentBack: true, forGood: true, goesBack: true},
	{wentBack: false, forGood: false, goesBack: false},
	{wentBack: false, forGood: false, goesBack: true},
}

func killEverywhere(t *testing.T, i int, b bundles, w way) {
	for after := 0; ; after++ {
		s := newScene(t, i, b)
		m := &mortal{Host: remote.Local(), left: after, forGood: w.forGood, look: s.watch(b.is)}
		err := s.all(m, b.is, w.wentBack)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		isDone := err == nil
		what := fmt.Sprintf("%+v, after %d changes", w, after)
		s.goOn(w, b.is, what)
		if isDone && m.left > 0 || t.Failed() {
			return
		}
	}
}

// goOn does what another process does after a crash.
func (s *scene) goOn(w way, b pki.Bundle, what string) {
	s.t.Helper()
	m := &mortal{Host: remote.Local(), left: -1, look: s.watch(b)}
	wanted := s.wanted(b)
	if !w.goesBack {
		if err := s.all(m, b, false); err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
		if !equal(s.found(), wanted) {
			s.t.Errorf("%s: going on did not bring the new", what)
		}
	} else {
		before := s.found()
		for range 2 {
			if err := s.shelf(m).Back(s.t.Context()); err != nil {
				s.t.Fatalf("%s: %v", what, err)
			}
		}
		now := s.found()
		isKept := !w.wentBack && equal(before, wanted) && equal(now, wanted) // Keep may have been at it
		if !equal(now, s.was) && !isKept {
			s.t.Errorf("%s: going back did not bring the old", what)
		}
	}
	if idle := s.idleKeys(); len(idle) > 0 {
		s.t.Errorf("%s: there are keys that nobody uses: %v", what, idle)
	}
}

// TestKilledTwice stops going back, too, before each change, and goes back again.
func TestKilledTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	b := newBundles(t)
	for _, i := range []int{2, 5, 6} {
		t.Run(scenes[i].name, func(t *testing.T) {
			t.Parallel()
			for after, done := 1, false; !done && !t.Failed(); after++ {
				for then := 0; ; then++ {
					s := newScene(t, i, b)
					m := &mortal{Host: remote.Local(), left: after, forGood: true, look: s.watch(b.is)}
					ctx, shelf := t.Context(), s.shelf(m)
					err := shelf.Place(ctx, b.is)
					if err == nil {
						err = shelf.Switch(ctx, b.is)
					}
					done = err == nil
					m.left = then
					isBack := shelf.Back(ctx) == nil
					s.goOn(way{goesBack: then%2 == 0, forGood: true, wentBack: true}, b.is, fmt.Sprintf("after %d changes, and %d back", after, then))
					if isBack || t.Failed() {
						break
					}
				}
			}
		})
	}
}
