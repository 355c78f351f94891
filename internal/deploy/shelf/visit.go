package shelf

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"

	"github.com/certwright/certwright/internal/deploy/remote"
)

// The links beside the directories. What they name is safe from sweep.
const (
	next    = "next"
	current = "current"
	former  = "former"
)

// markFile is the file that says what a directory holds.
const markFile = "mark"

// A disk is what a shelf needs of a host.
type disk interface {
	ReadFile(ctx context.Context, name string) ([]byte, error)
	ReadOwned(ctx context.Context, name string) ([]byte, remote.Owner, error)
	WriteFile(ctx context.Context, name string, data []byte, o remote.Owner) error
	Owner(ctx context.Context, name string) (remote.Owner, error)
	Lstat(ctx context.Context, name string) (remote.Entry, error)
	Trial(ctx context.Context, dir string) (remote.Entry, error)
	Readlink(ctx context.Context, name string) (string, error)
	Symlink(ctx context.Context, target, name string) error
	Mkdir(ctx context.Context, name string, o remote.Owner) error
	ReadDir(ctx context.Context, name string) ([]string, error)
	RemoveAll(ctx context.Context, name string) error
	RemoveEmpty(ctx context.Context, name string) error
}

// A visit is a shelf with its host at hand.
type visit struct {
	*Shelf
	disk
}

// A mark says what a directory holds.
type mark struct {
	dir   string
	Leaf  string            `json:"leaf,omitempty"`  // SHA-256 of the certificate that was placed; none: what was found
	Paths map[string]string `json:"paths"`           // by the paths that lead to files: their names
	Links map[string]string `json:"links,omitempty"` // by the paths that were links elsewhere: where they led
	Over  map[string]string `json:"over,omitempty"`  // by the paths of files that merge: SHA-256 of the old
}

// holdsFound reports whether it is a directory with what was found at the paths.
func (m mark) holdsFound() bool { return m.dir != "" && m.Leaf == "" }

// A content is what is in a file.
type content struct {
	data  []byte
	owner remote.Owner
}

// in is the place of something beside the links.
func (s *Shelf) in(names ...string) string { return path.Join(append([]string{s.root}, names...)...) }

// target is where the link at a path leads. It is relative where it can be, for the
// sake of whoever sees the directory under another name.
func (s *Shelf) target(place, name string) string {
	here := path.Dir(path.Dir(s.root))
	if path.Dir(place) == here {
		return path.Join(".certwright", path.Base(s.root), current, name)
	}
	return s.in(current, name)
}

// paths are those of the files, and those of the mark.
func (s *Shelf) paths(m mark) map[string]string {
	all := map[string]string{}
	maps.Copy(all, m.Paths)
	for _, f := range s.files {
		all[f.Path] = f.Name
	}
	return all
}

// link is the directory that one of the three links names, if it is there.
func (v visit) link(ctx context.Context, name string) (dir string, err error) {
	dir, err = v.Readlink(ctx, v.in(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err == nil && !ownName.MatchString(dir):
		return "", fmt.Errorf("%s leads to %q, which is not on the shelf", v.in(name), dir)
	}
	return dir, err
}

// marked reads the mark of the directory that one of the three links names. Where
// there is none it is empty.
func (v visit) marked(ctx context.Context, name string) (mark, error) {
	dir, err := v.link(ctx, name)
	if err != nil || dir == "" {
		return mark{}, err
	}
	return v.markOf(ctx, dir)
}

// markOf reads the mark of a directory. Where there is none it is empty.
func (v visit) markOf(ctx context.Context, dir string) (mark, error) {
	text, err := v.ReadFile(ctx, v.in(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	m := mark{dir: dir}
	if err := json.Unmarshal(text, &m); err != nil {
		return mark{}, fmt.Errorf("%s: %w", v.in(dir, markFile), err)
	}
	return m, nil
}

// leads reads the link at a path, if there is one: does it lead to the shelf?
func (v visit) leads(ctx context.Context, place, name string) (isOurs bool, target string, err error) {
	target, err = v.Readlink(ctx, place)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return false, "", nil
	}
	return target == v.target(place, name), target, err
}

// isLinked reports whether the paths of all files lead to the shelf.
func (v visit) isLinked(ctx context.Context) (bool, error) {
	for _, f := range v.files {
		if isOurs, _, err := v.leads(ctx, f.Path, f.Name); err != nil || !isOurs {
			return false, err
		}
	}
	return true, nil
}

// readPath reads what is found at a path; nil where nothing is.
func (v visit) readPath(ctx context.Context, place string) (*content, error) {
	data, owner, err := v.ReadOwned(ctx, place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &content{data, owner}, err
}

// read reads what is found at the paths of the files, by their names.
func (v visit) read(ctx context.Context) (map[string]content, error) {
	all := map[string]content{}
	for _, f := range v.files {
		c, err := v.readPath(ctx, f.Path)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		if f.Key {
			c.owner, err = v.closed(ctx, f, c.owner)
		}
		if err != nil {
			return nil, err
		}
		all[f.Name] = *c
	}
	return all, nil
}

// contents are the bytes of files.
func contents(files map[string]content) map[string][]byte {
	all := map[string][]byte{}
	for name, c := range files {
		all[name] = c.data
	}
	return all
}

// put makes a directory that nothing leads to, or none.
func (v visit) put(ctx context.Context, m mark, files map[string]content) (dir string, err error) {
	dir = rand.Text()
	if err := v.fill(ctx, dir, m, files); err != nil {
		_ = v.RemoveAll(ctx, v.in(dir)) // if that fails it is swept later
		return "", err
	}
	return dir, nil
}

func (v visit) fill(ctx context.Context, dir string, m mark, files map[string]content) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := v.Mkdir(ctx, v.in(dir), remote.Owner{Mode: 0o755}); err != nil {
		return fmt.Errorf("%s: %w", home(v.files).Path, err)
	}
	for _, f := range v.files {
		c, ok := files[f.Name]
		if !ok {
			continue
		}
		if err := v.WriteFile(ctx, v.in(dir, f.Name), c.data, c.owner); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return v.WriteFile(ctx, v.in(dir, markFile), text, remote.Owner{Mode: 0o644})
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
