package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// What refers to an object goes on doing so when it is renamed, and so does what the
// installation began with.
func TestReferencesSurviveRenames(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, ctx := coretest.New(t, d, coretest.Options{}), context.Background()
		const moved = `\VED\Policy\CAs\Other name`
		if err := r.Rename(ctx, r.Admin, core.DefaultCA, moved); err != nil {
			t.Fatal(err)
		}
		got, err := r.Policy(ctx, r.Admin, string(clm.PolicyDN), "")
		if err != nil || got.Policy.Authority.First() != moved {
			t.Errorf("certificates are ordered from %q, %v", got.Policy.Authority.First(), err)
		}
		done, err := r.Request(ctx, r.Admin, core.Request{
			Folder: core.DefaultZone, Class: clm.ServerCertificate, Names: clm.Names{CommonName: "www.example.com"}, KeyAlgorithm: clm.ECC, Curve: clm.P256,
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, r, done)
	})
}

// A value from outside that looks like a reference is refused: it would tell what is
// called as whom, and let one name what one may not see.
func TestReferencesAreNotForged(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, ctx := coretest.New(t, d, coretest.Options{Idle: true}), context.Background()
		o, err := r.Object(ctx, r.Admin, core.DefaultCA)
		if err != nil {
			t.Fatal(err)
		}
		const zone = core.DefaultZone
		edits := []core.Edit{{Attr: clm.Description, Values: []string{clm.Ref(o.ID)}}}
		if err := r.EditObject(ctx, r.Admin, zone, edits, nil); !errors.Is(err, clm.Invalid) {
			t.Errorf("got %v for an own value", err)
		}
		err = r.EditPolicy(ctx, r.Admin, zone, clm.AnyCertificate, core.Edit{Attr: clm.IssuedBy, Values: []string{clm.Ref(o.ID)}}, false)
		if !errors.Is(err, clm.Invalid) {
			t.Errorf("got %v for a rule", err)
		}
	})
}
