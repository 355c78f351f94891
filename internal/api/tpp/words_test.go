package tpp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// operations are all that refuse: the kinds that their use cases say they may
// fail with, and the ways in which that happens.
var operations = map[string]struct {
	operation
	kinds []clm.Kind
	ways  []way
}{
	"Renew": {renewing, slices.Concat(core.RenewKinds, core.RetrieveKinds), slices.Concat(outputWays, csrWays, []way{
		{clm.Invalid, "dn"}, {clm.Invalid, fieldMissingDN}, {clm.Invalid, "key"}, {clm.Invalid, "authority"}, {clm.NotFound, ""},
		{clm.Unmanaged, clm.Monitoring}, {clm.Unmanaged, clm.Unassigned}, {clm.Busy, ""}, {clm.Busy, "queued"}, {clm.Busy, "csr"},
		{clm.Disabled, ""}, {clm.InError, ""}, {clm.NeedsCSR, "origin"},
		{clm.Unwritten, "disabled"}, {clm.Unwritten, "user-csr"}, {clm.Unwritten, fieldOwnCSR}, {clm.Unwritten, "key-size"},
		{clm.Unwritten, "curve"}, {clm.Unwritten, "work"},
	})},
	"Request": {requesting, slices.Concat(core.RequestKinds, core.RetrieveKinds), slices.Concat(outputWays, csrWays, []way{
		{clm.Invalid, "dn"}, {clm.Invalid, "folder"}, {clm.Invalid, "name"}, {clm.Invalid, fieldNoName}, {clm.Invalid, "authority"},
		{clm.Invalid, fieldAny}, {clm.Invalid, "key"}, {clm.Invalid, "san"}, {clm.Invalid, "pkix"}, {clm.Invalid, "management"},
		{clm.NotFound, ""}, {clm.Disabled, ""}, {clm.Unmanaged, clm.Monitoring}, {clm.Exists, "class"},
		{clm.Exists, "bound"}, {clm.Exists, fieldUnseen}, {clm.Unsupported, fieldCustom}, {clm.Unsupported, "class"},
	})},
	"Retrieve": {retrieving, core.RetrieveKinds, slices.Concat(outputWays, []way{
		{clm.Invalid, "dn"}, {clm.Invalid, fieldMissingDN}, {clm.NotFound, ""},
	})},
	"Revoke": {revoking, slices.Concat(core.RevokeKinds, []clm.Kind{clm.InError}), []way{
		{clm.Invalid, fieldMissing}, {clm.Invalid, fieldReason}, {clm.Invalid, fieldTimeout}, {clm.Invalid, "dn"}, {clm.NotFound, ""},
		{clm.NotFound, "owner"}, {clm.NotFound, "thumbprint"}, {clm.NotFound, "vanished"}, {clm.Denied, ""}, {clm.NotIssued, ""},
		{clm.NotIssued, "data"}, {clm.Unsupported, ""}, {clm.Unwritten, "disable"}, {clm.Unwritten, "state"},
		{clm.Unwritten, "revocation"}, {clm.Unwritten, "check"}, {clm.Unwritten, "pending"}, {clm.InError, ""},
	}},
	"CheckPolicy": {checking, core.PolicyKinds, []way{
		{clm.Invalid, "dn"}, {clm.Invalid, "csr"}, {clm.Invalid, fieldNotBase64}, {clm.NotFound, ""},
	}},
	"List":    {listing, nil, []way{{clm.Invalid, "dn"}, {clm.Invalid, "boolean"}, {clm.Invalid, "date"}, {clm.Invalid, "integer"}, {clm.Invalid, "certificate-type"}, {clm.Invalid, "values"}}},
	"Details": {detailing, core.HistoryKinds, []way{{clm.Invalid, "guid"}, {clm.NotFound, ""}}},
	"Change": {changing, core.ChangeKinds, []way{
		{clm.Invalid, "guid"}, {clm.Invalid, fieldMissing}, {clm.Invalid, fieldAttribute}, {clm.Invalid, "authority"},
		{clm.Invalid, "management-type"}, {clm.Invalid, "renewal-window"}, {clm.Invalid, fieldCustom},
		{clm.Unsupported, fieldAttribute}, {clm.NotFound, ""}, {clm.Denied, ""},
	}},
	"Delete": {detailing, core.RemoveKinds, []way{{clm.Invalid, "guid"}, {clm.NotFound, ""}, {clm.Denied, ""}}},
	"Import": {importing, core.ImportKinds, []way{
		{clm.Invalid, fieldMissing}, {clm.Invalid, "dn"}, {clm.Invalid, "certificate"}, {clm.Invalid, "private-key"},
		{clm.Invalid, "key-mismatch"}, {clm.Invalid, "key"}, {clm.Invalid, "name"}, {clm.Invalid, "ca-attribute"},
		{clm.NotFound, ""}, {clm.Denied, ""}, {clm.Exists, "certificate"}, {clm.Exists, "class"},
	}},
	"Reset": {resetting, core.ResetKinds, []way{
		{clm.Invalid, fieldMissingDN}, {clm.Invalid, fieldTimeout}, {clm.Invalid, "dn"}, {clm.NotFound, ""}, {clm.Denied, ""},
		{clm.Busy, ""}, {clm.Unmanaged, clm.Unassigned}, {clm.Unnecessary, ""},
	}},
	"Retry": {retrying, core.RetryKinds, []way{
		{clm.Invalid, fieldMissingDN}, {clm.Invalid, fieldTimeout}, {clm.Invalid, "dn"}, {clm.NotFound, ""}, {clm.Denied, ""},
		{clm.Unwritten, "work"}, {clm.Unwritten, "application"}, {clm.Unnecessary, ""},
	}},
	"Push": {pushing, core.PushKinds, slices.Concat(linkWays, startWays, []way{{clm.Unnecessary, ""}})},
	"Associate": {associating, slices.Concat(core.AssociateKinds, core.PushKinds), slices.Concat(linkWays, startWays, []way{
		{clm.Unwritten, "consumers"}, {clm.Unnecessary, ""},
	})},
	"Dissociate": {dissociating, core.DissociateKinds, slices.Concat(linkWays[:len(linkWays)-2], []way{
		{clm.NotFound, "bound"}, {clm.Unwritten, "application"}, {clm.Unwritten, "consumers"}, {clm.Denied, "orphan"},
		{clm.Denied, "orphan/device"}, {clm.Denied, "orphan/unseen"},
	})},
	"Retrieve/{vaultid}": {keeping, core.RetrieveKinds, slices.Concat(outputWays, []way{{clm.Invalid, "vault-id"}, {clm.NotFound, ""}})},
}

// linkWays are those of calls about a certificate and applications; the last two are
// not those of Dissociate.
var linkWays = []way{
	{clm.Invalid, fieldMissingDN}, {clm.Invalid, "applications"}, {clm.Invalid, "application"}, {clm.Invalid, "dn"}, {clm.Limited, ""}, {clm.NotFound, ""},
	{clm.NotFound, "application"}, {clm.Denied, ""}, {clm.Denied, "application"}, {clm.Unsupported, "certificate"}, {clm.Unsupported, "application"},
	{clm.Unwritten, "certificate/read"}, {clm.Unwritten, "application/read"}, {clm.Exists, "bound"}, {clm.Exists, fieldUnseen},
}

var startWays = []way{
	{clm.Unsupported, "type"}, {clm.Unsupported, fieldUserType}, {clm.Unsupported, fieldSigningType}, {clm.Disabled, ""}, {clm.InError, ""},
	{clm.Busy, "queued"}, {clm.Busy, ""}, {clm.NotIssued, ""}, {clm.Denied, "application/read"}, {clm.Unsupported, "driver"}, {clm.NotFound, "bound"},
	{clm.Disabled, "application"}, {clm.InError, "application"}, {clm.Busy, "application"}, {clm.NoKey, "application"},
	{clm.Busy, "application/queued"}, {clm.Unwritten, "work"},
}

var outputWays = []way{
	{clm.Invalid, fieldTimeout}, {clm.Invalid, fieldFormat}, {clm.Invalid, fieldNoPassword}, {clm.Invalid, fieldWeak},
	{clm.NoKey, ""}, {clm.NoKey, "mismatch"}, {clm.Denied, "key"}, {clm.NotIssued, ""},
	{clm.Invalid, fieldNoAlias}, {clm.Invalid, fieldLongName}, {clm.Invalid, fieldNoStorePassword}, {clm.Invalid, fieldCipher},
}

var csrWays = []way{
	{clm.Invalid, "csr"}, {clm.Invalid, fieldNotBase64}, {clm.NeedsCSR, "required"}, {clm.NeedsCSR, "refused"},
	{clm.Unwritten, "csr"},
}

// TestEveryKindHasWords lets no way to fail be added to a use case before this
// dialect can say it, and leaves no placeholder unfilled.
func TestEveryKindHasWords(t *testing.T) {
	for name, o := range operations {
		listed := map[clm.Kind]bool{clm.Internal: true, clm.Violation: true} // these two have no table
		for _, w := range o.ways {
			listed[w.kind] = true
			s := o.say(failureIn(w))
			if s.text == internalText || s.text == "" {
				t.Errorf("%s has no words for %s %q", name, w.kind, w.field)
			}
			if strings.ContainsAny(s.text+strings.ReplaceAll(s.phrase, sameText, ""), "{}") {
				t.Errorf("%s leaves a placeholder in %q %q", name, s.text, s.phrase)
			}
		}
		for _, kind := range o.kinds {
			if !listed[kind] {
				t.Errorf("%s may fail with %q, and no way of that kind is listed", name, kind)
			}
		}
	}
}

// failureIn is a failure in the way.
func failureIn(w way) *clm.Error {
	e := &clm.Error{Kind: w.kind, Subject: "the subject", Field: w.field, Value: "the value"}
	switch {
	case w.kind == clm.Unmanaged:
		e.Field, e.Value = "", w.field
	case w.field == fieldNotBase64:
		e.Field, e.Err = "csr", fmt.Errorf("%w: the cause", pki.ErrNotBase64)
	case w.field == fieldAny:
		e.Field, e.Value = "authority", ""
	case w.field == fieldNoName:
		e.Field, e.Value = "name", ""
	case w.field == fieldUserType:
		e.Field, e.Value = "type", string(clm.UserCertificate)
	case w.field == fieldSigningType:
		e.Field, e.Value = "type", string(clm.CodeSigningCertificate)
	case w.field == fieldUnseen:
		e.Field, e.Value = "bound", ""
	}
	return e
}

// TestEveryRuleHasWords lets no rule of policy be added that this dialect cannot say.
func TestEveryRuleHasWords(t *testing.T) {
	all := []clm.RuleName{
		clm.RuleLocality, clm.RuleWhitelistCN, clm.RuleWildcardCN, clm.RuleCountry, clm.RuleWildcardDNS, clm.RuleDNS, clm.RuleCurve,
		clm.RuleEmail, clm.RuleIP, clm.RuleUPN, clm.RuleURI, clm.RuleKeyAlgorithm, clm.RuleKeySize, clm.RuleOrganization,
		clm.RuleUnitMissing, clm.RuleUnitForbidden, clm.RuleProvince, clm.RuleWhitelistDNS, clm.RuleSubject, clm.RuleKeyReuse,
	}
	if len(all) != len(names.RuleTexts) {
		t.Errorf("there are %d rules and %d texts", len(all), len(names.RuleTexts))
	}
	for _, rule := range all {
		if names.RuleTexts[rule] == "" {
			t.Errorf("no words for %s", rule)
		}
	}
}

// TestInternalErrorTellsNothing puts a password into a fault, wherever a failure
// has room for one.
func TestInternalErrorTellsNothing(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	a := Handler(rig.Core, Options{}).(*api)
	c := &call{Request: httptest.NewRequest("POST", "/vedsdk", nil)}
	secret := "hunter2"
	for name, o := range operations {
		for _, err := range []error{
			errors.New(secret), fmt.Errorf("open %w", errors.New(secret)),
			&clm.Error{Kind: clm.Internal, Subject: secret, Field: secret, Value: secret, Err: errors.New(secret)},
			&clm.Error{Kind: 200, Subject: secret, Err: errors.New(secret)},
			&clm.Error{Kind: clm.NotFound, Err: errors.New(secret)},
		} {
			got := a.refuse(c, o.operation, "the object", err)
			if said := fmt.Sprint(got.phrase, got.body, got.header); strings.Contains(said, secret) {
				t.Errorf("%s tells %s", name, said)
			}
		}
	}
	for _, got := range []answer{a.fault(c, errors.New(secret)), a.authFault(c, errors.New(secret)), a.configFailure(c, "x", errors.New(secret))} {
		if said := fmt.Sprint(got.phrase, got.body); strings.Contains(said, secret) || got.status != 500 {
			t.Errorf("got %d %s", got.status, said)
		}
	}
}

// TestBreachesAreJoined puts every broken rule into one text, in their order.
func TestBreachesAreJoined(t *testing.T) {
	err := &clm.Error{Kind: clm.Violation, Breaches: []clm.Breach{{Rule: clm.RuleLocality}, {Rule: clm.RuleUnitForbidden, Value: "It's"}}}
	want := "City error. City value '' violates policy city settings.\r\n" +
		"Organization unit error. Organization unit value 'It's' violates policy organization unit settings."
	if got := renewing.say(err).text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want = "City error. City value '' violates policy city settings.\r\nOrganizational Unit value violates policy and cannot be used.\r\n\r\n"
	if got := requesting.say(err).text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCauseOfBadBase64 is the one cause that a client is told.
func TestCauseOfBadBase64(t *testing.T) {
	err := &clm.Error{Kind: clm.Invalid, Field: "csr", Err: fmt.Errorf("parse: %w", fmt.Errorf("%w: %w", pki.ErrNotBase64, base64.CorruptInputError(4)))}
	if got, want := renewing.say(err).text, "PKCS#10 data not in base64 format; illegal base64 data at input byte 4."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRenewalThatCannotBeStored ends its texts as the page does.
func TestRenewalThatCannotBeStored(t *testing.T) {
	for field, want := range map[string]string{
		"authority": `Could not store renewal request on certificate \VED\Policy\www InvalidAttributeDN.`,
		"key":       `Could not store renewal request on certificate \VED\Policy\www InvalidArgument.`,
	} {
		if got := renewing.say(&clm.Error{Kind: clm.Invalid, Subject: `\VED\Policy\www`, Field: field, Value: "x"}).text; got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}
