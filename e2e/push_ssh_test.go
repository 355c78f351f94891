package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/certwright/certwright/internal/deploy/deploytest"
)

// The passwords of SSH: with which one logs in, one that is wrong, and what protects
// the private key that one logs in with.
const (
	sshPassword   = "Harbour-Light-4-'Keeper'"
	wrongPassword = "Harbour-Light-5-Drowned"
	sshPassphrase = "Under-Lock-6-And-Key"
)

var sshSecrets = []string{sshPassword, wrongPassword, sshPassphrase}

// An sshHost lets whoever runs the test log in to this machine by SSH, always at the
// same port. Each connection has an sshd of its own, so that all of them can be ended.
type sshHost struct {
	port      int
	user      string
	key       string   // the file with the private key that logs in
	protected string   // the same with a passphrase
	hostKeys  []string // files
	dir       string
	program   []string

	mu       sync.Mutex
	listener net.Listener // nil: nobody listens
	running  map[*exec.Cmd]bool
	all      sync.WaitGroup
}

// startSSH starts a host that shows the first of its host keys.
func startSSH(t *testing.T) *sshHost {
	t.Helper()
	h := &sshHost{
		port: deploytest.FreePort(t), user: deploytest.Unprivileged(t, "root").Name, dir: deploytest.Dir(t), running: map[*exec.Cmd]bool{},
	}
	h.key, h.protected = h.newKey(t, "user", ""), h.newKey(t, "protected", sshPassphrase)
	h.hostKeys = []string{h.newKey(t, "host", ""), h.newKey(t, "other-host", "")}
	users := readFile(t, h.key+".pub") + "\n" + readFile(t, h.protected+".pub") + "\n"
	writeFile(t, filepath.Join(h.dir, "users"), []byte(users))
	sftp := deploytest.Program(t, "/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
	config := writeFile(t, filepath.Join(h.dir, "config"), fmt.Appendf(nil, `AuthorizedKeysFile %s/users
StrictModes no
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp %s
`, h.dir, sftp))
	h.program = append(h.withPassword(t), deploytest.Program(t, "sshd"), "-i", "-e", "-f", config, "-h")
	h.open(t, 0)
	t.Cleanup(func() {
		h.close()
		h.all.Wait()
	})
	return h
}

func (h *sshHost) newKey(t *testing.T, name, passphrase string) (file string) {
	t.Helper()
	file = filepath.Join(h.dir, name)
	said, err := exec.Command(deploytest.Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", passphrase, "-f", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, said)
	}
	return file
}

// withPassword starts a program that finds the password of root to be sshPassword, which
// nobody else does, and an empty directory /run/sshd. Who is not root can log in with a
// key alone.
func (h *sshHost) withPassword(t *testing.T) (start []string) {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	hash := strings.TrimSpace(openssl(t, "passwd", "-6", sshPassword))
	shadow := writeFile(t, filepath.Join(h.dir, "shadow"), []byte("root:"+hash+":19000:0:99999:7:::\n"))
	const script = `mount --bind "$0" /etc/shadow && mount -t tmpfs none /run && mkdir -m 0755 /run/sshd && exec "$@"`
	start = []string{deploytest.Program(t, "unshare"), "-m", "sh", "-c", script, shadow}
	if said, err := exec.Command(start[0], append(start[1:], "true")...).CombinedOutput(); err != nil {
		need(t, fmt.Errorf("passwords of our own are not possible here: %s", said))
	}
	return start
}

// open lets one log in; the host shows that one of its keys.
func (h *sshHost) open(t *testing.T, key int) {
	t.Helper()
	l, err := net.Listen("tcp", deploytest.Local(h.port))
	if err != nil {
		t.Fatal(err)
	}
	h.listener = l
	h.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.all.Go(func() { h.serve(conn.(*net.TCPConn), h.hostKeys[key]) })
		}
	})
}

func (h *sshHost) serve(conn *net.TCPConn, key string) {
	socket, err := conn.File()
	conn.Close()
	if err != nil {
		return
	}
	defer socket.Close()
	cmd := exec.Command(h.program[0], append(h.program[1:len(h.program):len(h.program)], key)...)
	cmd.Stdin, cmd.Stdout = socket, socket
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.mu.Lock()
	if err = cmd.Start(); err == nil {
		h.running[cmd] = true
	}
	h.mu.Unlock()
	if err == nil {
		_ = cmd.Wait() // it ends as it likes
		h.mu.Lock()
		delete(h.running, cmd)
		h.mu.Unlock()
	}
}

// close refuses connections and ends those that there are.
func (h *sshHost) close() {
	h.listener.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for cmd := range h.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group is its own
	}
}

// fingerprint is what ssh-keygen says of a host key.
func (h *sshHost) fingerprint(t *testing.T, key int) string {
	t.Helper()
	said, err := exec.Command(deploytest.Program(t, "ssh-keygen"), "-l", "-f", h.hostKeys[key]).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(said))[1]
}

// A remotePush is a push to a host that is logged in to: an nginx, and files that nobody reads.
type remotePush struct {
	*push
	host  *sshHost
	admin *api
	file  string // the certificate of the application PEM
}

const (
	remoteDevice = pushFolder + `\this machine`

	byKey       = pushFolder + `\key`
	byProtected = pushFolder + `\protected key`
	byPassword  = pushFolder + `\password`
)

// newRemotePush starts all that is needed, and has the first certificate pushed with a
// private key that the estate file brought.
func newRemotePush(t *testing.T, kind string) *remotePush {
	t.Helper()
	site := deploytest.Site{Name: shopHost}
	nginx, dir := webService("NGINX", deploytest.StartNginx(t, site)), deploytest.Dir(t)
	p := &remotePush{host: startSSH(t), file: filepath.Join(dir, "site.pem")}
	files := service{class: "PEM", look: nginx.look, keys: []string{
		key("certificateFile", p.file), key("keyFile", filepath.Join(dir, "site.key")), "disableNetworkValidation: true",
	}}
	p.push = &push{fleet: []service{nginx, files}, dn: pushFolder + `\` + shopHost}
	var err error
	p.s, err = newServer(t.TempDir(), kind)
	need(t, err)
	bySSH := fmt.Sprintf("port: %d\n    timeout: 60\n    credential: '%s'", p.host.port, byKey)
	estate := strings.Replace(pushEstate(p.fleet), "connection: Local", bySSH, 1) + fmt.Sprintf(`credentials:
  - {dn: '%s', kind: PrivateKey, username: %s, file: '%s'}
  - {dn: '%s', kind: UsernamePassword, username: %[2]s, password: "%[5]s"}
`, byKey, p.host.user, p.host.key, byPassword, sshPassword)
	writeFile(t, filepath.Join(filepath.Dir(p.s.dir), "estate.yaml"), []byte(estate))
	need(t, p.s.start())
	t.Cleanup(func() {
		if p.s.running {
			p.s.kill()
		}
		p.s.showLog(t)
	})
	p.api = login(t, p.s, "alice")
	p.admin = loginWith(t, p.s, "admin", "websdk", "configuration:manage;security:manage")
	p.must(t, "vedsdk/Certificates/Request", object{"PolicyDN": pushFolder, "Subject": shopHost, "WorkToDoTimeout": 60})
	p.must(t, "vedsdk/Certificates/Associate", object{"CertificateDN": p.dn, "ApplicationDN": []string{p.fleet[0].dn(), p.fleet[1].dn()}, "PushToNew": true})
	p.arrives(t, p.leaf(t))
	return p
}

// arrives wants both applications to come to have the certificate.
func (p *remotePush) arrives(t *testing.T, leaf []byte) {
	t.Helper()
	for _, s := range p.fleet {
		if failure := p.done(t, s); failure != "" {
			t.Errorf("%s: %s", s.class, failure)
		}
	}
	shows(t, p.fleet[0], leaf)
	if block, _ := pem.Decode([]byte(readFile(t, p.file))); block == nil || !bytes.Equal(block.Bytes, leaf) {
		t.Errorf("%s holds another certificate", p.file)
	}
}

// fails wants both applications to stop before anything has changed, and to say why.
func (p *remotePush) fails(t *testing.T, old []byte, says ...string) {
	t.Helper()
	for _, s := range p.fleet {
		failure := p.done(t, s)
		for _, text := range append(says, "800 ") {
			if !strings.Contains(failure, text) {
				t.Errorf("%s: got %q, want %q", s.class, failure, text)
			}
		}
		for n, secret := range sshSecrets {
			if strings.Contains(failure, secret) {
				t.Errorf("the status of %s shows secret %d", s.class, n)
			}
		}
	}
	shows(t, p.fleet[0], old)
	if block, _ := pem.Decode([]byte(readFile(t, p.file))); block == nil || !bytes.Equal(block.Bytes, old) {
		t.Errorf("%s has changed", p.file)
	}
}

// set writes an attribute of the device.
func (p *remotePush) set(t *testing.T, attribute string, values ...string) {
	t.Helper()
	p.must(t, "vedsdk/Config/Write", object{"ObjectDN": remoteDevice, "AttributeData": []object{{"Name": attribute, "Value": values}}})
}

// has reads an attribute of the device.
func (p *remotePush) has(t *testing.T, attribute string) string {
	t.Helper()
	return strings.Trim(p.must(t, "vedsdk/Config/Read", object{"ObjectDN": remoteDevice, "AttributeName": attribute}).get("Values"), "[]")
}

func (p *remotePush) retry(t *testing.T) {
	t.Helper()
	p.must(t, "vedsdk/Certificates/Retry", object{"CertificateDN": p.dn})
}

// keepsSecrets ends the server, and searches what it has told and what it leaves on disk
// for passwords and private keys.
func (p *remotePush) keepsSecrets(t *testing.T) {
	t.Helper()
	secrets := slices.Clone(sshSecrets)
	for _, file := range []string{p.host.key, p.host.protected} {
		block, _ := pem.Decode([]byte(readFile(t, file)))
		body := string(block.Bytes)
		for _, text := range []string{base64.StdEncoding.EncodeToString(block.Bytes), body} {
			secrets = append(secrets, text[len(text)-100:]) // they all begin alike
		}
		for line := range strings.Lines(readFile(t, file)) {
			if line = strings.TrimSpace(line); len(line) > 60 {
				secrets = append(secrets, line)
			}
		}
	}
	search := func(where string, content []byte) {
		for n, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s shows secret %d", where, n)
			}
		}
	}
	events, err := p.admin.get("vedsdk/Log?Limit=10000")
	if err != nil || !bytes.Contains(events.Body, []byte("Certificate Installation")) {
		t.Errorf("the log: %v, %.200s", err, events.Body)
	}
	search("the log", events.Body)
	for _, dn := range []string{remoteDevice, p.fleet[0].dn(), p.fleet[1].dn(), byKey, byPassword} {
		search(dn, p.must(t, "vedsdk/Config/ReadAll", object{"ObjectDN": dn}).Body)
	}
	if err := p.s.stop(); err != nil {
		t.Error(err)
	}
	if err := p.s.leaks(); err != nil {
		t.Error(err)
	}
	said, err := os.ReadFile(p.s.log)
	if err != nil {
		t.Fatal(err)
	}
	search("what the server has printed", said)
	err = filepath.WalkDir(p.s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		search(name, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A renewed certificate goes to a host that is logged in to, in every way in which one
// can log in, and nothing of what that takes can be read anywhere.
func TestPushBySSH(t *testing.T) {
	t.Parallel()
	for kind := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newRemotePush(t, kind)
			if got, want := p.has(t, "Last Known Fingerprint"), p.host.fingerprint(t, 0); got != want {
				t.Errorf("the host key: got %q, want %q", got, want)
			}
			if got := p.has(t, "Last Known Key Type"); got != "ssh-ed25519" {
				t.Errorf("its kind: got %q", got)
			}
			content, err := os.ReadFile(p.host.protected)
			need(t, err)
			p.admin.must(t, "vedsdk/Credentials/Create", object{"CredentialPath": byProtected, "FriendlyName": "PrivateKey", "Values": []object{
				{"Name": "Username", "Type": "string", "Value": p.host.user}, {"Name": "Key", "Type": "byte[]", "Value": base64.StdEncoding.EncodeToString(content)},
				{"Name": "Password", "Type": "string", "Value": sshPassphrase},
			}})
			ways := []string{byProtected, byPassword, byKey}
			if os.Getuid() != 0 {
				ways = []string{byProtected, byKey}
			}
			for _, credential := range ways {
				p.set(t, "Credential", credential)
				p.arrives(t, p.renew(t))
			}
			p.keepsSecrets(t)
		})
	}
}

// The key that a host has shown first is as good as one that somebody has written down:
// a host that shows another is not logged in to, until somebody says that it is right.
func TestPushKnowsItsHost(t *testing.T) {
	t.Parallel()
	p := newRemotePush(t, "sqlite")
	first, second := p.host.fingerprint(t, 0), p.host.fingerprint(t, 1)
	old := p.leaf(t)
	p.host.close()
	p.host.open(t, 1)
	fresh := p.renew(t)
	p.fails(t, old, "it has none of the host keys that are known of it, but "+second)
	if got := p.has(t, "Last Known Fingerprint"); got != first {
		t.Errorf("refused: got %q for the host key that is known, want %q as before", got, first)
	}

	p.set(t, "Enforce Known Host", "1")
	p.retry(t)
	p.fails(t, old, "no key of the host is known")
	p.set(t, "Trusted Fingerprint", first)
	p.retry(t)
	p.fails(t, old, "it has none of the host keys that are known of it, but "+second)
	p.set(t, "Trusted Fingerprint", first, second)
	p.retry(t)
	p.arrives(t, fresh)

	p.host.close()
	p.host.open(t, 0)
	p.arrives(t, p.renew(t))
	p.keepsSecrets(t)
}

// A login that is refused is not tried again by itself, and says nothing of the password.
func TestPushWithWrongPassword(t *testing.T) {
	t.Parallel()
	p := newRemotePush(t, "sqlite")
	old, changed := p.leaf(t), func(password string) {
		t.Helper()
		p.admin.must(t, "vedsdk/Credentials/Update", object{"CredentialPath": byPassword, "FriendlyName": "UsernamePassword", "Values": []object{
			{"Name": "Username", "Type": "string", "Value": p.host.user}, {"Name": "Password", "Type": "string", "Value": password},
		}})
	}
	changed(wrongPassword)
	p.set(t, "Credential", byPassword)
	fresh := p.renew(t)
	p.fails(t, old, "as "+p.host.user, "the login was refused")
	if os.Getuid() == 0 {
		changed(sshPassword)
	} else {
		p.set(t, "Credential", byKey)
	}
	p.retry(t)
	p.arrives(t, fresh)
	p.keepsSecrets(t)
}

// A host that is down is tried again by itself, which can be seen, and not for ever. When
// it is back, a retry brings the certificate there.
func TestPushToHostThatIsDown(t *testing.T) {
	t.Parallel()
	for kind := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newRemotePush(t, kind)
			old := p.leaf(t)
			p.host.close()
			fresh := p.renew(t)
			for _, s := range p.fleet {
				within(t, pushWithin, s.class+" says that it is tried again", func() bool {
					note := p.read(t, s, "Status")
					return strings.Contains(note, "connection refused") && p.read(t, s, "In Error") == "" && p.read(t, s, "Stage") == "800"
				})
			}
			for _, s := range p.fleet {
				within(t, pushWithin, s.class+" stops", func() bool { return p.read(t, s, "In Error") == "1" })
			}
			p.fails(t, old, "connection refused")
			p.host.open(t, 0)
			p.retry(t)
			p.arrives(t, fresh)
		})
	}
}
