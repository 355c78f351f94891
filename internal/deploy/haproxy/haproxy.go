// Package haproxy puts certificates where an HAProxy uses them: each in one file,
// with its chain and key. An HAProxy that takes orders on a socket is given a new
// certificate there and goes on as it is; another one is reloaded.
package haproxy

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of HAProxy.
var Driver = shelf.Kind{
	Fields:    fields,
	Arguments: []clm.Attr{clm.CertificateFile, clm.ServiceProgram, clm.ServiceConfig, clm.ServiceSocket, clm.ServiceUnit, clm.ServicePIDFile},
	LayOut:    layOut,
	Service:   newService,
}.Driver(look.TLS, 443)

// What holds where a field is not set: that of Debian's and Red Hat's packages.
const (
	usualConfig  = "/etc/haproxy/haproxy.cfg"
	usualPIDFile = "/run/haproxy.pid"
)

var fields = append([]deploy.Field{
	{Attr: clm.CertificateFile, Label: "Certificate File", Required: true}, // as the configuration names it
	{Attr: clm.BundleChain, Label: "Bundle Certificate"},
	{Attr: clm.KeySyntax, Label: "Private Key Syntax"},
	{Attr: clm.ServiceProgram, Label: "Program"},
	{Attr: clm.ServiceConfig, Label: "Configuration File"},
	{Attr: clm.ServiceSocket, Label: "Runtime Socket"}, // of level admin; the first of these three that is set is how HAProxy is told
	{Attr: clm.ServiceUnit, Label: "Systemd Unit"},
	{Attr: clm.ServicePIDFile, Label: "PID File"}, // of the master process
}, shelf.OwnerFields...)

// layOut puts everything into one file.
func layOut(s deploy.Settings) (shelf.Layout, error) {
	s.Values = maps.Clone(s.Values)
	s.Values[clm.KeyFile] = s.Values[clm.CertificateFile]
	return shelf.PEM(s)
}

// stamp is the process that has printed the line.
var stamp = regexp.MustCompile(` +\(\d+\)`)

func newService(s deploy.Settings) (deploy.Service, error) {
	program, config := s.Value(clm.ServiceProgram, "haproxy"), s.Value(clm.ServiceConfig, usualConfig)
	socket, unit, pidFile := s.Value(clm.ServiceSocket, ""), s.Value(clm.ServiceUnit, ""), s.Value(clm.ServicePIDFile, usualPIDFile)
	p := deploy.Programs{
		Host:   s.Host,
		Checks: []string{program, "-c", "-f", config},
		Noise:  []string{"Error(s) found in configuration file", "Fatal errors found in configuration", "Configuration file is valid"},
		Stamp:  stamp,
	}
	name := func(by string) string {
		return strings.Join([]string{"haproxy", s.Machine(), program, config, by}, "\n")
	}
	switch {
	case socket != "":
		if file := s.Value(clm.CertificateFile, ""); strings.ContainsAny(file, odd) {
			return nil, fmt.Errorf("%s: %q cannot be said on a socket", fields[0].Label, file)
		}
		p.Service = name(socket)
		return running{p, socket}, nil
	case unit != "":
		p.Service = name(unit)
		return master{p, unitMaster(p, unit)}, nil
	}
	p.Service = name(pidFile)
	return master{p, fileMaster(program, pidFile)}, nil
}
