package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// StartApache starts an Apache with a virtual host for each site.
func StartApache(t testing.TB, sites ...Site) *Web {
	t.Helper()
	program, as := Program(t, "apache2", "httpd"), Unprivileged(t, "www-data", "apache")
	module := Program(t, "/usr/lib/apache2/modules/mod_ssl.so", "/usr/lib*/httpd/modules/mod_ssl.so")
	w := newWeb(t, sites, "site.key")
	w.Program, w.text = program, func(w Web) string { return apacheConfig(w, filepath.Dir(module), as) }
	w.configure(t)
	w.Daemon = Start(t, Launch{Args: []string{program, "-f", w.Config, "-DFOREGROUND"}})
	w.AwaitFile(t, w.PIDFile)
	w.AwaitPorts(t, w.ports()...)
	return w
}

func apacheConfig(w Web, modules string, as Account) string {
	var b strings.Builder
	dir := filepath.Dir(w.Config)
	for _, m := range []string{"mpm_event", "authz_core", "ssl"} {
		fmt.Fprintf(&b, "LoadModule %s_module %s\n", m, filepath.Join(modules, "mod_"+m+".so"))
	}
	fmt.Fprintf(&b, "ServerRoot %s\nDocumentRoot %s\nDefaultRuntimeDir %s\nPidFile %s\nServerName localhost\nErrorLog /dev/stderr\n", dir, dir, dir, w.PIDFile)
	if os.Getuid() == 0 {
		fmt.Fprintf(&b, "User %s\nGroup %s\n", as.Name, as.Group)
	}
	b.WriteString("StartServers 1\nThreadsPerChild 8\nMinSpareThreads 1\nMaxRequestWorkers 64\n")
	for _, port := range w.ports() {
		fmt.Fprintf(&b, "Listen 127.0.0.1:%d\n", port)
	}
	for _, s := range w.Sites {
		fmt.Fprintf(&b, "<VirtualHost 127.0.0.1:%d>\n\tServerName %s\n\tSSLEngine on\n", s.Port, s.Name)
		fmt.Fprintf(&b, "\tSSLCertificateFile %s\n\tSSLCertificateKeyFile %s\n", s.Cert, s.Key)
		if s.Chain != "" {
			fmt.Fprintf(&b, "\tSSLCertificateChainFile %s\n", s.Chain)
		}
		b.WriteString("</VirtualHost>\n")
	}
	return b.String()
}
