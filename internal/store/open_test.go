package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// What is in a database is there when it is opened again.
func TestOpenAgain(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		n := open(t, d)
		n.add(clm.Folder, `\a`)
		n.Close()
		if n = open(t, d); !n.exists(`\a`) || n.Ready(context.Background()) != nil {
			t.Error("it is lost")
		}
	})
}

// A file is served once, also within one process; PostgreSQL serves many.
func TestOpenTwice(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		first := open(t, d)
		second, err := store.Open(context.Background(), d.Address, store.Options{})
		if (err == nil) != first.IsShared() {
			t.Errorf("got %v", err)
		}
		if err == nil {
			second.Close()
		}
		if first.Close(); !first.IsShared() {
			open(t, d)
		}
	})
}

// served is the variable that makes this test binary another process which
// serves the file that it names, until it is killed.
const served = "CERTWRIGHT_TEST_SERVES"

// A second process is refused while the first lives, and let in when it has been
// killed.
func TestSecondProcess(t *testing.T) {
	if file := os.Getenv(served); file != "" {
		open(t, coretest.Database{Address: file})
		fmt.Println("serving")
		select {}
	}
	t.Parallel()
	d := coretest.EmptySQLite(t)
	first := exec.Command(os.Args[0], "-test.run=^TestSecondProcess$")
	first.Env = append(os.Environ(), served+"="+d.Address)
	out, err := first.StdoutPipe()
	if err == nil {
		err = first.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end := func() { first.Process.Kill(); first.Wait() }
	t.Cleanup(end)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "serving\n" {
		t.Fatalf("got %q, %v from the first process", line, err)
	}
	if _, err := store.Open(context.Background(), d.Address, store.Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v while another process serves the file", err)
	}
	end()
	open(t, d)
}

// A database that a newer release has migrated is refused and left as it is.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		driver string
		make   func(testing.TB) coretest.Database
	}{{"sqlite", coretest.EmptySQLite}, {"pgx", coretest.Postgres}} {
		t.Run(test.driver, func(t *testing.T) {
			d := test.make(t)
			open(t, d).Close()
			db, err := sql.Open(test.driver, d.Address)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
				t.Fatal(err)
			}
			db.Close()
			for range 2 { // the first refusal must not keep the file
				if _, err := store.Open(context.Background(), d.Address, store.Options{}); !errors.Is(err, store.ErrNewer) {
					t.Errorf("got %v, want ErrNewer", err)
				}
			}
		})
	}
}

// Nodes that start at once on an empty database all find its schema.
func TestManyNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	d := coretest.EmptyPostgres(t)
	opened := make(chan error)
	for range 5 {
		go func() {
			db, err := store.Open(context.Background(), d.Address, store.Options{})
			if err == nil {
				err = db.Ready(context.Background())
				db.Close()
			}
			opened <- err
		}()
	}
	for range 5 {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
}

// Work that was held when the process died is free at once where no other node
// can have it, and waits for its lease where one can. What the dead one's worker
// might still bring is dropped.
func TestWorkHeldByTheDead(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		n := open(t, d)
		n.enroll("held", n.Now())
		held := n.claim(1)[0]
		n.enroll("stopped", n.Now())
		stopped := n.claim(1)[0]
		stopped.Failure = "refused"
		n.do("stop", func(tx *store.Tx) error { return tx.SaveWork(stopped) })
		n.Close()
		n = open(t, d)
		if got := n.claim(10); n.IsShared() && len(got) != 0 || !n.IsShared() && (len(got) != 1 || got[0].ID != held.ID) {
			t.Errorf("got %v", subjects(got))
		}
		if !n.IsShared() {
			if err := n.save(held, `\late`); !errors.Is(err, store.ErrStale) {
				t.Errorf("got %v for what the dead one brings, want ErrStale", err)
			}
		}
	})
}

// An address that names no database is refused, and what it says is not repeated:
// it may hold a password.
func TestAddressesThatAreNone(t *testing.T) {
	for _, address := range []string{"", "sqlite:", "mysql://user:hunter2@host/db", "postgres://user:hunter2@host:port/db"} {
		db, err := store.Open(context.Background(), address, store.Options{})
		if err == nil {
			db.Close()
			t.Errorf("%q is accepted", address)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password stands in %q", err)
		}
	}
}
