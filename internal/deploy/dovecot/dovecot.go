// Package dovecot puts certificates where a Dovecot uses them. In dovecot.conf there is
//
//	ssl_cert = <{Certificate File}
//	ssl_key = <{Private Key File}
//
// where both may be one file; the < is Dovecot's. It may have others for some server
// names or protocols, each of which is an application.
//
// Dovecot reads the files when it starts and when it is told, and only then. It never
// checks them: with a key that does not fit it goes on without TLS. Where one of them
// is not there it stays with what it has. To reload twice, or from two sides at once,
// is harmless.
package dovecot

import (
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of Dovecot.
var Driver = shelf.Kind{
	Fields:    fields,
	Arguments: []clm.Attr{clm.ServiceProgram, clm.ServiceConfig},
	LayOut:    shelf.PEM,
	Service:   func(s deploy.Settings) (deploy.Service, error) { return newService(s), nil },
}.Driver(look.IMAP, 143)

var fields = slices.Concat([]deploy.Field{
	{Attr: clm.ServiceProgram, Label: "Program"},           // doveadm; without it, that from the path
	{Attr: clm.ServiceConfig, Label: "Configuration File"}, // without it, the one that Dovecot was built with
}, shelf.PEMFieldsBut(clm.ChainFile, clm.ReplaceChain), shelf.OwnerFields)

// newService checks by asking for one harmless setting, with the files read that
// others name (-x): that fails where the configuration makes no sense or a file is not
// there, and never prints a key.
func newService(s deploy.Settings) deploy.Programs {
	program, config := s.Value(clm.ServiceProgram, "doveadm"), s.Value(clm.ServiceConfig, "")
	ask := func(words ...string) []string {
		if config != "" {
			words = append([]string{"-c", config}, words...)
		}
		return append([]string{program}, words...)
	}
	return deploy.Programs{
		Service: strings.Join([]string{"dovecot", s.Machine(), program, config}, "\n"),
		Host:    s.Host,
		Checks:  ask("config", "-x", "base_dir"),
		Reloads: ask("reload"),
	}
}
