package tpp

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/core"
)

// ownEvents is the group of the events that are told of here: the high half of their
// numbers. Those of clients are between 0100 and 0299.
const ownEvents = 0x7e00

// An eventDef is a kind of event that is told of here.
type eventDef struct {
	number int64  // within ownEvents; it never changes
	name   string // as clients see it
	work   bool   // each step of work that goes on by itself: one with a detail has failed
}

// eventDefs are the kinds of events by what was done, as the audit log has it up to
// the first slash. What is not here is of the kind otherEvent.
var eventDefs = map[string]eventDef{
	"login":         {1, "Login", false},
	"grant":         {2, "Token Granted", false},
	"refresh":       {3, "Token Refreshed", false},
	"revoke grant":  {4, "Token Revoked", false},
	"make key":      {5, "API Key Created", false},
	"prolong key":   {6, "API Key Prolonged", false},
	"put principal": {7, "Identity Changed", false},

	"begin session":       {134, "Session Begun", false},
	"end session":         {135, "Session Ended", false},
	"put service account": {136, "Service Account Changed", false},

	"add group":          {8, "Group Created", false},
	"add members":        {9, "Group Members Added", false},
	"remove members":     {10, "Group Members Removed", false},
	"rename group":       {11, "Group Renamed", false},
	"delete group":       {12, "Group Deleted", false},
	"set password":       {13, "Password Changed", false},
	"change rights":      {14, "Permissions Changed", false},
	"add team":           {128, "Team Created", false},
	"change team":        {129, "Team Changed", false},
	"change owners":      {130, "Team Owners Changed", false},
	"delete team":        {131, "Team Deleted", false},
	"prefer":             {132, "Preferences Changed", false},
	"forget preferences": {133, "Preferences Removed", false},

	"request":              {16, "Certificate Requested", false},
	"renew":                {17, "Certificate Renewal Requested", false},
	"reset":                {18, "Certificate Reset", false},
	"retry":                {19, "Certificate Retry Requested", false},
	"revoke":               {20, "Certificate Revocation Requested", false},
	"import":               {21, "Certificate Imported", false},
	"change":               {22, "Certificate Changed", false},
	"enroll":               {23, "Certificate Enrollment", true},
	"install":              {24, "Certificate Installation", true},
	"undo":                 {65, "Certificate Installation Put Back", true},
	"abandon":              {25, "Certificate Order Abandoned", true},
	"private key mismatch": {26, "Private Key Mismatch", false},
	"see revocation":       {27, "Certificate Revocation Seen", false},
	"reconsider":           {28, "Certificate Renewal Planned", false},
	"bind":                 {29, "Application Associated", false},
	"associate":            {30, "Certificate Associated", false},
	"dissociate":           {31, "Certificate Dissociated", false},
	"check revocation":     {32, "Certificate Revocation Checked", false},
	"orphan":               {33, "Certificate Orphaned", false},
	"rehearse":             {34, "State Rehearsed", false},
	"push":                 {35, "Certificate Push Requested", false},
	"host key":             {36, "Host Key Learnt", false},
	"validate":             {37, "Certificate Validated", false},
	"suspend":              {38, "Certificate Suspension Requested", false},
	"reinstate":            {39, "Certificate Reinstatement Requested", false},
	"hold":                 {40, "Certificate Suspension", true},
	"release":              {41, "Certificate Reinstatement", true},
	"regenerate":           {42, "Certificate Regeneration Requested", false},
	"reissue":              {43, "Certificate Reissue Requested", false},
	"rollback":             {44, "Certificate Rolled Back", false},
	"remove record":        {45, "Certificate Record Removed", false},
	"upload request":       {46, "Signing Request Uploaded", false},
	"forget requests":      {47, "Signing Requests Forgotten", false},

	"create":      {48, "Object Created", false},
	"put":         {49, "Object Changed", false},
	"edit":        {50, "Attributes Changed", false},
	"edit policy": {51, "Policy Changed", false},
	"delete":      {52, "Object Deleted", false},
	"rename":      {53, "Object Renamed", false},
	"mutate":      {54, "Object Class Changed", false},
	"set fields":  {55, "Custom Fields Changed", false},

	"set field policy": {56, "Custom Field Policy Changed", false},
	"define field":     {57, "Custom Field Defined", false},
	"update field":     {58, "Custom Field Changed", false},
	"undefine field":   {59, "Custom Field Removed", false},
	"clear field":      {60, "Custom Field Values Removed", false},
	"assign engines":   {61, "Processing Engines Assigned", false},
	"create group":     {62, "Certificate Group Created", false},
	"name group":       {63, "Certificate Group Named", false},
	"assign":           {64, "Certificates Moved to Group", false},

	"create ticket": {80, "Workflow Ticket Created", false},
	"decide":        {81, "Workflow Ticket Answered", false},
	"delete ticket": {82, "Workflow Ticket Deleted", false},
	"ask":           {83, "Approval Asked For", false},

	"read private key":    {108, "Private Key Read", false},
	"add secret":          {96, "Secret Added", false},
	"change secret":       {97, "Secret Changed", false},
	"retrieve secret":     {98, "Secret Retrieved", false},
	"own secret":          {99, "Secret Owner Added", false},
	"disown secret":       {100, "Secret Owner Removed", false},
	"create credential":   {101, "Credential Created", false},
	"update credential":   {102, "Credential Changed", false},
	"delete credential":   {103, "Credential Deleted", false},
	"retrieve credential": {104, "Credential Retrieved", false},
	"add certificates":    {105, "Certificates Added", false},
	"remove certificate":  {106, "Certificate Removed", false},
	"disown secrets":      {107, "Secret Owners Removed", false},

	"create SSH key pair":     {120, "SSH CA Key Pair Created", false},
	"request SSH certificate": {121, "SSH Certificate Requested", false},
	"issue SSH certificate":   {122, "SSH Certificate Issued", false},

	"publish":         {112, "Revocation List Published", false},
	"add issuer":      {113, "Certificate Authority Created", false},
	"add responder":   {114, "OCSP Responder Created", false},
	"reseal":          {115, "Secrets Sealed Again", false},
	"put application": {116, "API Application Changed", false},
	"make roots":      {117, "Installation Begun", false},
	"show principals": {118, "Identities Shown", false},
}

// otherEvent is the kind of what has none of its own; its name is what was done.
var otherEvent = eventDef{number: 255}

// unknownEvent is the name of an event whose number nobody has defined.
const unknownEvent = "Unknown"

// A logEvent is an event on the wire.
type logEvent struct {
	ClientTimestamp    string
	Component          string
	ComponentID        int64 `json:"ComponentId"`
	ComponentSubsystem *string
	Data               *string
	Grouping           int64
	ID                 int64 `json:"Id"`
	Name               string
	ServerTimestamp    string
	Severity           string
	SourceIP           *string
	Text1              *string
	Text2              *string
	Value1             int64
	Value2             int64
}

// logTime is a time in the log: UTC, which is not said.
func logTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000") }

// textOrNull is null instead of an empty text.
func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// eventOf is an entry of the log on the wire.
func eventOf(e core.LogEntry) logEvent {
	at := logTime(e.At)
	shown := logEvent{ClientTimestamp: at, ServerTimestamp: at, Component: e.About}
	if e.Event != nil {
		shown.ComponentID, shown.ComponentSubsystem, shown.SourceIP = e.Event.Component, textOrNull(e.Event.Subsystem), textOrNull(e.Event.Address)
		shown.Grouping, shown.ID, shown.Name = e.Event.Grouping, e.Event.Kind, unknownEvent
		shown.Text1, shown.Text2, shown.Value1, shown.Value2 = textOrNull(e.Event.Text1), textOrNull(e.Event.Text2), e.Event.Value1, e.Event.Value2
		shown.Data = textOrNull(e.Actor)
		shown.Severity = severities[min(max(e.Event.Severity, 1), len(severities))-1]
		return shown
	}
	def, severity := defOf(e), severityInfo
	if e.Outcome != core.LogOK || def.work && e.Detail != "" && !strings.HasPrefix(e.Detail, core.Printed) {
		severity = severityError
	} else if e.Action == "private key mismatch" {
		severity = severityWarning
	}
	text := e.Detail
	if e.Outcome != core.LogOK {
		text = strings.TrimSuffix(e.Outcome+": "+e.Detail, ": ")
	}
	shown.ID, shown.Name, shown.Severity = ownEvents<<16|def.number, cmp.Or(def.name, e.Action), severities[severity-1]
	shown.Text1, shown.Text2 = textOrNull(e.Actor), textOrNull(text)
	return shown
}

func defOf(e core.LogEntry) eventDef {
	what, _, _ := strings.Cut(e.Action, "/")
	if def, ok := eventDefs[what]; ok {
		return def
	}
	return otherEvent
}

// logSchema serves GET vedsdk/Log/LogSchema: the kinds of events that are told of here.
func (a *api) logSchema(*call) answer {
	definitions := []map[string]any{}
	define := func(def eventDef, name string) {
		definitions = append(definitions, map[string]any{
			"DataFormat": "", "DataTitle": "", "DataType": "", "Description": name, "GroupingTitle": "", "GroupingType": "", "Id": ownEvents<<16 | def.number,
			"Text1Title": "Actor", "Text2Title": "Detail", "Value1Title": "", "Value1Type": "", "Value2Title": "", "Value2Type": "",
		})
	}
	for _, def := range eventDefs {
		define(def, def.name)
	}
	define(otherEvent, "Other")
	slices.SortFunc(definitions, func(a, b map[string]any) int { return cmp.Compare(a["Id"].(int64), b["Id"].(int64)) })
	return ok(map[string]any{
		"LogEventApplicationDefinitions": []any{map[string]any{"ApplicationName": "Certwright", "Id": ownEvents}},
		"LogEventDefinitions":            definitions, "LogResult": logDone,
	})
}
