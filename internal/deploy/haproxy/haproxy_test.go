package haproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// ways are the two in which a test can have an HAProxy told.
var ways = []struct {
	name string
	more func(w *deploytest.Web) map[clm.Attr]string
}{
	{"by its socket", bySocket},
	{"by its master process", func(w *deploytest.Web) map[clm.Attr]string {
		return map[clm.Attr]string{clm.ServicePIDFile: w.PIDFile}
	}},
}

func bySocket(w *deploytest.Web) map[clm.Attr]string {
	return map[clm.Attr]string{clm.ServiceSocket: w.Socket}
}

// TestDriver holds the driver against its promises, on a real HAProxy.
func TestDriver(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			deploytest.Test(t, deploytest.Case{
				Start: func(t *testing.T) deploytest.Ground {
					w := deploytest.StartHAProxy(t, deploytest.Site{Name: "www.example.com"})
					spec := w.Sites[0].Look()
					return deploytest.Ground{
						Target: func() deploy.Target { return deploytest.Target(t, Driver, w.Settings(0, way.more(w))) },
						Look:   &spec,
						Keys:   []string{w.Sites[0].Cert},
					}
				},
				Lost: func(t *testing.T) (deploy.Target, string) {
					place := filepath.Join(t.TempDir(), "nowhere")
					w := &deploytest.Web{Sites: []deploytest.Site{{Cert: place + "/a.pem"}}}
					return deploytest.Target(t, Driver, w.Settings(0, nil)), place
				},
			})
		})
	}
}

// TestSocketOverSSH asks the socket of a host that is logged in to.
func TestSocketOverSSH(t *testing.T) {
	if testing.Short() {
		t.Skip("logins are left out of short runs")
	}
	sshd, pool := deploytest.StartSSHD(t), remote.NewPool()
	t.Cleanup(pool.Close)
	w := deploytest.StartHAProxy(t, deploytest.Site{}, deploytest.Site{})
	s := w.Settings(0, bySocket(w))
	s.Host = func() (*remote.Host, error) { return pool.Host(sshd.Access), nil }
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.RSA))
	deploytest.Use(t, deploytest.Target(t, Driver, s), b)
	deploytest.Shows(t, w.Sites[0].Look(), b)

	s = w.Settings(0, map[clm.Attr]string{clm.ServiceSocket: "/nowhere.socket"})
	s.Host = func() (*remote.Host, error) { return pool.Host(sshd.Access), nil }
	_, err := deploytest.Target(t, Driver, s).Service.Reload(t.Context())
	if err == nil || errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), "ask /nowhere.socket on 127.0.0.1: ") {
		t.Errorf("a socket that is not there: got %v", err)
	}
}

// TestSocketLeavesTheProcessAlone gives a certificate without a new worker, and has
// HAProxy start again with it.
func TestSocketLeavesTheProcessAlone(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{}, deploytest.Site{})
	before := ask(t, w, "show info")
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.RSA))
	to := deploytest.Target(t, Driver, w.Settings(0, bySocket(w)))
	deploytest.Use(t, to, b)
	deploytest.Shows(t, w.Sites[0].Look(), b)
	if was, is := value(before, "Pid: "), value(ask(t, w, "show info"), "Pid: "); was == "" || was != is {
		t.Errorf("the worker was %q and is %q", was, is)
	}
	said, err := to.Service.Reload(t.Context())
	if err != nil || said != "" {
		t.Errorf("a second reload says %q, %v; want nothing", said, err)
	}
	_, err = deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServicePIDFile: w.PIDFile})).Service.Reload(t.Context())
	deploytest.Must(t, err)
	w.Await(t, "another worker", func() bool {
		answer, err := remote.Local().Ask(t.Context(), w.Socket, []byte("show info\n"))
		return err == nil && value(answer, "Pid: ") != value(before, "Pid: ")
	})
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

// TestSocketWaitsForOthers has somebody else in the middle of changing another
// certificate: one who goes on, and one who has died.
func TestSocketWaitsForOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("waiting for the dead is left out of short runs")
	}
	for _, c := range []struct {
		name string
		then string // what he does next; nothing: he has died
	}{{"he goes on", "abort ssl cert "}, {"he has died", ""}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := deploytest.StartHAProxy(t, deploytest.Site{}, deploytest.Site{})
			other := w.Sites[1].Cert
			text, err := os.ReadFile(other)
			deploytest.Must(t, err)
			blocks, _ := read(text)
			ask(t, w, "set ssl cert "+other+" <<\n"+string(blocks))
			if c.then != "" {
				time.AfterFunc(5*busyPause, func() { _, _ = remote.Local().Ask(context.Background(), w.Socket, []byte(c.then+other+"\n")) })
			}
			b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.RSA))
			deploytest.Use(t, deploytest.Target(t, Driver, w.Settings(0, bySocket(w))), b)
			deploytest.Shows(t, w.Sites[0].Look(), b)
			if answer := ask(t, w, "show ssl cert"); strings.Contains(answer, "transaction") {
				t.Errorf("something is left open: %s", answer)
			}
		})
	}
}

// TestSocketTakesNothingWrong gives a key that is not of the certificate: HAProxy
// refuses it, nothing stays behind, and no key is in what is said.
func TestSocketTakesNothingWrong(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{}, deploytest.Site{})
	one, err := os.ReadFile(w.Sites[0].Cert)
	deploytest.Must(t, err)
	two, err := os.ReadFile(w.Sites[1].Cert)
	deploytest.Must(t, err)
	cert, _, _ := strings.Cut(string(two), "-----BEGIN PRIVATE KEY")
	_, key, _ := strings.Cut(string(one), "-----BEGIN PRIVATE KEY")
	deploytest.Must(t, os.WriteFile(w.Sites[0].Cert, []byte(cert+"-----BEGIN PRIVATE KEY"+key), 0o600))

	said, err := deploytest.Target(t, Driver, w.Settings(0, bySocket(w))).Service.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "commit ssl cert "+w.Sites[0].Cert+`: haproxy says "inconsistencies between private key and certificate`) {
		t.Errorf("got %v", err)
	}
	if strings.Contains(fmt.Sprint(said, err), "PRIVATE KEY") {
		t.Error("a key is in what is said")
	}
	if answer := ask(t, w, "show ssl cert"); strings.Contains(answer, "transaction") {
		t.Errorf("something is left open: %s", answer)
	}
}

// TestSocketSaysOneThingAtATime refuses what HAProxy would do besides.
func TestSocketSaysOneThingAtATime(t *testing.T) {
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.pem;shutdown frontend x"}}}
	_, err := Driver.New(w.Settings(0, map[clm.Attr]string{clm.ServiceSocket: "/socket"}))
	if err == nil || !strings.HasPrefix(err.Error(), "Certificate File: ") {
		t.Errorf("got %v", err)
	}
}

// TestSocketThatDoesNotAnswer ends with its context, or with what the system says.
func TestSocketThatDoesNotAnswer(t *testing.T) {
	socket := filepath.Join("/tmp", filepath.Base(t.TempDir())+fmt.Sprint(os.Getpid()))
	t.Cleanup(func() { os.Remove(socket) })
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.pem"}}, Socket: socket}
	service := deploytest.Target(t, Driver, w.Settings(0, bySocket(w))).Service
	if _, err := service.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), socket) {
		t.Errorf("no socket: got %v", err)
	}
	listener, err := net.Listen("unix", socket)
	deploytest.Must(t, err)
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := service.Reload(ctx); err == nil || ctx.Err() == nil {
		t.Errorf("nobody answers: got %v", err)
	}
}

// TestSocketThatHangs ends soon after its context where HAProxy has taken a certificate
// and says nothing any more, not even to the order to forget it.
func TestSocketThatHangs(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "cw") // the name of a socket must be short
	deploytest.Must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: filepath.Join(dir, "a.pem")}}, Socket: filepath.Join(dir, "socket")}
	deploytest.FirstFiles(t, "www.example.com", w.Sites[0].Cert, w.Sites[0].Cert)
	listener, err := net.Listen("unix", w.Socket)
	deploytest.Must(t, err)
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var orders []string
	var held []net.Conn
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			order, _ := bufio.NewReader(c).ReadString('\n')
			orders = append(orders, order)
			switch {
			case order == "show ssl cert\n":
				fmt.Fprintf(c, "%s\n\n", w.Sites[0].Cert)
			case strings.HasPrefix(order, "show ssl cert "):
				fmt.Fprintf(c, "Filename: %s\nSHA1 FingerPrint: 00\n\n", w.Sites[0].Cert)
			default:
				held = append(held, c)
				cancel()
				continue
			}
			c.Close()
		}
	}()
	began := time.Now()
	_, err = deploytest.Target(t, Driver, w.Settings(0, bySocket(w))).Service.Reload(ctx)
	if took := time.Since(began); !errors.Is(err, context.Canceled) || took > 4*abortTime {
		t.Errorf("got %v after %v", err, took)
	}
	listener.Close()
	<-served
	for _, c := range held {
		c.Close()
	}
	if last := orders[len(orders)-1]; !strings.HasPrefix(last, "abort ssl cert ") {
		t.Errorf("the last order was %q", last)
	}
}

// TestCheckSaysWhatIsWrong wants HAProxy's own word for it.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{})
	w.Change(t, func(sites []deploytest.Site) { sites[0].Cert = "/nowhere.pem" })
	_, err := deploytest.Target(t, Driver, w.Settings(0, nil)).Service.Check(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "haproxy -c -f "+w.Config+": [ALERT] : config : ") || !strings.Contains(err.Error(), "'/nowhere.pem'") {
		t.Errorf("got %v", err)
	}
}

// TestMasterThatDoesNotRun has no PID file, one of nobody, and one that is none.
func TestMasterThatDoesNotRun(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{})
	w.Stop()
	for _, c := range []struct{ text, want string }{
		{"", "haproxy does not run: there is no " + w.PIDFile},
		{fmt.Sprintln(w.PID), "kill -USR2 "},
		{"-1\n", "is not the number of a master process"},
		{"1\n", "is not the number of a master process"},
		{"all\n", "is not the number of a master process"},
	} {
		deploytest.Must(t, os.RemoveAll(w.PIDFile))
		if c.text != "" {
			deploytest.Must(t, os.WriteFile(w.PIDFile, []byte(c.text), 0o644))
		}
		_, err := deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServicePIDFile: w.PIDFile})).Service.Reload(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want ...%s...", c.text, err, c.want)
		}
	}
}

// TestMasterWithoutWorkers does not take a process for a master that starts none.
func TestMasterWithoutWorkers(t *testing.T) {
	d := deploytest.Start(t, deploytest.Launch{Args: []string{"sh", "-c", "trap '' USR2; echo ready; read line < " + fifo(t)}})
	d.Await(t, "a deaf process", func() bool { return d.Output() != "" })
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.pem"}}, Program: "/opt/sh", PIDFile: filepath.Join(t.TempDir(), "pid")}
	deploytest.Must(t, os.WriteFile(w.PIDFile, fmt.Append(nil, d.PID), 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServicePIDFile: w.PIDFile})).Service.Reload(ctx)
	if err == nil {
		t.Error("it is taken for one that has reloaded")
	}
}

// TestMasterIsNoStranger leaves alone the process of another program whose number
// stands in a PID file of before: the signal would end it.
func TestMasterIsNoStranger(t *testing.T) {
	d := deploytest.Start(t, deploytest.Launch{Args: []string{"sh", "-c", "echo ready; read line < " + fifo(t)}})
	d.Await(t, "a process", func() bool { return d.Output() != "" })
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.pem"}}, PIDFile: filepath.Join(t.TempDir(), "pid")}
	deploytest.Must(t, os.WriteFile(w.PIDFile, fmt.Append(nil, d.PID), 0o644))
	_, err := deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServicePIDFile: w.PIDFile})).Service.Reload(t.Context())
	if want := fmt.Sprintf("haproxy does not run: %s names process %d, which runs ", w.PIDFile, d.PID); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s...", err, want)
	}
	if err := syscall.Kill(d.PID, 0); err != nil {
		t.Errorf("the process: %v", err)
	}
	select {
	case <-d.Ended():
		t.Error("the stranger was ended")
	default:
	}
}

// fifo is a file from which nothing comes.
func fifo(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "fifo")
	deploytest.Must(t, syscall.Mkfifo(name, 0o600))
	return name
}

// TestUnits finds the master process that systemd has started, and has systemd tell it.
func TestUnits(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{})
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n'show --property=MainPID --value haproxy') echo %d;;\n'reload haproxy') kill -USR2 %d;;\n*) exit 1;;\nesac\n", w.PID, w.PID)
	deploytest.Must(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
	deploytest.Use(t, deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServiceUnit: "haproxy"})), b)
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

// TestReloadsInARow loses none of them.
func TestReloadsInARow(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{})
	var b pki.Bundle
	for range 5 {
		b = deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
		deploytest.Use(t, deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServicePIDFile: w.PIDFile})), b)
	}
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

func ask(t *testing.T, w *deploytest.Web, order string) string {
	t.Helper()
	answer, err := remote.Local().Ask(t.Context(), w.Socket, []byte(order+"\n"))
	deploytest.Must(t, err)
	return answer
}

// value is what stands behind the key.
func value(answer, key string) string {
	_, rest, _ := strings.Cut(answer, key)
	found, _, _ := strings.Cut(rest, "\n")
	return found
}
