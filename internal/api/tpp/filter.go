package tpp

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// defaultLimit is the size of a page when the caller does not say.
const defaultLimit = 100

// A parameter reads the values of one query parameter into a filter.
type parameter func(f *core.Filter, name string, values []string) error

// parameters are those of the vendor's page of GET Certificates, in lower case.
// The ones that this server does not apply are refused: to ignore them would
// return more than was asked for. Names that the page does not have are ignored,
// since newer clients send newer filters.
var parameters = map[string]parameter{
	"thumbprint":        texts(func(f *core.Filter) *[]string { return &f.Thumbprints }, bareHex),
	"serial":            texts(func(f *core.Filter) *[]string { return &f.Serials }, bareHex),
	"cn":                texts(func(f *core.Filter) *[]string { return &f.CommonNames }, nil),
	"san-dns":           texts(func(f *core.Filter) *[]string { return &f.DNSNames }, nil),
	"name":              texts(func(f *core.Filter) *[]string { return &f.Names }, nil),
	"parentdn":          texts(func(f *core.Filter) *[]string { return &f.Folders }, nil),
	"parentdnrecursive": texts(func(f *core.Filter) *[]string { return &f.Trees }, nil),
	"disabled":          readDisabled,
	"validtogreater":    readAfter,
	"validtoless":       readBefore,
	"limit":             number(1, func(f *core.Filter, n int) { f.Limit = n }),
	"offset":            number(0, func(f *core.Filter, n int) { f.Offset = n }),
	"optionalfields":    func(*core.Filter, string, []string) error { return nil }, // see optionalFields

	"c": notApplied, "l": notApplied, "o": notApplied, "ou": notApplied, "s": notApplied, "certificatetype": notApplied,
	"issuer": notApplied, "isselfsigned": notApplied, "iswildcard": notApplied, "keyalgorithm": notApplied,
	"keysize": notApplied, "keysizegreater": notApplied, "keysizeless": notApplied, "pkixparameterset": notApplied,
	"san-email": notApplied, "san-ip": notApplied, "san-upn": notApplied, "san-uri": notApplied, "signaturealgorithm": notApplied,
	"validfrom": notApplied, "validfromgreater": notApplied, "validfromless": notApplied, "validto": notApplied,
	"chainvalidationfailure": notApplied, "createdon": notApplied, "createdongreater": notApplied, "createdonless": notApplied,
	"inerror": notApplied, "managementtype": notApplied, "networkvalidationdisabled": notApplied, "validationdisabled": notApplied,
	"pendingworkflow": notApplied, "ssltlsprotocol": notApplied, "stage": notApplied, "stagegreater": notApplied, "stageless": notApplied,
	"tlsvalidationfailure": notApplied, "validationstate": notApplied,
}

// readFilter reads a query. Values of one parameter are alternatives, whether it
// is given several times or once with commas.
func readFilter(query url.Values) (core.Filter, error) {
	f := core.Filter{Limit: defaultLimit}
	for name, given := range query {
		read, known := parameters[strings.ToLower(name)]
		if !known {
			continue
		}
		var values []string
		for _, v := range given {
			values = append(values, splitValues(v)...)
		}
		if err := read(&f, name, values); err != nil {
			return f, err
		}
	}
	return f, nil
}

// splitValues splits at commas outside of quotes. Values with commas stand in
// quotes, and a quote within them is doubled.
func splitValues(s string) []string {
	var values []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			values = append(values, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(values, strings.TrimSpace(b.String()))
}

// texts is a parameter whose values are texts, each brought into one form if
// there are several to write it in.
func texts(field func(*core.Filter) *[]string, form func(string) string) parameter {
	return func(f *core.Filter, _ string, values []string) error {
		for _, v := range values {
			if form != nil {
				v = form(v)
			}
			*field(f) = append(*field(f), v)
		}
		return nil
	}
}

// bareHex is hex in upper case, without the separators that people write.
func bareHex(s string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", " ", "", ".", "", "-", "").Replace(s))
}

// number is a parameter whose one value is a whole number, no smaller than least.
func number(least int, set func(*core.Filter, int)) parameter {
	return func(f *core.Filter, name string, values []string) error {
		n, err := strconv.Atoi(values[0])
		if err != nil || n < least {
			return clm.About(name, clm.Fail(clm.Invalid, "integer", values[0]))
		}
		set(f, n)
		return nil
	}
}

// readDisabled reads yes, no, or both, which is no filter.
func readDisabled(f *core.Filter, name string, values []string) error {
	var seen [2]bool
	for _, v := range values {
		yes, err := lenient.ParseBool(v)
		if err != nil {
			return clm.About(name, clm.Fail(clm.Invalid, "boolean", v))
		}
		seen[0], seen[1] = seen[0] || !yes, seen[1] || yes
	}
	if seen[0] != seen[1] {
		f.Disabled = &seen[1]
	}
	return nil
}

// readAfter reads the earliest of the dates: whatever expires after any of them
// expires after that.
func readAfter(f *core.Filter, name string, values []string) error {
	return readDates(name, values, func(t time.Time) {
		if f.ExpiresAfter.IsZero() || t.Before(f.ExpiresAfter) {
			f.ExpiresAfter = t
		}
	})
}

func readBefore(f *core.Filter, name string, values []string) error {
	return readDates(name, values, func(t time.Time) {
		if t.After(f.ExpiresBefore) {
			f.ExpiresBefore = t
		}
	})
}

func readDates(name string, values []string, see func(time.Time)) error {
	for _, v := range values {
		t, err := lenient.ParseDate(v)
		if err != nil {
			return clm.About(name, clm.Fail(clm.Invalid, "date", v))
		}
		see(t)
	}
	return nil
}

func notApplied(_ *core.Filter, name string, _ []string) error {
	return clm.About(name, clm.Unsupported)
}

// optionalFields are the members of X509 that are shown only when asked for.
func optionalFields(query url.Values) map[string]bool {
	asked := map[string]bool{}
	for name, given := range query {
		if !strings.EqualFold(name, "OptionalFields") {
			continue
		}
		for _, v := range given {
			for _, field := range splitValues(v) {
				asked[strings.ToLower(field)] = true
			}
		}
	}
	return asked
}
