package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"testing/fstest"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewer is the refusal to work on a database that a newer release has
// migrated: this one would not know what it must not break.
var ErrNewer = errors.New("the database belongs to a newer release")

// migrate brings the schema up to what this release knows, in order, forwards
// only, each step in a transaction, one node at a time.
func migrate(ctx context.Context, db *sql.DB, d dialect) error {
	steps, err := adapted(d)
	if err != nil {
		return err
	}
	var options []goose.ProviderOption
	if d.name == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(d.name, db, steps, options...)
	if err != nil {
		return err
	}
	has, knows, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > knows {
		return fmt.Errorf("%w: it has schema %d, this one knows %d", ErrNewer, has, knows)
	}
	_, err = provider.Up(ctx)
	return err
}

// adapted is the one schema text as the dialect wants it.
func adapted(d dialect) (fs.FS, error) {
	steps := fstest.MapFS{}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps[name[len("migrations/"):]] = &fstest.MapFile{Data: []byte(d.adapt.Replace(string(text)))}
	}
	return steps, nil
}
