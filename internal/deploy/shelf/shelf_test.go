package shelf

import (
	"errors"
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

// sceneNamed makes the scene of this name, with a shelf that works.
func sceneNamed(t *testing.T, name string, b bundles) (*scene, *Shelf) {
	t.Helper()
	for i, c := range scenes {
		if c.name == name {
			s := newScene(t, i, b)
			return s, s.shelf(remote.Local())
		}
	}
	t.Fatalf("there is no scene %q", name)
	return nil, nil
}

// list lists what is below a directory, with where links lead.
func (s *scene) list() (all []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		line, err := filepath.Rel(s.dir, name)
		if target, linkErr := os.Readlink(name); linkErr == nil {
			line += " -> " + target
		}
		all = append(all, line)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestBackLeavesNoTrace compares the files before a certificate was placed for the
// first time and after it was given up, whether it was killed in between or not.
func TestBackLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := newBundles(t)
	for _, name := range []string{"nothing is there", "there is no chain as yet", "two directories", "all in one file", "links of somebody else's"} {
		for after := range 25 {
			s, _ := sceneNamed(t, name, b)
			want := s.list()
			shelf := s.shelf(&mortal{Host: remote.Local(), left: after, forGood: true})
			err := shelf.Place(t.Context(), b.is)
			for range 2 { // the second begins where the first was killed
				if err == nil {
					err = shelf.Switch(t.Context(), b.is)
				}
				shelf.open = func() (disk, error) { return remote.Local(), nil }
			}
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if err := shelf.Back(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := s.list(); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s, after %d changes: got %q, want %q", name, after, got, want)
			}
		}
	}
}

// TestBackKnowsWhoseLinkItWas kills Switch when half of the links are made, and lets
// another do the rest.
func TestBackKnowsWhoseLinkItWas(t *testing.T) {
	b := newBundles(t)
	for after := range 20 {
		s, shelf := sceneNamed(t, "links of somebody else's", b)
		want := s.list()
		if err := shelf.Place(t.Context(), b.is); err != nil {
			t.Fatal(err)
		}
		_ = s.shelf(&mortal{Host: remote.Local(), left: after, forGood: true}).Switch(t.Context(), b.is) // it may be killed
		if err := errors.Join(shelf.Switch(t.Context(), b.is), shelf.Back(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := s.list(); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("after %d changes: got %q, want %q", after, got, want)
		}
	}
}

// TestLinksThatWouldNotFitStayAway goes back when what somebody else's links led to
// has changed in part.
func TestLinksThatWouldNotFitStayAway(t *testing.T) {
	b := newBundles(t)
	s, shelf := sceneNamed(t, "links of somebody else's", b)
	if err := errors.Join(shelf.Place(t.Context(), b.is), shelf.Switch(t.Context(), b.is)); err != nil {
		t.Fatal(err)
	}
	s.write("live/cert.pem", "another one")
	if err := shelf.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !equal(s.found(), s.was) {
		t.Errorf("going back brought what the links lead to now")
	}
}

// TestOlderIsNotFormer breaks off going back, lets somebody change the files, and
// puts a certificate in use anew: what is found before that counts.
func TestOlderIsNotFormer(t *testing.T) {
	b := newBundles(t)
	for after := range 12 {
		s, shelf := sceneNamed(t, "there is no chain as yet", b)
		if err := errors.Join(shelf.Place(t.Context(), b.is), shelf.Switch(t.Context(), b.is)); err != nil {
			t.Fatal(err)
		}
		if s.shelf(&mortal{Host: remote.Local(), left: after, forGood: true}).Back(t.Context()) == nil || !equal(s.found(), s.was) {
			continue
		}
		files := s.wanted(deploytest.NewBundle(t, "tool.test", deploytest.NewKey(t, deploytest.ECC)))
		s.write("tls/site.crt", files["certificate"])
		s.write("tls/site.key", files["key"])
		s.was = s.found()
		if err := errors.Join(shelf.Place(t.Context(), b.is), shelf.Switch(t.Context(), b.is), shelf.Back(t.Context())); err != nil {
			t.Fatal(err)
		}
		if !equal(s.found(), s.was) {
			t.Errorf("after %d changes: going back brought something older", after)
		}
	}
}

// TestSwitchMendsLinks lets a tool write over the links of what is in use, and
// switches to that again, killed at any point, which needs no Place.
func TestSwitchMendsLinks(t *testing.T) {
	b := newBundles(t)
	for after := range 20 {
		s, shelf := sceneNamed(t, "in use already", b)
		tool := s.wanted(b.is)
		s.write("tls/site.crt", tool["certificate"])
		s.write("private/site.key", tool["key"])
		s.was = s.found()
		m := &mortal{Host: remote.Local(), left: after, forGood: true, look: s.watch(b.was)}
		_ = s.shelf(m).Switch(t.Context(), b.was) // it may be killed
		if err := shelf.Switch(t.Context(), b.was); err != nil {
			t.Fatalf("after %d changes: %v", after, err)
		}
		if !equal(s.found(), s.wanted(b.was)) {
			t.Errorf("after %d changes: the paths do not hold it", after)
		}
	}
}

// TestPathsThatAreGivenUp changes the settings: the service may still read the paths
// of before.
func TestPathsThatAreGivenUp(t *testing.T) {
	b := newBundles(t)
	s, _ := sceneNamed(t, "in use already", b)
	s.use(s.shelfAt(remote.Local(), twoFiles), b.was)
	want := s.found()["certificate"]
	s.use(s.shelfAt(remote.Local(), otherPaths), b.is)
	if !equal(s.found(), s.wanted(b.is)) {
		t.Error("the new paths do not hold what was switched")
	}
	for _, name := range []string{"tls/site.crt", "private/site.key"} {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil || name == "tls/site.crt" && string(data) != want {
			t.Errorf("%s is not what it was: %v", name, err)
		}
	}
}

// TestBackOfAnotherSettingLeavesWhatIsRead places a certificate with other paths than
// those that lead to the shelf, and gives it up.
func TestBackOfAnotherSettingLeavesWhatIsRead(t *testing.T) {
	b := newBundles(t)
	s, _ := sceneNamed(t, "in use already", b)
	want := s.found()
	other := s.shelfAt(remote.Local(), map[clm.Attr]string{clm.CertificateFile: "tls/x.crt", clm.KeyFile: "tls/x.key"})
	if err := errors.Join(other.Place(t.Context(), b.is), other.Back(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.shelf(remote.Local())
	if !equal(s.found(), want) {
		t.Error("the paths of before do not hold what they held")
	}
}

// TestPlaceSaysWhere names the path of the settings in what goes wrong, and changes
// nothing.
func TestPlaceSaysWhere(t *testing.T) {
	b := newBundles(t)
	cases := []struct {
		name string
		path string
		set  func(s *scene, settings deploy.Settings)
	}{
		{"a directory that is not there", "nowhere/site.crt", func(s *scene, settings deploy.Settings) {
			settings.Values[clm.CertificateFile] = []string{filepath.Join(s.dir, "nowhere/site.crt")}
		}},
		{"a second directory that is not there", "nowhere/site.key", func(s *scene, settings deploy.Settings) {
			settings.Values[clm.KeyFile] = []string{filepath.Join(s.dir, "nowhere/site.key")}
		}},
		{"a directory in the place of the file", "tls", func(s *scene, settings deploy.Settings) {
			settings.Values[clm.CertificateFile] = []string{filepath.Join(s.dir, "tls")}
		}},
		{"a directory that cannot be written to", "private/site.key", func(s *scene, _ deploy.Settings) {
			if os.Getuid() == 0 {
				s.t.Skip("root writes everywhere")
			}
			if err := os.Chmod(filepath.Join(s.dir, "private"), 0o555); err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { _ = os.Chmod(filepath.Join(s.dir, "private"), 0o755) }) // to be removed
		}},
		{"a user that does not exist", "tls/site.crt", func(_ *scene, settings deploy.Settings) {
			settings.Values[clm.OwnerRules] = []string{"1"}
			settings.Values[clm.FileUser] = []string{"no-such-user"}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, _ := sceneNamed(t, "two directories", b)
			settings := s.settings(twoFolders)
			c.set(s, settings)
			before := s.list()
			l, err := PEM(settings)
			if err != nil {
				t.Fatal(err)
			}
			shelf, err := New(settings, l)
			if err != nil {
				t.Fatal(err)
			}
			if err := shelf.Place(t.Context(), b.is); err == nil || !strings.Contains(err.Error(), filepath.Join(s.dir, c.path)) {
				t.Errorf("got %v, want an error about %s", err, c.path)
			}
			if err := shelf.Switch(t.Context(), b.is); !errors.Is(err, deploy.ErrNotPlaced) {
				t.Errorf("Switch: got %v, want %v", err, deploy.ErrNotPlaced)
			}
			if got := s.list(); strings.Join(got, "\n") != strings.Join(before, "\n") {
				t.Errorf("got %q, want %q", got, before)
			}
		})
	}
}

// TestUnreachableIsSaid lets the host be out of reach.
func TestUnreachableIsSaid(t *testing.T) {
	b := newBundles(t)
	_, shelf := sceneNamed(t, "nothing is there", b)
	shelf.open = func() (disk, error) { return nil, remote.ErrUnreachable }
	_, inspect := shelf.Inspect(t.Context())
	for _, err := range []error{
		inspect, shelf.Place(t.Context(), b.is), shelf.Switch(t.Context(), b.is), shelf.Back(t.Context()), shelf.Keep(t.Context()),
	} {
		if !errors.Is(err, remote.ErrUnreachable) {
			t.Errorf("got %v, want %v", err, remote.ErrUnreachable)
		}
	}
}

// TestMisfitsAreRefused places what no service could use.
func TestMisfitsAreRefused(t *testing.T) {
	b := newBundles(t)
	s, shelf := sceneNamed(t, "nothing is there", b)
	for want, bad := range map[error]pki.Bundle{
		pki.ErrKeyMismatch:    {Cert: b.is.Cert, Key: b.was.Key},
		pki.ErrNoKey:          {Cert: b.is.Cert},
		pki.ErrNotCertificate: {Cert: []byte("x"), Key: b.is.Key},
	} {
		if err := shelf.Place(t.Context(), bad); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if got := s.list(); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
}
