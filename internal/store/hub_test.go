package store_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// neighbours are two nodes on one database that hear one another; where there can
// be but one, both are the same.
func neighbours(t *testing.T, d coretest.Database) (here, there node) {
	here = open(t, d)
	if !here.IsShared() {
		return here, here
	}
	there = open(t, d)
	db, err := sql.Open("pgx", d.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	until(t, "both nodes listen", func() bool {
		listening := 0
		err := db.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %' AND state = 'idle'").Scan(&listening)
		return err == nil && listening == 2
	})
	return here, there
}

// Whoever waits for work is told when it was committed, on every node, without
// having to look.
func TestRunnersAreWoken(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		here, there := neighbours(t, d)
		wokenHere, wokenThere := here.Woken(), there.Woken()
		w := here.enroll("a", here.Now())
		receive(t, "the runner here to be woken", wokenHere)
		receive(t, "the runner there to be woken", wokenThere)

		gate := clm.Gate{ID: "a", Subject: "a", Work: w.ID, Stage: clm.CreateKey, Name: "approve", Open: true}
		here.do("gate", func(tx *store.Tx) error { return tx.AddGate(gate, nil) })
		gate.Open = false
		here.do("decide", func(tx *store.Tx) error { return tx.SaveGate(gate) })
		receive(t, "the runner there to be woken by a decision", wokenThere)
	})
}

// Whoever watches a work is told when it has moved, on every node, and not told
// of others or of what came to nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		here, there := neighbours(t, d)
		w, other := here.enroll("a", here.Now()), here.enroll("b", here.Now())
		works := here.claim(2)
		movedHere, endHere := here.Watch(w.ID)
		movedThere, endThere := there.Watch(w.ID)
		defer endThere()
		ofOther, endOther := here.Watch(other.ID)
		defer endOther()
		for _, moved := range []<-chan clm.Work{movedHere, ofOther} {
			select { // how it began, of which one is told who comes just after
			case <-moved:
			default:
			}
		}

		here.Write(context.Background(), store.Entry{Action: "fail"}, func(tx *store.Tx) error {
			tx.EndWork(other.ID)
			return clm.Denied
		})
		for _, claimed := range works {
			if claimed.ID == w.ID {
				claimed.Stage = clm.Submit
				here.do("save", func(tx *store.Tx) error { return tx.SaveWork(claimed) })
			}
		}
		receive(t, "the watch here", movedHere)
		receive(t, "the watch there", movedThere)
		select {
		case <-ofOther:
			if !here.IsShared() { // there, the news of how it began may come late
				t.Error("a watch was told of what came to nothing, or of another's work")
			}
		default:
		}
		there.look(func(tx *store.Tx) error {
			if got, err := tx.Work(w.ID); err != nil || got.Stage != clm.Submit {
				t.Errorf("got %+v, %v; what was told of cannot be seen", got, err)
			}
			return nil
		})

		endHere()
		select { // what was told before the watch ended
		case <-movedHere:
		default:
		}
		here.do("end", func(tx *store.Tx) error { return tx.EndWork(w.ID) })
		receive(t, "the watch there to be told of the end", movedThere)
		select {
		case <-movedHere:
			t.Error("a watch that had ended was told")
		default:
		}
	})
}

// Many may watch one work, and one that does not look keeps nobody from writing.
func TestManyWatch(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		w := n.enroll("a", n.Now())
		first, endFirst := n.Watch(w.ID)
		defer endFirst()
		second, endSecond := n.Watch(w.ID)
		defer endSecond()
		for range 3 {
			claimed := n.claim(1)
			n.do("save", func(tx *store.Tx) error { claimed[0].NotBefore = tx.Now; return tx.SaveWork(claimed[0]) })
		}
		receive(t, "the first", first)
		receive(t, "the second", second)
	})
}
