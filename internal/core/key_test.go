package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A key that has served is not taken a second time, even when the certificate it
// served has been deleted; nor is one that was made here.
func TestKeyThatHasServed(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		made := request(t, r, core.DefaultZone, "made.example.com")
		names := clm.Names{CommonName: "brought.example.com"}
		key := newKey(t)
		done, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, CSR: csrOf(t, names, key)})
		if err != nil {
			t.Fatal(err)
		}
		await(t, r, done)
		if err := r.Remove(ctx, r.Admin, done.ID); err != nil {
			t.Fatal(err)
		}
		for name, csr := range map[string]string{
			"of a deleted certificate": csrOf(t, names, key),
			"made here":                csrOf(t, names, made.Key),
		} {
			_, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, CSR: csr})
			if e := clm.AsError(err); !errors.Is(err, clm.Violation) || e.Breaches[0].Rule != clm.RuleKeyReuse {
				t.Errorf("%s: got %v, want %s", name, err, clm.RuleKeyReuse)
			}
		}
		r.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: {Values: []string{"1"}}})
		if _, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, CSR: csrOf(t, names, key)}); err != nil {
			t.Errorf("allowed: %v", err)
		}
	})
}

// Whoever is given a private key is told of in the audit log, which is written first: a key
// that cannot be accounted for is not given.
func TestKeysThatAreReadAreNoted(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		var fails atomic.Bool
		r := coretest.New(t, d, coretest.Options{Idle: true, Fault: func(string) error {
			if fails.Load() {
				return errors.New("the disk is full")
			}
			return nil
		}})
		ctx := context.Background()
		leaf := foreignLeaf(t, "www.example.com", 0, nil)
		done := take(t, r, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		serial := versionsOf(t, r, done.ID)[0].Serial
		reader := user(t, r, "reader")
		give(t, r, string(done.DN), "reader", clm.View|clm.Read)
		wants := func(what string, want int) {
			t.Helper()
			if got := entries(t, r, "read private key"); len(got) != want {
				t.Errorf("%s: got %d entries, want %d", what, len(got), want)
			} else if want > 0 && (got[0].Actor != r.Admin.Name || got[0].Subject != string(done.DN) || !strings.Contains(got[0].Detail, serial)) {
				t.Errorf("%s: got %+v", what, got[0])
			}
		}
		for what, try := range map[string]func() error{
			"the certificate alone": func() error { _, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(done.DN)}); return err },
			"without the right": func() error {
				if _, err := r.Retrieve(ctx, reader, core.Retrieve{DN: string(done.DN), WithKey: true}); !errors.Is(err, clm.Denied) {
					return fmt.Errorf("got %w, want it denied", err)
				}
				return nil
			},
		} {
			check(t, try())
			wants(what, 0)
		}
		got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(done.DN), WithKey: true})
		check(t, err)
		if got.Key == nil {
			t.Fatal("got no key")
		}
		wants("the key", 1)
		fails.Store(true)
		got, err = r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(done.DN), WithKey: true})
		fails.Store(false)
		if err == nil || got.Key != nil {
			t.Errorf("got a key, %v, though nobody can account for it", err)
		}
		wants("a key that was not given", 1)
	})
}
