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
	place
	dn       clm.DN
	own      map[clm.Attr][]string
	programs []program
}

type program struct {
	place
	name        string
	class       string
	own         map[clm.Attr][]string
	certificate *reference // of no name: it uses none
	rehearsal   *rehearsal
}

// defaultProgram is the class of programs of which nothing is said.
var defaultProgram = string(clm.ApplicationClass("basic"))

func readDevice(v value) (device, error) {
	d := device{place: v.place(), own: map[clm.Attr][]string{}}
	err := v.object(keys{
		"dn":          to(&d.dn, dn),
		"host":        own(d.own, clm.Host, hostOrIP),
		"description": own(d.own, clm.Description, text),
		"applications": func(v value) error {
			return v.list(MaxEntries, func(v value) error {
				p, err := readProgram(v)
				d.programs = append(d.programs, p)
				return err
			})
		},
	})
	if err == nil && d.dn == "" {
		err = d.fail("has no dn")
	}
	seen := distinct{}
	for _, p := range d.programs {
		if err == nil {
			err = seen.add(fold(p.name), p.place)
		}
	}
	return d, err
}

func readProgram(v value) (program, error) {
	p := program{place: v.place(), own: map[clm.Attr][]string{}}
	err := v.object(keys{
		"name":        to(&p.name, name),
		"class":       to(&p.class, applicationClass),
		"driver":      own(p.own, clm.Program, line),
		"host":        own(p.own, clm.ListenHost, hostOrIP),
		"port":        own(p.own, clm.ListenPort, number(1, 65_535)),
		"description": own(p.own, clm.Description, text),
		"certificate": maybeReference(&p.certificate, dnOrNone),
		"disabled":    onlyIfTrue(p.own, clm.Off),
		"rehearsal":   maybe(&p.rehearsal, applicationTheatre.read),
	})
	if err == nil && p.name == "" {
		err = p.fail("has no name")
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
	for _, d := range a.file.devices {
		if err := a.folder(ctx, d.place, d.dn.Parent()); err != nil {
			return err
		}
		if err := a.put(ctx, d.place, core.Put{DN: string(d.dn), Class: clm.Device, Own: d.own}); err != nil {
			return err
		}
		for _, p := range d.programs {
			class := clm.Class(cmp.Or(p.class, defaultProgram))
			if err := a.put(ctx, p.place, core.Put{DN: string(d.dn.Child(p.name)), Class: class, Own: p.own}); err != nil {
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
			if err := a.associate(ctx, d.dn.Child(p.name), *p.certificate); err != nil {
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
