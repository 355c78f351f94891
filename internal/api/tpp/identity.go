package tpp

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// identityRoutes are the calls about users and groups. What only reads needs no right.
var identityRoutes = []route{
	{"GET", "/vedsdk/identity/self", anyToken, (*api).self},
	{"POST", "/vedsdk/identity/browse", needs("configuration"), read((*api).browse)},
	{"POST", "/vedsdk/identity/validate", needs("configuration"), read((*api).validate)},
	{"POST", "/vedsdk/identity/readattribute", needs("configuration"), read((*api).readIdentity)},
	{"POST", "/vedsdk/identity/getassociatedentries", needs("configuration"), read((*api).associatedEntries)},
	{"POST", "/vedsdk/identity/getmembers", needs("configuration"), read((*api).members)},
	{"POST", "/vedsdk/identity/getmemberships", needs("configuration"), read((*api).memberships)},
	{"POST", "/vedsdk/identity/addgroup", needs("configuration:manage"), read((*api).addGroup)},
	{"PUT", "/vedsdk/identity/addgroupmembers", needs("configuration:manage"), read((*api).addGroupMembers)},
	{"PUT", "/vedsdk/identity/removegroupmembers", needs("configuration:manage"), read((*api).removeGroupMembers)},
	{"PUT", "/vedsdk/identity/renamegroup", needs("configuration:manage"), read((*api).renameGroup)},
	{"DELETE", "/vedsdk/identity/group/{prefix}/{universal}", needs("configuration:delete"), (*api).deleteGroup},
	{"POST", "/vedsdk/identity/setpassword", needs("configuration:manage"), read((*api).setPassword)},
}

// identity is a user or a group on the wire.
type identity struct {
	FullName          string
	IsContainer       bool
	IsGroup           bool
	Name              string
	Prefix            string
	PrefixedName      string
	PrefixedUniversal string
	Type              int // identityUser or identityGroup
	Universal         string
}

// The kinds of identities, which sum up where several are meant. The other kinds of the
// vendor's are those of directories.
const (
	identityUser  = 1
	identityGroup = 2
)

// localProvider is the provider of all users and groups of this installation.
const localProvider = "local"

func identityOf(p core.Principal) identity {
	kind := identityUser
	if p.IsGroup {
		kind = identityGroup
	}
	return identity{
		FullName: string(core.IdentityDN.Child(p.Name)), IsGroup: p.IsGroup, Name: p.Name, Prefix: localProvider, PrefixedName: localPrefix + p.Name,
		PrefixedUniversal: universal(p.ID), Type: kind, Universal: braced(p.ID),
	}
}

func identitiesOf(principals []core.Principal) []identity {
	list := []identity{}
	for _, p := range principals {
		list = append(list, identityOf(p))
	}
	return list
}

// identityRef is how a client says which user or group is meant: as an identity of which
// most may be left out, or as a text that is one of its prefixed names.
type identityRef struct {
	FullName          lenient.String
	Prefix            lenient.String
	Name              lenient.String
	Universal         lenient.String
	PrefixedName      lenient.String
	PrefixedUniversal lenient.String
}

// UnmarshalJSON never repeats the value in its error.
func (r *identityRef) UnmarshalJSON(data []byte) error {
	*r = identityRef{}
	if bytes.HasPrefix(data, []byte(`"`)) {
		if err := json.Unmarshal(data, &r.PrefixedUniversal); err != nil {
			return err
		}
		rest, _ := cutPrefixFold(r.PrefixedUniversal.Trimmed(), localPrefix)
		if !isGUID.MatchString(rest) {
			r.PrefixedName, r.PrefixedUniversal = r.PrefixedUniversal, lenient.String{}
		}
		return nil
	}
	type members identityRef
	return json.Unmarshal(data, (*members)(r))
}

// isEmpty reports whether nobody is named.
func (r identityRef) isEmpty() bool {
	return r.PrefixedUniversal.Trimmed()+r.PrefixedName.Trimmed()+r.Universal.Trimmed()+r.Name.Trimmed()+r.FullName.Trimmed() == ""
}

// principal is who is meant; the universal name counts before all others. Those of other
// directories have an ID that nobody has.
func (r identityRef) principal() core.PrincipalRef {
	prefix := r.Prefix.Trimmed()
	isLocal := prefix == "" || strings.EqualFold(prefix, localProvider)
	switch {
	case r.PrefixedUniversal.Trimmed() != "":
		return universalRef(r.PrefixedUniversal.Trimmed())
	case r.Universal.Trimmed() != "" && isLocal:
		return universalRef(r.Universal.Trimmed())
	case r.PrefixedName.Trimmed() != "" && !isForeign(r.PrefixedName.Trimmed()):
		return core.PrincipalRef{Name: loginName(r.PrefixedName)}
	case r.PrefixedName.Trimmed() != "":
		return core.PrincipalRef{ID: clm.PrincipalID(r.PrefixedName.Trimmed())}
	case !isLocal:
		return core.PrincipalRef{ID: clm.PrincipalID(prefix + ":" + r.Universal.Trimmed() + r.Name.Trimmed())}
	case r.Name.Trimmed() != "":
		return core.PrincipalRef{Name: r.Name.Trimmed()}
	}
	dn, err := clm.ParseDN(r.FullName.Value)
	if err != nil || dn.Parent().Key() != core.IdentityDN.Key() {
		return core.PrincipalRef{ID: clm.PrincipalID(r.FullName.Trimmed())}
	}
	return core.PrincipalRef{Name: dn.Name()}
}

// universalRef reads a universal name, with or without its prefix.
func universalRef(s string) core.PrincipalRef {
	rest, _ := cutPrefixFold(s, localPrefix)
	if isGUID.MatchString(rest) {
		return core.PrincipalRef{ID: clm.PrincipalID(guidOf(rest))}
	}
	return core.PrincipalRef{ID: clm.PrincipalID(s)}
}

// isForeign reports whether a name with a prefix is one of another directory.
func isForeign(name string) bool {
	prefix, _, has := strings.Cut(name, ":")
	provider, _, named := strings.Cut(prefix, "+")
	return has && named && (strings.EqualFold(provider, "AD") || strings.EqualFold(provider, "LDAP"))
}

// isForeign reports whether somebody of another directory is meant.
func (r identityRef) isForeign() bool {
	prefix := r.Prefix.Trimmed()
	return isForeign(r.PrefixedUniversal.Trimmed()) || isForeign(r.PrefixedName.Trimmed()) || isForeign(prefix+":")
}

func principalRefs(refs []identityRef) []core.PrincipalRef {
	list := []core.PrincipalRef{}
	for _, r := range refs {
		list = append(list, r.principal())
	}
	return list
}

// unknownOf repeats those of a list who are unknown, as they were named.
func unknownOf(refs []identityRef, places []int) []any {
	list := []any{}
	for _, i := range places {
		entry := facts{}
		for name, member := range map[string]lenient.String{
			"Prefix": refs[i].Prefix, "Name": refs[i].Name, "Universal": refs[i].Universal, "FullName": refs[i].FullName,
			"PrefixedName": refs[i].PrefixedName, "PrefixedUniversal": refs[i].PrefixedUniversal,
		} {
			entry.add(name, member.Value)
		}
		list = append(list, entry)
	}
	return list
}

// self serves GET vedsdk/Identity/Self: the caller, who comes first, and the
// caller's groups.
func (a *api) self(c *call) answer {
	principals, err := a.core.Principals(c.Context(), c.who())
	if err != nil {
		return a.fault(c, err)
	}
	return ok(map[string]any{"Identities": identitiesOf(principals)})
}

// browseQuery is what Browse takes.
type browseQuery struct {
	Filter       lenient.String
	Limit        lenient.Int
	IdentityType lenient.Int
}

// browse serves POST vedsdk/Identity/Browse.
func (a *api) browse(c *call, in *browseQuery) answer {
	for name, n := range map[string]lenient.Int{"Limit": in.Limit, "IdentityType": in.IdentityType} {
		if n.Wrong != "" {
			return notNumber(name)
		}
	}
	kinds := in.IdentityType.Value
	if kinds == 0 {
		kinds = identityUser | identityGroup
	}
	filter := in.Filter.Trimmed()
	if isForeign(filter) {
		return ok(map[string]any{"Identities": []any{}})
	}
	filter, _ = cutPrefixFold(filter, localPrefix)
	found, err := a.core.Browse(c.Context(), core.Browse{
		Filter: filter, Users: kinds&identityUser != 0, Groups: kinds&identityGroup != 0, Limit: in.Limit.Value,
	})
	if errors.Is(err, clm.Invalid) { // nobody has a name as long as that
		found, err = nil, nil
	}
	if err != nil {
		return a.fault(c, err)
	}
	return ok(map[string]any{"Identities": identitiesOf(found)})
}

// personQuery is what the calls take that ask about one user or group.
type personQuery struct {
	ID            identityRef
	AttributeName lenient.String
	ResolveNested lenient.Bool
}

// textUnknownIdentity answers a question about somebody who is unknown.
const textUnknownIdentity = "The identity could not be found."

// aboutIdentity answers what ask finds out about the user or group under the name.
func (a *api) aboutIdentity(c *call, in *personQuery, name string, ask func(core.PrincipalRef) (any, error)) answer {
	if in.ID.isEmpty() {
		return lacks("ID")
	}
	found, err := ask(in.ID.principal())
	if errors.Is(err, clm.NotFound) {
		return failure(http.StatusBadRequest, textUnknownIdentity)
	}
	if err != nil {
		return a.fault(c, err)
	}
	return ok(map[string]any{name: found})
}

// validate serves POST vedsdk/Identity/Validate. Of somebody who is unknown it says
// nothing: the answer has no body.
func (a *api) validate(c *call, in *personQuery) answer {
	if in.ID.isEmpty() {
		return lacks("ID")
	}
	found, err := a.core.Identity(c.Context(), in.ID.principal())
	switch {
	case errors.Is(err, clm.NotFound):
		return ok(nil)
	case err != nil:
		return a.fault(c, err)
	}
	return ok(map[string]any{"ID": identityOf(found)})
}

// readIdentity serves POST vedsdk/Identity/ReadAttribute. Two of the vendor's attributes
// are no values of the object here.
func (a *api) readIdentity(c *call, in *personQuery) answer {
	if in.AttributeName.Trimmed() == "" {
		return lacks("AttributeName")
	}
	return a.aboutIdentity(c, in, "Attributes", func(ref core.PrincipalRef) (any, error) {
		switch strings.ToLower(in.AttributeName.Trimmed()) {
		case "name":
			found, err := a.core.Identity(c.Context(), ref)
			return []string{found.Name}, err
		case "group membership":
			_, groups, err := a.core.Memberships(c.Context(), ref, false)
			dns := []string{}
			for _, group := range groups {
				dns = append(dns, identityOf(group).FullName)
			}
			return dns, err
		}
		at := names.Attr(in.AttributeName.Trimmed())
		values, err := a.core.IdentityValues(c.Context(), c.who(), ref, at)
		return shown(at, values), err
	})
}

// associatedEntries serves POST vedsdk/Identity/GetAssociatedEntries: the identity and
// all groups that it is in.
func (a *api) associatedEntries(c *call, in *personQuery) answer {
	return a.aboutIdentity(c, in, "Identities", func(ref core.PrincipalRef) (any, error) {
		self, groups, err := a.core.Memberships(c.Context(), ref, true)
		return append([]identity{identityOf(self)}, identitiesOf(groups)...), err
	})
}

// members serves POST vedsdk/Identity/GetMembers.
func (a *api) members(c *call, in *personQuery) answer {
	return a.aboutIdentity(c, in, "Identities", func(ref core.PrincipalRef) (any, error) {
		found, err := a.core.Members(c.Context(), ref, in.ResolveNested.Value)
		return identitiesOf(found), err
	})
}

// memberships serves POST vedsdk/Identity/GetMemberships: the groups that the identity
// is directly in.
func (a *api) memberships(c *call, in *personQuery) answer {
	return a.aboutIdentity(c, in, "Identities", func(ref core.PrincipalRef) (any, error) {
		_, groups, err := a.core.Memberships(c.Context(), ref, false)
		return identitiesOf(groups), err
	})
}

// groupChange is what the calls take that change a group.
type groupChange struct {
	Name         identityRef
	Group        identityRef
	Members      []identityRef
	Products     lenient.StringList
	ShowMembers  lenient.Bool
	NewGroupName lenient.String
}

// A groupSaying is how a failure of a call about groups or teams is worded.
type groupSaying struct {
	kind  clm.Kind
	field string // empty: whatever it is about
	text  string // {value} is the value that was not allowed
}

// groupSayings are looked through from the top.
var groupSayings = []groupSaying{
	{clm.NotFound, "folder", "The Policy folder {value} does not exist."},
	{clm.NotFound, "", "The group identity is not valid or does not exist."},
	{clm.Denied, "", "The caller does not have sufficient permissions for the group."},
	{clm.Unsupported, "team", "Failed to read the team identity; {value} is not a team."},
	{clm.Unsupported, "folder", "{value} is not a Policy folder."},
	{clm.Unsupported, "", "The group {value} cannot be renamed or deleted."},
	{clm.Exists, "folder", "{value} is in use already."},
	{clm.Exists, "", "Failed to create entry for new user or group {value}; an identity of that name exists."},
	{clm.Invalid, "owners", "A team must have at least one valid owner."},
	{clm.Invalid, "name", "The group name is not valid."},
	{clm.Invalid, "", "A value is not valid."},
}

// refuseGroup answers a failed call about a group or team with 400 and a message.
func (a *api) refuseGroup(c *call, err error) answer {
	e := clm.AsError(err)
	for _, s := range groupSayings {
		if s.kind == e.Kind && (s.field == "" || s.field == e.Field) {
			return message(http.StatusBadRequest, strings.ReplaceAll(s.text, "{value}", e.Value))
		}
	}
	return a.fault(c, err)
}

// message is all that calls about groups and teams say of what went wrong, or well.
func message(status int, text string) answer {
	return answer{status: status, body: map[string]any{"Message": text}}
}

// addGroup serves POST vedsdk/Identity/AddGroup.
func (a *api) addGroup(c *call, in *groupChange) answer {
	switch {
	case in.Name.isEmpty():
		return lacks("Name")
	case in.Name.isForeign():
		return ok(map[string]any{})
	}
	made, invalid, err := a.core.AddGroup(c.Context(), c.who(), core.NewGroup{
		Name: newName(in.Name), Members: principalRefs(in.Members), Products: in.Products.NonEmpty(),
	})
	if err != nil {
		return a.refuseGroup(c, err)
	}
	return ok(map[string]any{"ID": identityOf(made), "InvalidMembers": unknownOf(in.Members, invalid)})
}

// newName is the name of a group that is to be made.
func newName(r identityRef) string {
	if r.PrefixedName.Trimmed() != "" {
		return loginName(r.PrefixedName)
	}
	return r.Name.Trimmed()
}

// addGroupMembers serves PUT vedsdk/Identity/AddGroupMembers.
func (a *api) addGroupMembers(c *call, in *groupChange) answer {
	return a.changeMembers(c, in.ShowMembers.Value, "Group", in.Group, in.Members, core.MembersChange{})
}

// removeGroupMembers serves PUT vedsdk/Identity/RemoveGroupMembers.
func (a *api) removeGroupMembers(c *call, in *groupChange) answer {
	return a.changeMembers(c, in.ShowMembers.Value, "Group", in.Group, in.Members, core.MembersChange{Remove: true})
}

// changeMembers carries m out for the group, and shows its members if that is wanted.
func (a *api) changeMembers(c *call, show bool, member string, group identityRef, members []identityRef, m core.MembersChange) answer {
	switch {
	case group.isEmpty():
		return lacks(member)
	case group.isForeign():
		return ok(map[string]any{})
	case len(members) == 0:
		return lacks("Members")
	}
	m.Group, m.Members = group.principal(), principalRefs(members)
	now, invalid, err := a.core.ChangeMembers(c.Context(), c.who(), m)
	switch {
	case err != nil:
		return a.refuseGroup(c, err)
	case !show:
		return ok(nil)
	}
	return ok(map[string]any{"InvalidMembers": unknownOf(members, invalid), "Members": identitiesOf(now)})
}

// renameGroup serves PUT vedsdk/Identity/RenameGroup.
func (a *api) renameGroup(c *call, in *groupChange) answer {
	switch {
	case in.Group.isEmpty():
		return lacks("Group")
	case in.NewGroupName.Trimmed() == "":
		return lacks("NewGroupName")
	case in.Group.isForeign():
		return ok(map[string]any{})
	}
	return a.rename(c, in.Group, in.NewGroupName, false)
}

func (a *api) rename(c *call, group identityRef, name lenient.String, team bool) answer {
	renamed, err := a.core.RenameGroup(c.Context(), c.who(), group.principal(), loginName(name), team)
	if err != nil {
		return a.refuseGroup(c, err)
	}
	return ok(map[string]any{"ID": identityOf(renamed)})
}

// pathRef is the user or group that the path of the call names.
func (c *call) pathRef() identityRef {
	text := func(name string) lenient.String { return lenient.String{Value: c.param(name)} }
	return identityRef{Prefix: text("prefix"), Universal: text("universal")}
}

// deleteGroup serves DELETE vedsdk/Identity/Group/{prefix}/{universal}.
func (a *api) deleteGroup(c *call) answer {
	ref := c.pathRef()
	if ref.isForeign() {
		return ok(map[string]any{})
	}
	if err := a.core.DeleteGroup(c.Context(), c.who(), ref.principal()); err != nil {
		return a.refuseGroup(c, err)
	}
	return message(http.StatusOK, "The group has been deleted.")
}

// passwordChange is what SetPassword takes.
type passwordChange struct {
	ID          identityRef
	Password    secret.Plain
	OldPassword secret.Plain
}

// setPassword serves POST vedsdk/Identity/SetPassword.
func (a *api) setPassword(c *call, in *passwordChange) answer {
	switch {
	case in.ID.isEmpty():
		return lacks("ID")
	case in.Password.IsEmpty():
		return lacks("Password")
	}
	user, err := a.core.SetPassword(c.Context(), c.who(), core.NewPassword{
		Of: in.ID.principal(), Old: in.OldPassword, New: in.Password, Address: c.address(), Session: c.session.ID,
	})
	switch {
	case errors.Is(err, clm.Denied):
		return failure(http.StatusForbidden, "The old password is wrong, or the caller may not set the password of this identity.")
	case errors.Is(err, clm.Limited):
		return failure(http.StatusTooManyRequests, "Too many failed attempts. Try again later.")
	case errors.Is(err, clm.NotFound):
		return failure(http.StatusBadRequest, textUnknownIdentity)
	case errors.Is(err, clm.Invalid):
		return failure(http.StatusBadRequest, "The new password is too long.")
	case err != nil:
		return a.fault(c, err)
	}
	return ok(map[string]any{"ID": identityOf(user)})
}
