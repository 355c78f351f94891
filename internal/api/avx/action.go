package avx

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var actionRoutes = []route{
	{method: http.MethodPut, name: "certificate/action", handle: read((*api).act)},
}

// maxReason is how long a reason may be, and comments, in characters.
const maxReason = 1024

// An actionBody is what a client says that wants something done about a certificate.
type actionBody struct {
	identifiers
	Action   text   `json:"action"`
	Reason   text   `json:"reason"`
	Comments text   `json:"comments"`
	Upload   upload `json:"uploadCsrDetails"`

	needsKey bool // what comes of it is to be handed out with its private key
}

// An action is one thing that can be done about a certificate: what its caller must be
// allowed to do, which reasons are good, how it is begun, and how its failures read.
type action struct {
	name     string
	function function
	isReason func(text) bool
	begin    func(*api, *call, *actionBody, core.RecordRef) (started, error)
	words    words
}

// Started is an order that has been given, and the record that will come of it or that it
// is about.
type started struct {
	record string
	order  clm.WorkID
}

// actions are what can be done, by their names, which are compared to the letter.
var actions = byName(
	action{"Regenerate", mayRegenerate, isText, renewal{action: core.ActionRegenerate, key: clm.KeyNew}.begin, renewalWords},
	action{"Renew", mayRenew, isTextOrNone, renewal{action: core.ActionRenew, key: clm.KeySame}.begin, renewalWords},
	action{"Reissue", mayReissue, isText, renewal{action: core.ActionReissue, key: clm.KeyNew, keepEnd: true}.begin, renewalWords},
	action{"Revoke", mayRevoke, isRevocationReason, (*api).beginRevocation, revocationWords},
	action{"Suspend", maySuspend, isText, hold((*core.Core).Suspend), revocationWords},
	action{"Reinstate", mayReinstate, isText, hold((*core.Core).Reinstate), revocationWords},
)

func byName(list ...action) map[text]action {
	all := make(map[text]action, len(list))
	for _, a := range list {
		all[text(a.name)] = a
	}
	return all
}

// A startReply is what a client is told of an order that it has given.
type startReply struct {
	ResourceID string `json:"resourceId"`
	Message    string `json:"message"`
	RequestID  string `json:"requestId"`
}

// act does what the body says about the certificate that it names.
func (a *api) act(c *call, in *actionBody) answer {
	act, known := actions[in.Action]
	switch {
	case in.Action == "":
		return fail(mandatory("action"))
	case !known:
		return fail(badAction)
	}
	done, refused := a.order(c, act, in)
	if refused != nil {
		return *refused
	}
	return ok(http.StatusAccepted, startReply{
		ResourceID: done.record, Message: act.name + " action triggered successfully.", RequestID: requestID(done.order),
	}, act.name+" action has been triggered successfully")
}

// order gives the order. refused says why it was not given.
func (a *api) order(c *call, act action, in *actionBody) (done started, refused *answer) {
	say := func(f answer) (started, *answer) { return started{}, &f }
	if !act.isReason(in.Reason) {
		return say(fail(mandatory("reason")))
	}
	if !isTextOrNone(in.Comments) {
		return say(fail(mandatory("comments")))
	}
	ref, isNamed := in.ref()
	if !isNamed {
		return say(fail(badIdentifiers))
	}
	if !c.may(act.function) || in.needsKey && !c.may(mayDownloadKey) { // whether there is such a certificate is said first
		if _, err := a.core.Record(c.Context(), c.who(), ref); err != nil {
			return say(a.refuseAction(c, act.words, err))
		}
		return say(fail(accessDenied))
	}
	if in.needsKey {
		if f := a.mayHaveKey(c, in, ref); f != nil {
			return say(fail(*f))
		}
	}
	done, err := act.begin(a, c, in, ref)
	if err != nil {
		return say(a.refuseAction(c, act.words, err))
	}
	return done, nil
}

func isText(reason text) bool { return reason != "" && isTextOrNone(reason) }

// isTextOrNone refuses what cannot be kept, too.
func isTextOrNone(reason text) bool {
	return utf8.RuneCountInString(string(reason)) <= maxReason && isLegible(string(reason))
}

func isRevocationReason(reason text) bool {
	_, known := revocationReasons[strings.ToLower(string(reason))]
	return known
}

// refuseAction says why an order was not given, and what helps to go on: how many
// certificates are meant, which order is in the way, or what is wrong with a key.
func (a *api) refuseAction(c *call, w words, err error) answer {
	refused := a.refuse(c, w, err)
	switch e := clm.AsError(err); {
	case e.Kind == clm.Invalid && e.Field == "record" && e.Value != "":
		return refused.tagged(tags{"matches": e.Value})
	case e.Kind == clm.NeedsCSR:
		return fail(cannot(strings.ReplaceAll(originTexts[e.Field], "{value}", e.Value)))
	case e.Kind == clm.Busy:
		return refused.tagged(a.inTheWay(c, e.Value))
	case e.Kind == clm.Violation && len(e.Breaches) > 0 && e.Breaches[0].Rule == clm.RuleKeyReuse:
		return refused.tagged(tags{"reason": names.RuleTexts[clm.RuleKeyReuse]})
	}
	return refused
}

// inTheWay names the order with the number, as far as it is known.
func (a *api) inTheWay(c *call, number string) tags {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil
	}
	found, err := a.core.Orders(c.Context(), c.who(), []clm.WorkID{clm.WorkID(id)})
	if err != nil || len(found) == 0 {
		return nil
	}
	return tags{"requestId": requestID(found[0].ID), "resourceId": found[0].Record.ID}
}

// A renewal is an action that leads to a new certificate.
type renewal struct {
	action  core.Action
	key     clm.KeyWish
	keepEnd bool
}

// request is the renewal of the record as the body wants it.
func (r renewal) request(c *call, in *actionBody, ref core.RecordRef) core.Renew {
	return core.Renew{
		Record: &ref, CSR: in.Upload.text, Key: r.key, KeepEnd: r.keepEnd, Approval: !c.query.autoApproval,
		Reason: string(cmp.Or(in.Reason, in.Comments)), Action: r.action, WithKey: in.needsKey,
	}
}

func (r renewal) begin(a *api, c *call, in *actionBody, ref core.RecordRef) (started, error) {
	done, err := a.core.Renew(c.Context(), c.who(), r.request(c, in, ref))
	return started{done.Record, done.Work}, err
}

// beginRevocation has the certificate revoked. The CA, and who looks at the order, are told
// the name of the reason, and the comments.
func (a *api) beginRevocation(c *call, in *actionBody, ref core.RecordRef) (started, error) {
	reason := revocationReasons[strings.ToLower(string(in.Reason))]
	why := reason.name
	if in.Comments != "" {
		why += ": " + string(in.Comments)
	}
	done, err := a.core.Revoke(c.Context(), c.who(), core.Revoke{
		Record: &ref, Reason: reason.code, Comments: why, Approval: !c.query.autoApproval,
	})
	return started{done.Record, done.Work}, err
}

// hold begins what puts a certificate on hold or takes it off.
func hold(do func(*core.Core, context.Context, clm.Actor, core.Hold) (core.RevokeAccepted, error)) func(*api, *call, *actionBody, core.RecordRef) (started, error) {
	return func(a *api, c *call, in *actionBody, ref core.RecordRef) (started, error) {
		done, err := do(a.core, c.Context(), c.who(), core.Hold{Record: &ref, Reason: string(in.Reason), Approval: !c.query.autoApproval})
		return started{done.Record, done.Work}, err
	}
}

// A revocationReason is a reason as the product calls it.
type revocationReason struct {
	name string
	code clm.Reason
}

// revocationReasons are the reasons by their names in small letters.
var revocationReasons = byLowerName([]revocationReason{
	{"Unspecified", clm.Unspecified}, {"Key compromise", clm.KeyCompromise}, {"CA compromise", clm.CACompromise},
	{"Affiliation changed", clm.AffiliationChanged}, {"Superseded", clm.Superseded}, {"Cessation of operation", clm.CessationOfOperation},
})

func byLowerName(list []revocationReason) map[string]revocationReason {
	all := make(map[string]revocationReason, len(list))
	for _, r := range list {
		all[strings.ToLower(r.name)] = r
	}
	return all
}

// recordWords are how failures read that are about the certificate that a call names.
var recordWords = words{
	{clm.Invalid, "record"}: badIdentifiers,
	{kind: clm.NotFound}:    noRecords,
	{kind: clm.Denied}:      readGroup,
}

// orderWords are those of whatever gives an order about a certificate.
var orderWords = union(recordWords, words{
	{kind: clm.Unmanaged}:   monitored,
	{kind: clm.Busy}:        openOrders,
	{kind: clm.Disabled}:    unsuitable,
	{kind: clm.Unsupported}: unsuitable,
	{kind: clm.NotIssued}:   unsuitable,
})

// renewalWords are those of what leads to a new certificate.
var renewalWords = union(orderWords, words{
	{clm.Invalid, "csr"}: mandatory("csrContent"),
	{clm.Invalid, "key"}: unsuitable,
	{clm.NeedsCSR, ""}:   mandatory("csrContent"),
	{kind: clm.NoKey}:    noKey,
})

// revocationWords are those of what revokes a certificate or puts it on hold.
var revocationWords = union(orderWords, words{
	{clm.Denied, "copy"}: unsuitable,
})

// originTexts say which policy decides where signing requests come from.
var originTexts = map[string]string{
	"required": `PKCS#10 data required. Policy "{value}" is locked to a User Provided CSR.`,
	"refused":  `PKCS#10 data will not be processed. Policy "{value}" is locked to a Server Generated CSR.`,
}
