package core_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// A worker that comes back from the CA after its work was reset, and after somebody
// else has seen to what has become of the order, changes nothing: the certificate
// stays marked as one that nobody wants, and is revoked once.
func TestLateWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		before := await(t, r, ask(t, r, "www.example.com"))
		asking, release := f.Hold(t, "collect")
		late := ask(t, r, "www.example.com")
		receive(t, "the CA to be asked", asking)
		reset(t, r, late.DN, false)
		eventually(t, "there is the entry of "+"revoke/end", func() bool { return len(entries(t, r, "revoke/end")) >= 1 })
		release()
		eventually(t, "there is the entry of "+"abandon", func() bool { return len(entries(t, r, "abandon")) >= 1 })
		for _, v := range versionsOf(t, r, late.ID) {
			if v.ID == late.Version && v.Orphaned.IsZero() {
				t.Error("the late certificate is not marked as one that nobody wants")
			}
		}
		if got := settled(t, r, string(late.DN)); got.Version.ID != before.Version.ID {
			t.Errorf("got version %d in use, want %d", got.Version.ID, before.Version.ID)
		}
		r.Stop()
		if n := f.Calls("revoke"); n != 1 {
			t.Errorf("the CA was asked %d times to revoke it, want once", n)
		}
		r.Start(coretest.Options{Idle: true})
	})
}

// reset resets the place.
func reset(t testing.TB, r *coretest.Rig, dn clm.DN, restart bool) core.ResetDone {
	t.Helper()
	done, err := r.Reset(context.Background(), r.Admin, core.Reset{DN: string(dn), Restart: restart})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// A reset does not call off the revocation of a certificate that came when nobody
// wanted it any more: it is not the place's, and must not be left to be misused.
func TestResetLeavesRevocationOfOrphans(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, f, _ := outside(t, d, coretest.Options{})
		asking, release := f.Hold(t, "collect")
		late := ask(t, r, "www.example.com")
		receive(t, "the CA to be asked", asking)
		revoking, revoked := f.Hold(t, "revoke")
		reset(t, r, late.DN, false)
		receive(t, "the CA to be asked to revoke", revoking)
		for _, restart := range []bool{false, true} {
			done, err := r.Reset(context.Background(), r.Admin, core.Reset{DN: string(late.DN), Restart: restart})
			if !errors.Is(err, clm.Unnecessary) {
				t.Errorf("got %+v, %v; want nothing to reset", done, err)
			}
		}
		revoked()
		release()
		eventually(t, "there is the entry of "+"revoke/end", func() bool { return len(entries(t, r, "revoke/end")) >= 1 })
		if known := revocation(t, r, late.Version); !known.IsDone() {
			t.Errorf("got %+v; want the late certificate revoked", known)
		}
	})
}

// Whoever asks for a certificate right after a reset, with or without a restart,
// gets one for the key that was asked for last (RES-40): whatever workers are at the
// CA for what was asked for before, and although others reset and restart the place
// meanwhile. Never is the certificate before it taken for the one that was asked for.
func TestRequestAfterResetWins(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		options := coretest.Options{Connectors: f.Connectors()}
		r := coretest.New(t, d, options)
		r.AddFaulty(nil)
		m := &moody{}
		f.At(m.answer)
		nodes := []*coretest.Rig{r, r}
		if r.DB.IsShared() {
			nodes[1] = coretest.New(t, d, options)
		}
		var places sync.WaitGroup
		for n := range 4 {
			places.Go(func() {
				p := contested{t: t, nodes: nodes, moody: m, name: fmt.Sprintf("www%d.example.com", n)}
				for range 6 {
					p.contest()
				}
			})
		}
		places.Wait()
	})
}

// moody is a CA that takes its time and often says no, but for the requests that it
// is told not to refuse.
type moody struct{ last sync.Map } // CSR by common name

func (m *moody) answer(ctx context.Context, c coretest.Call) error {
	select {
	case <-time.After(time.Duration(rand.IntN(5)) * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if last, ok := m.last.Load(c.Order.Names.CommonName); c.Name == "submit" && !c.After && rand.IntN(3) == 0 && (!ok || !bytes.Equal(last.([]byte), c.Order.CSR)) {
		return clm.Permanent(errors.New("not on a Sunday"))
	}
	return nil
}

// contested is a place that several want something of.
type contested struct {
	t     *testing.T
	nodes []*coretest.Rig
	moody *moody
	name  string
}

func (p contested) node() *coretest.Rig { return p.nodes[rand.IntN(len(p.nodes))] }

// contest lets work begin, resets it at some time and asks for another certificate at
// once, while somebody else resets and restarts whatever there is.
func (p contested) contest() {
	p.ask(newKey(p.t), false)
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for range 3 {
				p.pause()
				p.reset(true)
			}
		})
	}
	p.pause()
	p.reset(rand.IntN(2) == 0)
	key := newKey(p.t)
	p.ask(key, true)
	p.wantKey(key)
	others.Wait()
	p.wantKey(key)
}

func (p contested) pause() { time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) }

func (p contested) ask(key crypto.Signer, last bool) {
	names := clm.Names{CommonName: p.name}
	der, err := pki.CreateCSR(names, key)
	if last {
		p.moody.last.Store(p.name, der)
	}
	if err == nil {
		r := p.node()
		_, err = r.Request(context.Background(), r.Admin, core.Request{Folder: coretest.FaultyZone, CSR: base64.StdEncoding.EncodeToString(der)})
	}
	if err != nil {
		p.t.Errorf("%s: ask: %v", p.name, err)
	}
}

func (p contested) reset(restart bool) {
	r := p.node()
	_, err := r.Reset(context.Background(), r.Admin, core.Reset{DN: coretest.FaultyZone + `\` + p.name, Restart: restart})
	if err != nil && !errors.Is(err, clm.Unnecessary) {
		p.t.Errorf("%s: reset: %v", p.name, err)
	}
}

// wantKey wants the first certificate that is handed out to be for the key. A request
// that found the place in error lies on top of it until somebody restarts it.
func (p contested) wantKey(key crypto.Signer) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		r := p.node()
		got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: coretest.FaultyZone + `\` + p.name})
		switch {
		case err != nil:
			p.t.Errorf("%s: retrieve: %v", p.name, err)
			return
		case got.Open != nil && got.Open.State == clm.Stopped && !got.Open.Overlaid:
			p.t.Errorf("%s: stopped: %s", p.name, got.Open.Failure)
			return
		case got.Open != nil && got.Open.State == clm.Stopped:
			p.reset(true)
		case got.Open != nil:
			if _, err := r.Wait(context.Background(), got.Open.ID, time.Second); err != nil {
				p.t.Errorf("%s: wait: %v", p.name, err)
				return
			}
		case !bytes.Equal(got.Version.KeyHash, pki.PublicKeyHash(key.Public())):
			p.t.Errorf("%s: the certificate is for another key than that which was asked for last", p.name)
			return
		default:
			return
		}
	}
	p.t.Errorf("%s: waited in vain for a certificate", p.name)
}

// A restart goes on with what was asked for last: with the signing request that was handed
// in to be kept, rather than with that of the work which it ends.
func TestRestartTakesTheLastRequest(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, f, _ := outside(t, d, coretest.Options{})
		asked, release := f.Hold(t, "submit")
		keys := []crypto.Signer{newKey(t), newKey(t)}
		var done core.Accepted
		for n, key := range keys {
			var err error
			done, err = r.Request(ctx, r.Admin, core.Request{
				Folder: coretest.FaultyZone, CSR: csrOf(t, clm.Names{CommonName: "www.example.com"}, key), Hold: n == 1,
			})
			check(t, err)
			if n == 0 {
				receive(t, "the CA to take the order", asked)
			}
		}
		reset(t, r, done.DN, true)
		release()
		eventually(t, "the restart has brought a certificate", func() bool {
			got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(done.DN)})
			return err == nil && got.Open == nil
		})
		if got := inUse(t, r, done.DN); !bytes.Equal(got.Version.KeyHash, pki.PublicKeyHash(keys[1].Public())) {
			t.Error("the certificate is not for the key that was asked for last")
		}
	})
}
