package core_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A version can be asked for by its number, whatever its place does meanwhile, by
// whoever may read the place.
func TestRetrieveVersion(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		old, young := foreignLeaf(t, "www.example.com", time.Hour, nil), foreignLeaf(t, "www.example.com", 0, nil)
		first := take(t, r, core.Import{Name: "www", Certificate: bundle(old), Key: old.keyPEM(t)})
		take(t, r, core.Import{Name: "www", Certificate: bundle(young)})
		renewal, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.DN)})
		check(t, err)
		got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{Version: first.Version, WithKey: true})
		if err != nil || !bytes.Equal(got.Version.Cert, old.der) || got.Key == nil || got.Open != nil {
			t.Errorf("got version %d, %v; want %d with its key", got.Version.ID, err, first.Version)
		}
		stranger, reader := user(t, r, "stranger"), user(t, r, "reader")
		give(t, r, core.DefaultZone, "reader", clm.Read)
		for _, c := range []struct {
			name string
			who  clm.Actor
			ask  core.Retrieve
			want error
		}{
			{"reader", reader, core.Retrieve{Version: first.Version}, nil},
			{"reader who wants the key", reader, core.Retrieve{Version: first.Version, WithKey: true}, clm.Denied},
			{"stranger", stranger, core.Retrieve{Version: first.Version}, clm.NotFound},
			{"no such version", r.Admin, core.Retrieve{Version: first.Version + 1}, clm.NotFound},
			{"nothing issued yet", r.Admin, core.Retrieve{Version: renewal.Version}, clm.NotIssued},
		} {
			if _, err := r.Retrieve(ctx, c.who, c.ask); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
	})
}

// History leaves out what is in use, what was never issued and, if that is wanted,
// what has expired.
func TestHistory(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		var dn clm.DN
		var id clm.ObjectID
		for _, ago := range []time.Duration{400 * clm.Day, 2 * clm.Day, clm.Day, 3 * clm.Day, 0} {
			done := take(t, r, core.Import{Name: "www", Certificate: bundle(foreignLeaf(t, "www.example.com", ago, nil))})
			dn, id = done.DN, done.ID
		}
		_, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(dn)})
		check(t, err)
		for _, c := range []struct {
			unexpired bool
			want      []int // days ago
		}{{false, []int{1, 2, 3, 400}}, {true, []int{1, 2, 3}}} {
			past, err := r.History(ctx, r.Admin, id, core.Pasts{Unexpired: c.unexpired})
			if err != nil || len(past) != len(c.want) {
				t.Fatalf("got %d, %v; want %d", len(past), err, len(c.want))
			}
			for i, days := range c.want {
				if ago := time.Since(past[i].NotBefore); ago < time.Duration(days)*clm.Day || ago > time.Duration(days)*clm.Day+time.Hour {
					t.Errorf("got one of %v ago, want of %d days", ago, days)
				}
			}
		}
		viewer := user(t, r, "viewer")
		give(t, r, core.DefaultZone, "viewer", clm.View)
		if _, err := r.History(ctx, viewer, id, core.Pasts{}); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want that who may not read finds nothing", err)
		}
	})
}
