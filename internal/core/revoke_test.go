package core_test

import (
	"context"
	"crypto"
	"encoding/pem"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// outside is a rig with a CA outside.
func outside(t testing.TB, d coretest.Database, o coretest.Options) (*coretest.Rig, *coretest.Faulty, coretest.Options) {
	t.Helper()
	f := &coretest.Faulty{}
	o.Connectors = f.Connectors()
	r := coretest.New(t, d, o)
	r.AddFaulty(nil)
	return r, f, o
}

// revokes asks for a revocation and waits until it has come to its end.
func revokes(t testing.TB, r *coretest.Rig, ask core.Revoke) core.Open {
	t.Helper()
	done, err := r.Revoke(context.Background(), r.Admin, ask)
	check(t, err)
	return ended(t, r, done)
}

// ended waits until the revocation has come to its end.
func ended(t testing.TB, r *coretest.Rig, done core.RevokeAccepted) core.Open {
	t.Helper()
	o, err := r.AwaitRevocation(context.Background(), r.Admin, done, patience)
	check(t, err)
	return o
}

// workOf reads a work.
func workOf(t testing.TB, r *coretest.Rig, id clm.WorkID) (w clm.Work) {
	t.Helper()
	check(t, r.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		w, err = tx.Work(id)
		return err
	}))
	return w
}

// isRevoked wants the version to be revoked once and for that reason, and to be told so
// by the responder, or not at all.
func isRevoked(t testing.TB, r *coretest.Rig, v clm.Version, want bool, reason clm.Reason) {
	t.Helper()
	var at time.Time
	var why clm.Reason
	check(t, r.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		at, why, err = tx.Standing(v.Chain, v.Serial)
		return err
	}))
	known := revocation(t, r, v.ID)
	if known.IsDone() != want || at.IsZero() == want || want && (known.Reason != reason || why != reason) {
		t.Errorf("version %d: got %+v, told since %v for reason %d; want it revoked: %v", v.ID, known, at, why, want)
	}
}

// While a renewal waits for its CA the certificate in use is revoked, and the renewal
// is not disturbed: it goes on with the same work, key and order.
func TestRevocationDoesNotDisturbRenewal(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		first := await(t, r, ask(t, r, "www.example.com"))
		asked, release := f.Hold(t, "collect")
		renewal, err := order(r, "www.example.com", 2)
		check(t, err)
		receive(t, "the CA to be asked for the certificate", asked)
		before := workOf(t, r, renewal.Work)
		if o := revokes(t, r, core.Revoke{DN: string(first.Place.DN), Reason: clm.Superseded}); o.State != clm.Finished {
			t.Errorf("got %+v, want the revocation done while the renewal waits", o)
		}
		isRevoked(t, r, first.Version, true, clm.Superseded)
		if after := workOf(t, r, renewal.Work); after != before {
			t.Errorf("got the renewal at %+v, want it as it was, %+v", after, before)
		}
		release()
		second := await(t, r, renewal)
		if second.Version.ID != renewal.Version || f.Issued("www.example.com") != 2 {
			t.Errorf("got version %d in use and %d certificates, want %d and 2", second.Version.ID, f.Issued("www.example.com"), renewal.Version)
		}
		isRevoked(t, r, second.Version, false, 0)
	})
}

// A revocation that the CA takes its time for keeps nobody from renewing, nor from
// revoking another version of the same place.
func TestEachVersionIsRevokedByItself(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, f, _ := outside(t, d, coretest.Options{})
		first := await(t, r, ask(t, r, "www.example.com"))
		dn := string(first.Place.DN)
		asked, release := f.Hold(t, "revoke")
		slow, err := r.Revoke(ctx, r.Admin, core.Revoke{DN: dn, Reason: clm.Superseded})
		check(t, err)
		receive(t, "the CA to be asked to revoke", asked)
		renewal, err := order(r, "www.example.com", 2)
		check(t, err)
		second := await(t, r, renewal)
		if o := revokes(t, r, core.Revoke{DN: dn, Reason: clm.CessationOfOperation}); o.State != clm.Finished {
			t.Errorf("got %+v, want the second revocation done while the first waits", o)
		}
		isRevoked(t, r, second.Version, true, clm.CessationOfOperation)
		isRevoked(t, r, first.Version, false, 0)
		again, err := r.Revoke(ctx, r.Admin, core.Revoke{Thumbprint: first.Version.Thumbprint})
		if err != nil || !again.Before || again.Work != slow.Work {
			t.Errorf("got %+v, %v; want the first revocation, work %d, still under way", again, err, slow.Work)
		}
		release()
		ended(t, r, slow)
		isRevoked(t, r, first.Version, true, clm.Superseded)
		if n := f.Calls("revoke"); n != 2 {
			t.Errorf("the CA was asked %d times, want once for each", n)
		}
	})
}

// A CA that cannot be reached is asked MaxAttempts times, later and later, and then
// whoever waits is told why it has failed. A new request asks it again.
func TestUnreachableCAIsAskedToRevokeAgain(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, f, _ := outside(t, d, coretest.Options{})
		issued := await(t, r, ask(t, r, "www.example.com"))
		f.At(func(context.Context, coretest.Call) error { return errors.New("connection refused") })
		ask := core.Revoke{DN: string(issued.Place.DN), Reason: clm.Superseded}
		done, err := r.Revoke(ctx, r.Admin, ask)
		check(t, err)
		told := make(chan core.Open, 1)
		go func() { told <- ended(t, r, done) }()
		pause := clm.FirstBackoff
		for try := 1; try < clm.MaxAttempts; try++ {
			eventually(t, "the revocation is to be tried again", func() bool { return workOf(t, r, done.Work).Attempt == try })
			if w := workOf(t, r, done.Work); w.Failure != "" || w.Note != "connection refused" || w.NotBefore.Sub(r.DB.Now()) > pause {
				t.Errorf("after try %d: got %+v", try, w)
			}
			r.Clock.Turn(pause)
			pause *= 2
		}
		if o := <-told; o.State != clm.Stopped || o.Failure != "connection refused" || f.Calls("revoke") != clm.MaxAttempts {
			t.Errorf("got %+v after %d calls", o, f.Calls("revoke"))
		}
		isRevoked(t, r, issued.Version, false, 0)
		f.At(nil)
		if o := revokes(t, r, ask); o.State != clm.Finished {
			t.Errorf("asked anew: got %+v", o)
		}
		isRevoked(t, r, issued.Version, true, clm.Superseded)
	})
}

// A process may die before the CA is asked to revoke, or when it has and nobody has
// written that down: another asks again, and one revocation is written down.
func TestCrashWhileRevoking(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(map[bool]string{false: "before", true: "after"}[after], func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				r, f, options := outside(t, d, coretest.Options{})
				issued := await(t, r, ask(t, r, "www.example.com"))
				died := make(chan struct{}, 1)
				var dead atomic.Bool
				f.At(func(_ context.Context, c coretest.Call) error {
					if c.Name == "revoke" && c.After == after && dead.CompareAndSwap(false, true) {
						died <- struct{}{}
						runtime.Goexit() // nothing is saved, nothing is given back
					}
					return nil
				})
				done, err := r.Revoke(context.Background(), r.Admin, core.Revoke{DN: string(issued.Place.DN), Reason: clm.Superseded})
				check(t, err)
				receive(t, "the worker to die", died)
				isRevoked(t, r, issued.Version, false, 0)
				r.Stop()
				r.Clock.Turn(core.Lease + time.Second)
				r.Start(options)
				if o := ended(t, r, done); o.State != clm.Finished {
					t.Errorf("got %+v, want the revocation done", o)
				}
				isRevoked(t, r, issued.Version, true, clm.Superseded)
				if n := f.Calls("revoke"); n != 2 {
					t.Errorf("the CA was asked %d times, want twice", n)
				}
				if n := len(entries(t, r, "revoke/end")); n != 1 {
					t.Errorf("got %d entries of the revocation, want one", n)
				}
			})
		})
	}
}

// A key that is known to be compromised stops the renewal that is under way with it,
// by whichever way the key came there, and goes on stopping it.
func TestCompromisedKeyStopsRenewal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		r.Folder(coretest.FaultyZone, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: {Values: []string{"1"}}})
		for cn, key := range map[string]crypto.Signer{"ours.example.com": nil, "theirs.example.com": newKey(t)} {
			csr := ""
			if key != nil {
				csr = csrOf(t, clm.Names{CommonName: cn}, key)
			}
			done, err := r.Request(ctx, r.Admin, core.Request{Folder: coretest.FaultyZone, Names: clm.Names{CommonName: cn}, KeyAlgorithm: clm.ECC, CSR: csr})
			check(t, err)
			first := await(t, r, done)
			put(t, r, string(done.DN), clm.ServerCertificate, map[clm.Attr][]string{clm.ReuseKeyWanted: {"1"}})
			asked, release := f.Hold(t, "collect")
			renewal, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(done.DN), CSR: csr})
			check(t, err)
			receive(t, "the CA to be asked for the certificate", asked)
			revokes(t, r, core.Revoke{DN: string(done.DN), Reason: clm.KeyCompromise})
			release()
			for range 2 {
				o, err := r.Wait(ctx, renewal.Work, patience)
				if err != nil || o.State != clm.Stopped || !strings.Contains(o.Failure, "compromised") {
					t.Errorf("%s: got %+v, %v; want the renewal stopped", cn, o, err)
				}
				if _, err := r.Retry(ctx, r.Admin, string(done.DN)); err != nil {
					t.Errorf("%s: %v", cn, err)
				}
			}
			details, err := r.Details(ctx, r.Admin, done.ID)
			if err != nil || details.Version.ID != first.Version.ID {
				t.Errorf("%s: got version %d in use, %v; want %d still", cn, details.Version.ID, err, first.Version.ID)
			}
		}
	})
}

// Who revokes a certificate for a compromised key is told which others are for it,
// and of those that he may not see no more than that they are there; the audit log
// tells it whether that is wanted or not.
func TestCertificatesForCompromisedKey(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		key := newKey(t)
		var all []core.Issued
		for _, folder := range []string{`\VED\Policy\Shop`, `\VED\Policy\Shop\Deep`, `\VED\Policy\Secret`} {
			r.Folder(folder, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: {Values: []string{"1"}}})
			done, err := r.Request(ctx, r.Admin, core.Request{Folder: folder, CSR: csrOf(t, clm.Names{CommonName: "www.example.com"}, key)})
			check(t, err)
			all = append(all, await(t, r, done))
		}
		alice := user(t, r, "alice")
		give(t, r, `\VED\Policy\Shop`, "alice", clm.View|clm.Write)
		ask := core.Revoke{DN: string(all[0].Place.DN), Reason: clm.KeyCompromise}
		for n, wanted := range []string{"", "1", "0"} {
			if wanted != "" {
				put(t, r, string(clm.RootDN), clm.Root, map[clm.Attr][]string{clm.ListSameKey: {wanted}})
			}
			done, err := r.Revoke(ctx, alice, ask)
			check(t, err)
			var want []core.SameKey
			if wanted == "1" {
				want = []core.SameKey{{all[1].Place.DN, all[1].Version.Thumbprint, all[1].Version.Serial}, {"", all[2].Version.Thumbprint, all[2].Version.Serial}}
			}
			if !slices.Equal(done.SameKey, want) {
				t.Errorf("wanted %q: got %+v, want %+v", wanted, done.SameKey, want)
			}
			entry := entries(t, r, "revoke")[n]
			for _, other := range all[1:] {
				if !strings.Contains(entry.Detail, other.Version.Thumbprint) {
					t.Errorf("wanted %q: got %q in the log, want %s in it", wanted, entry.Detail, other.Version.Thumbprint)
				}
			}
		}
		done, err := r.Revoke(ctx, r.Admin, core.Revoke{DN: string(all[1].Place.DN), Reason: clm.Superseded})
		if err != nil || done.SameKey != nil {
			t.Errorf("for another reason: got %+v, %v", done.SameKey, err)
		}
	})
}

// A certificate that was signed here is revoked here, whatever has become of its
// template; and a key that turns out to be compromised after the certificate was revoked
// for another reason is told of in its stead, as of the day of the revocation.
func TestWhatWasSignedHereIsRevokedHere(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, _, _ := outside(t, d, coretest.Options{})
		own := request(t, r, core.DefaultZone, "www.example.com")
		put(t, r, core.DefaultCA, clm.Authority, map[clm.Attr][]string{clm.Driver: {"faulty"}})
		ask := core.Revoke{DN: string(own.Place.DN), Reason: clm.Superseded}
		if done, err := r.Revoke(ctx, r.Admin, ask); err != nil || done.Work != 0 || done.Before {
			t.Fatalf("got %+v, %v; want it revoked at once", done, err)
		}
		isRevoked(t, r, own.Version, true, clm.Superseded)
		before := revocation(t, r, own.Version.ID).Accepted
		r.Clock.Turn(time.Hour)
		ask.Reason = clm.KeyCompromise
		if done, err := r.Revoke(ctx, r.Admin, ask); err != nil || !done.Before {
			t.Fatalf("got %+v, %v; want it revoked before", done, err)
		}
		if got := revocation(t, r, own.Version.ID); got.Reason != clm.KeyCompromise || !got.Accepted.Equal(before) {
			t.Errorf("got %+v, want the other reason since %v", got, before)
		}
		isRevoked(t, r, own.Version, true, clm.KeyCompromise)
	})
}

// Who has brought a copy of somebody else's certificate here cannot revoke it, nor mark
// its key; who may write the place to which it was issued can, by either, and then both
// are known to be revoked.
func TestCopyGivesNoRightToRevoke(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		own := request(t, r, core.DefaultZone, "bank.example.com")
		mallory := user(t, r, "mallory")
		r.Folder(`\VED\Policy\Mallory`, nil)
		give(t, r, `\VED\Policy\Mallory`, "mallory", clm.View|clm.Read|clm.Write|clm.Create|clm.KeyWrite)
		leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Version.Cert})
		copied, err := r.Import(ctx, mallory, core.Import{Folder: `\VED\Policy\Mallory`, Certificate: secret.NewPlain(leaf)})
		check(t, err)
		for _, ask := range []core.Revoke{{DN: string(copied.DN)}, {Thumbprint: own.Version.Thumbprint}} {
			ask.Reason = clm.KeyCompromise
			if _, err := r.Revoke(ctx, mallory, ask); !errors.Is(err, clm.Denied) {
				t.Errorf("%+v: got %v, want that it is denied", ask, err)
			}
		}
		isRevoked(t, r, own.Version, false, 0)
		_, err = r.Revoke(ctx, r.Admin, core.Revoke{DN: string(copied.DN), Reason: clm.Superseded})
		check(t, err)
		isRevoked(t, r, own.Version, true, clm.Superseded)
		if got := revocation(t, r, copied.Version); !got.IsDone() {
			t.Errorf("the copy: got %+v, want it revoked", got)
		}
	})
}

// A revocation that is to leave the place without a certificate ends the renewal that
// is under way: what the CA makes of that never comes into use.
func TestDisablingEndsRenewal(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, f, _ := outside(t, d, coretest.Options{})
		first := await(t, r, ask(t, r, "www.example.com"))
		asked, release := f.Hold(t, "collect")
		renewal, err := order(r, "www.example.com", 2)
		check(t, err)
		receive(t, "the CA to take the order", asked)
		_, err = r.Revoke(ctx, r.Admin, core.Revoke{DN: string(first.Place.DN), Reason: clm.CessationOfOperation, Disable: true})
		check(t, err)
		release()
		checkOrphan(t, r, orphanOf(t, r, renewal), true)
		if got := inUse(t, r, first.Place.DN); got.Version.ID != first.Version.ID || !got.Place.IsOff() {
			t.Errorf("got version %d in use, off: %v; want the first, disabled", got.Version.ID, got.Place.IsOff())
		}
	})
}

// A revocation that has stopped because the CA could not be asked goes on by itself once
// some time has passed; what the CA has refused does not.
func TestRevocationOutlivesOutage(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, f, options := outside(t, d, coretest.Options{})
		for _, c := range []struct {
			name string
			says error
			want bool
		}{{"down.example.com", errors.New("connection refused"), true}, {"refused.example.com", clm.Permanent(errors.New("not ours")), false}} {
			got := await(t, r, ask(t, r, c.name))
			f.At(func(context.Context, coretest.Call) error { return c.says })
			done, err := r.Revoke(ctx, r.Admin, core.Revoke{DN: string(got.Place.DN), Reason: clm.Superseded})
			check(t, err)
			eventually(t, "the revocation has stopped", func() bool {
				w := workOf(t, r, done.Work)
				if w.Failure == "" && w.NotBefore.After(r.DB.Now()) {
					r.Clock.Turn(w.NotBefore.Sub(r.DB.Now()))
				}
				return w.Failure != ""
			})
			f.At(nil)
			r.Stop()
			r.Clock.Turn(time.Hour)
			r.Start(options) // which looks at once
			if c.want {
				eventually(t, "the certificate is revoked", func() bool { return revocation(t, r, got.Version.ID).IsDone() })
			} else if w := workOf(t, r, done.Work); w.Failure == "" || revocation(t, r, got.Version.ID).IsDone() {
				t.Errorf("what the CA has refused was asked for again: %+v", w)
			}
		}
	})
}

// A key that was taken over and has become known as compromised while the renewal had
// stopped does not come into use by a retry, at a CA of ours either.
func TestRetryBringsNoCompromisedKey(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		r.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: {Values: []string{"1"}}})
		first := request(t, r, core.DefaultZone, "www.example.com")
		dn := string(first.Place.DN)
		put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.ReuseKeyWanted: {"1"}, clm.EndDate: {"2020-01-01 00:00:00"}})
		renewal, err := r.Renew(ctx, r.Admin, core.Renew{DN: dn})
		check(t, err)
		if o, err := r.Wait(ctx, renewal.Work, patience); err != nil || o.State != clm.Stopped {
			t.Fatalf("got %+v, %v; want it stopped", o, err)
		}
		_, err = r.Revoke(ctx, r.Admin, core.Revoke{Thumbprint: first.Version.Thumbprint, Reason: clm.KeyCompromise})
		check(t, err)
		put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.EndDate: {}})
		_, err = r.Retry(ctx, r.Admin, dn)
		check(t, err)
		o, err := r.Wait(ctx, renewal.Work, patience)
		if err != nil || o.State != clm.Stopped || !strings.Contains(o.Failure, "compromised") {
			t.Errorf("got %+v, %v; want it stopped for the key", o, err)
		}
		if got, err := r.Details(ctx, r.Admin, first.Place.ID); err != nil || got.Version.ID != first.Version.ID {
			t.Errorf("got version %d in use, %v; want %d", got.Version.ID, err, first.Version.ID)
		}
	})
}
