// Package embedded is the certification authority that every installation has
// within itself. It signs with a key that the core keeps sealed and opens for
// it, and it remembers nothing: what it issued is in the core's database.
//
// The serial number, the dates and the signature of a certificate are functions
// of the issuer's key, the settings and the order. Signing an order a second
// time, after a crash or by mistake, yields the same octets, so there is never
// more than one certificate per order, and certificates that differ in anything
// differ in their serial numbers.
//
// Certificates follow RFC 5280 and, where a private CA can honestly do so, the
// profile of the CA/Browser Forum's Baseline Requirements ("BR" below).
package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
)

// MaxValidityDays names the setting that caps every validity. The other settings
// have their names in clm.
const MaxValidityDays = "max-validity-days"

// Connector makes the embedded CA. A CA that it made may be kept and used by
// many at once; making one costs a few signatures, so keep it.
var Connector = ca.Connector{
	Fields: []ca.Field{
		{Name: string(clm.Issuer), Label: "Issuing CA"},
		{Name: string(clm.Profile), Label: "Profile (server, client or both; server unless said)"},
		{Name: string(clm.ValidityDays), Label: "Validity in days where an order asks for none (90 unless said)"},
		{Name: MaxValidityDays, Label: "Longest validity in days (that of the issuing CA unless said)"},
		{Name: string(clm.IssueAfter), Label: "Wait before issuing, such as 300ms (none unless said)"},
		{Name: string(clm.AIAURL), Label: "URL of the issuing CA's certificate (where this installation publishes it unless said; none leaves it out)"},
		{Name: string(clm.OCSPURL), Label: "URL of the OCSP responder (that of this installation unless said; none leaves it out)"},
		{Name: string(clm.CDPURL), Label: "URL of the revocation list (where this installation publishes it unless said; none leaves it out)"},
	},
	New: open,
}

// authority is the CA of one template. Nothing in it changes once it is made.
type authority struct {
	*signer
	template
	common
	place place
	chain [][]byte // from the issuer to the root
	now   func() time.Time
}

// open makes a CA from its settings, or says which of them make no sense.
func open(s ca.Settings) (ca.CA, error) {
	if s.Issuer == nil {
		return nil, errors.New("the template names no issuing CA of this installation")
	}
	signs, err := newSigner(*s.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuing CA %q: %w", s.Issuer.Name, err)
	}
	t, err := readTemplate(s.Values)
	if err != nil {
		return nil, err
	}
	if s.Publish != "" && !isHTTP(s.Publish) {
		return nil, fmt.Errorf("the address below which this installation publishes: %q %s", s.Publish, notHTTP)
	}
	at := place{s.Publish, s.Issuer.Name}
	a := &authority{
		signer: signs, template: t, common: commonExtensions(t, at, signs.cert.SubjectKeyId), place: at,
		chain: slices.Clone(s.Issuer.Chain), now: s.Now,
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a, nil
}

// IsLocal marks the CA as one that touches nothing outside this process.
func (a *authority) IsLocal() {}

// Submit checks the order and names it by the serial number that its certificate
// will have. Whatever Collect would refuse is refused here already, for good.
func (a *authority) Submit(_ context.Context, o ca.Order) (string, error) {
	d, err := a.draft(o)
	if err != nil {
		return "", clm.Permanent(err)
	}
	return strings.ToUpper(a.serial(d).Text(16)), nil
}

// Collect signs the order. It needs no memory of Submit and ignores Order.Ref;
// while the template's waiting time has not passed since Order.At, it says when
// it will have.
func (a *authority) Collect(_ context.Context, o ca.Order) (ca.Issued, error) {
	if ready := o.At.Add(a.issueAfter); a.issueAfter > 0 && a.now().Before(ready) {
		return ca.Issued{Later: ready}, nil
	}
	d, err := a.draft(o)
	if err != nil {
		return ca.Issued{}, clm.Permanent(err)
	}
	cert, err := a.sign(d)
	if err != nil {
		return ca.Issued{}, fmt.Errorf("sign: %w", err)
	}
	return ca.Issued{Cert: cert, Chain: slices.Clone(a.chain)}, nil
}
