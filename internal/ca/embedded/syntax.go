package embedded

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// checkDNS refuses what is not a host name, with or without a wildcard before it
// (RFC 9525, section 6.3: a whole label, the leftmost).
func checkDNS(s string) error {
	if isAddress(s) {
		return errors.New("is an IP address")
	}
	return checkHost(strings.TrimPrefix(s, "*."))
}

func checkIP(s string) error {
	if ip, err := netip.ParseAddr(s); err != nil || ip.Zone() != "" {
		return errors.New("is not an IP address")
	}
	return nil
}

// checkEmail refuses what is not an rfc822Name in ASCII (RFC 5280, section 4.2.1.6).
func checkEmail(s string) error {
	local, host, found := strings.Cut(s, "@")
	if !found || !isAtom(local) {
		return errors.New("is not of the form name@host")
	}
	return checkHost(host)
}

// checkURI wants an absolute URI. Where it names an authority, that must be a host
// name or an address (RFC 5280, section 4.2.1.6).
func checkURI(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme == "" || !isVisibleASCII(s) || u.Opaque == "" && u.Host == "":
		return errors.New("is not an absolute URI in ASCII")
	case u.Opaque != "" || isAddress(u.Hostname()):
		return nil
	}
	return checkHost(u.Hostname())
}

// checkUPN refuses what Windows would not take for a user principal name.
func checkUPN(s string) error {
	if name, domain, found := strings.Cut(s, "@"); !found || name == "" || domain == "" {
		return errors.New("is not of the form name@domain")
	}
	return checkText(s, 1024)
}

// checkHost refuses what is not a host name in the preferred syntax (RFC 1034,
// section 3.5, as RFC 1123 relaxed it), which RFC 5280 demands. Underscores are no
// part of it. Names in other scripts must be given in their ASCII form (xn--…).
func checkHost(s string) error {
	if len(s) > 253 {
		return fmt.Errorf("has %d characters; at most 253 are allowed", len(s))
	}
	labels := strings.Split(s, ".")
	if slices.ContainsFunc(labels, func(l string) bool { return !isLabel(l) }) {
		return errors.New("is not a host name: each part has from 1 to 63 ASCII letters, digits and inner hyphens")
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New("is not a host name: its last part is a number")
	}
	return nil
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !isLetter(c) && !('0' <= c && c <= '9') && c != '-' {
			return false
		}
	}
	return true
}

// isAtom reports whether s can stand before the @ of a mail address unquoted (RFC
// 5322, section 3.2.3).
func isAtom(s string) bool {
	return s != "" && isVisibleASCII(s) && !strings.ContainsAny(s, `()<>[]:;@\,"`) &&
		!strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}

func isVisibleASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
