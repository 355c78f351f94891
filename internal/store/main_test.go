package store_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// TestMain also looks for what was started and not ended.
func TestMain(m *testing.M) {
	code := coretest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// node is an open database with a clock to turn.
type node struct {
	*store.DB
	clock *coretest.Clock
	t     testing.TB
}

// open opens the database; on PostgreSQL, called again it is another node.
func open(t testing.TB, d coretest.Database) node {
	t.Helper()
	return openWith(t, d, nil)
}

// openWith is open of a database whose writes fail at times, see store.Options.
func openWith(t testing.TB, d coretest.Database, fault func(statement string) error) node {
	t.Helper()
	clock := &coretest.Clock{}
	db, err := store.Open(context.Background(), d.Address, store.Options{Clock: clock.Now, Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return node{db, clock, t}
}

// onEach runs the test on a fresh database of each kind.
func onEach(t *testing.T, test func(*testing.T, node)) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) { test(t, open(t, d)) })
}

// turn turns the node's clock forward.
func (n node) turn(by time.Duration) { n.clock.Turn(by) }

// do writes what must go well; action is the entry's.
func (n node) do(action string, fn func(*store.Tx) error) {
	n.t.Helper()
	if err := n.Write(context.Background(), store.Entry{Action: action}, fn); err != nil {
		n.t.Fatalf("%s: %v", action, err)
	}
}

// look reads what must go well.
func (n node) look(fn func(*store.Tx) error) {
	n.t.Helper()
	if err := n.Read(context.Background(), fn); err != nil {
		n.t.Fatal(err)
	}
}

// add adds an object to a folder, or one without a folder.
func (n node) add(class clm.Class, dn clm.DN) *clm.Object {
	n.t.Helper()
	o := &clm.Object{DN: dn, Class: class}
	n.do("add", func(tx *store.Tx) error { return put(tx, o) })
	return o
}

// put adds the object below its parent, if that is there.
func put(tx *store.Tx, o *clm.Object) error {
	parent := clm.ObjectID("")
	if path, err := tx.Path(o.DN.Parent()); err == nil {
		parent = path.Last().ID
	}
	o.ID = ""
	return tx.AddObject(o, parent)
}

// exists reports whether there is an object with the DN for those who read now.
func (n node) exists(dn clm.DN) bool {
	return n.Read(context.Background(), func(tx *store.Tx) error { _, err := tx.Path(dn); return err }) == nil
}

// outcomes lists, in order, how the writes with the action have ended.
func (n node) outcomes(action string) (found []string) {
	n.t.Helper()
	entries, err := n.Audit(context.Background(), 0, 100_000)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Action == action {
			found = append(found, e.Outcome)
		}
	}
	return found
}

// until waits for what other goroutines are about to do.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// receive waits for a token.
func receive[T any](t testing.TB, what string, from <-chan T) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}
