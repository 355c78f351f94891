package deploytest

import (
	"crypto/tls"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// webs are the web servers, and how each is told to check and to reload.
var webs = []struct {
	name   string
	start  func(testing.TB, ...Site) *Web
	check  func(w *Web) []string
	reload func(w *Web) []string
}{
	{
		"nginx", StartNginx,
		func(w *Web) []string { return []string{w.Program, "-t", "-c", w.Config} },
		func(w *Web) []string { return []string{w.Program, "-s", "reload", "-c", w.Config} },
	},
	{
		"apache", StartApache,
		func(w *Web) []string { return []string{w.Program, "-t", "-f", w.Config} },
		func(w *Web) []string { return []string{w.Program, "-k", "graceful", "-f", w.Config} },
	},
	{
		"haproxy", StartHAProxy,
		func(w *Web) []string { return []string{w.Program, "-c", "-f", w.Config} },
		func(w *Web) []string { return []string{"kill", "-USR2", fmt.Sprint(w.PID)} },
	},
}

// TestWebServersCanBeBroken starts each with sites on ports of their own and on a
// shared one, lets a site serve another file, and takes a key away.
func TestWebServersCanBeBroken(t *testing.T) {
	for _, kind := range webs {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			shared := FreePort(t)
			w := kind.start(t, Site{Name: "a.test", Port: shared}, Site{Name: "b.test", Port: shared}, Site{})
			for _, s := range w.Sites {
				if got := shown(t, s); got != s.Name {
					t.Errorf("%s shows %s", s.Name, got)
				}
			}
			w.Change(t, func(sites []Site) { sites[2].Cert, sites[2].Key = sites[0].Cert, sites[0].Key })
			run(t, kind.check(w))
			run(t, kind.reload(w))
			told := time.Now()
			w.Await(t, "the other file", func() bool {
				if time.Since(told) > 5*time.Second { // HAProxy loses what it is told while it begins
					run(t, kind.reload(w))
					told = time.Now()
				}
				return shown(t, w.Sites[2]) == "a.test"
			})

			w.Change(t, func(sites []Site) { sites[1].Cert, sites[1].Key = "/nowhere.pem", "/nowhere.pem" })
			check := kind.check(w)
			if out, err := exec.Command(check[0], check[1:]...).CombinedOutput(); err == nil || !strings.Contains(string(out), "/nowhere.pem") {
				t.Errorf("check of a broken configuration: %v\n%s", err, out)
			}
		})
	}
}

// TestDeafProgramDoesNothing holds a sabotaged program against the real one.
func TestDeafProgramDoesNothing(t *testing.T) {
	echo := Deaf(t, Program(t, "echo"), "reload", "graceful")
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"-s", "reload"}, ""}, {[]string{"-t", "it's"}, "-t it's\n"}} {
		if out, err := exec.Command(echo, c.args...).CombinedOutput(); err != nil || string(out) != c.want {
			t.Errorf("%q: %q, %v", c.args, out, err)
		}
	}
}

func run(t *testing.T, args []string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// shown is the common name of the certificate that a site shows.
func shown(t *testing.T, s Site) string {
	t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: Patience}, "tcp", Local(s.Port), &tls.Config{ServerName: s.Name, InsecureSkipVerify: true})
	if err != nil {
		t.Logf("%s: %v", s.Name, err)
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}
