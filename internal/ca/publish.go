package ca

import (
	"net/url"
	"strconv"
)

// The paths below the address at which an installation publishes what relying
// parties need to know of its issuers.
const (
	certDir = "ca"
	listDir = "crl"
	ocspDir = "ocsp"
)

// CertURL is where the certificate of the issuer is found below the address.
func CertURL(base, issuer string) string { return at(base, certDir, issuer+".cer") }

// ListURL is where the part of the issuer's revocation list is found below the address.
func ListURL(base, issuer string, shard int64) string {
	return at(base, listDir, issuer, strconv.FormatInt(shard, 10)+".crl")
}

// WholeListURL is where the whole revocation list of the issuer is found.
func WholeListURL(base, issuer string) string { return at(base, listDir, issuer+".crl") }

// OCSPURL is where the responder of all issuers is found.
func OCSPURL(base string) string { return at(base, ocspDir) }

func at(base string, path ...string) string {
	for n := range path {
		path[n] = url.PathEscape(path[n])
	}
	joined, err := url.JoinPath(base, path...)
	if err != nil {
		return "" // an address that is none has nothing below it
	}
	return joined
}
