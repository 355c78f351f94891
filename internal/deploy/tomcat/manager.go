package tomcat

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/secret"
)

// A manager is a Tomcat that is told by its manager (page "Apache Tomcat Manager
// App", section "Reload TLS configuration"). The device asks it, because it answers
// nobody from elsewhere unless that was changed. The user needs the role
// manager-script.
type manager struct {
	deploy.Programs
	address  *url.URL
	user     string
	password secret.Plain
}

func newManager(s deploy.Settings, p deploy.Programs) (deploy.Service, error) {
	text := s.Value(clm.ServiceSocket, "")
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" {
		return nil, wrong(clm.ServiceSocket, "%q is not like http://user@127.0.0.1:8080/manager", text)
	}
	user := address.User.Username()
	if _, has := address.User.Password(); has {
		return nil, wrong(clm.ServiceSocket, "the password does not belong there, but into the credential")
	}
	if strings.Contains(user, ":") {
		return nil, wrong(clm.ServiceSocket, "%q cannot be the name of a user", user)
	}
	if user != "" && s.Secrets[clm.ServiceUser].IsEmpty() {
		return nil, wrong(clm.ServiceUser, "a user needs a password")
	}
	address.User, address.RawQuery, address.Fragment = nil, "", ""
	return manager{p, address, user, s.Secrets[clm.ServiceUser]}, nil
}

// Check runs the program that checks, and finds out whether the manager is there and
// lets the user in.
func (m manager) Check(ctx context.Context) (said string, err error) {
	if said, err = m.Programs.Check(ctx); err != nil {
		return said, err
	}
	more, err := m.ask(ctx, "serverinfo")
	return said + more, err
}

// Reload has Tomcat read the keystores of all its hosts.
func (m manager) Reload(ctx context.Context) (said string, err error) { return m.ask(ctx, "sslReload") }

// ask asks the manager something, which begins its answer with OK where all is well.
// What it asks with comes from its input, because all users see the arguments of
// programs.
func (m manager) ask(ctx context.Context, what string) (said string, err error) {
	host, err := m.Host()
	if err != nil {
		return "", err
	}
	address := m.address.JoinPath("text", what).String()
	config := "silent\nshow-error\nmax-time = 60\nnoproxy = \"*\"\nwrite-out = \"\\n%{http_code}\"\nurl = " + quoted(address) + "\n"
	if m.user != "" {
		config += "user = " + quoted(m.user+":"+string(m.password.Reveal())) + "\n"
	}
	said, err = host.Run(ctx, remote.Command{Args: []string{"curl", "--disable", "--config", "-"}, Stdin: []byte(config)})
	answer, status := said, ""
	if i := strings.LastIndexByte(said, '\n'); i >= 0 {
		answer, status = said[:i], said[i+1:]
	}
	first, _, _ := strings.Cut(answer, "\n")
	switch {
	case err != nil && said != "":
		return said, fmt.Errorf("%s: %w: %s", address, err, strings.TrimSpace(first))
	case err != nil:
		return said, fmt.Errorf("%s: %w", address, err)
	case status == "401" || status == "403":
		return said, fmt.Errorf("%s: the manager does not let user %q in (status %s)", address, m.user, status)
	case status != "200":
		return said, fmt.Errorf("%s: the manager answers with status %s%s", address, status, message(answer))
	case !strings.HasPrefix(answer, "OK"):
		return said, fmt.Errorf("%s: %s", address, strings.TrimSpace(first))
	}
	return said, nil
}

// message is what a page of Tomcat's says of an error.
func message(page string) string {
	_, rest, _ := strings.Cut(page, "<b>Message</b>")
	text, _, ok := strings.Cut(rest, "</p>")
	if !ok {
		return ""
	}
	return ": " + strings.TrimSpace(text)
}

// quoted writes a text as files of curl's settings have it (page "curl.1", option
// --config).
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`).Replace(text) + `"`
}
