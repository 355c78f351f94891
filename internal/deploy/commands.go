package deploy

import (
	"fmt"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// CommandFields are the fields by which an administrator says which programs tell a
// service.
var CommandFields = []Field{
	{Attr: clm.CheckCommand, Label: "Check Command"},
	{Attr: clm.ReloadCommand, Label: "Reload Command"},
	{Attr: clm.ServiceUnit, Label: "Systemd Unit"}, // where there is no Reload Command
}

// Commands is the service that is told by the programs of CommandFields; without any,
// all but its Host is empty. Services of the same programs on the same machine are
// one. verb is what systemctl is to do with the unit. An error says which field makes
// no sense.
func (s Settings) Commands(verb string) (Programs, error) {
	p := Programs{Host: s.Host}
	if err := s.CheckArguments(CommandFields, clm.ServiceUnit); err != nil {
		return p, err
	}
	name := []string{"commands", s.Machine()}
	for n, args := range []*[]string{&p.Checks, &p.Reloads} {
		f := CommandFields[n]
		words, err := remote.Words(s.Value(f.Attr, ""))
		if err != nil {
			return p, fmt.Errorf("%s: %w", f.Label, err)
		}
		if len(words) > 0 && words[0] == "" {
			return p, fmt.Errorf("%s names no program", f.Label)
		}
		*args = words
		name = append(name, s.Value(f.Attr, ""))
	}
	if unit := s.Value(clm.ServiceUnit, ""); p.Reloads == nil && unit != "" {
		p.Reloads = []string{"systemctl", verb, unit}
		name = append(name, unit)
	}
	if p.Checks != nil || p.Reloads != nil {
		p.Service = strings.Join(name, "\n")
	}
	return p, nil
}

// Told is Commands as a service; nil where there is no program.
func (s Settings) Told(verb string) (Service, error) {
	p, err := s.Commands(verb)
	if err != nil || !p.isTold() {
		return nil, err
	}
	return p, nil
}

// isTold reports whether there is a program that tells the service.
func (p Programs) isTold() bool { return p.Service != "" }
