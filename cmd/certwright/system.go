package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/api/tpp"
	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/all"
	"github.com/certwright/certwright/internal/ca/embedded"
	"github.com/certwright/certwright/internal/core"
	drivers "github.com/certwright/certwright/internal/deploy/all"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// place says where an installation keeps what it keeps.
type place struct {
	data           string
	database       string
	passphraseFile string
	rehearsal      bool // of serve and apply
	localHost      bool // of serve
}

// flags adds the flags by which every command finds its installation.
func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.data, "data", "certwright-data", "`directory` of the master key and, with SQLite, the database")
	c.Flags().StringVar(&p.database, "database", "", "postgres:// `URL` of the database (default: SQLite in the data directory)")
	c.Flags().StringVar(&p.passphraseFile, "passphrase-file", os.Getenv("CERTWRIGHT_PASSPHRASE_FILE"),
		"`file` with the passphrase of the master key (or CERTWRIGHT_PASSPHRASE; neither: the key is not protected)")
}

// rehearsalFlag adds the flag of commands that may put certificates on stage.
func (p *place) rehearsalFlag(c *cobra.Command) {
	c.Flags().BoolVar(&p.rehearsal, "rehearsal", false, "let estate files put certificates into made-up states; for demonstrations, training and tests only")
}

func (p place) address() string {
	if p.database != "" {
		return p.database
	}
	return filepath.Join(p.data, "certwright.db")
}

// passphrase is what the master key's file is protected with; it may be empty.
func (p place) passphrase() (secret.Plain, error) {
	if p.passphraseFile == "" {
		return secret.NewString(os.Getenv("CERTWRIGHT_PASSPHRASE")), nil
	}
	text, err := os.ReadFile(p.passphraseFile)
	if err != nil {
		return secret.Plain{}, err
	}
	return secret.NewString(strings.TrimRight(string(text), "\r\n")), nil
}

// system is an open installation.
type system struct {
	*core.Core
	db  *store.DB
	box *secret.Box
}

// open opens the installation, making the directory, the master key and the
// database where they are not there yet.
func (p place) open(ctx context.Context, log *slog.Logger) (*system, error) {
	if err := os.MkdirAll(p.data, 0o700); err != nil {
		return nil, err
	}
	passphrase, err := p.passphrase()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, p.address(), store.Options{})
	if err != nil {
		return nil, err
	}
	box, err := p.openBox(ctx, db, passphrase)
	if err != nil {
		db.Close()
		return nil, err
	}
	if p.rehearsal {
		log.Warn("started for rehearsals: estate files may put certificates into made-up states; not for certificates that anybody relies on")
	}
	c := core.New(core.Config{DB: db, Box: box, Connectors: all.Registry, Drivers: drivers.Registry, LocalHost: p.localHost, MakeIssuer: makeIssuer, MakeResponder: embedded.NewResponder, Log: log, Rehearsal: p.rehearsal, Expand: tpp.Expand})
	return &system{Core: c, db: db, box: box}, nil
}

// openBox opens the master key, and makes one for a new database only: a new key
// would be of no use to one whose secrets are sealed already.
func (p place) openBox(ctx context.Context, db *store.DB, passphrase secret.Plain) (*secret.Box, error) {
	path := filepath.Join(p.data, "master.key")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		var sealed []store.Issuer
		if err := db.Read(ctx, func(tx *store.Tx) (err error) {
			sealed, err = tx.Issuers()
			return err
		}); err != nil {
			return nil, err
		}
		if len(sealed) > 0 {
			return nil, fmt.Errorf("%s is missing: it is the key to everything that is sealed in the database", path)
		}
	}
	return secret.OpenBox(path, passphrase)
}

// makeIssuer makes CA certificates for keys that are held here.
func makeIssuer(above *ca.Issuer, n core.NewIssuer, key crypto.Signer, at time.Time) (ca.Issuer, error) {
	spec := embedded.Spec{
		Name: n.Name, Subject: n.Subject, Key: key, At: at, Years: n.Years, AIAURL: n.AIAURL, OCSPURL: n.OCSPURL, CDPURL: n.CDPURL,
	}
	if above == nil {
		return embedded.NewRoot(spec)
	}
	return embedded.NewIssuer(*above, spec)
}

// setUp makes what a new installation starts with. made is the password of the
// user admin where one had to be made up.
func (s *system) setUp(ctx context.Context) (made secret.Plain, err error) {
	password := secret.NewString(os.Getenv("CERTWRIGHT_ADMIN_PASSWORD"))
	if password.IsEmpty() {
		has, err := s.HasAdmin(ctx)
		if err != nil {
			return made, err
		}
		if !has {
			if made, err = newPassword(); err != nil {
				return made, err
			}
			password = made
		}
	}
	_, err = s.Setup(ctx, password)
	return made, err
}

// writeCAs writes the certificates of all CAs whose keys are held here into one
// file that clients can trust: roots first.
func (s *system) writeCAs(ctx context.Context, path string) error {
	bundle, err := s.CABundle(ctx)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, bundle, 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
