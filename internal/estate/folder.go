package estate

import (
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

type authority struct {
	place
	dn     clm.DN
	own    map[clm.Attr][]string
	issuer *reference
}

type folder struct {
	place
	dn          clm.DN
	own         map[clm.Attr][]string
	policy      map[clm.PolicyKey]clm.Rule
	rights      map[string]clm.Rights
	authorities []reference // that policy names
	people      []reference // the users and groups that policy and rights name
	slips       []slip
}

// A slip is an attribute whose name is nearly that of another. Unless it is a
// custom field, it is a mistake.
type slip struct {
	reference
	near string
}

func readAuthority(v value) (authority, error) {
	a := authority{place: v.place(), own: map[clm.Attr][]string{}}
	err := v.object(keys{
		"dn":              to(&a.dn, dn),
		"description":     own(a.own, clm.Description, text),
		"driver":          own(a.own, clm.Driver, name),
		"issuer":          maybeReference(&a.issuer, name),
		"profile":         own(a.own, clm.Profile, profile),
		"validityDays":    own(a.own, clm.ValidityDays, number(1, MaxDays)),
		"maxValidityDays": own(a.own, maxValidityDays, number(1, MaxDays)),
		"issueAfter":      own(a.own, clm.IssueAfter, slowness),
		"aiaURL":          own(a.own, clm.AIAURL, webAddress),
		"ocspURL":         own(a.own, clm.OCSPURL, webAddress),
		"cdpURL":          own(a.own, clm.CDPURL, webAddress),
		"kind":            own(a.own, clm.AuthorityKind, kind),
	})
	switch {
	case err != nil:
		return a, err
	case a.dn == "":
		return a, a.fail("has no dn")
	case days(a.own[maxValidityDays]) > 0 && days(a.own[clm.ValidityDays]) > days(a.own[maxValidityDays]):
		return a, a.fail("validityDays is more than maxValidityDays")
	}
	if a.issuer != nil {
		a.own[clm.Issuer] = []string{a.issuer.name}
	}
	return a, nil
}

// days is the number that an attribute holds; zero where it holds none.
func days(values []string) int {
	if len(values) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(values[0]) // it was read as a number
	return n
}

// maxValidityDays is a setting of the embedded authority that clm has no rule for.
const maxValidityDays clm.Attr = "max-validity-days"

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

func readFolder(v value) (folder, error) {
	f := folder{place: v.place(), own: map[clm.Attr][]string{}, policy: map[clm.PolicyKey]clm.Rule{}, rights: map[string]clm.Rights{}}
	err := v.object(keys{
		"dn":          to(&f.dn, dnOrPolicy),
		"description": own(f.own, clm.Description, text),
		"policy":      orNothing(f.policyOf(clm.AnyCertificate)),
		"policyFor":   orNothing(f.policyFor),
		"rights":      orNothing(func(v value) error { return v.list(MaxEntries, f.readGrant) }),
	})
	if err == nil && f.dn == "" {
		err = f.fail("has no dn")
	}
	return f, err
}

// rightNames are the rights as estate files spell them, in the order in which
// they are shown.
var rightNames = []struct {
	name  string
	right clm.Rights
}{
	{"view", clm.View}, {"read", clm.Read}, {"write", clm.Write}, {"create", clm.Create}, {"delete", clm.Delete},
	{"rename", clm.Rename}, {"associate", clm.Associate}, {"revoke", clm.RevokeRight},
	{"private-key-read", clm.KeyRead}, {"private-key-write", clm.KeyWrite},
	{"manage-policy", clm.PolicyWrite}, {"manage-permissions", clm.ManagePermissions}, {"all", clm.AllRights},
}

func (f *folder) readGrant(v value) error {
	var who *reference
	var rights *clm.Rights
	err := v.object(keys{"to": maybeReference(&who, name), "allow": maybe(&rights, readRights)})
	switch {
	case err != nil:
		return err
	case who == nil || rights == nil:
		return v.fail("must have both to and allow")
	}
	for known := range f.rights {
		if strings.EqualFold(known, who.name) {
			return v.fail("%q has rights here already", short(who.name))
		}
	}
	f.rights[who.name] = *rights
	f.people = append(f.people, *who)
	return nil
}

func readRights(v value) (sum clm.Rights, err error) {
	words := make([]string, 0, len(rightNames))
	for _, r := range rightNames {
		words = append(words, r.name)
	}
	err = v.items(MaxEntries, func(v value) error {
		word, err := one(words...)(v)
		for _, r := range rightNames {
			if r.name == word {
				sum |= r.right
			}
		}
		return err
	})
	return sum, err
}
