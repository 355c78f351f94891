package estate

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// A check reads a single value, says what is wrong with it, and returns it as it
// is to be kept.
type check func(value) (string, error)

// Limits of values.
const (
	MaxDays     = 36_500 // of a validity
	MaxYears    = 50     // of an issuer
	MaxLife     = 3650 * 24 * time.Hour
	MaxSlowness = 24 * time.Hour // of an authority

	MaxSeconds     = 3600 // of waiting for a device or a service
	MaxConnections = 1000 // to a device at a time
)

// one is a check that accepts one of the words, in any case.
func one(words ...string) check {
	return func(v value) (string, error) {
		s, err := line(v)
		if err != nil {
			return "", err
		}
		for _, word := range words {
			if strings.EqualFold(s, word) {
				return word, nil
			}
		}
		return "", v.fail("%q is not one of %s", short(s), strings.Join(words, ", "))
	}
}

var (
	managementType = one(clm.Unassigned, clm.Monitoring, clm.Enrollment, clm.Provisioning)
	profile        = one("server", "client", "both")
	keySizes       = []string{"1024", "2048", "3072", "4096", "8192"}
)

func keyAlgorithm(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if a := clm.Algorithm(s); a == clm.RSA || a == clm.ECC {
		return a, nil
	}
	return "", v.fail("%q is not one of %s, %s", short(s), clm.RSA, clm.ECC)
}

func curve(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if c := clm.CurveName(s); (pki.KeySpec{Algorithm: clm.ECC, Curve: c}).Check() == nil {
		return c, nil
	}
	return "", v.fail("%q is not one of %s, %s, %s", short(s), clm.P256, clm.P384, clm.P521)
}

// sanType reads a kind of alternative names in any of the vendor's spellings.
func sanType(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	for _, kind := range []struct{ word, spellings string }{
		{"DNS", "dns"}, {"Email", "email rfc822"}, {"IP", "ip ipaddress"}, {"UPN", "upn"}, {"URI", "uri"},
	} {
		if slices.Contains(strings.Fields(kind.spellings), strings.ToLower(strings.ReplaceAll(s, " ", ""))) {
			return kind.word, nil
		}
	}
	return "", v.fail("%q is not one of DNS, Email, IP, UPN, URI", short(s))
}

// truths are the ways to write yes and no.
var truths = map[string]bool{"1": true, "true": true, "yes": true, "0": false, "false": false, "no": false}

func truth(v value) (bool, error) {
	s, err := line(v)
	if err != nil {
		return false, err
	}
	is, ok := truths[strings.ToLower(s)]
	if !ok {
		return false, v.fail("%q is neither true nor false", short(s))
	}
	return is, nil
}

// flag is a truth value as attributes hold it.
func flag(v value) (string, error) {
	is, err := truth(v)
	return map[bool]string{true: "1", false: "0"}[is], err
}

// number is a check that accepts whole numbers from least to most.
func number(least, most int) check {
	return func(v value) (string, error) {
		s, err := line(v)
		if err != nil {
			return "", err
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return "", v.fail("%q is not a whole number from %d to %d", short(s), least, most)
		}
		return strconv.Itoa(n), nil
	}
}

// asInt makes a number of what number has checked.
func asInt(c check) func(value) (int, error) {
	return func(v value) (int, error) {
		s, err := c(v)
		n, _ := strconv.Atoi(s) // it is a number, or there is an error
		return n, err
	}
}

// seconds is a duration in whole seconds.
type seconds = time.Duration

// life reads how long tokens live: 90d, 12h, 30m.
func life(v value) (seconds, error) {
	s, err := line(v)
	if err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(s)
	if days, isDays := strings.CutSuffix(s, "d"); isDays {
		var n int
		if n, err = strconv.Atoi(days); n > MaxDays {
			n = MaxDays
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < time.Second || d > MaxLife || d%time.Second != 0 {
		return 0, v.fail("%q is not a duration such as 90d, 12h or 30m, of up to %dd", short(s), MaxLife/(24*time.Hour))
	}
	return d, nil
}

// cipher reads how private keys are encrypted when they are handed out.
func cipher(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if _, err := pki.ParseCipher(s); err != nil {
		return "", v.fail("%q is not the OID of a cipher such as 2.16.840.1.101.3.4.1.42", short(s))
	}
	return s, nil
}

// slowness reads how long an authority lets one wait.
func slowness(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if d, err := time.ParseDuration(s); err != nil || d < 0 || d > MaxSlowness {
		return "", v.fail("%q is not a duration such as 300ms or 2m, of up to %dh", short(s), MaxSlowness/time.Hour)
	}
	return s, nil
}

// dn reads the DN of an object below \VED\Policy, in any case.
func dn(v value) (clm.DN, error) {
	d, err := dnOrPolicy(v)
	if err == nil && d == clm.PolicyDN {
		return "", v.fail("must be below %s", clm.PolicyDN)
	}
	return d, err
}

func dnOrPolicy(v value) (clm.DN, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	d, err := clm.ParseDN(s)
	if err != nil {
		return "", v.fail(`%s is not a DN such as %s\Shop`, short(s), clm.PolicyDN)
	}
	if d.Key() == clm.PolicyDN.Key() {
		return clm.PolicyDN, nil
	}
	if !d.IsBelow(clm.PolicyDN) {
		return "", v.fail("%s is not below %s", short(s), clm.PolicyDN)
	}
	return clm.PolicyDN + d[len(clm.PolicyDN):], nil
}

// dnText is dn as attributes hold it.
func dnText(v value) (string, error) {
	d, err := dn(v)
	return string(d), err
}

// name reads the name of a user, a group or an issuer.
func name(v value) (string, error) {
	s, err := line(v)
	if err == nil && clm.CheckName(s) != nil {
		err = v.fail("%s is not a legal name", short(s))
	}
	return s, err
}

var (
	hostPattern   = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)
	suffixPattern = regexp.MustCompile(`^\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	scopePattern  = regexp.MustCompile(`^[a-zA-Z0-9_-]+(:[a-zA-Z0-9_-]+(,[a-zA-Z0-9_-]+)*)?(;[a-zA-Z0-9_-]+(:[a-zA-Z0-9_-]+(,[a-zA-Z0-9_-]+)*)?)*$`)
	urnPattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:.+$`)
	atPattern     = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	recordPattern = regexp.MustCompile(`^[0-9A-Fa-f]{24}$`)
	countryCode   = regexp.MustCompile(`^[A-Za-z]{2}$`)
)

// matching is a check that accepts texts of a form.
func matching(form *regexp.Regexp, what string) check {
	return func(v value) (string, error) {
		s, err := line(v)
		if err == nil && !form.MatchString(s) {
			err = v.fail("%q is not %s", short(s), what)
		}
		return s, err
	}
}

var (
	host   = matching(hostPattern, "a host name such as www.example.com or *.example.com")
	suffix = matching(suffixPattern, "a domain such as example.com, which stands for what is below it too")
	scope  = matching(scopePattern, "a scope such as certificate:manage,revoke;configuration")
	uri    = matching(urnPattern, "a URI such as spiffe://example.com/shop")
	email  = matching(atPattern, "an e-mail address")
	upn    = matching(atPattern, "a user principal name such as alice@example.com")
)

func country(v value) (string, error) {
	s, err := matching(countryCode, "a country's code of two letters")(v)
	return strings.ToUpper(s), err
}

func ip(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return "", v.fail("%q is not an IP address", short(s))
	}
	return a.Unmap().String(), nil
}

// webAddress reads where relying parties fetch something: over plain HTTP, for
// what they fetch there is signed.
func webAddress(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" || u.Hostname() == "" {
		return "", v.fail("%q is not an http:// address", short(s))
	}
	return s, nil
}

// dateLayouts are the forms of an end date; those without an offset are in UTC.
var dateLayouts = []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", time.DateOnly}

func date(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", v.fail("%q is not a date such as 2027-01-31 or 2027-01-31 12:00:00", short(s))
}
