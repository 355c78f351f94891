package tpp

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// list serves GET and HEAD Certificates: those that match the query and that the
// caller may see. HEAD only counts.
func (a *api) list(c *call) answer {
	query := c.URL.Query()
	filter, err := readFilter(query)
	if err != nil {
		return a.refuse(c, listing, "", err)
	}
	if c.Method == http.MethodHead {
		filter.Limit = 0
	}
	page, err := a.core.Find(c.Context(), c.who(), filter)
	if err != nil {
		return a.refuse(c, listing, "", err)
	}
	asked := optionalFields(query)
	found := []map[string]any{}
	for _, f := range page.Found {
		found = append(found, foundReply(f, asked))
	}
	first := filter.Offset + 1
	if len(found) == 0 {
		first = 0
	}
	return ok(map[string]any{
		"Certificates": found,
		"DataRange":    fmt.Sprintf("Certificates %d - %d", first, max(first-1+len(found), 0)),
		"TotalCount":   page.Total,
		"_links":       pageLinks(query, filter, page.Total),
	}).with("X-Record-Count", strconv.Itoa(page.Total))
}

func foundReply(f core.Found, asked map[string]bool) map[string]any {
	r := map[string]any{
		"CreatedOn": stampOf(f.Created), "DN": f.DN, "Guid": braced(f.ID), "Name": f.DN.Name(), "ParentDn": f.DN.Parent(),
		"SchemaClass": names.TypeName(f.Object),
		"_links":      []map[string]string{{"Details": "/vedsdk/certificates/%7b" + string(f.ID) + "%7d"}},
	}
	if f.Version != nil {
		if cert, err := x509.ParseCertificate(f.Version.Cert); err == nil {
			r["X509"] = x509Reply(cert, asked)
		}
	}
	return r
}

// x509Reply is a certificate in a list.
func x509Reply(cert *x509.Certificate, asked map[string]bool) map[string]any {
	id, key := pki.Identify(cert), pki.SpecOf(cert.PublicKey)
	sans := map[string][]string{}
	for name, values := range map[string][]string{
		"DNS": id.Names.DNS, "Email": id.Names.Email, "IP": id.Names.IP, "URI": id.Names.URI, "UPN": id.Names.UPN,
	} {
		if len(values) > 0 {
			sans[name] = values
		}
	}
	r := map[string]any{
		"CN": id.Names.CommonName, "SANS": sans, "Serial": id.Serial, "Thumbprint": id.Thumbprint,
		"ValidFrom": stamp(id.NotBefore), "ValidTo": stamp(id.NotAfter),
	}
	for name, value := range map[string]func() any{
		"Issuer":           func() any { return pki.FormatName(cert.RawIssuer) },
		"KeyAlgorithm":     func() any { return key.Algorithm },
		"KeySize":          func() any { return key.Size() },
		"PkixParameterSet": func() any { return pkixSetOf(key) },
		"Subject":          func() any { return pki.FormatName(cert.RawSubject) },
	} {
		if asked[strings.ToLower(name)] {
			r[name] = value()
		}
	}
	return r
}

// pkixSetOf is the object id of the parameter set of a key; empty where it has none.
func pkixSetOf(k pki.KeySpec) string {
	for id, set := range pkixSets {
		if set.KeyAlgorithm == k.Algorithm && set.KeySize == k.Bits && set.Curve == k.Curve {
			return pkixArc + id
		}
	}
	return ""
}

// pageLinks lead to the pages beside this one, with the same query.
func pageLinks(query url.Values, f core.Filter, total int) []map[string]string {
	links := []map[string]string{}
	link := func(name string, offset int) {
		links = append(links, map[string]string{name: pageURL(query, f.Limit, offset)})
	}
	if f.Offset < total-f.Limit {
		link("Next", f.Offset+f.Limit)
	}
	if f.Offset > 0 {
		link("Previous", max(f.Offset-f.Limit, 0))
	}
	return links
}

func pageURL(query url.Values, limit, offset int) string {
	rest := url.Values{}
	for name, values := range query {
		if !strings.EqualFold(name, "Limit") && !strings.EqualFold(name, "Offset") {
			rest[name] = values
		}
	}
	link := fmt.Sprintf("/vedsdk/certificates/?Limit=%d&Offset=%d", limit, offset)
	if len(rest) > 0 {
		link += "&" + rest.Encode()
	}
	return link
}

// details serves GET Certificates/{guid}.
func (a *api) details(c *call) answer {
	return a.withGUID(c, detailing, func(id clm.ObjectID) (answer, error) {
		d, err := a.core.Details(c.Context(), c.who(), id)
		if err != nil {
			return answer{}, err
		}
		return ok(detailsReply(d)), nil
	})
}

// renamed makes an error one about subject, whatever it was about.
func renamed(err error, subject string) error {
	e := *clm.AsError(err)
	e.Subject = subject
	return &e
}
