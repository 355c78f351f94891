package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// put makes an object.
func put(t testing.TB, r *coretest.Rig, dn string, class clm.Class, own map[clm.Attr][]string) clm.ObjectID {
	t.Helper()
	_, err := r.Put(context.Background(), r.Admin, core.Put{DN: dn, Class: class, Own: own})
	check(t, err)
	return objectID(t, r, dn)
}

func objectID(t testing.TB, r *coretest.Rig, dn string) clm.ObjectID {
	t.Helper()
	node, err := r.Object(context.Background(), r.Admin, dn)
	check(t, err)
	return node.ID
}

// attach lets the application use the certificate.
func attach(t testing.TB, r *coretest.Rig, app string, certificate core.Imported) {
	t.Helper()
	ctx := context.Background()
	node, err := r.Object(ctx, r.Admin, string(certificate.DN))
	check(t, err)
	consumers := append(node.Own[clm.Consumers], string(objectID(t, r, app)))
	put(t, r, string(certificate.DN), node.Class, map[clm.Attr][]string{clm.Consumers: consumers})
	put(t, r, app, clm.ApplicationClass("basic"), map[clm.Attr][]string{clm.Bound: {string(certificate.ID)}})
}

// A certificate is deleted with its versions, its work, the applications that use
// it and devices that hold nothing any more. A device with other applications stays,
// and so does an application that by now uses another certificate.
func TestRemove(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const folder = core.DefaultZone
		done := take(t, r, core.Import{Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		renewal, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(done.DN)})
		check(t, err)
		objects := []struct {
			dn    string
			class clm.Class
			stays bool
		}{
			{folder + `\lone`, clm.Device, false},
			{folder + `\lone\app`, clm.ApplicationClass("basic"), false},
			{folder + `\shared`, clm.Device, true},
			{folder + `\shared\app`, clm.ApplicationClass("basic"), false},
			{folder + `\shared\other`, clm.ApplicationClass("basic"), true},
			{folder + `\moved`, clm.Device, true},
			{folder + `\moved\app`, clm.ApplicationClass("basic"), true},
			{folder + `\empty`, clm.Device, true},
		}
		for _, o := range objects {
			put(t, r, o.dn, o.class, nil)
		}
		for _, app := range []string{`\lone\app`, `\shared\app`, `\moved\app`} {
			attach(t, r, folder+app, done)
		}
		put(t, r, folder+`\moved\app`, clm.ApplicationClass("basic"), map[clm.Attr][]string{clm.Bound: {"another"}})
		check(t, r.Remove(ctx, r.Admin, done.ID))
		for _, o := range objects {
			if _, err := r.Object(ctx, r.Admin, o.dn); (err == nil) != o.stays {
				t.Errorf("%s: got %v, want it there: %v", o.dn, err, o.stays)
			}
		}
		if _, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(done.DN)}); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want that there is none", err)
		}
		if got := versionsOf(t, r, done.ID); len(got) != 0 {
			t.Errorf("%d versions are left", len(got))
		}
		if _, err := r.Wait(ctx, renewal.Work, patience); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v of its work, want that there is none", err)
		}
		page, err := r.Find(ctx, r.Admin, core.Filter{Limit: 10})
		if err != nil || page.Total != 0 {
			t.Errorf("found %d, %v", page.Total, err)
		}
		again := take(t, r, core.Import{Name: done.DN.Name(), Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		if again.DN != done.DN || again.ID == done.ID {
			t.Errorf("got %+v in the place of %+v", again, done)
		}
	})
}

// An application stays, and uses nothing, when something stands below it.
func TestRemoveSparesWhatHasSomethingBelow(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	done := take(t, r, core.Import{Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
	const app = core.DefaultZone + `\host\app`
	put(t, r, core.DefaultZone+`\host`, clm.Device, nil)
	id := put(t, r, app, clm.ApplicationClass("basic"), nil)
	attach(t, r, app, done)
	check(t, r.DB.Write(ctx, store.Entry{Action: "test"}, func(tx *store.Tx) error {
		return tx.AddObject(&clm.Object{DN: app + `\credential`, Class: "credential"}, id)
	}))
	check(t, r.Remove(ctx, r.Admin, done.ID))
	node, err := r.Object(ctx, r.Admin, app)
	if err != nil || len(node.Own[clm.Bound]) != 0 {
		t.Errorf("got %+v, %v; want that it uses nothing", node.Own, err)
	}
}

// Whoever deletes needs the right to on everything that goes; without it all stays.
func TestRemoveNeedsRights(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		folder, elsewhere := r.Folder(`\VED\Policy\Certificates`, nil), r.Folder(`\VED\Policy\Devices`, nil)
		done := take(t, r, core.Import{Folder: folder, Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		put(t, r, elsewhere+`\host`, clm.Device, nil)
		put(t, r, elsewhere+`\host\app`, clm.ApplicationClass("basic"), nil)
		attach(t, r, elsewhere+`\host\app`, done)
		alice := user(t, r, "alice")
		for _, c := range []struct {
			name          string
			there, beside clm.Rights
			want          error
		}{
			{"nothing", 0, 0, clm.NotFound},
			{"may do anything but delete", clm.AllRights &^ clm.Delete, clm.AllRights, clm.Denied},
			{"may delete the certificate alone", clm.AllRights, clm.AllRights &^ clm.Delete, clm.Denied},
			{"does not see the application", clm.AllRights, 0, clm.Denied},
			{"may delete both", clm.View | clm.Delete, clm.Delete, nil},
		} {
			give(t, r, folder, "alice", c.there)
			give(t, r, elsewhere, "alice", c.beside)
			if err := r.Remove(ctx, alice, done.ID); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
			if _, err := r.Object(ctx, r.Admin, elsewhere+`\host\app`); (err == nil) != (c.want != nil) {
				t.Errorf("%s: the application: %v", c.name, err)
			}
		}
		if err := r.Remove(ctx, r.Admin, objectID(t, r, folder)); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v for a folder", err)
		}
	})
}

// A worker that is asking the CA while the certificate is deleted brings neither key nor
// certificate back when it is answered; whoever waits for it is told at once.
func TestRemoveWinsOverWorker(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		asking, release := f.Hold(t, "collect")
		done := ask(t, r, "www.example.com")
		waited := make(chan error, 1)
		go func() {
			_, err := r.Wait(context.Background(), done.Work, patience)
			waited <- err
		}()
		receive(t, "the CA to be asked", asking)
		check(t, r.Remove(context.Background(), r.Admin, done.ID))
		if err := <-waited; !errors.Is(err, clm.NotFound) {
			t.Errorf("who waited got %v, want that there is none", err)
		}
		release()
		r.Stop() // which waits for the late worker
		r.Start(coretest.Options{Connectors: f.Connectors(), Idle: true})
		if f.Issued("www.example.com") != 1 {
			t.Error("the CA has not been asked")
		}
		if _, err := r.Object(context.Background(), r.Admin, string(done.DN)); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want that there is none", err)
		}
		for _, v := range versionsOf(t, r, done.ID) { // its order is followed up
			if len(v.Sealed) != 0 {
				t.Error("the private key has come back")
			}
		}
		if got := entries(t, r, "enroll/end"); len(got) != 0 {
			t.Errorf("the late answer was acted upon: %+v", got)
		}
	})
}
