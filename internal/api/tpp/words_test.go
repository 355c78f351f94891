package tpp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// operations are all that refuse, with the kinds that their use cases may fail with.
var operations = map[string]struct {
	operation
	kinds []clm.Kind
}{
	"Renew":       {renewing, slices.Concat(core.RenewKinds, core.RetrieveKinds)},
	"Request":     {requesting, slices.Concat(core.RequestKinds, core.RetrieveKinds)},
	"Retrieve":    {retrieving, core.RetrieveKinds},
	"CheckPolicy": {checking, core.PolicyKinds},
	"List":        {listing, []clm.Kind{clm.Invalid, clm.Limited, clm.Unsupported, clm.Internal}},
	"Details":     {detailing, []clm.Kind{clm.Invalid, clm.NotFound, clm.Internal}},
}

// fields are those of each kind that have words of their own somewhere.
var fields = map[clm.Kind][]string{
	clm.Busy:      {"", "queued", "csr"},
	clm.NeedsCSR:  {"required", "refused", "origin"},
	clm.Invalid:   {"dn", "csr", "folder", "name", "authority", "key", "san", fieldTimeout, fieldFormat, fieldNoPassword, fieldWeak},
	clm.Denied:    {"key"},
	clm.Unmanaged: {""},
}

// TestEveryKindHasWords lets no way to fail be added to a use case before this
// dialect can say it, and leaves no placeholder unfilled.
func TestEveryKindHasWords(t *testing.T) {
	for name, o := range operations {
		for _, kind := range o.kinds {
			if kind == clm.Internal || kind == clm.Violation {
				continue
			}
			for _, field := range append(fields[kind], "") {
				if !o.offers(kind, field) {
					continue
				}
				s := o.say(&clm.Error{Kind: kind, Subject: "the subject", Field: field, Value: "the value"})
				if s.text == internalText || s.text == "" || strings.ContainsAny(strings.ReplaceAll(s.phrase, sameText, ""), "{}") {
					t.Errorf("%s has no words for %s %q", name, kind, field)
				}
				if strings.Contains(strings.ReplaceAll(s.text, "{value}", ""), "{") {
					t.Errorf("%s leaves a placeholder in %q", name, s.text)
				}
			}
		}
	}
}

// offers reports whether a failure of the kind can be about the field here: kinds
// with fields need no words without one.
func (o operation) offers(kind clm.Kind, field string) bool {
	if _, ok := o.words[way{kind, field}]; ok {
		return true
	}
	return field == "" && len(fields[kind]) == 0
}

// TestEveryRuleHasWords lets no rule of policy be added that this dialect cannot say.
func TestEveryRuleHasWords(t *testing.T) {
	all := []clm.RuleName{
		clm.RuleLocality, clm.RuleWhitelistCN, clm.RuleWildcardCN, clm.RuleCountry, clm.RuleWildcardDNS, clm.RuleDNS, clm.RuleCurve,
		clm.RuleEmail, clm.RuleIP, clm.RuleUPN, clm.RuleURI, clm.RuleKeyAlgorithm, clm.RuleKeySize, clm.RuleOrganization,
		clm.RuleUnitMissing, clm.RuleUnitForbidden, clm.RuleProvince, clm.RuleWhitelistDNS, clm.RuleKeyReuse,
	}
	if len(all) != len(ruleTexts) {
		t.Errorf("there are %d rules and %d texts", len(all), len(ruleTexts))
	}
	for _, rule := range all {
		if ruleTexts[rule] == "" {
			t.Errorf("no words for %s", rule)
		}
	}
}

// TestInternalErrorTellsNothing puts a password into a fault, wherever a failure
// has room for one.
func TestInternalErrorTellsNothing(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, copyOfFirst(t), coretest.Options{Idle: true})
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
