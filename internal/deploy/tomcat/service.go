package tomcat

import (
	"errors"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
)

// newService makes the Tomcat, told in the first of the ways that is set: a command,
// the manager, systemd.
func newService(s deploy.Settings) (deploy.Service, error) {
	p, err := s.Commands("restart")
	if err != nil {
		return nil, err
	}
	manager := s.Value(clm.ServiceSocket, "")
	p.Service = strings.Join([]string{"tomcat", p.Service, s.Machine(), manager}, "\n")
	switch {
	case manager != "" && s.Value(clm.ReloadCommand, "") == "":
		return newManager(s, p)
	case p.Reloads != nil:
		return p, nil
	}
	return nil, errors.New("none of Manager, Reload Command and Systemd Unit is set: nobody would tell Tomcat")
}
