package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/certwright/certwright/internal/deploy/look"
)

// Dovecot is an instance of Dovecot of a test's own.
type Dovecot struct {
	*Daemon
	Site          // its port is that of IMAP, which begins in the clear
	Config string // its configuration file
	IMAPS  int    // the port of IMAP over TLS
}

// dovecotConf is the configuration; the folder with everything, certificate and key,
// the ports, and a user and group.
const dovecotConf = `protocols = imap
listen = 127.0.0.1
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
ssl = yes
ssl_cert = <%[2]s
ssl_key = <%[3]s
mail_location = maildir:%[1]s/mail
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=%[6]s gid=%[7]s home=%[1]s/home
}
service imap-login {
  inet_listener imap {
    port = %[4]d
  }
  inet_listener imaps {
    port = %[5]d
    ssl = yes
  }
}
`

// dovecotRootless is what there is more of it for one who is not root.
const dovecotRootless = `default_internal_user = %[1]s
default_internal_group = %[2]s
default_login_user = %[1]s
service imap-login {
  chroot =
}
service anvil {
  chroot =
}
`

// StartDovecot starts Dovecot with the certificate and key of a site.
func StartDovecot(t testing.TB, s Site) Dovecot {
	t.Helper()
	program := Program(t, "dovecot")
	Program(t, "/usr/lib/dovecot/imap-login", "/usr/libexec/dovecot/imap-login")
	dir, as := socketDir(t), Unprivileged(t, "dovecot")
	d := Dovecot{Site: complete(t, s), Config: filepath.Join(dir, "dovecot.conf"), IMAPS: FreePort(t)}
	conf := fmt.Sprintf(dovecotConf, dir, d.Cert, d.Key, d.Port, d.IMAPS, as.Name, as.Group)
	if os.Getuid() != 0 {
		conf += fmt.Sprintf(dovecotRootless, as.Name, as.Group)
	}
	write(t, d.Config, conf)

	d.Daemon = Start(t, Launch{Args: []string{program, "-F", "-c", d.Config}})
	d.AwaitPorts(t, d.Port, d.IMAPS)
	return d
}

// Look is where the certificate is looked at.
func (d Dovecot) Look() look.Spec {
	return look.Spec{Protocol: look.IMAP, Host: "127.0.0.1", Port: d.Port}
}
