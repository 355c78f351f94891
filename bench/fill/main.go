// Command fill puts the certificates of a large company into a database, so that
// the server can be tried and measured with them. The database is set up if it is
// not; nobody may have it open meanwhile.
//
//	go run ./bench/fill -n 1000000 -data DIR [-database URL]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/certwright/certwright/internal/ca/all"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

func main() {
	size := flag.Int("n", 10_000, "how many certificates")
	data := flag.String("data", "", "the server's `directory`")
	database := flag.String("database", "", "the database's `address`; empty: certwright.db in the directory")
	flag.Parse()
	if *data == "" {
		flag.Usage()
		os.Exit(2)
	}
	if *database == "" {
		*database = filepath.Join(*data, "certwright.db")
	}
	if err := fill(context.Background(), *data, *database, *size); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

func fill(ctx context.Context, data, database string, size int) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	db, err := store.Open(ctx, database, store.Options{})
	if err != nil {
		return err
	}
	box, err := secret.OpenBox(filepath.Join(data, "master.key"), secret.Plain{})
	if err == nil {
		c := core.New(core.Config{DB: db, Box: box, Connectors: all.Registry, MakeIssuer: coretest.MakeIssuer, Log: slog.Default()})
		password := secret.NewString(os.Getenv("CERTWRIGHT_ADMIN_PASSWORD"))
		var has bool
		if has, err = c.HasAdmin(ctx); err == nil && !has && password.IsEmpty() {
			err = errors.New("CERTWRIGHT_ADMIN_PASSWORD is to be the password of the user admin")
		}
		if err == nil {
			_, err = c.Setup(ctx, password)
		}
	}
	db.Close()
	if err != nil {
		return err
	}
	e := coretest.Estate{Address: database, Size: size, Box: box, Tell: func(format string, args ...any) { fmt.Printf(format, args...) }}
	return e.Fill(ctx)
}
