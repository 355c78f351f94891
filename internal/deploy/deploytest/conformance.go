package deploytest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/pki"
)

// A Case is a driver that Test holds against its promises.
type Case struct {
	// Start makes fresh ground: the files of an application and, where the driver has
	// one, the program that reads them, which runs until the test ends. Whether there
	// is a certificate already is up to it; a program that shows one shows it.
	Start func(t *testing.T) Ground

	// Quick says that each step takes a moment: every point at which a crash may be is
	// tried. Otherwise one is, because the files have tests of their own for that.
	Quick bool

	// Lost makes a target whose settings name a place that is not there, and says
	// which: errors must name it. Nil: there is no such thing.
	Lost func(t *testing.T) (target deploy.Target, place string)
}

// Ground is an application as Start has made it.
type Ground struct {
	Target  func() deploy.Target // a new one of the same settings each time, as after a crash
	Look    *look.Spec           // where the program shows its certificate; nil: there is none, and what the store finds is taken for it
	Keys    []string             // the paths of this machine at which a private key lies, once switched
	Secrets []string             // what no error may repeat, beside keys
}

// Test runs the tests that each driver must pass.
func Test(t *testing.T, c Case) {
	t.Run("a certificate is taken into use, and back", func(t *testing.T) { testUse(newRig(t, c)) })
	t.Run("whatever was done before a crash may be done again", func(t *testing.T) { testCrash(newRig(t, c), c.Quick) })
	t.Run("a certificate that no service could use is refused", func(t *testing.T) { testRefusal(newRig(t, c)) })
	t.Run("an error names the place", func(t *testing.T) { testLost(t, c) })
}

// A rig is fresh ground in a test.
type rig struct {
	*testing.T
	Ground
	before []byte // the certificate that was there in the beginning
}

func newRig(t *testing.T, c Case) *rig {
	r := &rig{T: t, Ground: c.Start(t)}
	r.before = r.leaf()
	return r
}

// shown is what is seen from outside now, the leaf first; nothing where there is no
// certificate.
func (r *rig) shown() [][]byte {
	r.Helper()
	if r.Look != nil {
		seen, err := look.Look(r.Context(), *r.Look)
		if err != nil {
			r.Logf("look: %v", err)
		}
		return seen.Chain
	}
	found, err := r.Target().Store.Inspect(r.Context())
	if err != nil {
		r.Fatalf("Inspect: %v", err)
	}
	if found.Cert == nil {
		return nil
	}
	return slices.Insert(slices.Clone(found.Chain), 0, found.Cert)
}

func (r *rig) leaf() []byte {
	r.Helper()
	if shown := r.shown(); len(shown) > 0 {
		return shown[0]
	}
	return nil
}

// await waits until the certificate was seen three times in a row, or found once.
func (r *rig) await(what string, leaf []byte) {
	r.Helper()
	deadline, enough := time.Now().Add(Patience), 3
	if r.Look == nil {
		deadline, enough = time.Now(), 1
	}
	for row := 0; row < enough; {
		if row++; !bytes.Equal(r.leaf(), leaf) {
			row = 0
		}
		time.Sleep(20 * time.Millisecond)
		if row == 0 && time.Now().After(deadline) {
			r.Fatalf("%s: it is not shown", what)
		}
	}
}

// awaitBundle waits until the certificate is seen with what has issued it.
func (r *rig) awaitBundle(what string, b pki.Bundle) {
	r.Helper()
	r.await(what, b.Cert)
	if r.Look != nil {
		Shows(r, *r.Look, b)
	} else if shown := r.shown(); !slices.ContainsFunc(shown, func(der []byte) bool { return bytes.Equal(der, b.Chain[0]) }) {
		r.Errorf("%s: %d certificates are shown, not that which has issued the first", what, len(shown))
	}
	found, err := r.Target().Store.Inspect(r.Context())
	if err != nil || !bytes.Equal(found.Cert, b.Cert) {
		r.Errorf("%s: Inspect finds another certificate, %v", what, err)
	}
	for _, key := range r.Keys {
		info, err := os.Stat(key)
		if err != nil {
			r.Errorf("%s: %v", what, err)
		} else if info.Mode().Perm()&0o007 != 0 {
			r.Errorf("%s: the key in %s has mode %v: others can read it", what, key, info.Mode())
		}
	}
}

// do does one step of a new target, which has to succeed.
func (r *rig) do(step step, b pki.Bundle) {
	r.Helper()
	if err := step.do(r.Context(), r.Target(), b); err != nil {
		r.Fatalf("%s: %v", step.name, err)
	}
}

// A step is one of those in which a certificate is put in use.
type step struct {
	name string
	do   func(context.Context, deploy.Target, pki.Bundle) error
}

var (
	place = step{"Place", func(ctx context.Context, t deploy.Target, b pki.Bundle) error { return t.Store.Place(ctx, b) }}
	turn  = step{"Switch", func(ctx context.Context, t deploy.Target, b pki.Bundle) error { return t.Store.Switch(ctx, b) }}
	back  = step{"Back", func(ctx context.Context, t deploy.Target, _ pki.Bundle) error { return t.Store.Back(ctx) }}
	keep  = step{"Keep", func(ctx context.Context, t deploy.Target, _ pki.Bundle) error { return t.Store.Keep(ctx) }}
	tell  = step{"Check and Reload", func(ctx context.Context, t deploy.Target, _ pki.Bundle) error {
		if t.Service == nil {
			return nil
		}
		said, err := t.Service.Check(ctx)
		if err == nil {
			said, err = t.Service.Reload(ctx)
		}
		if err != nil {
			return errors.Join(err, errors.New(said))
		}
		return nil
	}}
)

// testUse goes all ways that there are without trouble.
func testUse(r *rig) {
	first := NewBundle(r, "first.test", NewKey(r, RSA))
	hasBefore := r.before != nil || r.Look == nil // a program without a certificate shows none again, or fails; that is up to it

	for range 2 {
		r.do(place, first)
	}
	if hasBefore {
		r.do(tell, first)
		r.await("placed, not switched", r.before)
		r.do(turn, first)
		r.do(tell, first)
		r.awaitBundle("switched", first)
		r.do(back, first)
		if r.before != nil {
			r.do(tell, first)
		}
		r.await("back", r.before)
		if err := turn.do(r.Context(), r.Target(), first); !errors.Is(err, deploy.ErrNotPlaced) {
			r.Errorf("Switch of what was placed and given up: got %v, want %v", err, deploy.ErrNotPlaced)
		}
		r.do(place, first)
	}
	r.do(turn, first)
	r.do(turn, first)
	r.do(tell, first)
	r.awaitBundle("switched twice", first)
	r.do(keep, first)
	r.do(turn, first)
	r.do(back, first)
	r.do(tell, first)
	r.awaitBundle("kept", first)

	for _, b := range []pki.Bundle{
		NewBundle(r, "curve.test", NewKey(r, ECC)),
		NewBundle(r, "first.test", first.Key), // a renewal with the same key
	} {
		r.do(place, b)
		r.await("another one placed", first.Cert)
		r.do(turn, b)
		r.do(tell, b)
		r.awaitBundle("another one switched", b)
		r.do(back, b)
		r.do(tell, b)
		r.awaitBundle("back from another one", first)
		r.do(back, b)
		r.do(place, b)
		r.do(turn, b)
		r.do(tell, b)
		r.do(keep, b)
		r.awaitBundle("another one kept", b)
		first = b
	}
}

// testCrash does the first steps, and then all of them again; and then goes back
// from there.
func testCrash(r *rig, isWhole bool) {
	was := NewBundle(r, "was.test", NewKey(r, ECC))
	steps := []step{place, turn, tell, keep}
	for _, s := range steps {
		r.do(s, was)
	}
	r.awaitBundle("in the beginning", was)
	for done := range len(steps) + 1 {
		if switched := 2; done != switched && !isWhole {
			continue
		}
		b := NewBundle(r, "again.test", NewKey(r, ECC))
		for _, s := range steps[:min(done, len(steps)-1)] {
			r.do(s, b)
		}
		r.do(back, b)
		r.do(tell, b)
		r.awaitBundle("back after a crash", was)
		for _, s := range steps[:done] {
			r.do(s, b)
		}
		for _, s := range steps {
			r.do(s, b)
		}
		r.awaitBundle("forward after a crash", b)
		was = b
	}
}

// testRefusal places what does not fit together.
func testRefusal(r *rig) {
	b, other := NewBundle(r, "refused.test", NewKey(r, ECC)), NewKey(r, ECC)
	cases := map[string]pki.Bundle{
		"the key of another certificate": {Cert: b.Cert, Chain: b.Chain, Key: other},
		"not a certificate":              {Cert: []byte("x"), Chain: b.Chain, Key: b.Key},
	}
	for what, bad := range cases {
		err := place.do(r.Context(), r.Target(), bad)
		if err == nil {
			r.Errorf("%s: it was placed", what)
		}
		r.discreet(what, err, bad)
		if err := turn.do(r.Context(), r.Target(), bad); err == nil {
			r.Errorf("%s: it was switched", what)
		}
	}
	err := turn.do(r.Context(), r.Target(), b)
	if !errors.Is(err, deploy.ErrNotPlaced) {
		r.Errorf("Switch of what was not placed: got %v, want %v", err, deploy.ErrNotPlaced)
	}
	r.discreet("not placed", err, b)
	r.await("nothing was switched", r.before)
}

// testLost looks at the errors where nothing can be placed.
func testLost(t *testing.T, c Case) {
	if c.Lost == nil {
		t.Skip("there is no such place")
	}
	target, place := c.Lost(t)
	b := NewBundle(t, "lost.test", NewKey(t, ECC))
	err := target.Store.Place(t.Context(), b)
	if err == nil || !strings.Contains(err.Error(), place) {
		t.Errorf("Place: got %v, want an error about %s", err, place)
	}
	r := &rig{T: t}
	r.discreet("Place", err, b)
}

// discreet fails the test when an error tells a secret.
func (r *rig) discreet(what string, err error, b pki.Bundle) {
	r.Helper()
	if err == nil {
		return
	}
	der, _ := pki.MarshalKey(b.Key)
	text := base64.StdEncoding.EncodeToString(der)
	secrets := append(slices.Clone(r.Secrets), "PRIVATE KEY", string(der), text[len(text)-64:], text[:64])
	for _, s := range secrets {
		if strings.Contains(err.Error(), s) {
			r.Errorf("%s: the error tells a secret", what)
		}
	}
}
