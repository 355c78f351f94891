// Package shelf is the store of every driver whose application reads files. The
// paths that an application's configuration names become symbolic links into a
// directory beside the key, or beside the first of them where none has the key, so
// that files of several paths are swapped at once, by one rename, for whoever reads
// them at any moment:
//
//	/etc/nginx/tls/.certwright/<application>/<random name>/{mark,certificate,key,...}
//	/etc/nginx/tls/.certwright/<application>/{next,current,former} -> one of these
//	/etc/nginx/tls/site.key -> .certwright/<application>/current/key
//
// Where the settings name another directory for the key, a new shelf begins there.
// What was found before is what the paths led to then, and the old shelf stays: it has
// to be removed by hand, when no path leads there any more.
//
// Whatever stands at a path before is copied into such a directory first, and the
// path becomes a link to the copy: what is read there does not change by that. Going
// back to what was found so makes plain files, or links, of the paths again.
//
// Each operation on the host happens or does not, after each of them the paths hold
// what they held before or all that is new, and each method begins by looking at how
// far an earlier one came. Directories that none of the three links names are
// rubbish, which Back and Keep remove, and Place when they are old: somebody else may
// be at work with them. When two are at it at the same time, one of them fails, and
// no path is left without what was found there.
//
// The directory of the key should belong to root, and nobody else should write to it:
// who may do that may put any file in the place of another, also while root reads it.
// What is done here does not go beyond the directory all the same: a .certwright that
// is a link or somebody else's is refused, and what is removed is of our own making.
package shelf

import (
	"context"
	"crypto/x509"
	"fmt"
	"path"
	"slices"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// A File is one of the paths that the application's configuration names.
type File struct {
	Path string // absolute
	Name string // what it is called on the shelf, like "certificate"; no other has it
	Key  bool   // it holds the private key

	// Owner is that of a new file, where the settings say nothing. Without a mode it
	// is 0644, or 0600 with a key. A file that replaces another one is as that was.
	Owner remote.Owner

	// Data makes what is in the file. Old is what is read at Path now, nil where
	// nothing is. Its errors say nothing of keys and passwords.
	Data func(b pki.Bundle, old []byte) ([]byte, error)

	// Merges says that Data keeps some of the old.
	Merges bool
}

// A Layout says which files there are, and how they are read again.
type Layout struct {
	Files []File
	Bare  bool // the chain is in none of them; see deploy.Target

	// Read finds the certificate in what the files hold, by their names on the shelf; a
	// file that is not there is nil.
	Read func(files map[string][]byte) (deploy.Found, error)
}

// A Shelf is the store of one application. It may be made anew for every call: all
// that it knows lies on the host.
type Shelf struct {
	open  func() (disk, error)
	root  string // the directory of the application
	rules rules
	files []File
	find  func(files map[string][]byte) (deploy.Found, error)
}

// New makes a shelf for the application; there is at least one file. Of the settings
// it takes ID, Host and those of OwnerFields; an error says which makes no sense.
func New(s deploy.Settings, l Layout) (*Shelf, error) {
	r, err := readRules(s)
	if err != nil {
		return nil, err
	}
	return &Shelf{
		open:  func() (disk, error) { return s.Host() },
		root:  path.Join(path.Dir(home(l.Files).Path), ".certwright", string(s.ID)),
		rules: r,
		files: l.Files,
		find:  l.Read,
	}, nil
}

// home is the file beside which the shelf is.
func home(files []File) File {
	return files[max(slices.IndexFunc(files, func(f File) bool { return f.Key }), 0)]
}

// Place implements deploy.Store.
func (s *Shelf) Place(ctx context.Context, b pki.Bundle) error {
	if err := s.check(b); err != nil {
		return err
	}
	v, err := s.visit(ctx)
	if err != nil {
		return err
	}
	dir, err := v.write(ctx, b)
	if err == nil {
		err = v.Symlink(ctx, dir, v.in(next))
	}
	if err != nil {
		if dir != "" {
			_ = v.RemoveAll(ctx, v.in(dir)) // if that fails it is swept later
		}
		return err
	}
	return v.sweepOld(ctx, dir)
}

// Inspect implements deploy.Store. Files that cannot be made sense of are as good as
// none.
func (s *Shelf) Inspect(ctx context.Context) (deploy.Found, error) {
	d, err := s.open()
	if err != nil {
		return deploy.Found{}, err
	}
	old, err := visit{s, d}.read(ctx)
	if err != nil {
		return deploy.Found{}, err
	}
	found, err := s.find(contents(old))
	if err != nil {
		return deploy.Found{}, nil
	}
	return found, nil
}

// Switch implements deploy.Store. What was found before the first Switch since Keep
// or Back is what there is to go back to.
func (s *Shelf) Switch(ctx context.Context, b pki.Bundle) error {
	v, err := s.visit(ctx)
	if err != nil {
		return err
	}
	goal, err := v.placed(ctx, b)
	if err != nil {
		return err
	}
	now, err := v.marked(ctx, current)
	if err != nil {
		return err
	}
	isLinked, err := v.isLinked(ctx)
	if err != nil {
		return err
	}
	if !isLinked || now.dir != goal {
		if err := v.shelve(ctx, now, goal); err != nil {
			return err
		}
		if err := v.swap(ctx, goal); err != nil {
			return err
		}
	}
	return v.RemoveAll(ctx, v.in(next))
}

// Back implements deploy.Store.
func (s *Shelf) Back(ctx context.Context) error {
	v, err := s.visit(ctx)
	if err != nil {
		return err
	}
	dirs, err := v.directories(ctx)
	if err != nil {
		return err
	}
	was, err := v.marked(ctx, former)
	if err == nil && was.dir != "" {
		err = v.turn(ctx, was.dir)
	}
	if err != nil {
		return err
	}
	if err := v.RemoveAll(ctx, v.in(next)); err != nil {
		return err
	}
	isUsed, err := v.unshelve(ctx)
	if err == nil {
		err = v.RemoveAll(ctx, v.in(former))
	}
	if err == nil && !isUsed {
		err = v.leave(ctx)
	}
	if err == nil {
		err = v.sweep(ctx, dirs)
	}
	if err != nil || isUsed {
		return err
	}
	return v.RemoveEmpty(ctx, s.root)
}

// Keep implements deploy.Store.
func (s *Shelf) Keep(ctx context.Context) error {
	v, err := s.visit(ctx)
	if err != nil {
		return err
	}
	dirs, err := v.directories(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{former, next} {
		if err := v.RemoveAll(ctx, v.in(name)); err != nil {
			return err
		}
	}
	return v.sweep(ctx, dirs)
}

// check refuses what no service could use.
func (s *Shelf) check(b pki.Bundle) error {
	cert, err := x509.ParseCertificate(b.Cert)
	if err != nil {
		return fmt.Errorf("%w: %w", pki.ErrNotCertificate, err)
	}
	for _, f := range s.files {
		if f.Key && b.Key == nil {
			return fmt.Errorf("%s: %w", f.Path, pki.ErrNoKey)
		}
		if f.Key && !pki.Matches(cert, b.Key) {
			return fmt.Errorf("%s: %w", f.Path, pki.ErrKeyMismatch)
		}
	}
	return nil
}

// visit goes to the host, for one call that may change something.
func (s *Shelf) visit(ctx context.Context) (visit, error) {
	d, err := s.open()
	if err != nil {
		return visit{}, err
	}
	v := visit{s, d}
	return v, v.guard(ctx)
}
