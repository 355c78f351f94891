package core_test

import (
	"context"
	"errors"
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
