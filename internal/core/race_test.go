package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// open is the open work of a place as Retrieve tells it; nil where there is none.
// Nothing else is told while there is one.
func open(t testing.TB, r *coretest.Rig, dn clm.DN) *core.Open {
	t.Helper()
	got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(dn), KeyIfAny: true})
	if err != nil && !errors.Is(err, clm.NotIssued) {
		t.Fatal(err)
	}
	if got.Open != nil && (len(got.Version.Cert) != 0 || len(got.Chain) != 0 || got.Key != nil) {
		t.Errorf("a certificate of %s is handed out while another is on its way", dn)
	}
	return got.Open
}

// until waits until the place's open work is so.
func until(t testing.TB, r *coretest.Rig, dn clm.DN, what string, is func(core.Open) bool) core.Open {
	t.Helper()
	var o *core.Open
	eventually(t, "the work "+what, func() bool {
		o = open(t, r, dn)
		return o != nil && is(*o)
	})
	return *o
}

// ask asks for an EC certificate for the name from the faulty CA.
func ask(t testing.TB, r *coretest.Rig, cn string) core.Accepted {
	t.Helper()
	done, err := order(r, cn, 1)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// A new request wins over a worker that is still asking the CA: the late answer
// is dropped and never comes into use, the answer to the new request does.
func TestNewRequestWinsOverWorker(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		asking, release := f.Hold(t, "collect")
		const cn = "www.example.com"
		first := ask(t, r, cn)
		receive(t, "the CA to be asked", asking)
		second := ask(t, r, cn)
		if first.ID != second.ID || first.Version == second.Version || first.Work == second.Work {
			t.Fatalf("got %+v after %+v, want another version of the same place", second, first)
		}
		if got := await(t, r, second); got.Version.ID != second.Version {
			t.Errorf("got version %d in use, want %d", got.Version.ID, second.Version)
		}
		release()
		r.Stop() // which waits for the late worker
		r.Start(coretest.Options{Connectors: f.Connectors(), Idle: true})
		for _, v := range versionsOf(t, r, first.ID) {
			if v.ID == first.Version && v.Orphaned.IsZero() && len(v.Cert) != 0 {
				t.Error("the late certificate was kept as if it were wanted")
			}
		}
		got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(first.DN)})
		if err != nil || got.Version.ID != second.Version {
			t.Errorf("got version %d in use, %v; want %d", got.Version.ID, err, second.Version)
		}
		if got := f.Issued(cn); got != 2 {
			t.Errorf("the CA has issued %d certificates, want two", got)
		}
	})
}

// What a CA that cannot be reached has not done is tried again, later and later,
// with the reason to be seen meanwhile, until it goes well.
func TestUnreachableCAIsTriedAgain(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		f.At(func(_ context.Context, c coretest.Call) error {
			if c.Name == "submit" && f.Calls("submit") < clm.MaxAttempts {
				return fmt.Errorf("connection refused, try %d", f.Calls("submit"))
			}
			return nil
		})
		done := ask(t, r, "www.example.com")
		pause := clm.FirstBackoff
		for try := 1; try < clm.MaxAttempts; try++ {
			o := until(t, r, done.DN, "is to be tried again", func(o core.Open) bool { return o.Attempt == try })
			if o.State != clm.Processing || o.Stage != clm.Submit || o.Failure != "" || o.Note != fmt.Sprintf("connection refused, try %d", try) {
				t.Errorf("after try %d: got %+v", try, o)
			}
			if wait := o.NotBefore.Sub(r.DB.Now()); wait > pause || wait < pause-patience {
				t.Errorf("after try %d: the next is in %v, want about %v", try, wait, pause)
			}
			r.Clock.Turn(pause)
			pause *= 2
		}
		await(t, r, done)
		if f.Calls("submit") != clm.MaxAttempts || f.Issued("www.example.com") != 1 {
			t.Errorf("got %d calls and %d certificates", f.Calls("submit"), f.Issued("www.example.com"))
		}
	})
}

// What failed although the CA did it is done once all the same.
func TestFailedButDoneIsDoneOnce(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"submit", "collect"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			f := &coretest.Faulty{}
			r := coretest.New(t, coretest.SQLite(t), coretest.Options{Connectors: f.Connectors()})
			r.AddFaulty(nil)
			f.At(func(_ context.Context, c coretest.Call) error {
				if c.Name == call && c.After && f.Calls(call) == 1 {
					return errors.New("connection reset")
				}
				return nil
			})
			done := ask(t, r, "www.example.com")
			until(t, r, done.DN, "is to be tried again", func(o core.Open) bool { return o.Attempt == 1 })
			r.Clock.Turn(clm.FirstBackoff)
			await(t, r, done)
			if f.Calls(call) != 2 || f.Issued("www.example.com") != 1 {
				t.Errorf("got %d calls and %d certificates", f.Calls(call), f.Issued("www.example.com"))
			}
		})
	}
}

// Work that stops stays so: it shows why, a renewal is refused, a new request is
// written down but stands as stopped as before. The certificate in use stays.
func TestStoppedWorkStaysStopped(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		const cn = "www.example.com"
		first := await(t, r, ask(t, r, cn))
		f.At(func(context.Context, coretest.Call) error { return clm.Permanent(errors.New("the name is not yours")) })
		done, err := order(r, cn, 2)
		if err != nil {
			t.Fatal(err)
		}
		stopped, err := r.Wait(context.Background(), done.Work, patience)
		if err != nil || stopped.State != clm.Stopped || stopped.Failure != "the name is not yours" || stopped.Stage != clm.Submit || stopped.Overlaid {
			t.Fatalf("got %+v, %v", stopped, err)
		}
		f.At(nil)
		if _, err := order(r, cn, 2); !errors.Is(err, clm.InError) {
			t.Errorf("renewed: got %v, want InError", err)
		}
		calls := f.Calls("submit")
		overlaid := ask(t, r, cn)
		o := open(t, r, done.DN)
		if o == nil || o.ID != overlaid.Work || o.State != clm.Stopped || !o.Overlaid || o.Failure != stopped.Failure {
			t.Errorf("got %+v after a request on top", o)
		}
		if w, err := r.Wait(context.Background(), done.Work, patience); err != nil || w.State != clm.Finished {
			t.Errorf("the work that was replaced: got %+v, %v; want it ended", w, err)
		}
		r.Clock.Turn(24 * time.Hour)
		if works, err := r.DB.Claim(context.Background(), 10, core.Lease); len(works) != 0 || err != nil || f.Calls("submit") != calls {
			t.Errorf("stopped work is to be had: %v, %v", works, err)
		}
		details, err := r.Details(context.Background(), r.Admin, first.Place.ID)
		if err != nil || details.Version.ID != first.Version.ID {
			t.Errorf("got version %d in use, %v; want %d still", details.Version.ID, err, first.Version.ID)
		}
	})
}

// While a CA lets one wait, the work is open and no certificate is handed out,
// neither the one that is not there nor the one before it.
func TestCATakesItsTime(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		for _, local := range []bool{true, false} {
			f := &coretest.Faulty{Local: local}
			d := d
			if local {
				d = coretest.SQLite(t)
			}
			r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
			r.AddFaulty(map[clm.Attr][]string{clm.IssueAfter: {"1h"}})
			for life := 1; life <= 2; life++ {
				done, err := order(r, "www.example.com", life)
				if err != nil {
					t.Fatal(err)
				}
				o := until(t, r, done.DN, "waits for the CA", func(o core.Open) bool { return o.NotBefore.Sub(r.DB.Now()) > 30*time.Minute })
				if o.State != clm.Processing || o.Stage != clm.Collect || o.Attempt != 0 {
					t.Errorf("got %+v while the CA takes its time", o)
				}
				r.Clock.Turn(time.Hour)
				await(t, r, done)
				if n := len(versionsOf(t, r, done.ID)); n != life || f.Issued("www.example.com") != life {
					t.Errorf("got %d versions and %d certificates in %d lives", n, f.Issued("www.example.com"), life)
				}
			}
		}
	})
}

// A server that is told to stop gives back what it holds: another goes on with it
// at once, without waiting for a lease to end.
func TestStoppingGivesWorkBack(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		options := coretest.Options{Connectors: f.Connectors(), Workers: 3}
		r := coretest.New(t, d, options)
		r.AddFaulty(nil)
		asked := make(chan struct{}, 100)
		f.At(func(ctx context.Context, c coretest.Call) error { // as a CA that does not answer
			asked <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		var works []core.Accepted
		for i := range 9 { // more than there are workers
			works = append(works, ask(t, r, fmt.Sprintf("www%d.example.com", i)))
		}
		for range options.Workers {
			receive(t, "the CA to be asked", asked)
		}
		r.Stop()
		f.At(nil)
		r.Start(options)
		for _, done := range works {
			if got := await(t, r, done); got.Key == nil {
				t.Errorf("the key of %s is lost", got.Place.DN)
			}
		}
		for i := range works {
			if n := f.Issued(fmt.Sprintf("www%d.example.com", i)); n != 1 {
				t.Errorf("%s: got %d certificates", works[i].DN, n)
			}
		}
		if log := r.Log.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("an orderly end is logged as an error:\n%s", log)
		}
	})
}

// Two nodes on one database share the work, and nothing is done twice.
func TestNodesShareTheWork(t *testing.T) {
	t.Parallel()
	f := &coretest.Faulty{}
	options := coretest.Options{Connectors: f.Connectors(), Workers: 4}
	one := coretest.New(t, coretest.Postgres(t), options)
	one.AddFaulty(nil)
	two := coretest.New(t, one.Database, options)
	const many = 40
	works := make([]core.Accepted, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			r := []*coretest.Rig{one, two}[i%2]
			done, err := order(r, fmt.Sprintf("www%d.example.com", i), 1)
			if err != nil {
				t.Error(err)
				return
			}
			works[i] = done
			await(t, []*coretest.Rig{one, two}[(i/2)%2], done) // half of them at the other node
		})
	}
	all.Wait()
	for i, done := range works {
		if n := len(versionsOf(t, one, done.ID)); n != 1 || f.Issued(fmt.Sprintf("www%d.example.com", i)) != 1 {
			t.Errorf("%s: got %d versions and %d certificates", done.DN, n, f.Issued(fmt.Sprintf("www%d.example.com", i)))
		}
	}
	if f.Calls("submit") != many || f.Calls("collect") != many {
		t.Errorf("got %d orders and %d collections, want %d of each", f.Calls("submit"), f.Calls("collect"), many)
	}
}
