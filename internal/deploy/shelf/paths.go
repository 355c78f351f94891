package shelf

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/certwright/certwright/internal/deploy/remote"
)

// shelve makes the paths links to what is found there now, and plain files of those
// that are no longer asked for. The goal is kept where it was current.
func (v visit) shelve(ctx context.Context, now mark, goal string) error {
	for _, place := range slices.Sorted(maps.Keys(now.Paths)) {
		name := now.Paths[place]
		if slices.ContainsFunc(v.files, func(f File) bool { return f.Path == place && f.Name == name }) {
			continue
		}
		if err := v.restore(ctx, mark{dir: now.dir}, place, name); err != nil {
			return err
		}
	}
	isLinked, err := v.isLinked(ctx)
	if err != nil || isLinked {
		return err
	}
	if err := v.Symlink(ctx, goal, v.in(next)); err != nil {
		return err
	}
	dir, err := v.copyFound(ctx, now)
	if err != nil {
		return err
	}
	if err := v.turn(ctx, dir); err != nil {
		return err
	}
	for _, f := range v.files {
		if err := v.lead(ctx, f, dir); err != nil {
			return err
		}
	}
	return nil
}

// lead makes a path a link to the shelf, where current must name the copy of what is
// found there. Where somebody else takes the shelf away in this very moment, the path
// gets back what it had.
func (v visit) lead(ctx context.Context, f File, dir string) error {
	isOurs, target, err := v.leads(ctx, f.Path, f.Name)
	if err != nil || isOurs {
		return err
	}
	was, err := v.readPath(ctx, f.Path)
	if err != nil {
		return err
	}
	now, err := v.marked(ctx, current)
	if err == nil && now.dir != dir {
		err = v.taken()
	}
	if err == nil {
		err = v.Symlink(ctx, v.target(f.Path, f.Name), f.Path)
	}
	if err != nil || was == nil {
		return err
	}
	if _, err = v.Owner(ctx, f.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if target != "" {
		err = v.Symlink(ctx, target, f.Path)
	} else {
		err = v.WriteFile(ctx, f.Path, was.data, was.owner)
	}
	return cmp.Or(err, v.taken())
}

// copyFound makes a directory with what is found at the paths now.
func (v visit) copyFound(ctx context.Context, now mark) (dir string, err error) {
	found, err := v.read(ctx)
	if err != nil {
		return "", err
	}
	m := mark{Paths: v.paths(mark{}), Links: map[string]string{}}
	for _, f := range v.files {
		isOurs, target, err := v.leads(ctx, f.Path, f.Name)
		if err != nil {
			return "", err
		}
		if isOurs {
			target = now.Links[f.Path] // of an earlier try
		}
		if target != "" {
			m.Links[f.Path] = target
		}
	}
	return v.put(ctx, m, found)
}

// swap lets all paths lead to the goal, at once. What was placed but never kept is
// not worth going back to, if there is something else.
func (v visit) swap(ctx context.Context, goal string) error {
	was, err := v.marked(ctx, former)
	if err != nil {
		return err
	}
	now, err := v.marked(ctx, current)
	if err != nil {
		return err
	}
	if now.dir != "" && (was.dir == "" || now.holdsFound()) {
		if err := v.Symlink(ctx, now.dir, v.in(former)); err != nil {
			return err
		}
	}
	return v.turn(ctx, goal)
}

// unshelve undoes shelve where the current directory holds what was found. It
// reports whether a path still leads to the shelf.
func (v visit) unshelve(ctx context.Context) (isUsed bool, err error) {
	now, err := v.marked(ctx, current)
	if err != nil {
		return false, err
	}
	isSame, err := v.isSameElsewhere(ctx, now)
	if err != nil {
		return false, err
	}
	if !isSame {
		now.Links = nil
	}
	paths := v.paths(now)
	for _, place := range slices.Sorted(maps.Keys(paths)) {
		if now.holdsFound() {
			err = v.restore(ctx, now, place, paths[place])
		} else {
			isUsed, _, err = v.leads(ctx, place, paths[place])
		}
		if isUsed || err != nil {
			return isUsed, err
		}
	}
	return false, nil
}

// leave gives current up, to which no path leads. Where one does in this very moment,
// somebody else is at work.
func (v visit) leave(ctx context.Context) error {
	if err := v.RemoveAll(ctx, v.in(current)); err != nil {
		return err
	}
	for _, f := range v.files {
		if isOurs, _, err := v.leads(ctx, f.Path, f.Name); err != nil || isOurs {
			return cmp.Or(err, v.mend(ctx))
		}
	}
	return nil
}

// isSameElsewhere reports whether the paths that were links elsewhere would still
// lead to what is found on the shelf: otherwise making links of them again could
// bring files together that do not fit.
func (v visit) isSameElsewhere(ctx context.Context, m mark) (bool, error) {
	for place, target := range m.Links {
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(place), target)
		}
		there, err := v.readPath(ctx, path.Clean(target))
		if errors.Is(err, remote.ErrUnreachable) {
			return false, err
		}
		if err != nil {
			return false, nil
		}
		here, err := v.readPath(ctx, v.in(m.dir, m.Paths[place]))
		if err != nil {
			return false, err
		}
		if (there == nil) != (here == nil) || there != nil && !bytes.Equal(there.data, here.data) {
			return false, nil
		}
	}
	return true, nil
}

// restore makes of a path that leads to the shelf what it was before; a plain file
// where that is not known.
func (v visit) restore(ctx context.Context, m mark, place, name string) error {
	isOurs, _, err := v.leads(ctx, place, name)
	if err != nil || !isOurs {
		return err
	}
	if target := m.Links[place]; target != "" {
		return v.Symlink(ctx, target, place)
	}
	c, err := v.readPath(ctx, v.in(m.dir, name))
	if err != nil {
		return err
	}
	if c != nil {
		return v.WriteFile(ctx, place, c.data, c.owner)
	}
	switch isWhole, err := v.isWhole(ctx, m.dir); {
	case err != nil:
		return err
	case !isWhole:
		return v.taken() // what was found is not nothing
	}
	return v.RemoveAll(ctx, place)
}
