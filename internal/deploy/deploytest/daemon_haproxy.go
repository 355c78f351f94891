package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// StartHAProxy starts an HAProxy with a frontend for each port of the sites. It has
// a master process, and a socket on which it takes orders.
func StartHAProxy(t testing.TB, sites ...Site) *Web {
	t.Helper()
	program := Program(t, "haproxy")
	w := newWeb(t, sites, "")
	w.Program, w.text = program, haproxyConfig
	w.Socket = filepath.Join(shortDir(t), "socket")
	w.configure(t)
	w.Daemon = Start(t, Launch{Args: []string{program, "-W", "-f", w.Config, "-p", w.PIDFile}})
	w.AwaitFile(t, w.PIDFile)
	w.AwaitPorts(t, w.ports()...)
	return w
}

func haproxyConfig(w Web) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global\n\tmaxconn 200\n\tstats socket %s mode 600 level admin expose-fd listeners\n", w.Socket)
	b.WriteString("defaults\n\tmode http\n\ttimeout connect 5s\n\ttimeout client 30s\n\ttimeout server 30s\n")
	for _, port := range w.ports() {
		fmt.Fprintf(&b, "frontend port%d\n\tbind 127.0.0.1:%d ssl", port, port)
		for _, s := range w.Sites {
			if s.Port == port {
				fmt.Fprintf(&b, " crt %s", s.Cert)
			}
		}
		b.WriteString("\n\thttp-request return status 200\n")
	}
	return b.String()
}

// shortDir is a folder of the test's with a short name: that of a socket has little
// more than a hundred octets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
