package estate

import (
	"context"
	"errors"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// An authority is a template by which certificates are ordered.
type authority struct {
	thing
	issuer *reference
}

// maxValidityDays is a setting of the embedded authority that clm has no rule for.
const maxValidityDays clm.Attr = "max-validity-days"

var authorityKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"driver", clm.Driver, name, oneValue},
	{"issuer", clm.Issuer, name, oneValue},
	{"profile", clm.Profile, profile, oneValue},
	{"validityDays", clm.ValidityDays, number(1, MaxDays), oneValue},
	{"maxValidityDays", maxValidityDays, number(1, MaxDays), oneValue},
	{"issueAfter", clm.IssueAfter, slowness, oneValue},
	{"aiaURL", clm.AIAURL, webAddress, oneValue},
	{"ocspURL", clm.OCSPURL, webAddress, oneValue},
	{"cdpURL", clm.CDPURL, webAddress, oneValue},
	{"kind", clm.AuthorityKind, kind, oneValue},
	{"vendors", clm.AuthorityVendor, line, manyValues},
	{"settingName", clm.AuthoritySetting, name, oneValue},
	{"actions", clm.AuthorityActions, one(authorityActions...), manyValues},
}

// authorityActions are what an authority may be capable of.
var authorityActions = []string{
	string(core.ActionCreate), string(core.ActionRenew), string(core.ActionRegenerate), string(core.ActionReissue), string(core.ActionRevoke),
	string(core.ActionSuspend), string(core.ActionReinstate),
}

func readAuthority(v value) (authority, error) {
	a := authority{thing: newThing(v)}
	err := a.read(v, merged(a.keys(authorityKeys), keys{"dn": to(&a.dn, dn)}))
	switch {
	case err != nil:
		return a, err
	case a.dn == "":
		return a, a.fail("has no dn")
	case days(a.own[maxValidityDays]) > 0 && days(a.own[clm.ValidityDays]) > days(a.own[maxValidityDays]):
		return a, a.fail("validityDays is more than maxValidityDays")
	}
	if issuer := a.own[clm.Issuer]; len(issuer) > 0 {
		a.issuer = &reference{a.place, issuer[0]}
		if at, ok := a.said[clm.Issuer]; ok {
			a.issuer.place = at
		}
	}
	return a, nil
}

// kind reads the class name by which clients are to know an authority.
func kind(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if class, kind := names.Class(s); class == clm.Authority && kind != "" {
		return kind, nil
	}
	return "", v.fail("%q is not a kind of authority such as Microsoft CA", short(s))
}

func (a *applying) authorities(ctx context.Context) error {
	for _, want := range a.file.authorities {
		t := &want.thing
		_, err := a.core.Object(ctx, a.who, string(want.dn))
		isNew := errors.Is(err, clm.NotFound)
		if err != nil && !isNew {
			return want.refused(string(want.dn), err)
		}
		if _, said := want.own[clm.Driver]; isNew && !said {
			t = t.with(clm.Driver, core.DriverName)
		}
		if err := a.thing(ctx, t, clm.Authority); err != nil {
			return err
		}
	}
	return nil
}
