package shelf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
)

// TestOwners looks at whose the files are that were switched.
func TestOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	someone := deploytest.Unprivileged(t)
	b := newBundles(t)
	rules := map[clm.Attr]string{clm.OwnerRules: "1", clm.FileUser: someone.Name, clm.FileGroup: someone.Group}
	cases := []struct {
		name              string
		scene             string
		rules             map[clm.Attr]string
		before            func(s *scene)
		cert, key         fs.FileMode
		certOwn, keyOwner int
	}{
		{name: "new files", scene: "nothing is there", cert: 0o644, key: 0o600},
		{name: "files keep what they had", scene: "two directories", before: func(s *scene) {
			s.own("private/site.key", someone.UID, 0o440)
			s.own("tls/site.crt", 0, 0o664)
		}, cert: 0o664, key: 0o440, keyOwner: someone.UID},
		{name: "rules without modes", scene: "nothing is there", rules: rules, cert: 0o644, key: 0o600, certOwn: someone.UID, keyOwner: someone.UID},
		{
			name: "rules with modes", scene: "two directories",
			rules: with(rules, clm.FileUserMode, "0400", clm.FileGroupMode, "0040"),
			cert:  0o600, key: 0o440, certOwn: someone.UID, keyOwner: someone.UID,
		},
		{name: "rules that are not on", scene: "nothing is there", rules: with(rules, clm.OwnerRules, "0"), cert: 0o644, key: 0o600},
		{name: "a key that its directory protects", scene: "two directories", before: func(s *scene) {
			s.own("private/site.key", 0, 0o644)
			s.own("private", someone.UID, 0o700)
		}, cert: 0o600, key: 0o600, keyOwner: someone.UID},
		{name: "a key that its directory keeps for a group", scene: "two directories", before: func(s *scene) {
			s.own("private/site.key", someone.UID, 0o604)
			s.own("private", 0, 0o710)
		}, cert: 0o600, key: 0o640},
		{name: "a key that nothing protects", scene: "two directories", before: func(s *scene) { s.own("private/site.key", 0, 0o644) }, cert: 0o600, key: 0o644},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, _ := sceneNamed(t, c.scene, b)
			if c.before != nil {
				c.before(s)
			}
			settings := s.settings(twoFolders)
			for a, v := range c.rules {
				settings.Values[a] = []string{v}
			}
			l, err := PEM(settings)
			if err != nil {
				t.Fatal(err)
			}
			shelf, err := New(settings, l)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time it replaces its own
				if err := errors.Join(shelf.Place(t.Context(), b.is), shelf.Switch(t.Context(), b.is)); err != nil {
					t.Fatal(err)
				}
				s.isOf("tls/site.crt", c.certOwn, c.cert)
				s.isOf("private/site.key", c.keyOwner, c.key)
			}
		})
	}
}

func with(m map[clm.Attr]string, more ...clm.Attr) map[clm.Attr]string {
	all := map[clm.Attr]string{}
	for a, v := range m {
		all[a] = v
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = string(more[i+1])
	}
	return all
}

func (s *scene) own(name string, uid int, mode fs.FileMode) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	if err := errors.Join(os.Chown(name, uid, 0), os.Chmod(name, mode)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) isOf(name string, uid int, mode fs.FileMode) {
	s.t.Helper()
	info, err := os.Stat(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Uid); got != uid || info.Mode().Perm() != mode {
		s.t.Errorf("%s: got user %d and %v, want user %d and %v", name, got, info.Mode(), uid, mode)
	}
}

// TestModesAreOfTheList refuses what the vendor does not offer.
func TestModesAreOfTheList(t *testing.T) {
	for attr, label := range map[clm.Attr]string{clm.FileUserMode: "File Permissions: User", clm.FileGroupMode: "File Permissions: Group"} {
		s := deploy.Settings{Values: map[clm.Attr][]string{clm.OwnerRules: {"1"}, attr: {"0666"}}}
		_, err := New(s, Layout{Files: []File{{Path: "/x"}}})
		if err == nil || !strings.HasPrefix(err.Error(), label) {
			t.Errorf("got %v, want an error about %s", err, label)
		}
	}
}
