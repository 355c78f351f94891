package shelf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
)

// write makes a directory with the bundle, and reads it again.
func (v visit) write(ctx context.Context, b pki.Bundle) (dir string, err error) {
	old, err := v.read(ctx)
	if err != nil {
		return "", err
	}
	m := mark{Leaf: hashOf(b.Cert), Paths: v.paths(mark{}), Over: map[string]string{}}
	files := map[string]content{}
	for _, f := range v.files {
		if _, err := v.Owner(ctx, path.Dir(f.Path)); err != nil {
			return "", fmt.Errorf("%s: %w", f.Path, err)
		}
		was, isThere := old[f.Name]
		data, err := f.Data(b, was.data)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.Path, err)
		}
		if f.Merges {
			m.Over[f.Path] = hashOf(was.data)
		}
		owner := v.rules.of(f)
		if isThere {
			owner = v.rules.over(f, was.owner)
		}
		files[f.Name] = content{data, owner}
	}
	if dir, err = v.put(ctx, m, files); err != nil {
		return "", err
	}
	return dir, v.verify(ctx, dir, b, files)
}

// verify reads what was written as a service would.
func (v visit) verify(ctx context.Context, dir string, b pki.Bundle, files map[string]content) error {
	read := map[string][]byte{}
	for _, f := range v.files {
		data, err := v.ReadFile(ctx, v.in(dir, f.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		if !bytes.Equal(data, files[f.Name].data) {
			return fmt.Errorf("%s: it does not read as it was written", f.Path)
		}
		read[f.Name] = data
	}
	found, err := v.find(read)
	if err == nil && !bytes.Equal(found.Cert, b.Cert) {
		err = errors.New("another certificate is found than was written")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v.files[0].Path, err)
	}
	return nil
}

// placed is the directory that holds the bundle. Where a file of it was merged with
// an old one that has changed since, the bundle is placed again.
func (v visit) placed(ctx context.Context, b pki.Bundle) (dir string, err error) {
	leaf := hashOf(b.Cert)
	m, err := v.marked(ctx, next)
	if err != nil {
		return "", err
	}
	if m.Leaf == leaf {
		return v.stillGood(ctx, m, b)
	}
	if m, err = v.marked(ctx, current); err != nil {
		return "", err
	}
	if m.Leaf == leaf {
		return m.dir, nil
	}
	return "", fmt.Errorf("%s: %w", v.files[0].Path, deploy.ErrNotPlaced)
}

func (v visit) stillGood(ctx context.Context, m mark, b pki.Bundle) (dir string, err error) {
	now, err := v.link(ctx, current)
	if err != nil || now == m.dir {
		return m.dir, err
	}
	for place, hash := range m.Over {
		c, err := v.readPath(ctx, place)
		if err != nil {
			return "", err
		}
		if c == nil {
			c = &content{}
		}
		if hashOf(c.data) == hash {
			continue
		}
		if err := v.Place(ctx, b); err != nil {
			return "", err
		}
		return v.link(ctx, next)
	}
	return m.dir, nil
}
