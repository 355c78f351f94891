package core_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// unwanted makes an order unwanted that stands at the CA. It returns the work that
// has taken its place, if there is one.
var unwanted = map[string]func(t *testing.T, r *coretest.Rig, dn clm.DN) core.Accepted{
	"reset": func(t *testing.T, r *coretest.Rig, dn clm.DN) core.Accepted {
		_, err := r.Reset(context.Background(), r.Admin, core.Reset{DN: string(dn)})
		check(t, err)
		return core.Accepted{}
	},
	"new request": func(t *testing.T, r *coretest.Rig, dn clm.DN) core.Accepted { return ask(t, r, dn.Name()) },
}

// orphanOf waits until what comes late is recorded, and returns it.
func orphanOf(t testing.TB, r *coretest.Rig, done core.Accepted) (v clm.Version) {
	t.Helper()
	eventually(t, "the late certificate is recorded", func() bool {
		all := versionsOf(t, r, done.ID)
		v = all[slices.IndexFunc(all, func(v clm.Version) bool { return v.ID == done.Version })]
		return !v.Orphaned.IsZero()
	})
	return v
}

// The certificate of an order that a CA outside had taken when a reset or a new request
// made it unwanted is recorded as an orphan, wherever the worker was at the time. It
// is never in use, and is revoked or kept as the installation wants it.
func TestLateCertificateIsOrphaned(t *testing.T) {
	t.Parallel()
	for why, makeUnwanted := range unwanted {
		for _, held := range []string{"submit", "collect"} {
			for _, late := range []string{"", clm.KeepLate} {
				t.Run(fmt.Sprintf("%s during %s/%s", why, held, late), func(t *testing.T) {
					t.Parallel()
					coretest.Databases(t, func(t *testing.T, d coretest.Database) {
						r, f, _ := outside(t, d, coretest.Options{})
						if late != "" {
							put(t, r, string(clm.RootDN), clm.Root, map[clm.Attr][]string{clm.LateOrders: {late}})
						}
						first := await(t, r, ask(t, r, "www.example.com"))
						asked, release := f.Hold(t, held)
						renewal, err := order(r, "www.example.com", 2)
						check(t, err)
						receive(t, "the CA to take the order", asked)
						next := makeUnwanted(t, r, first.Place.DN)
						used, certificates := first.Version.ID, 2
						if next.Work != 0 {
							used, certificates = await(t, r, next).Version.ID, 3
						}
						if held == "submit" {
							release()
						}
						orphan := orphanOf(t, r, renewal)
						checkOrphan(t, r, orphan, late != clm.KeepLate)
						if held == "collect" {
							back := make(chan struct{}, 1)
							r.Around(func(at clm.Stage, after bool, _ string) {
								if at == clm.Activate && after {
									back <- struct{}{}
								}
							})
							release()
							receive(t, "the late worker to come back", back)
						}
						r.Stop() // which waits for it to the end
						r.Start(coretest.Options{Connectors: f.Connectors()})
						checkOrphan(t, r, orphanOf(t, r, renewal), late != clm.KeepLate)
						if got := inUse(t, r, first.Place.DN); got.Version.ID != used || got.Open != nil {
							t.Errorf("got version %d in use, %+v; want %d", got.Version.ID, got.Open, used)
						}
						if n := f.Issued("www.example.com"); n != certificates {
							t.Errorf("the CA has issued %d certificates, want %d", n, certificates)
						}
						if n := len(entries(t, r, "abandon/end")); n != 1 {
							t.Errorf("got %d entries of the orphan, want one", n)
						}
					})
				})
			}
		}
	}
}

// checkOrphan wants the orphan to be all there, and revoked or not.
func checkOrphan(t testing.TB, r *coretest.Rig, v clm.Version, revoked bool) {
	t.Helper()
	if len(v.Cert) == 0 || v.Thumbprint == "" || v.Serial == "" || len(v.Chain) == 0 {
		t.Fatalf("got %+v, want a certificate", v)
	}
	if revoked {
		eventually(t, "the orphan is revoked", func() bool { return revocation(t, r, v.ID).IsDone() })
	}
	isRevoked(t, r, v, revoked, clm.Superseded)
}

// abandoned is the work that looks after the unwanted order of the place.
func abandoned(t testing.TB, r *coretest.Rig, place clm.ObjectID) (w clm.Work) {
	t.Helper()
	check(t, r.DB.Read(context.Background(), func(tx *store.Tx) error {
		open, err := tx.OpenWorks(place)
		if at := slices.IndexFunc(open, func(w clm.Work) bool { return w.Op == clm.Abandon }); at >= 0 {
			w = open[at]
		}
		return err
	}))
	return w
}

// An order that the CA has not fulfilled is asked for again and again, until it has,
// although nobody waits for it; what fails meanwhile is no end.
func TestUnwantedOrderIsNotLostSightOf(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		put(t, r, coretest.FaultyCA, clm.Authority, map[clm.Attr][]string{clm.IssueAfter: {"48h"}})
		done := ask(t, r, "www.example.com")
		until(t, r, done.DN, "waits for the CA", func(o core.Open) bool { return o.NotBefore.Sub(r.DB.Now()) > time.Hour })
		f.At(func(context.Context, coretest.Call) error { return errors.New("connection refused") })
		r.Clock.Turn(time.Hour)
		unwanted["reset"](t, r, done.DN)
		for try := range 2 * clm.MaxAttempts {
			asked := 2 + try // before the reset, and by now
			var w clm.Work
			eventually(t, "the CA has been asked again", func() bool {
				w = abandoned(t, r, done.ID)
				return f.Calls("collect") == asked && w.NotBefore.Sub(r.DB.Now()) > core.Lease
			})
			if w.Failure != "" || w.Attempt != 0 {
				t.Fatalf("try %d: got %+v", try, w)
			}
			r.Clock.Turn(w.NotBefore.Sub(r.DB.Now()))
		}
		f.At(nil)
		r.Clock.Turn(48 * time.Hour)
		orphan := orphanOf(t, r, done)
		checkOrphan(t, r, orphan, true)
		if orphan.NotBefore.After(orphan.Created) {
			t.Errorf("got a certificate from %v, want that of the order of %v", orphan.NotBefore, orphan.Created)
		}
		if got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(done.DN)}); !errors.Is(err, clm.NotIssued) {
			t.Errorf("got %+v, %v; want that there is no certificate", got.Version, err)
		}
	})
}

// A process may die when an unwanted order is looked after, before and after each
// step: another goes on, and the orphan is recorded and revoked once.
func TestCrashWhileAbandoning(t *testing.T) {
	t.Parallel()
	for _, stage := range clm.Plan(clm.Abandon) {
		if stage == clm.End {
			continue
		}
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after=%v", stage, after), func(t *testing.T) {
				t.Parallel()
				coretest.Databases(t, func(t *testing.T, d coretest.Database) {
					r, f, options := outside(t, d, coretest.Options{})
					asked, release := f.Hold(t, "collect")
					done := ask(t, r, "www.example.com")
					receive(t, "the CA to take the order", asked)
					died := make(chan struct{}, 1)
					var dead atomic.Bool
					r.Around(func(at clm.Stage, was bool, _ string) {
						if at == stage && was == after && dead.CompareAndSwap(false, true) {
							died <- struct{}{}
							runtime.Goexit() // nothing is saved, nothing is given back
						}
					})
					unwanted["reset"](t, r, done.DN)
					receive(t, "the worker to die", died)
					release()
					r.Stop()
					r.Clock.Turn(core.Lease + time.Second)
					r.Start(options)
					checkOrphan(t, r, orphanOf(t, r, done), true)
					if f.Issued("www.example.com") != 1 || f.Calls("revoke") != 1 || len(entries(t, r, "abandon/end")) != 1 {
						t.Errorf("got %d certificates, %d revocations, %d entries; want one of each",
							f.Issued("www.example.com"), f.Calls("revoke"), len(entries(t, r, "abandon/end")))
					}
				})
			})
		}
	}
}

// To delete a place loses nothing that a CA outside is still to be asked: what it makes
// of an order, wherever the worker is at the time, is recorded and revoked, and so is a
// certificate whose revocation was asked for.
func TestDeletingLosesSightOfNothing(t *testing.T) {
	t.Parallel()
	for _, held := range []string{"submit", "collect", "revoke"} {
		t.Run(held, func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				r, f, _ := outside(t, d, coretest.Options{})
				ctx := context.Background()
				first := await(t, r, ask(t, r, "www.example.com"))
				asked, release := f.Hold(t, held)
				var late core.Accepted
				var err error
				if held == "revoke" {
					late = core.Accepted{ID: first.Place.ID, Version: first.Version.ID}
					_, err = r.Revoke(ctx, r.Admin, core.Revoke{DN: string(first.Place.DN), Reason: clm.Superseded})
				} else {
					late, err = order(r, "www.example.com", 2)
				}
				check(t, err)
				receive(t, "the CA to be asked", asked)
				check(t, r.Remove(ctx, r.Admin, first.Place.ID))
				release()
				eventually(t, "the certificate is revoked", func() bool { return revocation(t, r, late.Version).IsDone() })
				if n := f.Calls("revoke"); n < 1 || n > 2 {
					t.Errorf("the CA was asked %d times to revoke", n)
				}
				all := versionsOf(t, r, first.Place.ID)
				if len(all) != 1 || all[0].ID != late.Version || len(all[0].Cert) == 0 || len(all[0].Sealed) != 0 || all[0].Orphaned.IsZero() != (held == "revoke") {
					t.Errorf("got %d versions, %+v; want the late one alone", len(all), all)
				}
			})
		})
	}
}

// What comes late and was brought here meanwhile by somebody is no orphan: it stays in
// use, and nobody has it revoked.
func TestImportedMeanwhileIsNoOrphan(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		asked, release := f.Hold(t, "collect")
		done := ask(t, r, "www.example.com")
		receive(t, "the CA to issue", asked)
		leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Latest("www.example.com")})
		got, err := r.Import(context.Background(), r.Admin, core.Import{Folder: coretest.FaultyZone, Name: done.DN.Name(), Certificate: secret.NewPlain(leaf)})
		check(t, err)
		eventually(t, "the order has been followed up", func() bool { return len(entries(t, r, "abandon/end")) == 1 })
		release()
		r.Stop()
		r.Start(coretest.Options{Connectors: f.Connectors(), Idle: true})
		if used := inUse(t, r, done.DN); used.Version.ID != got.Version {
			t.Errorf("got version %d in use, want %d", used.Version.ID, got.Version)
		}
		for _, v := range versionsOf(t, r, done.ID) {
			if known := revocation(t, r, v.ID); known.IsKnown() || !v.Orphaned.IsZero() {
				t.Errorf("version %d is an orphan since %v, its revocation %+v; want neither", v.ID, v.Orphaned, known)
			}
		}
	})
}

// An order stands at the CA that has taken it, whatever CA the place is to have from then
// on; and a template that makes no sense for a while ends the following up of no order.
func TestOrderStandsWhereItWasPlaced(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		put(t, r, coretest.FaultyCA, clm.Authority, map[clm.Attr][]string{clm.IssueAfter: {"48h"}})
		ordered := map[string]core.Accepted{}
		for _, cn := range []string{"wanted.example.com", "unwanted.example.com"} {
			ordered[cn] = ask(t, r, cn)
			until(t, r, ordered[cn].DN, "waits for the CA", func(o core.Open) bool { return o.NotBefore.Sub(r.DB.Now()) > time.Hour })
			put(t, r, string(ordered[cn].DN), clm.ServerCertificate, map[clm.Attr][]string{clm.IssuedBy: {core.ECDSACA}})
		}
		put(t, r, coretest.FaultyCA, clm.Authority, map[clm.Attr][]string{clm.Driver: {"nobody"}})
		unwanted["reset"](t, r, ordered["unwanted.example.com"].DN)
		eventually(t, "the CA could not be made", func() bool {
			return abandoned(t, r, ordered["unwanted.example.com"].ID).NotBefore.Sub(r.DB.Now()) > core.Lease
		})
		put(t, r, coretest.FaultyCA, clm.Authority, map[clm.Attr][]string{clm.Driver: {"faulty"}})
		r.Clock.Turn(49 * time.Hour)
		if got := await(t, r, ordered["wanted.example.com"]); f.Issued("wanted.example.com") != 1 {
			t.Errorf("got %+v, want what the CA has made of the order", got.Version)
		}
		checkOrphan(t, r, orphanOf(t, r, ordered["unwanted.example.com"]), true)
	})
}

// A worker that follows an order up while the place is deleted does not bring its private
// key back.
func TestDeletedKeyStaysDeleted(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		asked, held := make(chan struct{}, 2), make(chan struct{})
		f.At(func(_ context.Context, c coretest.Call) error {
			if c.Name == "collect" && !c.After {
				asked <- struct{}{}
				<-held
			}
			return nil
		})
		done := ask(t, r, "www.example.com")
		receive(t, "the CA to be asked", asked)
		unwanted["reset"](t, r, done.DN)
		receive(t, "the CA to be asked about the unwanted order", asked)
		check(t, r.Remove(context.Background(), r.Admin, done.ID))
		f.At(nil)
		close(held)
		checkOrphan(t, r, orphanOf(t, r, done), true)
		for _, v := range versionsOf(t, r, done.ID) {
			if len(v.Sealed) != 0 {
				t.Error("the private key is back")
			}
		}
	})
}
