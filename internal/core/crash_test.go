package core_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// crashed lists the stages at whose effects TestCrash lets the process die.
var crashed = []clm.Stage{clm.Activate, clm.Collect, clm.CreateCSR, clm.CreateKey, clm.Submit}

// Every stage that has an effect is in the list of TestCrash, or belongs to a plan that
// another test lets die at each stage: TestCrashWhileRevoking, TestCrashWhileAbandoning,
// TestCrashWhileInstalling, TestCrashWhileUndoing. Every stage of every plan has an effect.
func TestEveryEffectIsCrashed(t *testing.T) {
	dying := slices.Clone(crashed)
	for _, op := range []clm.Op{clm.Enroll, clm.Revoke, clm.Abandon, clm.Install, clm.Undo} {
		for _, stage := range clm.Plan(op) {
			switch {
			case stage == clm.End || slices.Contains(dying, stage):
			case op == clm.Enroll:
				t.Errorf("TestCrash does not let %s die", stage)
			default:
				dying = append(dying, stage)
			}
		}
	}
	slices.Sort(dying)
	if diff := cmp.Diff(dying, core.Stages()); diff != "" {
		t.Errorf("these die (-), these have an effect (+):\n%s", diff)
	}
}

// graveyard makes workers die where the common name of their certificate says,
// once each.
type graveyard struct {
	points []string // what dies where: the common names
	mu     sync.Mutex
	dead   map[string]bool
	died   chan struct{}
}

func point(where string, after bool) string {
	when := map[bool]string{true: "after", false: "before"}[after]
	return when + "." + where + ".example.com"
}

// dig marks a grave before and after each effect and each call of the CA.
func dig() *graveyard {
	g := &graveyard{dead: map[string]bool{}}
	for _, after := range []bool{false, true} {
		for _, stage := range crashed {
			g.points = append(g.points, point(string(stage), after))
		}
		g.points = append(g.points, point("ca-submit", after), point("ca-collect", after))
	}
	g.died = make(chan struct{}, len(g.points))
	return g
}

// die ends the goroutine for good if this is where it is to die: nothing is saved,
// nothing is given back, as if the process had been killed.
func (g *graveyard) die(at, cn string) {
	g.mu.Lock()
	dies := at == cn && !g.dead[cn]
	g.dead[cn] = g.dead[cn] || dies
	g.mu.Unlock()
	if dies {
		g.died <- struct{}{}
		runtime.Goexit()
	}
}

// haunt makes the rig's workers die in the graveyard.
func (g *graveyard) haunt(r *coretest.Rig, f *coretest.Faulty) {
	r.Around(func(stage clm.Stage, after bool, cn string) { g.die(point(string(stage), after), cn) })
	f.At(func(_ context.Context, c coretest.Call) error {
		g.die(point("ca-"+c.Name, c.After), c.Order.Names.CommonName)
		return nil
	})
}

// A process may die before and after every effect and every call of a CA, inside
// or outside: another one brings the work to its end, with one certificate issued,
// one version in use and a key that fits; and so it is with the next renewal.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, local := range []bool{true, false} {
		t.Run(fmt.Sprintf("local=%v", local), func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) { crash(t, d, &coretest.Faulty{Local: local}) })
		})
	}
}

func crash(t *testing.T, d coretest.Database, f *coretest.Faulty) {
	options := coretest.Options{Connectors: f.Connectors(), Workers: 2 * len(dig().points)}
	r := coretest.New(t, d, options)
	r.AddFaulty(nil)
	for life := 1; life <= 2; life++ {
		g := dig()
		g.haunt(r, f)
		var works []core.Accepted
		for _, cn := range g.points {
			done, err := order(r, cn, life)
			if err != nil {
				t.Fatal(err)
			}
			works = append(works, done)
		}
		for range g.points {
			receive(t, "a worker to die", g.died)
		}
		r.Stop()
		f.At(nil)
		r.Clock.Turn(core.Lease + time.Second)
		r.Start(options)
		for i, done := range works {
			checkCrashed(t, r, f, g.points[i], life, await(t, r, done))
		}
	}
}

// order asks for the certificate in the first life and renews it in later ones.
func order(r *coretest.Rig, cn string, life int) (core.Accepted, error) {
	if life > 1 {
		return r.Renew(context.Background(), r.Admin, core.Renew{DN: coretest.FaultyZone + `\` + cn})
	}
	return r.Request(context.Background(), r.Admin, core.Request{Folder: coretest.FaultyZone, Names: clm.Names{CommonName: cn}, KeyAlgorithm: clm.ECC})
}

// checkCrashed wants a version and a certificate for each life, and the last in use.
func checkCrashed(t *testing.T, r *coretest.Rig, f *coretest.Faulty, cn string, lives int, got core.Issued) {
	t.Helper()
	versions := versionsOf(t, r, got.Place.ID)
	serials := map[string]bool{}
	for _, v := range versions {
		serials[v.Serial] = true
	}
	if len(versions) != lives || len(serials) != lives || serials[""] || got.Version.ID != versions[len(versions)-1].ID {
		t.Errorf("%s: got %d versions with %d certificates after %d lives", cn, len(versions), len(serials), lives)
	}
	// What a local CA has signed and nobody has kept, nobody has seen.
	if n := f.Issued(cn); !f.Local && n != lives {
		t.Errorf("%s: the CA has issued %d certificates in %d lives", cn, n, lives)
	}
	if got.Key == nil {
		t.Errorf("%s: the key is lost", cn)
	}
}

// versionsOf reads all versions of a place.
func versionsOf(t testing.TB, r *coretest.Rig, place clm.ObjectID) (versions []clm.Version) {
	t.Helper()
	err := r.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		versions, err = tx.Versions(place)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

// receive waits for a token.
func receive(t testing.TB, what string, from <-chan struct{}) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}
