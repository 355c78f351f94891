package estate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

func (a *applying) certificates(ctx context.Context) error {
	for _, want := range a.file.certificates {
		if err := a.folder(ctx, want.place, want.dn.Parent()); err != nil {
			return err
		}
		if err := a.certificate(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// certificate brings the settings of a place to what the file says, and gets it a
// certificate where there is none and none is on its way.
func (a *applying) certificate(ctx context.Context, want certificate) error {
	found, isNew, err := a.found(ctx, want)
	if err != nil {
		return want.refused(string(want.dn), err)
	}
	class := cmp.Or(want.request.Class, found.Place.Class, clm.ServerCertificate)
	p := a.postpone(want.place, core.Put{DN: string(want.dn), Class: class, Own: a.owns(&want.thing), Rights: want.rights})
	lacks := isNew && !want.isBare()
	if !lacks {
		if err := a.put(ctx, want.place, p); err != nil {
			return err
		}
		lacks = !isNew && found.Place.Current == 0 && found.Open == nil && !want.stays(found)
	}
	if lacks {
		if err := a.provide(ctx, want, p.Own); err != nil {
			return want.refused(string(want.dn), err)
		}
	}
	if lacks && isNew {
		a.made[want.dn.Key()] = true
		if err := a.grant(ctx, want); err != nil {
			return err
		}
	}
	if want.rehearsal != nil {
		return a.rehearse(ctx, *want.rehearsal, want.dn, lacks)
	}
	return nil
}

// found is the place as it is.
func (a *applying) found(ctx context.Context, want certificate) (found core.Details, isNew bool, err error) {
	node, err := a.core.Object(ctx, a.who, string(want.dn))
	switch {
	case errors.Is(err, clm.NotFound):
		return found, true, nil
	case err != nil:
		return found, false, err
	case !node.Class.Is(clm.CertificateBase):
		return found, false, clm.Fail(clm.Exists, "class", string(node.Class))
	}
	found, err = a.core.Details(ctx, a.who, node.ID)
	return found, false, err
}

// grant gives the rights on a place that was made by being provided with a certificate.
func (a *applying) grant(ctx context.Context, want certificate) error {
	if len(want.rights) == 0 {
		return nil
	}
	node, err := a.node(ctx, reference{want.place, ""}, string(want.dn))
	if err != nil {
		return err
	}
	return a.put(ctx, want.place, core.Put{DN: string(want.dn), Class: cmp.Or(node.Class, clm.AnyCertificate), Rights: want.rights})
}

// stays reports whether a place that is there without a certificate is to stay so.
func (c *certificate) stays(found core.Details) bool {
	switch {
	case c.outside.certificate.name != "":
		return false
	case c.rests():
		return true
	case c.off == nil && found.Place.IsOff():
		return true
	}
	said, ok := c.own[clm.ManagementType]
	if !ok {
		said = found.Place.Own[clm.ManagementType]
	}
	above := found.Path[:len(found.Path)-1]
	return !clm.IsManaged(cmp.Or(above.ValueFor(found.Place.Class, clm.ManagementType, said...).First(), clm.Enrollment))
}

// provide gets the place its certificate: by ordering it, or from a file.
func (a *applying) provide(ctx context.Context, want certificate, own map[clm.Attr][]string) error {
	m := a.materials[want.dn.Key()]
	all := maps.Clone(want.request.Own)
	maps.Copy(all, own)
	if want.outside.certificate.name != "" {
		if want.authority != nil {
			all[clm.IssuedBy] = []string{want.authority.name}
		}
		if !a.opt.Plan {
			i := core.Import{Folder: want.request.Folder, Name: want.request.Name, Certificate: m.certificate, Key: m.key, Password: m.password, Own: all, Record: want.record}
			if _, err := a.core.Import(ctx, a.who, i); err != nil {
				return err
			}
		}
		a.say(fmt.Sprintf("import certificate %s", want.dn))
		return nil
	}
	r := want.request
	r.CSR, r.Own, r.Hold = m.csr, all, want.rests()
	if !a.opt.Plan {
		if err := a.order(ctx, want, r); err != nil {
			return err
		}
	}
	a.say(requestLine(want))
	return nil
}

// order requests a certificate. One that is to be put on stage is waited for.
func (a *applying) order(ctx context.Context, want certificate, r core.Request) error {
	accepted, err := a.core.Request(ctx, a.who, r)
	if err != nil || accepted.Work == 0 {
		return err
	}
	if want.rehearsal == nil {
		a.report.Certificates = append(a.report.Certificates, Ordered{accepted.DN, accepted.Work})
		return nil
	}
	open, err := a.core.Wait(ctx, accepted.Work, core.MaxWait)
	if err == nil && open.State != clm.Finished {
		err = fmt.Errorf("it is to be on stage, and its certificate is not issued: %s", cmp.Or(open.Failure, open.Note, "it takes too long"))
	}
	return err
}
