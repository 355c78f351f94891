package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// StartNginx starts an nginx with a server block for each site.
func StartNginx(t testing.TB, sites ...Site) *Web {
	t.Helper()
	program, as := Program(t, "nginx"), Unprivileged(t, "www-data", "nginx")
	w := newWeb(t, sites, "site.key")
	w.Program, w.text = program, func(w Web) string { return nginxConfig(w, as) }
	w.configure(t)
	log := nginxLog(*w)
	w.Daemon = Start(t, Launch{Args: []string{program, "-e", log, "-c", w.Config}})
	t.Cleanup(func() {
		if text, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("nginx has logged:\n%s", text)
		}
	})
	w.AwaitFile(t, w.PIDFile)
	w.AwaitPorts(t, w.ports()...)
	return w
}

func nginxConfig(w Web, as Account) string {
	var b strings.Builder
	if os.Getuid() == 0 {
		fmt.Fprintf(&b, "user %s %s;\n", as.Name, as.Group)
	}
	fmt.Fprintf(&b, "daemon off;\nworker_processes 1;\npid %s;\nerror_log %s notice;\nevents { worker_connections 512; }\n", w.PIDFile, nginxLog(w))
	b.WriteString("http {\n\taccess_log off;\n")
	for _, temp := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "\t%s_temp_path %s;\n", temp, filepath.Join(filepath.Dir(w.Config), temp))
	}
	for _, s := range w.Sites {
		fmt.Fprintf(&b, "\tserver {\n\t\tlisten 127.0.0.1:%d ssl;\n\t\tserver_name %s;\n", s.Port, s.Name)
		fmt.Fprintf(&b, "\t\tssl_certificate %s;\n\t\tssl_certificate_key %s;\n\t\tlocation / { return 200 ok; }\n\t}\n", s.Cert, s.Key)
	}
	b.WriteString("}\n")
	return b.String()
}

// nginxLog is a file, because nginx says things twice that it logs on its output.
func nginxLog(w Web) string { return filepath.Join(filepath.Dir(w.Config), "error.log") }
