package estate

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A device holds programs that use certificates. The vendor calls those
// applications; so does the file.
type device struct {
	thing
	programs []program
}

type program struct {
	thing
	name        string
	named       string     // its class; empty: that of programs of which nothing is said
	certificate *reference // of no name: it uses none
	rehearsal   *rehearsal
}

func (p program) class() clm.Class { return cmp.Or(clm.Class(p.named), clm.ApplicationClass("basic")) }

var (
	deviceKeys = append([]attrKey{
		{"host", clm.Host, hostOrIP, oneValue},
		{"port", clm.Port, port, oneValue},
		{"description", clm.Description, text, oneValue},
		{"contacts", clm.Contact, line, manyValues},
		{"disabled", clm.Off, nil, onlyYes},
	}, connectionKeys...)

	programKeys = slices.Concat([]attrKey{
		{"driver", clm.Program, line, oneValue},
		{"host", clm.ListenHost, hostOrIP, oneValue},
		{"port", clm.ListenPort, port, oneValue},
		{"description", clm.Description, text, oneValue},
		{"approvers", clm.Approver, line, manyValues},
		{"disabled", clm.Off, nil, onlyYes},
	}, connectionKeys, storeKeys, serviceKeys, lookKeys)
)

func readDevice(v value) (device, error) {
	d := device{thing: newThing(v)}
	err := d.read(v, merged(merged(d.keys(deviceKeys), d.policyKeys()), keys{
		"dn": to(&d.dn, dn),
		"applications": func(v value) error {
			return v.list(MaxEntries, func(v value) error {
				p, err := readProgram(v)
				d.programs = append(d.programs, p)
				return err
			})
		},
	}))
	if err == nil && d.dn == "" {
		err = d.fail("has no dn")
	}
	seen := distinct{}
	for i := range d.programs {
		p := &d.programs[i]
		p.dn = d.dn.Child(p.name)
		if err == nil {
			err = seen.add(fold(p.name), p.place)
		}
	}
	return d, err
}

func readProgram(v value) (program, error) {
	p := program{thing: newThing(v)}
	err := p.read(v, merged(p.keys(programKeys), keys{
		"name":        to(&p.name, name),
		"class":       to(&p.named, applicationClass),
		"certificate": maybeReference(&p.certificate, dnOrNone),
		"rehearsal":   maybe(&p.rehearsal, applicationTheatre.read),
	}))
	switch _, bound := p.own[clm.Bound]; {
	case err != nil:
	case p.name == "":
		err = p.fail("has no name")
	case bound:
		err = p.fail("the certificate that it uses is said by the key certificate")
	}
	return p, err
}

// hostOrIP reads how something is reached.
func hostOrIP(v value) (string, error) {
	if s, err := ip(v); err == nil {
		return s, nil
	}
	return matching(hostPattern, "a host name or an IP address")(v)
}

// dnOrNone is dnText, where an empty text stands for nothing.
func dnOrNone(v value) (string, error) {
	if v.node.Value == "" && v.node.Kind == yamlScalar && !v.isNull() {
		return "", nil
	}
	return dnText(v)
}

// devices makes devices and what is on them.
func (a *applying) devices(ctx context.Context) error {
	for i := range a.file.devices {
		d := &a.file.devices[i]
		if err := a.thing(ctx, &d.thing, clm.Device); err != nil {
			return err
		}
		for j := range d.programs {
			p := &d.programs[j]
			if err := a.object(ctx, &p.thing, p.class()); err != nil {
				return err
			}
		}
	}
	return nil
}

// associations let the programs use the certificates that the file says.
func (a *applying) associations(ctx context.Context) error {
	for _, d := range a.file.devices {
		for _, p := range d.programs {
			if p.certificate == nil {
				continue
			}
			if err := a.associate(ctx, p.dn, *p.certificate); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *applying) associate(ctx context.Context, dn clm.DN, want reference) error {
	app, err := a.node(ctx, want, string(dn))
	if err != nil {
		return err
	}
	var values []string
	isSo := len(app.Own[clm.Bound]) == 0
	if want.name != "" {
		cert, err := a.node(ctx, want, want.name)
		if err != nil {
			return err
		}
		values = []string{string(cmp.Or(cert.DN, clm.DN(want.name)))}
		isSo = slices.Contains(app.Own[clm.Bound], string(cert.ID)) && slices.Contains(cert.Own[clm.Consumers], string(app.ID))
	}
	if isSo {
		return nil
	}
	if !a.opt.Plan {
		if _, err := a.core.Bind(ctx, a.who, string(dn), want.name); err != nil {
			return want.refused(string(dn), err)
		}
	}
	a.say(a.line(core.Change{DN: cmp.Or(app.DN, dn), Attr: clm.Bound, Values: values}, core.Put{}))
	return nil
}

// node finds an object. One that a plan would make first is empty.
func (a *applying) node(ctx context.Context, at reference, dn string) (core.Node, error) {
	node, err := a.core.Object(ctx, a.who, dn)
	if err != nil && !(a.opt.Plan && errors.Is(err, clm.NotFound)) {
		return node, at.refused(dn, err)
	}
	return node, nil
}
