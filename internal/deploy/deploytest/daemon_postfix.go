package deploytest

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/pki"
)

// Postfix is an instance of Postfix that shares nothing with the machine's: its
// configuration, its queue and its data lie in folders of the test's.
type Postfix struct {
	*Daemon
	Site           // its port is that of SMTP, which begins in the clear
	Program string // postfix, which checks and reloads it
	Config  string // its configuration directory
}

// postfixMain is main.cf without the certificate; %[1]s is the folder with everything.
const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
syslog_name = certwright
maillog_file = /dev/stdout
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
alias_maps =
alias_database =
notify_classes =
smtpd_tls_security_level = may
`

// postfixMaster is master.cf: what an SMTP server needs that takes no mail.
const postfixMaster = `127.0.0.1:%d inet n - n - - smtpd
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

// StartPostfix starts Postfix with the certificate and key of a site. Where they are
// in one file it reads that as a chain file. Only root can.
func StartPostfix(t testing.TB, s Site) Postfix {
	t.Helper()
	program := Program(t, "postfix")
	if os.Getuid() != 0 {
		need(t, "only root can start Postfix")
	}
	files := "smtpd_tls_cert_file = %s\nsmtpd_tls_key_file = %s\n"
	if s.Cert != "" && s.Cert == s.Key {
		files = "smtpd_tls_chain_files = %[2]s\n"
		firstChain(t, s.Cert)
	}
	p := Postfix{Program: program, Site: complete(t, s)}
	dir := socketDir(t)
	p.Config = filepath.Join(dir, "conf")
	for _, sub := range []string{"conf", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	Unprivileged(t, "postfix").Own(t, filepath.Join(dir, "data"))
	write(t, filepath.Join(p.Config, "main.cf"), fmt.Sprintf(postfixMain, dir)+fmt.Sprintf(files, p.Cert, p.Key))
	write(t, filepath.Join(p.Config, "master.cf"), fmt.Sprintf(postfixMaster, p.Port))

	p.Daemon = Start(t, Launch{Args: []string{p.Program, "-c", p.Config, "start-fg"}})
	t.Cleanup(p.Stop)
	p.AwaitPorts(t, p.Port)
	return p
}

// Look is where the certificate is looked at.
func (p Postfix) Look() look.Spec {
	return look.Spec{Protocol: look.SMTP, Host: "127.0.0.1", Port: p.Port}
}

// Stop ends the instance. The process that was started is the parent of the one that
// matters, which has a group of its own.
func (p Postfix) Stop() {
	text, err := os.ReadFile(filepath.Join(p.Config, "../queue/pid/master.pid"))
	if err == nil && p.isRunning() {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended already
		}
	}
	p.Daemon.Stop()
}

// write writes a file of a daemon's.
func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// firstChain writes a key and its certificate in this order, unless the file is there.
func firstChain(t testing.TB, file string) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	b := SelfSigned(t, "localhost")
	key, err := pki.MarshalKey(b.Key)
	if err != nil {
		t.Fatal(err)
	}
	text := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Cert}))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// complete chooses what was not said of a site, and writes its first files.
func complete(t testing.TB, s Site) Site {
	t.Helper()
	return newWeb(t, []Site{s}, "site.key").Sites[0]
}

// socketDir is a folder with a short name that daemons can reach which are not root.
func socketDir(t testing.TB) string {
	t.Helper()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// isRunning reports whether the process that was started has not ended.
func (d *Daemon) isRunning() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}
