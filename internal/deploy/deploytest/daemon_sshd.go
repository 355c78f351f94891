package deploytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/secret"
)

// An SSHD lets whoever runs the test log in to this machine.
type SSHD struct {
	*Daemon
	Access remote.Access // the host key is trusted
	Key    []byte        // with which one logs in, as ssh-keygen writes it
}

// StartSSHD starts an SSH server with SFTP.
func StartSSHD(t testing.TB) SSHD {
	t.Helper()
	program, sftp := Program(t, "sshd"), Program(t, "/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
	dir, port, user := Dir(t), FreePort(t), Unprivileged(t, "root").Name
	for _, name := range []string{"host", "user"} {
		keygen := exec.CommandContext(t.Context(), Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name))
		if said, err := keygen.CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, said)
		}
	}
	config := fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
Subsystem sftp %[3]s
`, port, dir, sftp)
	write(t, filepath.Join(dir, "config"), config)
	key, err := os.ReadFile(filepath.Join(dir, "user"))
	if err != nil {
		t.Fatal(err)
	}
	s := SSHD{Key: key}
	s.Daemon = Start(t, Launch{Args: append(besideRun(t), program, "-D", "-e", "-f", filepath.Join(dir, "config"))})
	s.Access = remote.Access{Address: "127.0.0.1", Port: port, Trust: true, Timeout: Patience, Login: remote.Login{User: user, Key: secret.NewPlain(key)}}
	s.AwaitPorts(t, port)
	return s
}

// besideRun starts a program that finds an empty directory /run/sshd, which sshd
// insists on as root and which is there only while the machine's own sshd runs.
func besideRun(t testing.TB) []string {
	t.Helper()
	if _, err := os.Stat("/run/sshd"); err == nil || os.Getuid() != 0 {
		return nil
	}
	return []string{Program(t, "unshare"), "-m", "sh", "-c", `mount -t tmpfs none /run && mkdir -m 0755 /run/sshd && exec "$@"`, "sh"}
}
