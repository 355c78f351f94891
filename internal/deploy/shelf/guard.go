package shelf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/deploy/remote"
)

// ownName is the form of the names of directories, as rand.Text makes them. Nothing
// of another name is removed.
var ownName = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// leftoverAge is how long somebody else may be at work with a directory that no link
// names as yet.
const leftoverAge = time.Hour

// taken is why a step ends that comes upon the work of somebody else.
func (s *Shelf) taken() error {
	return fmt.Errorf("%s: somebody else changes it at the same time", s.root)
}

// guard refuses a shelf that is not our own work: who may write where the files are
// could lead us to any other place of the host.
func (v visit) guard(ctx context.Context) error {
	for _, dir := range []string{path.Dir(v.root), v.root} {
		e, err := v.Lstat(ctx, dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.Type != fs.ModeDir:
			return fmt.Errorf("%s is in the way: it is not a directory", dir)
		case e.User == "0":
			continue
		}
		us, err := v.Trial(ctx, path.Dir(path.Dir(v.root)))
		if err != nil {
			return err
		}
		if e.User != us.User {
			return fmt.Errorf("%s is in the way: it belongs to user %s, not to root or to user %s, who is logged in", dir, e.User, us.User)
		}
	}
	return nil
}

// directories lists those of the shelf.
func (v visit) directories(ctx context.Context) ([]string, error) {
	names, err := v.ReadDir(ctx, v.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return !ownName.MatchString(name) }), err
}

// sweep removes those of the directories that no link names. The list is older than
// the links that it is held against, which are read in the order in which a directory
// goes from one to the other: what somebody else makes meanwhile is not on it.
func (v visit) sweep(ctx context.Context, dirs []string) error {
	var used []string
	for _, name := range []string{next, current, former} {
		dir, err := v.link(ctx, name)
		if err != nil {
			return err
		}
		used = append(used, dir)
	}
	for _, dir := range dirs {
		if slices.Contains(used, dir) {
			continue
		}
		if err := v.RemoveAll(ctx, v.in(dir)); err != nil {
			return err
		}
	}
	return nil
}

// sweepOld is sweep for directories that are older than a new one by leftoverAge, so
// that the clock of this machine does not matter.
func (v visit) sweepOld(ctx context.Context, newest string) error {
	dirs, err := v.directories(ctx)
	if err != nil {
		return err
	}
	ages := map[string]remote.Entry{}
	for _, dir := range dirs {
		e, err := v.Lstat(ctx, v.in(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		ages[dir] = e
	}
	return v.sweep(ctx, slices.DeleteFunc(dirs, func(dir string) bool {
		return ages[newest].Changed.Sub(ages[dir].Changed) <= leftoverAge
	}))
}

// turn lets current, through which all paths lead, name another directory, which must
// be there. Where somebody else takes that away in this very moment, current names
// what he has left.
func (v visit) turn(ctx context.Context, dir string) error {
	isWhole, err := v.isWhole(ctx, dir)
	if err == nil && !isWhole {
		err = v.taken()
	}
	if err == nil {
		err = v.Symlink(ctx, dir, v.in(current))
	}
	if err != nil {
		return err
	}
	if isWhole, err = v.isWhole(ctx, dir); err != nil || isWhole {
		return err
	}
	return v.mend(ctx)
}

// mend lets current name a directory that is there, best one that was placed, and
// says who has made that necessary.
func (v visit) mend(ctx context.Context) error {
	dirs, err := v.directories(ctx)
	if err != nil {
		return err
	}
	var best mark
	for _, dir := range dirs {
		m, err := v.markOf(ctx, dir)
		if err != nil {
			return err
		}
		if best.dir == "" || m.Leaf != "" {
			best = m
		}
	}
	if best.dir != "" {
		if err := v.Symlink(ctx, best.dir, v.in(current)); err != nil {
			return err
		}
	}
	return v.taken()
}

// isWhole reports whether a directory is there, with its mark, which is written last.
func (v visit) isWhole(ctx context.Context, dir string) (bool, error) {
	m, err := v.markOf(ctx, dir)
	return m.dir != "", err
}
