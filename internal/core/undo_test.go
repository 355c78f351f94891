package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// A cable is between us and a host. It can be cut.
type cable struct {
	cut  atomic.Bool
	at   string             // it cuts itself at this call
	fail func(string) error // what else goes wrong; nil: nothing
}

var errCut = fmt.Errorf("dial: %w", remote.ErrUnreachable)

func (c *cable) carry(what string) error {
	if what == c.at {
		c.cut.Store(true)
	}
	if c.cut.Load() {
		return errCut
	}
	if c.fail != nil {
		return c.fail(what)
	}
	return nil
}

// mend lets the host be reached, and that has been so for long enough.
func (c *cable) mend(f *fleet) {
	c.at = ""
	c.cut.Store(false)
	f.Clock.Turn(time.Minute)
}

// once fails the call the first time.
func once(at string) func(string) error {
	var done atomic.Bool
	return func(what string) error {
		if what == at && !done.Swap(true) {
			return errors.New("refused by a test")
		}
		return nil
	}
}

// gaveUp waits until the first installation has stopped, however often it is tried.
func (f *fleet) gaveUp(t *testing.T) *clm.Work {
	t.Helper()
	for n := 1; ; n++ {
		f.tried(t, n)
		if w, err := f.OpenInstall(f.app(0)); err != nil || w == nil || w.Failure != "" {
			check(t, err)
			return w
		}
		f.Clock.Turn(time.Minute)
	}
}

// resumes lets an hour pass, and what has stopped go on.
func (f *fleet) resumes(t *testing.T) {
	t.Helper()
	f.Clock.Turn(time.Hour)
	check(t, f.ResumeStopped(context.Background()))
}

// stands waits until the first installation is at the stage.
func (f *fleet) stands(t *testing.T, stage clm.Stage) {
	t.Helper()
	eventually(t, "the installation is at "+string(stage), func() bool {
		w, err := f.OpenInstall(f.app(0))
		check(t, err)
		return w != nil && w.Stage == stage
	})
}

// undone waits until nothing is to be put back at the first listener, which must serve
// the certificate.
func (f *fleet) undone(t *testing.T, cert []byte) {
	t.Helper()
	eventually(t, "it is put back", func() bool {
		w, err := f.OpenUndo(f.app(0))
		check(t, err)
		if w != nil && w.Failure != "" && w.Note != clm.Unreached {
			t.Fatalf("it is not: %s", w.Failure)
		}
		return w == nil
	})
	if !bytes.Equal(f.all[0].Serves(), cert) || !bytes.Equal(f.all[0].Finds(), cert) {
		t.Error("the listener serves another certificate, or finds one")
	}
}

// undoing wants work that puts something back at the first listener to be open.
func (f *fleet) undoing(t *testing.T) *clm.Work {
	t.Helper()
	w, err := f.OpenUndo(f.app(0))
	check(t, err)
	if w == nil {
		t.Fatal("nothing is to be put back")
	}
	return w
}

func (f *fleet) reset(t *testing.T) {
	t.Helper()
	_, err := f.Reset(context.Background(), f.Admin, core.Reset{DN: f.cert})
	check(t, err)
}

func (f *fleet) lookAt(t *testing.T, places ...string) {
	t.Helper()
	check(t, f.EditObject(context.Background(), f.Admin, f.app(0), []core.Edit{{Attr: clm.LookAt, Values: places}}, nil))
}

// A host that is lost when its files were switched already is no other than one that was
// lost before: the installation is begun anew by itself, and ends.
func TestHostLostAfterSwitchIsBegunAnew(t *testing.T) {
	for _, at := range []string{"check", "reload", "back"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				f := newFleet(t, d, 1, nil)
				line := &cable{at: at}
				if at == "back" {
					line.fail = once("reload")
				}
				f.all[0].Before = line.carry
				f.renewWhileDown(t)
				if w := f.gaveUp(t); w.Note != clm.Unreached || !strings.Contains(w.Failure, "could not be put back") {
					t.Errorf("got note %q, failure %q", w.Note, w.Failure)
				}
				line.mend(f)
				f.resumes(t)
				f.settled(t)
				f.serve(t, f.inUse(t))
			})
		})
	}
}

// What was served before anything was switched is known for as long as that was not put
// back, however often the installation is begun anew.
func TestWhatWasServedBeforeOutlivesRetry(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before, l, line := f.inUse(t), f.all[0], &cable{at: "reload"}
		l.Before = line.carry
		f.renewWhileDown(t)
		f.gaveUp(t)
		line.mend(f)
		_, err := l.Reload(context.Background()) // the service was started anew by somebody
		check(t, err)
		line.fail = once("reload")
		f.resumes(t)
		f.failed(t, 0, clm.Reload, "refused", "served again")
		f.undone(t, before)
		f.reset(t)
		if w, err := f.OpenUndo(f.app(0)); w != nil || err != nil {
			t.Errorf("got %+v, %v; want nothing to be put back that was", w, err)
		}
	})
}

// Whether something was switched is asked until it is known: all or nothing means that it
// is put back.
func TestAllOrNothingAsksUntilItKnows(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 2, map[clm.Attr]string{clm.AllOrNothing: "1"})
		before, line, goOn := f.inUse(t), &cable{at: "check"}, make(chan struct{})
		f.all[0].Before = line.carry
		f.all[1].Before = func(what string) error {
			if what != "switch" {
				return nil
			}
			<-goOn
			return errors.New("refused by a test")
		}
		f.renewWhileDown(t)
		f.tried(t, 1)
		close(goOn)
		f.works(t, 1)
		f.Clock.Turn(time.Minute)
		f.tried(t, 2)
		line.mend(f)
		f.failed(t, 0, clm.Configure, "everywhere or not at all", "again")
		f.undone(t, before)
	})
}

// An application that was set up wrongly while its installation waited for others is put
// back all the same.
func TestPuttingBackNeedsNoLooks(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 2, map[clm.Attr]string{clm.AllOrNothing: "1"})
		before, goOn := f.inUse(t), make(chan struct{})
		f.all[1].Before = func(what string) error {
			if what != "reload" {
				return nil
			}
			<-goOn
			return errors.New("refused by a test")
		}
		f.renewWhileDown(t)
		f.stands(t, clm.Settle)
		f.lookAt(t, f.all[0].At, "nowhere at all")
		close(goOn)
		f.failed(t, 0, clm.Settle, "nowhere at all", "served again")
		f.undone(t, before)
	})
}

// Where it is not even known any more how the application is reached, the failure says
// that what was put there stays; once it is known again, it is put back.
func TestWhatCannotBeFoundStaysSwitched(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before, line := f.inUse(t), &cable{at: "reload"}
		f.all[0].Before = line.carry
		f.renewWhileDown(t)
		f.tried(t, 1)
		f.lookAt(t, "127.0.0.1:1")
		line.mend(f)
		f.failed(t, 0, clm.Reload, "no such listener. What was put there is still there.")
		f.reset(t)
		eventually(t, "it is known that it cannot be put back", func() bool { return f.undoing(t).Failure != "" })
		f.lookAt(t, f.all[0].At)
		_, err := f.Retry(context.Background(), f.Admin, f.cert)
		check(t, err)
		f.undone(t, before)
	})
}

// What an installation has switched is put back when it is ended before it was seen,
// however that comes about and whatever becomes of whoever was at it.
func TestEndedInstallationIsPutBack(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(*testing.T, *fleet){
		"reset": func(t *testing.T, f *fleet) { f.reset(t) },
		"dissociated": func(t *testing.T, f *fleet) {
			check(t, f.Dissociate(ctx, f.Admin, core.Dissociate{DN: f.cert, Applications: []string{f.app(0)}}))
		},
		"its certificate is gone": func(t *testing.T, f *fleet) { check(t, f.DeleteObject(ctx, f.Admin, f.cert, false)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				f := newFleet(t, d, 1, nil)
				before, line := f.inUse(t), &cable{at: "reload"}
				f.all[0].Before = line.carry
				f.renewWhileDown(t)
				f.tried(t, 1)
				end(t, f)
				if _, err := f.Reset(ctx, f.Admin, core.Reset{DN: f.cert}); err == nil {
					t.Error("there is something to be reset")
				}
				for n := 1; n <= clm.MaxAttempts; n++ {
					eventually(t, fmt.Sprintf("it was tried %d times to put it back", n), func() bool { return f.undoing(t).Attempt >= n })
					f.Clock.Turn(time.Minute)
				}
				f.isNobodysBusiness(t, f.undoing(t))
				line.mend(f)
				f.resumes(t)
				f.undone(t, before)
				if got := entries(t, f.Rig, "undo/end"); len(got) != 1 || got[0].Subject != f.app(0) {
					t.Errorf("got the entries %+v", got)
				}
			})
		})
	}
}

// isNobodysBusiness wants clients to see nothing of work that puts something back.
func (f *fleet) isNobodysBusiness(t *testing.T, undo *clm.Work) {
	t.Helper()
	ctx := context.Background()
	app, err := f.View(ctx, f.Admin, f.app(0))
	check(t, err)
	if app.Open != nil {
		t.Errorf("the application shows %+v", app.Open)
	}
	if v, err := f.View(ctx, f.Admin, f.cert); err == nil && (!v.Installing.IsOver() || v.Open != nil) {
		t.Errorf("the certificate shows %+v, %+v", v.Installing, v.Open)
	}
	orders, err := f.FindOrders(ctx, f.Admin, core.OrdersWanted{Most: 100})
	check(t, err)
	named, err := f.Orders(ctx, f.Admin, []clm.WorkID{undo.ID})
	check(t, err)
	if slices.ContainsFunc(append(orders, named...), func(o core.Order) bool { return o.Op == clm.Undo }) {
		t.Error("there is an order that nobody has given")
	}
}

// What could not be put back is tried again when the installation fails once more, at
// whatever stage, and when it is reset.
func TestResetPutsBackWhatCouldNotBe(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before, l := f.inUse(t), f.all[0]
		var heard, full atomic.Bool
		l.Before = func(what string) error {
			if what == "back" && !heard.Load() || what == "place" && full.Load() {
				return errors.New("refused by a test")
			}
			return nil
		}
		l.After = once("reload")
		f.renew(t)
		f.failed(t, 0, clm.Reload, "could not be put back")
		heard.Store(true)
		full.Store(true)
		_, err := f.Retry(context.Background(), f.Admin, f.cert)
		check(t, err)
		f.failed(t, 0, clm.Place, "refused", "served again")
		f.undone(t, before)

		heard.Store(false)
		full.Store(false)
		l.After = once("reload")
		_, err = f.Retry(context.Background(), f.Admin, f.cert)
		check(t, err)
		f.failed(t, 0, clm.Reload, "could not be put back")
		heard.Store(true)
		f.reset(t)
		f.undone(t, before)
	})
}

// A reset puts back what is still switched also where the installation was begun anew
// since.
func TestResetPutsBackWhatWasBegunAnew(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before, line := f.inUse(t), &cable{at: "reload"}
		f.all[0].Before = line.carry
		f.renewWhileDown(t)
		f.gaveUp(t)
		f.resumes(t)
		f.tried(t, 1)
		f.stands(t, clm.Place)
		f.reset(t)
		line.mend(f)
		f.undone(t, before)
	})
}

// A worker that cannot put back what it has changed, as the host is down, leaves that to
// be done later.
func TestResetWhileHostIsLost(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before, l, line := f.inUse(t), f.all[0], &cable{}
		at, goOn := make(chan struct{}, 1), make(chan struct{})
		l.Before = func(what string) error {
			if err := line.carry(what); err != nil || what != "reload" {
				return err
			}
			select {
			case at <- struct{}{}:
				<-goOn
			default:
			}
			return nil
		}
		f.renewWhileDown(t)
		receive(t, "the reload", at)
		f.reset(t)
		line.cut.Store(true)
		close(goOn)
		eventually(t, "the worker knows that it cannot put it back", func() bool { return strings.Contains(f.Log.String(), "could not be put back") })
		f.undoing(t)
		f.Clock.Turn(core.Lease)
		line.mend(f)
		f.undone(t, before)
	})
}

// What a worker has changed that died is put back when its lease has run out, and not
// before.
func TestResetAfterWorkerDied(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before := f.inUse(t)
		died := make(chan struct{}, 1)
		f.Around(func(stage clm.Stage, after bool, _ string) {
			if stage == clm.Reload && after {
				died <- struct{}{}
				runtime.Goexit()
			}
		})
		f.renewWhileDown(t)
		receive(t, "the worker to die", died)
		f.reset(t)
		if w := f.undoing(t); w.NotBefore.Before(f.DB.Now().Add(core.Lease / 2)) {
			t.Errorf("it is put back from %s on, while a worker may be at it", w.NotBefore)
		}
		f.Clock.Turn(core.Lease + time.Second)
		f.undone(t, before)
	})
}

// What was switched before somebody has said no is put back, and can be begun anew.
func TestRefusedInstallationIsPutBack(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := newFleet(t, d, 1, nil)
		before, workflow := f.inUse(t), `\VED\Policy\Approval`
		_, err := f.Put(ctx, f.Admin, core.Put{DN: workflow, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.PointOf: {string(clm.Verify)}}})
		check(t, err)
		check(t, f.EditObject(ctx, f.Admin, pushed, []core.Edit{{Attr: clm.Workflows, Values: []string{workflow}}}, nil))
		f.renewWhileDown(t)
		var asked []core.Ticket
		eventually(t, "somebody is asked", func() bool {
			asked, err = f.Tickets(ctx, f.Admin, f.app(0))
			return err == nil && len(asked) == 1
		})
		if bytes.Equal(f.all[0].Serves(), before) {
			t.Fatal("nothing was switched")
		}
		check(t, f.Decide(ctx, f.Admin, core.Decision{Ticket: asked[0].ID, State: "rejected"}))
		f.undone(t, before)
		f.failed(t, 0, clm.Verify, "rejected")
		if w := f.works(t, 0); w.Memo != "" {
			t.Error("it is still to be put back")
		}
	})
}

// A later installation makes it needless to put the former one back, and is left alone
// meanwhile.
func TestLaterInstallationIsNotUndone(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		line := &cable{at: "reload"}
		f.all[0].Before = line.carry
		f.renewWhileDown(t)
		f.tried(t, 1)
		f.reset(t)
		_, err := f.Push(context.Background(), f.Admin, core.Push{DN: f.cert, All: true})
		check(t, err)
		line.mend(f)
		f.settled(t)
		f.serve(t, f.inUse(t))
		f.undone(t, f.inUse(t))
		f.Clock.Turn(time.Hour)
		if calls := f.all[0].Calls(); calls[len(calls)-1] != "keep" {
			t.Errorf("got %v, want the end to be final", calls)
		}
	})
}

// While an installation is under way nothing is put back beside it, also while nobody is
// at it; should it fail, what was served before the former one is what it goes back to.
func TestInstallationUnderWayIsNotUndone(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		l, line := f.all[0], &cable{at: "reload"}
		l.Before = line.carry
		f.renewWhileDown(t)
		f.tried(t, 1)
		f.reset(t)
		eventually(t, "it was tried to put it back", func() bool { return f.undoing(t).Attempt >= 1 })
		_, err := f.Push(context.Background(), f.Admin, core.Push{DN: f.cert, All: true})
		check(t, err)
		f.tried(t, 1)
		line.at = ""
		line.cut.Store(false)
		_, err = l.Reload(context.Background()) // the service was started anew by somebody
		check(t, err)
		var lost atomic.Bool
		lost.Store(true)
		line.fail = func(what string) error {
			if what == "reload" && lost.Load() {
				return errCut
			}
			return nil
		}
		was := len(l.Calls())
		f.Clock.Turn(time.Minute)
		f.stands(t, clm.Reload)
		f.tried(t, 1)
		f.Clock.Turn(time.Minute)
		eventually(t, "it is seen that an installation is under way", func() bool { return f.undoing(t).NotBefore.After(f.DB.Now().Add(30 * time.Second)) })
		if calls := l.Calls()[was:]; slices.Contains(calls, "back") {
			t.Errorf("got %v, want nothing put back", calls)
		}
		if w, err := f.OpenInstall(f.app(0)); err != nil || w.Memo != f.undoing(t).Memo {
			t.Errorf("got %+v, %v; want it to know what was served before", w, err)
		}
		lost.Store(false)
		f.Clock.Turn(time.Minute)
		f.settled(t)
		f.undone(t, f.inUse(t))
	})
}

// What is deleted cannot be put back, and the log says so.
func TestDeletedApplicationStaysSwitched(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		f.all[0].Before = (&cable{at: "reload"}).carry
		f.renewWhileDown(t)
		f.tried(t, 1)
		check(t, f.DeleteObject(context.Background(), f.Admin, f.app(0), false))
		all := entries(t, f.Rig, "delete")
		if got := all[len(all)-1]; got.Subject != f.app(0) || got.Detail != "what was put there stays: "+f.app(0) {
			t.Errorf("got %+v", got)
		}
	})
}

// A process may die before and after it puts something back: another one does it.
func TestCrashWhileUndoing(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 2, nil)
		before := f.inUse(t)
		var lines []*cable
		for _, l := range f.all {
			lines = append(lines, &cable{at: "reload"})
			l.Before = lines[len(lines)-1].carry
		}
		f.renewWhileDown(t)
		for n := range f.all {
			eventually(t, "it was tried", func() bool {
				w, err := f.OpenInstall(f.app(n))
				check(t, err)
				return w.Attempt >= 1
			})
			lines[n].at = ""
			lines[n].cut.Store(false)
		}
		g := &graveyard{dead: map[string]bool{}, died: make(chan struct{}, len(f.all))}
		f.Around(func(stage clm.Stage, after bool, app string) {
			if stage == clm.Restore {
				g.die(f.app(map[bool]int{false: 0, true: 1}[after]), app)
			}
		})
		f.reset(t)
		for range f.all {
			receive(t, "a worker to die", g.died)
		}
		f.Stop()
		f.Clock.Turn(core.Lease + time.Second)
		f.Start(coretest.Options{Drivers: f.Drivers()})
		f.undone(t, before)
		eventually(t, "the other is put back", func() bool {
			w, err := f.OpenUndo(f.app(1))
			check(t, err)
			return w == nil && bytes.Equal(f.all[1].Serves(), before)
		})
	})
}

// What somebody else has put there after it was seen is not made final.
func TestOnlyWhatWasSeenIsMadeFinal(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 2, map[clm.Attr]string{clm.AllOrNothing: "1"})
		before, goOn := f.inUse(t), make(chan struct{})
		f.all[1].Before = func(what string) error {
			if what == "reload" {
				<-goOn
			}
			return nil
		}
		f.renewWhileDown(t)
		f.stands(t, clm.Settle)
		stranger := foreignLeaf(t, "other.example.com", time.Hour, nil)
		other := pki.Bundle{Cert: stranger.der, Key: stranger.key}
		check(t, errors.Join(f.all[0].Place(context.Background(), other), f.all[0].Switch(context.Background(), other)))
		close(goOn)
		f.failed(t, 0, clm.Settle, "another certificate lies there", "served again")
		f.undone(t, before)
	})
}
