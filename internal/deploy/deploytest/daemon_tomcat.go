package deploytest

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/pki"
)

// Tomcat is a servlet container of a test's own, with nothing in it but the manager
// by which it is told to read its keystores again.
type Tomcat struct {
	*Daemon
	Site            // its certificate lies in a keystore, which both names of files name
	Manager  string // the URL of the manager
	User     string // as whom it is used
	Password string // of the user
}

// A Keystore says how Tomcat opens one.
type Keystore struct {
	Type        string // JKS or PKCS12, which is meant where nothing is said
	Password    string
	KeyPassword string // of the key in it; empty: the same
	Alias       string // of the key; empty: whichever there is
}

// tomcatServer is conf/server.xml: two ports, the attributes of the keystore, and
// the folder of the manager.
const tomcatServer = `<Server port="-1">
  <Service name="Catalina">
    <Connector port="%d" address="127.0.0.1"/>
    <Connector port="%d" address="127.0.0.1" SSLEnabled="true" scheme="https" secure="true">
      <SSLHostConfig><Certificate%s/></SSLHostConfig>
    </Connector>
    <Engine name="Catalina" defaultHost="localhost">
      <Realm className="org.apache.catalina.realm.MemoryRealm" pathname="conf/tomcat-users.xml"/>
      <Host name="localhost" appBase="webapps" autoDeploy="false">
        <Context path="/manager" docBase="%s" privileged="true">
          <JarScanner><JarScanFilter defaultTldScan="false" defaultPluggabilityScan="false"/></JarScanner>
        </Context>
      </Host>
    </Engine>
  </Service>
</Server>
`

// tomcatManager is WEB-INF/web.xml of the manager: the part that programs use. What
// it is made of comes with the server, whether the manager's pages are installed or not.
const tomcatManager = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
  <servlet>
    <servlet-name>Manager</servlet-name>
    <servlet-class>org.apache.catalina.manager.ManagerServlet</servlet-class>
  </servlet>
  <servlet-mapping>
    <servlet-name>Manager</servlet-name>
    <url-pattern>/text/*</url-pattern>
  </servlet-mapping>
  <security-constraint>
    <web-resource-collection>
      <web-resource-name>text</web-resource-name>
      <url-pattern>/text/*</url-pattern>
    </web-resource-collection>
    <auth-constraint><role-name>manager-script</role-name></auth-constraint>
  </security-constraint>
  <login-config><auth-method>BASIC</auth-method></login-config>
  <security-role><role-name>manager-script</role-name></security-role>
</web-app>
`

// StartTomcat starts Tomcat with a site whose certificate lies in a keystore. Where
// the file is not there, it begins with a self-signed certificate.
func StartTomcat(t testing.TB, s Site, k Keystore) Tomcat {
	t.Helper()
	java := Program(t, "java")
	home := filepath.Dir(filepath.Dir(Program(t, "/usr/share/tomcat*/bin/bootstrap.jar", "/opt/tomcat*/bin/bootstrap.jar")))
	dir := Dir(t)
	if s.Cert == "" {
		s.Cert = filepath.Join(dir, "tls", "site.keystore")
	}
	firstStore(t, s.Cert, k)
	s.Key = s.Cert
	c := Tomcat{Site: complete(t, s), User: "certwright", Password: `it's "the" \ pass word`}

	plain := FreePort(t)
	c.Manager = "http://" + Local(plain) + "/manager"
	for _, sub := range []string{"conf", "logs", "temp", "work", "webapps", "manager/WEB-INF"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "conf/server.xml"), fmt.Sprintf(tomcatServer, plain, c.Port, k.attributes(c.Cert), filepath.Join(dir, "manager")))
	write(t, filepath.Join(dir, "conf/tomcat-users.xml"), fmt.Sprintf(
		`<tomcat-users><user username="%s" password="%s" roles="manager-script"/></tomcat-users>`, c.User, html.EscapeString(c.Password)))
	write(t, filepath.Join(dir, "manager/WEB-INF/web.xml"), tomcatManager)

	c.Daemon = Start(t, Launch{Args: []string{java, "-XX:+UseSerialGC", "-Xmx128m",
		"-cp", filepath.Join(home, "bin/bootstrap.jar") + ":" + filepath.Join(home, "bin/tomcat-juli.jar"),
		"-Dcatalina.home=" + home, "-Dcatalina.base=" + dir, "-Djava.io.tmpdir=" + filepath.Join(dir, "temp"),
		"org.apache.catalina.startup.Bootstrap", "start"}})
	c.Await(t, "its start", func() bool { return strings.Contains(c.Output(), "Server startup in") }) // it listens before it answers
	return c
}

// Look is where the certificate is looked at.
func (c Tomcat) Look() look.Spec {
	return look.Spec{Protocol: look.TLS, Host: "127.0.0.1", Port: c.Port}
}

// attributes are those of a Certificate in server.xml.
func (k Keystore) attributes(file string) string {
	text := ""
	for _, a := range [][2]string{
		{"File", file}, {"Type", k.Type}, {"Password", k.Password},
	} {
		if a[1] != "" {
			text += fmt.Sprintf(` certificateKeystore%s="%s"`, a[0], html.EscapeString(a[1]))
		}
	}
	if k.KeyPassword != "" {
		text += fmt.Sprintf(` certificateKeyPassword="%s"`, html.EscapeString(k.KeyPassword))
	}
	if k.Alias != "" {
		text += fmt.Sprintf(` certificateKeyAlias="%s"`, html.EscapeString(k.Alias))
	}
	return text
}

// firstStore writes a keystore with a self-signed certificate, unless it is there.
func firstStore(t testing.TB, file string, k Keystore) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	b := SelfSigned(t, "localhost")
	b.FriendlyName, b.Password = "site", []byte(k.Password)
	if k.Alias != "" {
		b.FriendlyName = k.Alias
	}
	data, err := pki.EncodePKCS12(b, pki.AES256)
	if k.Type == "JKS" {
		if k.KeyPassword != "" {
			b.Password = []byte(k.KeyPassword)
		}
		data, err = pki.EncodeJKS(b, []byte(k.Password))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
