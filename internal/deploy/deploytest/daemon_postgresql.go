package deploytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/certwright/certwright/internal/deploy/look"
)

// PostgreSQL is a server with a database cluster of a test's own.
type PostgreSQL struct {
	*Daemon
	Site
	Data  string  // its data directory
	Owner Account // as whom it runs, to whom its key file belongs
}

// postgresqlConf is what there is more of postgresql.conf.
const postgresqlConf = `
listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = ''
fsync = off
shared_buffers = 16MB
ssl = on
ssl_cert_file = '%s'
ssl_key_file = '%s'
`

// StartPostgreSQL starts PostgreSQL with the certificate and key of a site, which are
// given to the user as whom it runs: it takes no key of other people's.
func StartPostgreSQL(t testing.TB, s Site) PostgreSQL {
	t.Helper()
	program := Program(t, "/usr/lib/postgresql/*/bin/postgres", "postgres")
	initdb := Program(t, filepath.Join(filepath.Dir(program), "initdb"))
	dir := Dir(t)
	p := PostgreSQL{Site: complete(t, s), Data: filepath.Join(dir, "data"), Owner: Unprivileged(t, "postgres")}
	p.Owner.Own(t, dir, p.Cert, p.Key)

	make := exec.Command(initdb, "-D", p.Data, "-U", "postgres", "-A", "trust", "-N", "--no-instructions")
	make.Dir = dir
	if os.Getuid() == 0 {
		make.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.Owner.UID), Gid: uint32(p.Owner.GID)}}
	}
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	conf, err := os.OpenFile(filepath.Join(p.Data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conf, postgresqlConf, p.Port, p.Cert, p.Key); err != nil {
		t.Fatal(err)
	}
	if err := conf.Close(); err != nil {
		t.Fatal(err)
	}
	p.Daemon = Start(t, Launch{Args: []string{program, "-D", p.Data}, Dir: dir, As: &p.Owner, Stop: syscall.SIGINT})
	p.AwaitPorts(t, p.Port)
	return p
}

// Look is where the certificate is looked at.
func (p PostgreSQL) Look() look.Spec {
	return look.Spec{Protocol: look.Postgres, Host: "127.0.0.1", Port: p.Port}
}
