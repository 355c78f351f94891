package embedded

import (
	"net/url"

	"github.com/certwright/certwright/internal/ca"
)

// A place is where this installation publishes what relying parties need to know
// about an issuer. What is not published is at no address, the empty one.
type place struct {
	base   string // empty: nothing is published
	issuer string
}

func (p place) cert() string {
	if p.base == "" {
		return ""
	}
	return ca.CertURL(p.base, p.issuer)
}

func (p place) responder() string {
	if p.base == "" {
		return ""
	}
	return ca.OCSPURL(p.base)
}

// list is where the part of the revocation list is in which a certificate would
// stand that names it.
func (p place) list(shard int64) string {
	if p.base == "" {
		return ""
	}
	return ca.ListURL(p.base, p.issuer, shard)
}

// none is what a template says in place of a URL that certificates shall not have.
const none = "none"

// choose is the URL that goes into a certificate, if it is not empty: what the
// template says wins over ours.
func choose(said, ours string) string {
	switch said {
	case "":
		return ours
	case none:
		return ""
	}
	return said
}

const notHTTP = "is not an http:// address"

// isHTTP reports whether the address can stand in a certificate. It must be plain
// HTTP: what is fetched is signed, and a client that needed TLS for it would need it
// to check that TLS (RFC 5280, section 8; the BR demand it).
func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && u.Hostname() != "" && isVisibleASCII(address)
}
