package tpp

import (
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/core"
)

// teamRoutes are the calls about teams.
var teamRoutes = []route{
	{"POST", "/vedsdk/teams", needs("configuration:manage"), read((*api).addTeam)},
	{"PUT", "/vedsdk/teams/addteammembers", needs("configuration:manage"), read((*api).addTeamMembers)},
	{"PUT", "/vedsdk/teams/removeteammembers", needs("configuration:manage"), read((*api).removeTeamMembers)},
	{"PUT", "/vedsdk/teams/addteamowners", needs("configuration:manage"), read((*api).addTeamOwners)},
	{"PUT", "/vedsdk/teams/demoteteamowners", needs("configuration:manage"), read((*api).demoteTeamOwners)},
	{"PUT", "/vedsdk/teams/renameteam", needs("configuration:manage"), read((*api).renameTeam)},
	{"GET", "/vedsdk/teams/{prefix}/{universal}", needs("configuration"), (*api).team},
	{"PUT", "/vedsdk/teams/{prefix}/{universal}", needs("configuration:manage"), read((*api).changeTeam)},
	{"DELETE", "/vedsdk/teams/{prefix}/{universal}", needs("configuration:delete"), (*api).deleteTeam},
}

// teamChange is what the calls take that make or change a team.
type teamChange struct {
	Name        identityRef
	Team        identityRef
	Description lenient.String
	Owners      []identityRef
	Members     []identityRef
	Assets      lenient.StringList
	Products    lenient.StringList
	ShowMembers lenient.Bool
	NewTeamName lenient.String
}

// change is what the team shall be; lists that were left out stay as they are.
func (in *teamChange) change() core.TeamChange {
	var t core.TeamChange
	if in.Description.Set {
		t.Description = &in.Description.Value
	}
	if in.Owners != nil {
		t.Owners = principalRefs(in.Owners)
	}
	if in.Members != nil {
		t.Members = principalRefs(in.Members)
	}
	for _, l := range []struct {
		list *[]string
		in   lenient.StringList
	}{{&t.Assets, in.Assets}, {&t.Products, in.Products}} {
		if l.in.Set {
			*l.list = list(l.in.NonEmpty())
		}
	}
	return t
}

// changed answers with a team that was made or changed.
func (in *teamChange) changed(team core.Principal, unknown core.Unknown, text string) answer {
	return ok(map[string]any{
		"ID": identityOf(team), "InvalidMembers": unknownOf(in.Members, unknown.Members),
		"InvalidOwners": unknownOf(in.Owners, unknown.Owners), "Message": text,
	})
}

// addTeam serves POST vedsdk/Teams.
func (a *api) addTeam(c *call, in *teamChange) answer {
	switch {
	case in.Name.isEmpty():
		return lacks("Name")
	case len(in.Owners) == 0:
		return lacks("Owners")
	case in.Name.isForeign():
		return ok(map[string]any{})
	}
	made, unknown, err := a.core.AddTeam(c.Context(), c.who(), newName(in.Name), in.change())
	if err != nil {
		return a.refuseGroup(c, err)
	}
	return in.changed(made, unknown, "The team has been created.")
}

// team serves GET vedsdk/Teams/{prefix}/{universal}.
func (a *api) team(c *call) answer {
	ref := c.pathRef()
	if ref.isForeign() {
		return ok(map[string]any{})
	}
	t, err := a.core.Team(c.Context(), c.who(), ref.principal())
	if err != nil {
		return a.refuseGroup(c, err)
	}
	assets := []string{}
	for _, dn := range t.Assets {
		assets = append(assets, string(dn))
	}
	return ok(map[string]any{
		"Assets": assets, "Description": t.Description, "ID": identityOf(t.Principal),
		"Members": identitiesOf(t.Members), "Owners": identitiesOf(t.Owners), "Products": list(t.Products),
	})
}

// changeTeam serves PUT vedsdk/Teams/{prefix}/{universal}: what is given replaces what
// was there.
func (a *api) changeTeam(c *call, in *teamChange) answer {
	ref, change := c.pathRef(), in.change()
	if name := newName(in.Name); name != "" {
		change.Name = &name
	}
	switch {
	case ref.isForeign():
		return ok(map[string]any{})
	case change.Name == nil && change.Description == nil && in.Owners == nil && in.Members == nil && !in.Assets.Set && !in.Products.Set:
		return oauthError(http.StatusBadRequest, "invalid_request", "At least one property of the team is required.")
	}
	changed, unknown, err := a.core.ChangeTeam(c.Context(), c.who(), ref.principal(), change)
	if err != nil {
		return a.refuseGroup(c, err)
	}
	return in.changed(changed, unknown, "The team has been updated.")
}

// deleteTeam serves DELETE vedsdk/Teams/{prefix}/{universal}.
func (a *api) deleteTeam(c *call) answer {
	ref := c.pathRef()
	if ref.isForeign() {
		return ok(map[string]any{})
	}
	if err := a.core.DeleteTeam(c.Context(), c.who(), ref.principal()); err != nil {
		return a.refuseGroup(c, err)
	}
	return message(http.StatusOK, "The team has been deleted.")
}

// addTeamMembers serves PUT vedsdk/Teams/AddTeamMembers.
func (a *api) addTeamMembers(c *call, in *teamChange) answer {
	return a.changeMembers(c, in.ShowMembers.Value, "Team", in.Team, in.Members, core.MembersChange{Team: true})
}

// removeTeamMembers serves PUT vedsdk/Teams/RemoveTeamMembers. Owners who are removed
// own the team no longer.
func (a *api) removeTeamMembers(c *call, in *teamChange) answer {
	return a.changeMembers(c, in.ShowMembers.Value, "Team", in.Team, in.Members, core.MembersChange{Team: true, Remove: true})
}

// addTeamOwners serves PUT vedsdk/Teams/AddTeamOwners.
func (a *api) addTeamOwners(c *call, in *teamChange) answer { return a.changeOwners(c, in, false) }

// demoteTeamOwners serves PUT vedsdk/Teams/DemoteTeamOwners.
func (a *api) demoteTeamOwners(c *call, in *teamChange) answer { return a.changeOwners(c, in, true) }

func (a *api) changeOwners(c *call, in *teamChange, demote bool) answer {
	switch {
	case in.Team.isEmpty():
		return lacks("Team")
	case in.Team.isForeign():
		return ok(map[string]any{})
	case len(in.Owners) == 0:
		return lacks("Owners")
	}
	t, unknown, err := a.core.ChangeOwners(c.Context(), c.who(), core.OwnersChange{
		Team: in.Team.principal(), Owners: principalRefs(in.Owners), Demote: demote,
	})
	switch {
	case err != nil:
		return a.refuseGroup(c, err)
	case !in.ShowMembers.Value:
		return ok(nil)
	}
	return ok(map[string]any{
		"InvalidOwners": unknownOf(in.Owners, unknown), "Members": identitiesOf(t.Members), "Owners": identitiesOf(t.Owners),
	})
}

// renameTeam serves PUT vedsdk/Teams/RenameTeam. The folder of the team keeps its name:
// clients know it by that.
func (a *api) renameTeam(c *call, in *teamChange) answer {
	switch {
	case in.Team.isEmpty():
		return lacks("Team")
	case in.NewTeamName.Trimmed() == "":
		return lacks("NewTeamName")
	case in.Team.isForeign():
		return ok(map[string]any{})
	}
	return a.rename(c, in.Team, in.NewTeamName, true)
}
