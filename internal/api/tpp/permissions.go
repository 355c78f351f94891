package tpp

import (
	"fmt"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

const (
	permissionPath = "/vedsdk/permissions/object/{guid}"
	localPath      = permissionPath + "/local/{universal}"
	adPath         = permissionPath + "/ad/{provider}/{universal}"
	ldapPath       = permissionPath + "/ldap/{provider}/{universal}"
)

// permissionRoutes are the calls about rights. Users and groups of other directories
// have paths of their own, although there are none.
var permissionRoutes = []route{
	{"GET", permissionPath, needs("security"), (*api).grantees},
	{"POST", "/vedsdk/permissions/getpermissions", needs("security"), read((*api).getPermissions)},
	{"GET", "/vedsdk/permissions/refresh", anyToken, (*api).refreshPermissions},

	{"GET", localPath, needs("security"), (*api).permissions},
	{"GET", adPath, needs("security"), (*api).permissions},
	{"GET", ldapPath, needs("security"), (*api).permissions},
	{"GET", localPath + "/effective", needs("security"), (*api).effectivePermissions},
	{"GET", adPath + "/effective", needs("security"), (*api).effectivePermissions},
	{"GET", ldapPath + "/effective", needs("security"), (*api).effectivePermissions},
	{"POST", localPath, needs("security:manage"), read((*api).addPermissions)},
	{"POST", adPath, needs("security:manage"), read((*api).addPermissions)},
	{"POST", ldapPath, needs("security:manage"), read((*api).addPermissions)},
	{"PUT", localPath, needs("security:manage"), read((*api).replacePermissions)},
	{"PUT", adPath, needs("security:manage"), read((*api).replacePermissions)},
	{"PUT", ldapPath, needs("security:manage"), read((*api).replacePermissions)},
	{"DELETE", localPath, needs("security:delete"), (*api).deletePermissions},
	{"DELETE", adPath, needs("security:delete"), (*api).deletePermissions},
	{"DELETE", ldapPath, needs("security:delete"), (*api).deletePermissions},
}

// permissionFlags are the rights as a client says them; what is left out is not given.
type permissionFlags struct {
	IsAssociateAllowed         lenient.Bool
	IsCreateAllowed            lenient.Bool
	IsDeleteAllowed            lenient.Bool
	IsManagePermissionsAllowed lenient.Bool
	IsPolicyWriteAllowed       lenient.Bool
	IsPrivateKeyReadAllowed    lenient.Bool
	IsPrivateKeyWriteAllowed   lenient.Bool
	IsReadAllowed              lenient.Bool
	IsRenameAllowed            lenient.Bool
	IsRevokeAllowed            lenient.Bool
	IsViewAllowed              lenient.Bool
	IsWriteAllowed             lenient.Bool
}

// permissionNames are the names of the rights on the wire.
var permissionNames = []struct {
	name  string
	right clm.Rights
	flag  func(*permissionFlags) lenient.Bool
}{
	{"IsAssociateAllowed", clm.Associate, func(f *permissionFlags) lenient.Bool { return f.IsAssociateAllowed }},
	{"IsCreateAllowed", clm.Create, func(f *permissionFlags) lenient.Bool { return f.IsCreateAllowed }},
	{"IsDeleteAllowed", clm.Delete, func(f *permissionFlags) lenient.Bool { return f.IsDeleteAllowed }},
	{"IsManagePermissionsAllowed", clm.ManagePermissions, func(f *permissionFlags) lenient.Bool { return f.IsManagePermissionsAllowed }},
	{"IsPolicyWriteAllowed", clm.PolicyWrite, func(f *permissionFlags) lenient.Bool { return f.IsPolicyWriteAllowed }},
	{"IsPrivateKeyReadAllowed", clm.KeyRead, func(f *permissionFlags) lenient.Bool { return f.IsPrivateKeyReadAllowed }},
	{"IsPrivateKeyWriteAllowed", clm.KeyWrite, func(f *permissionFlags) lenient.Bool { return f.IsPrivateKeyWriteAllowed }},
	{"IsReadAllowed", clm.Read, func(f *permissionFlags) lenient.Bool { return f.IsReadAllowed }},
	{"IsRenameAllowed", clm.Rename, func(f *permissionFlags) lenient.Bool { return f.IsRenameAllowed }},
	{"IsRevokeAllowed", clm.RevokeRight, func(f *permissionFlags) lenient.Bool { return f.IsRevokeAllowed }},
	{"IsViewAllowed", clm.View, func(f *permissionFlags) lenient.Bool { return f.IsViewAllowed }},
	{"IsWriteAllowed", clm.Write, func(f *permissionFlags) lenient.Bool { return f.IsWriteAllowed }},
}

func (f *permissionFlags) rights() (rights clm.Rights) {
	for _, n := range permissionNames {
		if n.flag(f).Value {
			rights |= n.right
		}
	}
	return rights
}

// permissionsOf are rights on the wire: all twelve flags.
func permissionsOf(rights clm.Rights) map[string]bool {
	flags := map[string]bool{}
	for _, n := range permissionNames {
		flags[n.name] = rights.Has(n.right)
	}
	return flags
}

// grantedOn is the entry that the path of the call names.
func (c *call) grantedOn() core.GrantedOn {
	on := core.GrantedOn{Object: guidOf(c.param("guid"))}
	if provider := c.param("provider"); provider != "" {
		on.Principal = clm.PrincipalID("+" + provider + ":" + c.param("universal")) // nobody's
		return on
	}
	on.Principal = universalRef(c.param("universal")).ID
	return on
}

// refusePermission answers a failed call about rights. object is how the call has named
// the object. Whether there is one is not told to those who may not see it.
func (a *api) refusePermission(c *call, object string, err error) answer {
	e := clm.AsError(err)
	switch {
	case e.Kind == clm.NotFound && e.Field == "principal":
		return failure(http.StatusBadRequest, "Unable to verify principal. The identity could not be found.")
	case e.Kind == clm.NotFound && e.Field == "entry":
		text := "Permission does not exist so cannot be updated."
		if c.Method == http.MethodDelete {
			text = "Permission does not exist so cannot be deleted."
		}
		return failure(http.StatusNotFound, text)
	case e.Kind == clm.NotFound, e.Kind == clm.Invalid:
		return failure(http.StatusBadRequest, fmt.Sprintf("Failed to lookup DN: Unable to read object details of %s;", object))
	case e.Kind == clm.Denied:
		return failure(http.StatusForbidden, "The caller does not have Manage Permissions permission to the object.")
	case e.Kind == clm.Exists:
		return failure(http.StatusConflict, "Permission already exists.")
	}
	return a.fault(c, err)
}

// refuseEntry is refusePermission for a call with the object's GUID in its path.
func (a *api) refuseEntry(c *call, err error) answer {
	return a.refusePermission(c, "GUID "+braced(guidOf(c.param("guid"))), err)
}

// grantees serves GET vedsdk/Permissions/Object/{guid}.
func (a *api) grantees(c *call) answer {
	ids, err := a.core.Grantees(c.Context(), c.who(), guidOf(c.param("guid")))
	if err != nil {
		return a.refuseEntry(c, err)
	}
	list := []string{}
	for _, id := range ids {
		list = append(list, universal(id))
	}
	return ok(list)
}

// permissions serves GET vedsdk/Permissions/Object/{guid}/(ptype)/{principal}. Clients
// take it that there is no entry where there are no explicit permissions.
func (a *api) permissions(c *call) answer {
	granted, err := a.core.Granted(c.Context(), c.who(), c.grantedOn())
	if err != nil {
		return a.refuseEntry(c, err)
	}
	body := map[string]any{"ImplicitPermissions": permissionsOf(granted.Implicit)}
	if granted.HasEntry {
		body["ExplicitPermissions"] = permissionsOf(granted.Explicit)
	}
	return ok(body)
}

// effectivePermissions serves GET vedsdk/Permissions/Object/{guid}/(ptype)/{principal}/Effective.
func (a *api) effectivePermissions(c *call) answer {
	granted, err := a.core.Granted(c.Context(), c.who(), c.grantedOn())
	if err != nil {
		return a.refuseEntry(c, err)
	}
	return ok(map[string]any{"EffectivePermissions": permissionsOf(granted.Effective)})
}

// addPermissions serves POST vedsdk/Permissions/Object/{guid}/(ptype)/{principal}.
func (a *api) addPermissions(c *call, in *permissionFlags) answer {
	return a.changePermissions(c, core.GrantChange{Mode: core.NewGrant, Rights: in.rights()}, http.StatusCreated)
}

// replacePermissions serves PUT vedsdk/Permissions/Object/{guid}/(ptype)/{principal}.
func (a *api) replacePermissions(c *call, in *permissionFlags) answer {
	return a.changePermissions(c, core.GrantChange{Mode: core.ReplaceGrant, Rights: in.rights()}, http.StatusOK)
}

// deletePermissions serves DELETE vedsdk/Permissions/Object/{guid}/(ptype)/{principal}.
func (a *api) deletePermissions(c *call) answer {
	return a.changePermissions(c, core.GrantChange{Mode: core.DropGrant}, http.StatusOK)
}

func (a *api) changePermissions(c *call, g core.GrantChange, done int) answer {
	g.GrantedOn = c.grantedOn()
	if err := a.core.ChangeGrant(c.Context(), c.who(), g); err != nil {
		return a.refuseEntry(c, err)
	}
	return answer{status: done, body: map[string]any{}}
}

// permissionQuery is what GetPermissions takes.
type permissionQuery struct {
	ObjectDN  lenient.String
	Principal lenient.String
}

// getPermissions serves POST vedsdk/Permissions/GetPermissions: an entry, which may be
// that of somebody who is not there any more.
func (a *api) getPermissions(c *call, in *permissionQuery) answer {
	switch {
	case in.ObjectDN.Trimmed() == "":
		return lacks("ObjectDN")
	case in.Principal.Trimmed() == "":
		return lacks("Principal")
	}
	rights, has, err := a.core.EntryAt(c.Context(), c.who(), in.ObjectDN.Value, universalRef(in.Principal.Trimmed()).ID)
	if err != nil {
		return a.refusePermission(c, in.ObjectDN.Trimmed(), err)
	}
	body := map[string]any{}
	if has {
		body["Permissions"] = permissionsOf(rights)
	}
	return ok(body)
}

// refreshPermissions serves GET vedsdk/Permissions/Refresh. Rights are looked up for
// every call: there is nothing to refresh.
func (a *api) refreshPermissions(*call) answer { return ok(map[string]any{"Result": 1}) }
