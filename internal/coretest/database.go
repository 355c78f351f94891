// Package coretest gives tests a core on a real database, with clocks to turn
// and CAs that fail on demand.
package coretest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver by which test databases are made

	"github.com/certwright/certwright/internal/clm"
)

// Databases runs the test on a database of each kind, set up as a first start would.
// Where there is no PostgreSQL on the machine its part is skipped, unless
// CERTWRIGHT_NO_SKIP is set. Where CERTWRIGHT_TEST_ON names one of them, it is that alone.
func Databases(t *testing.T, test func(t *testing.T, d Database)) {
	onEach(t, SQLite, Postgres, test)
}

// EmptyDatabases is Databases with nothing in them.
func EmptyDatabases(t *testing.T, test func(t *testing.T, d Database)) {
	onEach(t, EmptySQLite, EmptyPostgres, test)
}

func onEach(t *testing.T, sqlite, postgres func(testing.TB) Database, test func(t *testing.T, d Database)) {
	alone := os.Getenv("CERTWRIGHT_TEST_ON")
	for _, kind := range []struct {
		name string
		make func(testing.TB) Database
	}{{"sqlite", sqlite}, {"postgres", postgres}} {
		if alone == "" || alone == kind.name {
			t.Run(kind.name, func(t *testing.T) {
				t.Parallel()
				test(t, kind.make(t))
			})
		}
	}
}

// Database is a database of a test's own.
type Database struct {
	Address string
	Dir     string // a folder of the test's own

	admin clm.Actor // of one that is set up: spares its copies setup and login
}

// SQLite makes a database in a file, set up as a first start would.
func SQLite(t testing.TB) Database {
	t.Helper()
	return CopyOf(t, firstSQLite.made(t))
}

// Postgres makes a database on the server of this test process, set up as a first
// start would.
func Postgres(t testing.TB) Database {
	t.Helper()
	wantPostgres(t)
	return CopyOf(t, firstPostgres.made(t))
}

// EmptySQLite names a file in which a database can be made.
func EmptySQLite(t testing.TB) Database {
	dir := t.TempDir()
	return Database{Address: filepath.Join(dir, "certwright.db"), Dir: dir}
}

// EmptyPostgres makes a database with nothing in it on the server of this test process.
func EmptyPostgres(t testing.TB) Database {
	t.Helper()
	wantPostgres(t)
	address, err := PostgresAddress()
	if err != nil {
		t.Fatal(err)
	}
	return Database{Address: address, Dir: t.TempDir()}
}

func wantPostgres(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	if err := StartPostgres(); err != nil {
		if os.Getenv("CERTWRIGHT_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// StartPostgres starts the PostgreSQL of this test process, unless it runs already.
// It fails where there is none on the machine.
func StartPostgres() error { return cluster.start() }

// PostgresAddress makes an empty database on the server of this test process, for
// programs of their own.
func PostgresAddress() (string, error) {
	if err := StartPostgres(); err != nil {
		return "", err
	}
	name := fmt.Sprintf("test%d", cluster.count.Add(1))
	return cluster.address(name), cluster.exec("CREATE DATABASE " + name)
}

// first is a database that was set up once for all tests of the process: making CAs
// and hashing passwords takes longer than most tests do.
type first struct {
	address func(dir string) (string, error)

	once  sync.Once
	dir   string
	whole Database
}

var (
	firstSQLite   = first{address: func(dir string) (string, error) { return filepath.Join(dir, "certwright.db"), nil }}
	firstPostgres = first{address: func(string) (string, error) { return PostgresAddress() }}
)

func (f *first) made(t testing.TB) Database {
	t.Helper()
	f.once.Do(func() {
		dir, err := os.MkdirTemp("", "certwright-first")
		if err != nil {
			t.Fatal(err)
		}
		f.dir = dir
		address, err := f.address(dir)
		if err != nil {
			t.Fatal(err)
		}
		whole := Database{Address: address, Dir: dir}
		r := New(t, whole, Options{Idle: true})
		r.lookForSecrets()
		r.Stop()
		whole.admin = r.Admin
		f.whole = whole
	})
	if f.whole.Address == "" {
		t.Fatal("the first database could not be set up")
	}
	return f.whole
}

// CopyOf makes a database that begins as d stands. Nobody may have d open meanwhile.
// The copy goes when the test ends.
func CopyOf(t testing.TB, d Database) Database {
	t.Helper()
	fresh := EmptySQLite(t)
	fresh.admin = d.admin
	copied := []string{"master.key"}
	if !strings.HasPrefix(d.Address, "postgres://") {
		copied = append(copied, filepath.Base(d.Address))
	} else {
		name := fmt.Sprintf("test%d", cluster.count.Add(1))
		if err := cluster.exec("CREATE DATABASE " + name + " TEMPLATE " + cluster.database(d.Address)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cluster.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				t.Error(err)
			}
		})
		fresh.Address = cluster.address(name)
	}
	for _, name := range copied {
		data, err := os.ReadFile(filepath.Join(d.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(fresh.Dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fresh
}

// Main runs the tests of a package, ends the servers that they have started and
// removes what they share. A package that makes databases calls it from its TestMain.
func Main(m interface{ Run() int }) int {
	defer cluster.stop()
	defer func() { // a name that is empty removes nothing
		os.RemoveAll(firstSQLite.dir)
		os.RemoveAll(firstPostgres.dir)
	}()
	return m.Run()
}

// postgres is the server of this test process, started when it is first wanted.
type postgres struct {
	once    sync.Once
	err     error
	dir     string
	command *exec.Cmd
	db      *sql.DB
	making  sync.Mutex
	count   atomic.Int64
}

var cluster postgres

func (p *postgres) start() error {
	p.once.Do(func() { p.err = p.run() })
	return p.err
}

func (p *postgres) run() error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "certwright-pg"); err != nil {
		return err
	}
	as, err := unprivileged(p.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = as, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	args := []string{"-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=400", "-c", "autovacuum=off", "-c", "shared_buffers=256MB"}
	if os.Getenv("CERTWRIGHT_BENCH") == "" { // nothing here need outlive a power failure
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	p.command = exec.Command(filepath.Join(bin, "postgres"), args...)
	p.command.SysProcAttr, p.command.Dir = as, p.dir
	if err := p.command.Start(); err != nil {
		return err
	}
	if p.db, err = sql.Open("pgx", p.address("postgres")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for p.db.PingContext(ctx) != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("postgres does not answer: %w", ctx.Err())
		}
		time.Sleep(20 * time.Millisecond) // until it answers: it has no other sign of being up
	}
	return nil
}

// exec runs a statement on the server, one at a time: databases cannot be made
// side by side from one template.
func (p *postgres) exec(statement string) error {
	p.making.Lock()
	defer p.making.Unlock()
	_, err := p.db.Exec(statement)
	return err
}

func (p *postgres) address(database string) string {
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: url.Values{"host": {p.dir}, "user": {"postgres"}}.Encode()}).String()
}

// database is the name that stands in an address.
func (p *postgres) database(address string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(address, "postgres:///"), "?")
	return name
}

func (p *postgres) stop() {
	if p.db != nil {
		p.db.Close()
	}
	if p.command != nil && p.command.Process != nil {
		p.command.Process.Signal(syscall.SIGQUIT)
		p.command.Wait()
	}
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

// postgresBin finds the server's programs: where Debian puts them, or in the path.
func postgresBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("there is no PostgreSQL here: %w", err)
	}
	return filepath.Dir(path), nil
}

// unprivileged makes the folder usable for whom the server may run as: it refuses
// to run as root, so root runs it as the user postgres.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}
