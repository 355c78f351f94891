package core_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// However many names are taken, few of them are looked at, and the number that
// follows on the last is the one that is given.
func TestNumbersAreFoundQuickly(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true, Fault: func(string) error { statements.Add(1); return nil }})
	folder := r.Folder(`\VED\Policy\Names`, nil)
	const taken = 300
	put(t, r, folder+`\www.example.com`, clm.Device, nil)
	for n := range taken {
		put(t, r, fmt.Sprintf(`%s\www.example.com - %d`, folder, n+1), clm.Device, nil)
	}
	leaf := foreignLeaf(t, "www.example.com", 0, nil)
	statements.Store(0)
	done := take(t, r, core.Import{Folder: folder, Certificate: bundle(leaf)})
	if want := fmt.Sprintf("www.example.com - %d", taken+1); done.DN.Name() != want {
		t.Errorf("got %s, want %s", done.DN.Name(), want)
	}
	if n := statements.Load(); n > 100 {
		t.Errorf("it took %d statements", n)
	}
	if again := take(t, r, core.Import{Folder: folder, Certificate: bundle(leaf)}); again.DN != done.DN {
		t.Errorf("the same again went to %s", again.DN.Name())
	}
}

// A certificate is found at its place also when names before it have become free;
// places of other names, of other folders and those that the actor may not write
// are not its own.
func TestImportFindsItsPlace(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		folder, other := r.Folder(`\VED\Policy\Mine`, nil), r.Folder(`\VED\Policy\Other`, nil)
		leaf := foreignLeaf(t, "www.example.com", 0, nil)
		take(t, r, core.Import{Folder: other, Certificate: bundle(leaf)})
		take(t, r, core.Import{Folder: folder, Name: "front door", Certificate: bundle(leaf)})
		take(t, r, core.Import{Folder: folder, Name: "www.example.com - 01", Certificate: bundle(leaf)})
		gone := put(t, r, folder+`\WWW.example.com`, clm.ServerCertificate, nil)
		first := take(t, r, core.Import{Folder: folder, Certificate: bundle(leaf)})
		if want := "www.example.com - 1"; first.DN.Name() != want {
			t.Fatalf("got %s, want %s", first.DN.Name(), want)
		}
		check(t, r.Remove(ctx, r.Admin, gone))
		if again := take(t, r, core.Import{Folder: folder, Certificate: bundle(leaf)}); again.ID != first.ID {
			t.Errorf("the same again went to %s", again.DN)
		}
		alice := user(t, r, "alice")
		give(t, r, folder, "alice", clm.AllRights)
		give(t, r, string(first.DN), "alice", clm.View)
		hers, err := r.Import(ctx, alice, core.Import{Folder: folder, Certificate: bundle(leaf)})
		if err != nil || hers.DN.Name() != "www.example.com" {
			t.Errorf("got %s, %v from one who may not write the place", hers.DN, err)
		}
	})
}
