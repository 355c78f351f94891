package avx

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var groupRoutes = []route{
	{method: http.MethodPost, name: "certificate/group", function: mayManage, handle: read((*api).makeGroup)},
	{method: http.MethodGet, name: "certificate/group", function: mayView, handle: (*api).viewGroup},
	{method: http.MethodDelete, name: "certificate/group", function: mayManage, handle: (*api).dropGroup},
	{method: http.MethodPut, name: "certificate/group/assign", function: mayManage, handle: read((*api).assign)},
	{method: http.MethodPost, name: "certificategroup/list", function: mayView, handle: read((*api).listGroups)},
	{method: http.MethodPost, name: "cert-group-update", function: mayManage, handle: read((*api).updateGroup)},
}

// group is a group of certificates as clients describe it.
type group struct {
	Name                 lenient.String
	ParentGroup          lenient.String
	DisplayName          lenient.String
	Description          lenient.String
	ApplicationID        lenient.String
	PolicyName           lenient.String
	GroupBusinessInfo    map[string]lenient.String
	GroupLevelCertConfig groupWish
}

// groupWish is what a group is to do for its certificates.
type groupWish struct {
	AutoPushNeededAfterRenewReissue lenient.Bool
	AutoRenewConfig                 struct {
		RenewBefore                  lenient.Int64
		AutoRenewal                  lenient.Bool
		ApprovalRequiredForAutoRenew lenient.Bool
	}
}

// isZero reports whether the wish has nothing but zeros in it.
func (w groupWish) isZero() bool {
	renewal := w.AutoRenewConfig
	return !w.AutoPushNeededAfterRenewReissue.Value && !renewal.AutoRenewal.Value && !renewal.ApprovalRequiredForAutoRenew.Value &&
		renewal.RenewBefore.Value == 0 && renewal.RenewBefore.Wrong == ""
}

// groupMade is the answer's description of a group.
type groupMade struct {
	Name          string            `json:"name"`
	DisplayName   string            `json:"displayName"`
	Description   string            `json:"description"`
	ApplicationID string            `json:"applicationID"`
	ParentGroup   string            `json:"parentGroup"`
	PolicyName    string            `json:"policyName"`
	Permission    string            `json:"permission"`
	Business      map[string]string `json:"groupBusinessInfo"`
	Config        groupConfig       `json:"groupLevelCertConfig"`
}

type groupConfig struct {
	AutoPush bool          `json:"autoPushNeededAfterRenewReissue"`
	Renewal  renewalConfig `json:"autoRenewConfig"`
}

type renewalConfig struct {
	Before   int  `json:"renewBefore"` // days; zero: as long as is good for the certificate
	Auto     bool `json:"autoRenewal"`
	Approval bool `json:"approvalRequiredForAutoRenew"`
}

// The attributes in which a group's description is kept that nothing here goes by.
const (
	notedDisplay     clm.Attr = "avx:displayName"
	notedApplication clm.Attr = "avx:applicationID"
	notedPolicy      clm.Attr = "avx:policyName"
	notedApproval    clm.Attr = "avx:approvalRequiredForAutoRenew"
)

// businessInfo are the members of a group's business information.
var businessInfo = []string{"contactName", "phoneNumber", "lobName", "costCenter", "environmentName", "inventoryNumber", "email"}

// grouping words the failures of calls about groups.
var grouping = words{
	{clm.NotFound, "group"}: noRecords, {kind: clm.NotFound}: noRecords, {clm.Invalid, "record"}: badIdentifiers,
	{clm.Denied, "read-only"}: readGroup, {kind: clm.Denied}: accessDenied,
	{clm.Exists, "group"}: cannot("A certificate group of this name exists already."),
	{clm.Invalid, "name"}: mandatory("name"), {clm.Invalid, string(clm.RenewalWindow)}: mandatory("renewBefore"),
	{clm.Unsupported, "built-in"}: cannot("The group is built in."), {clm.Unsupported, "below"}: cannot("The group is not empty."),
	{clm.Invalid, "value"}: mandatory("groupBusinessInfo"), {kind: clm.Limited}: mandatory("resourceIds"), {kind: clm.Busy}: openOrders,
}

// within are grouping's words where a group was named that something is to come into.
var within = union(grouping, words{{clm.NotFound, "group"}: noGroup})

// makeGroup serves POST certificate/group.
func (a *api) makeGroup(c *call, in *group) answer {
	want, f := in.translate()
	if f != nil {
		return fail(*f)
	}
	made, err := a.core.MakeGroup(c.Context(), c.who(), want)
	if err != nil {
		return a.refuse(c, within, err)
	}
	return a.describe(c, made, http.StatusAccepted, "Create certificate group action has been triggered successfully")
}

// translate says in our terms what group is to be made. The name of its policy is kept
// alone: what holds in a group is what it says and those above it.
func (in *group) translate() (want core.NewFolder, refused *failure) {
	want = core.NewFolder{Name: in.Name.Value, Parent: in.ParentGroup.Trimmed(), Policy: map[clm.Attr][]string{}, Own: map[clm.Attr][]string{
		clm.Description: {in.Description.Trimmed()}, notedDisplay: {in.DisplayName.Trimmed()},
		notedApplication: {in.ApplicationID.Trimmed()}, notedPolicy: {in.PolicyName.Trimmed()},
	}}
	switch {
	case !isGroupName(want.Name):
		return want, new(mandatory("name"))
	case !isLine(want.Parent):
		return want, &noGroup
	case in.PolicyName.Trimmed() == "":
		return want, new(mandatory("policyName"))
	}
	for _, name := range businessInfo {
		for key, value := range in.GroupBusinessInfo {
			if strings.EqualFold(key, name) {
				want.Own[noted(name)] = []string{value.Trimmed()}
			}
		}
	}
	for _, of := range []struct {
		member string
		attr   clm.Attr
	}{{"description", clm.Description}, {"displayName", notedDisplay}, {"applicationID", notedApplication}, {"policyName", notedPolicy}} {
		if !areLegible(want.Own[of.attr]) {
			return want, new(mandatory(of.member))
		}
	}
	for _, name := range businessInfo {
		if !areLegible(want.Own[noted(name)]) {
			return want, new(mandatory("groupBusinessInfo"))
		}
	}
	config := in.GroupLevelCertConfig
	if push := config.AutoPushNeededAfterRenewReissue; push.Set {
		want.Policy[clm.ManagementType] = []string{map[bool]string{true: clm.Provisioning, false: clm.Enrollment}[push.Value]}
	}
	renewal := config.AutoRenewConfig
	if renewal.AutoRenewal.Set {
		want.Policy[clm.NoAutoRenewal] = []string{map[bool]string{true: "0", false: "1"}[renewal.AutoRenewal.Value]}
	}
	switch before := renewal.RenewBefore; {
	case before.Wrong != "" || before.Value < 0 || before.Value > maxValidity:
		return want, new(mandatory("renewBefore"))
	case before.Value > 0:
		want.Policy[clm.RenewalWindow] = []string{strconv.FormatInt(before.Value, 10)}
	}
	if renewal.ApprovalRequiredForAutoRenew.Value {
		want.Own[notedApproval] = []string{"1"}
	}
	return want, nil
}

// isGroupName reports whether a group can have the name: letters, digits, blanks and some
// signs, neither of the last at its beginning, and no blank at its end.
func isGroupName(name string) bool {
	if name == "" || strings.HasSuffix(name, " ") {
		return false
	}
	for at, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && (at == 0 || !strings.ContainsRune(" .-_", r)) {
			return false
		}
	}
	return true
}

// updateGroup serves cert-group-update, which makes a group under other names. Its clients
// send every member that their types have: a wish of zeros is none.
func (a *api) updateGroup(c *call, in *struct {
	Payload struct {
		group
		AppID       lenient.String
		ReportingTo lenient.String
	}
}) answer {
	g := in.Payload.group
	g.ApplicationID, g.ParentGroup = in.Payload.AppID, in.Payload.ReportingTo
	if g.GroupLevelCertConfig.isZero() {
		g.GroupLevelCertConfig = groupWish{}
	}
	return a.makeGroup(c, &g)
}

// groupName is the name of the group that the query or a header says.
func (c *call) groupName() string {
	if name := strings.TrimSpace(c.URL.Query().Get("groupName")); name != "" {
		return name
	}
	return legible(strings.TrimSpace(c.Header.Get("groupName")))
}

// viewGroup serves GET certificate/group.
func (a *api) viewGroup(c *call) answer {
	name := c.groupName()
	if name == "" {
		return fail(mandatory("groupName"))
	}
	if !isLine(name) {
		return fail(noRecords)
	}
	found, err := a.core.Group(c.Context(), c.who(), name)
	if err != nil {
		return a.refuse(c, grouping, err)
	}
	return a.describe(c, found, http.StatusOK, "View certificate group action has been triggered successfully")
}

// describe answers with the group.
func (a *api) describe(c *call, g core.Group, status int, said string) answer {
	names, err := a.core.GroupNames(c.Context())
	if err != nil {
		return a.refuse(c, nil, err)
	}
	return ok(status, groupReply(g, names), said)
}

// groupReply describes a group, with what holds for the certificates in it.
func groupReply(g core.Group, names core.GroupNames) groupMade {
	own := func(a clm.Attr) string { return clm.Setting{Values: g.Path.Last().Own[a]}.First() }
	holds := func(a clm.Attr) clm.Setting { return g.Path.ValueFor(clm.AnyCertificate, a) }
	before, _ := strconv.Atoi(holds(clm.RenewalWindow).First()) // none: it depends on the certificate
	reply := groupMade{
		Name: g.Name, DisplayName: own(notedDisplay), Description: own(clm.Description), ApplicationID: own(notedApplication),
		ParentGroup: names.Of(g.Path[:len(g.Path)-1]), PolicyName: own(notedPolicy), Permission: permission(g.Rights), Business: map[string]string{},
		Config: groupConfig{holds(clm.ManagementType).First() == clm.Provisioning, renewalConfig{
			Before: before, Auto: !holds(clm.NoAutoRenewal).IsOn(), Approval: own(notedApproval) == "1",
		}},
	}
	for _, name := range businessInfo {
		reply.Business[name] = own(noted(name))
	}
	return reply
}

// permission is what the rights on a group amount to.
func permission(rights clm.Rights) string {
	if rights.Has(clm.Write) {
		return "RW"
	}
	return "R"
}

// dropGroup serves DELETE certificate/group.
func (a *api) dropGroup(c *call) answer {
	name := c.groupName()
	if name == "" {
		return fail(mandatory("groupName"))
	}
	if !isLine(name) {
		return fail(noRecords)
	}
	if err := a.core.DropGroup(c.Context(), c.who(), name); err != nil {
		return a.refuse(c, grouping, err)
	}
	return ok(http.StatusAccepted, true, "Delete certificate group action has been triggered successfully")
}

// assignment is what PUT certificate/group/assign takes.
type assignment struct {
	GroupName   lenient.String
	ResourceIDs lenient.StringList // or one string with commas
}

// assign serves PUT certificate/group/assign.
func (a *api) assign(c *call, in *assignment) answer {
	name := in.GroupName.Trimmed()
	switch {
	case name == "":
		return fail(mandatory("groupName"))
	case !isLine(name):
		return fail(noGroup)
	}
	var records []core.RecordRef
	ids := []string{}
	for _, id := range strings.Split(strings.Join(in.ResourceIDs.Values, ","), ",") {
		if id = strings.TrimSpace(id); id != "" {
			records, ids = append(records, core.RecordRef{ID: id}), append(ids, id)
		}
	}
	if len(records) == 0 {
		return fail(mandatory("resourceIds"))
	}
	if err := a.core.Assign(c.Context(), c.who(), name, records); err != nil {
		return a.refuse(c, within, err)
	}
	return ok(http.StatusAccepted, map[string]any{"groupName": name, "resourceIds": ids},
		"Assign certificate group action has been triggered successfully")
}

// How many groups are listed at a time unless the client says.
const listedGroups = 100

// listing is what certificategroup/list takes.
type listing struct {
	NextPageToken lenient.String
	SearchOptions struct{ Limit lenient.Int64 }
}

// listGroups serves certificategroup/list. The token is empty on the last page.
func (a *api) listGroups(c *call, in *listing) answer {
	limit := in.SearchOptions.Limit
	if limit.Wrong != "" || limit.Value < 0 {
		return fail(mandatory("limit"))
	}
	most := listedGroups
	if limit.Value > 0 {
		most = int(min(limit.Value, core.MaxGroups))
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextPageToken.Trimmed())
	if err != nil {
		return fail(mandatory("nextPageToken"))
	}
	names, err := a.core.GroupNames(c.Context())
	if err != nil {
		return a.refuse(c, nil, err)
	}
	groups, next, err := a.core.Groups(c.Context(), c.who(), clm.DN(after), most)
	if err != nil {
		return a.refuse(c, nil, err)
	}
	objects := []groupMade{}
	for _, g := range groups {
		objects = append(objects, groupReply(g, names))
	}
	return ok(http.StatusOK, map[string]any{"objects": objects, "nextPageToken": base64.RawURLEncoding.EncodeToString([]byte(next))}, "")
}
