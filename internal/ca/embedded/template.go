package embedded

import (
	"fmt"
	"strconv"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// defaultDays is the validity where neither order nor template says one: short
// enough for what is renewed by itself, and within what the BR allow until 2027.
const defaultDays = 90

// A template is the settings of an authority, read and checked.
type template struct {
	profile    profile
	days       int // where the order asks for none
	maxDays    int // zero means as long as the issuer
	issueAfter time.Duration

	// Where relying parties find the issuer's certificate, the responder and the
	// revocation list, for choose to choose.
	aia, ocsp, cdp string
}

// readTemplate makes a template from the values of the connector's fields.
func readTemplate(values map[string]string) (template, error) {
	r := reading{values: values}
	t := template{
		profile:    r.profile(string(clm.Profile)),
		days:       r.days(string(clm.ValidityDays)),
		maxDays:    r.days(MaxValidityDays),
		issueAfter: r.wait(string(clm.IssueAfter)),
		aia:        r.url(string(clm.AIAURL)),
		ocsp:       r.url(string(clm.OCSPURL)),
		cdp:        r.url(string(clm.CDPURL)),
	}
	if t.days == 0 {
		t.days = defaultDays
		if t.maxDays > 0 {
			t.days = min(t.days, t.maxDays)
		}
	}
	if t.maxDays > 0 && t.days > t.maxDays {
		r.fail(string(clm.ValidityDays), "is longer than the longest validity")
	}
	return t, r.err
}

// reading reads values one after another and keeps the first failure.
type reading struct {
	values map[string]string
	err    error
}

func (r *reading) fail(name, why string) {
	if r.err == nil {
		r.err = fmt.Errorf("setting %s: %q %s", name, r.values[name], why)
	}
}

func (r *reading) profile(name string) profile {
	word := r.values[name]
	if word == "" {
		word = "server"
	}
	p, ok := profiles[word]
	if !ok {
		r.fail(name, "is not server, client or both")
	}
	return p
}

func (r *reading) days(name string) int {
	if r.values[name] == "" {
		return 0
	}
	n, err := strconv.Atoi(r.values[name])
	if err != nil || n < 1 || n > maxDays {
		r.fail(name, fmt.Sprintf("is not a number of days from 1 to %d", maxDays))
	}
	return n
}

func (r *reading) wait(name string) time.Duration {
	if r.values[name] == "" {
		return 0
	}
	d, err := time.ParseDuration(r.values[name])
	if err != nil || d < 0 {
		r.fail(name, "is not a duration such as 300ms or 2m")
	}
	return d
}

// url reads an address, or none.
func (r *reading) url(name string) string {
	v := r.values[name]
	if v != "" && v != none && !isHTTP(v) {
		r.fail(name, notHTTP)
	}
	return v
}
