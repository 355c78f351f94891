package tpp

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// defaultLimit is the size of a page when the caller does not say.
const defaultLimit = 100

// wanted is a filter while it is read.
type wanted struct {
	core.Filter
	stages []func(number int) bool // all must hold
}

// A parameter reads the values of one query parameter, of which there is at least
// one, into a filter.
type parameter func(w *wanted, name string, values []string) error

// parameters are those of the vendor's page of GET Certificates, in lower case.
// Names that the page does not have are ignored, since newer clients send newer
// filters.
var parameters = map[string]parameter{
	"thumbprint":         texts(func(w *wanted) *[]string { return &w.Thumbprints }, bareHex),
	"serial":             texts(func(w *wanted) *[]string { return &w.Serials }, bareHex),
	"cn":                 texts(func(w *wanted) *[]string { return &w.CommonNames }, nil),
	"c":                  texts(func(w *wanted) *[]string { return &w.Countries }, nil),
	"s":                  texts(func(w *wanted) *[]string { return &w.Provinces }, nil),
	"l":                  texts(func(w *wanted) *[]string { return &w.Localities }, nil),
	"o":                  texts(func(w *wanted) *[]string { return &w.Organizations }, nil),
	"ou":                 texts(func(w *wanted) *[]string { return &w.Units }, nil),
	"issuer":             texts(func(w *wanted) *[]string { return &w.Issuers }, nil),
	"signaturealgorithm": texts(func(w *wanted) *[]string { return &w.SignatureAlgorithms }, nil),
	"keyalgorithm":       texts(func(w *wanted) *[]string { return &w.KeyAlgorithms }, nil),
	"name":               texts(func(w *wanted) *[]string { return &w.Names }, nil),
	"parentdn":           texts(func(w *wanted) *[]string { return &w.Folders }, nil),
	"parentdnrecursive":  texts(func(w *wanted) *[]string { return &w.Trees }, nil),
	"managementtype":     texts(func(w *wanted) *[]string { return &w.ManagementTypes }, nil),
	"san-dns":            alternative(clm.SANDNS),
	"san-email":          alternative(clm.SANEmail),
	"san-ip":             alternative(clm.SANIP),
	"san-upn":            alternative(clm.SANUPN),
	"san-uri":            alternative(clm.SANURI),
	"certificatetype":    readTypes,
	"pkixparameterset":   readPkixSets,

	"disabled":        flags(func(w *wanted) **bool { return &w.Disabled }),
	"isselfsigned":    flags(func(w *wanted) **bool { return &w.SelfSigned }),
	"iswildcard":      flags(func(w *wanted) **bool { return &w.Wildcard }),
	"inerror":         flags(func(w *wanted) **bool { return &w.InError }),
	"pendingworkflow": readPending,

	"validfrom":        dates(func(w *wanted) *core.Span { return &w.Begins }, exactly),
	"validfromgreater": dates(func(w *wanted) *core.Span { return &w.Begins }, later),
	"validfromless":    dates(func(w *wanted) *core.Span { return &w.Begins }, earlier),
	"validto":          dates(func(w *wanted) *core.Span { return &w.Ends }, exactly),
	"validtogreater":   dates(func(w *wanted) *core.Span { return &w.Ends }, later),
	"validtoless":      dates(func(w *wanted) *core.Span { return &w.Ends }, earlier),
	"createdon":        dates(func(w *wanted) *core.Span { return &w.Created }, exactly),
	"createdongreater": dates(func(w *wanted) *core.Span { return &w.Created }, later),
	"createdonless":    dates(func(w *wanted) *core.Span { return &w.Created }, earlier),

	"keysize":        numbers(func(w *wanted, all []int) { w.KeySizes = all }),
	"keysizegreater": numbers(func(w *wanted, all []int) { w.KeySizeAbove = new(slices.Min(all)) }),
	"keysizeless":    numbers(func(w *wanted, all []int) { w.KeySizeBelow = new(slices.Max(all)) }),
	"stage":          stage(func(n int, all []int) bool { return slices.Contains(all, n) }),
	"stagegreater":   stage(func(n int, all []int) bool { return n > slices.Min(all) }),
	"stageless":      stage(func(n int, all []int) bool { return n < slices.Max(all) }),

	"validationstate":           readState,
	"networkvalidationdisabled": flags(func(w *wanted) **bool { return &w.NoLook }),
	"validationdisabled":        flags(func(w *wanted) **bool { return &w.NoValidate }),
	"chainvalidationfailure":    failures(chainCodes, func(w *wanted, set uint32) { w.Chain = core.ChainSeen(set) }),
	"tlsvalidationfailure":      failures(endEntityCodes, func(w *wanted, set uint32) { w.Leaf = core.LeafSeen(set) }),
	"ssltlsprotocol":            readProtocols,

	"limit":  number(1, func(w *wanted, n int) { w.Limit = n }),
	"offset": number(0, func(w *wanted, n int) { w.Offset = n }),
}

// readFilter reads a query. Values of one parameter are alternatives, whether it
// is given several times, in whatever case, or once with commas.
func readFilter(query url.Values) (core.Filter, error) {
	w := wanted{Filter: core.Filter{Limit: defaultLimit}}
	given := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, v := range query[name] {
			lower := strings.ToLower(name)
			given[lower] = append(given[lower], splitBefore(v, separators[lower])...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		lower := strings.ToLower(name)
		read, known := parameters[lower]
		if !known || len(given[lower]) == 0 {
			continue
		}
		if err := read(&w, name, given[lower]); err != nil {
			return w.Filter, err
		}
		delete(given, lower)
	}
	w.setStages()
	return w.Filter, nil
}

// setStages keeps the stages of which all that was said holds. What nobody has
// begun stands at zero; what nobody has asked for stands nowhere.
func (w *wanted) setStages() {
	if len(w.stages) == 0 {
		return
	}
	holds := func(n int) bool {
		return !slices.ContainsFunc(w.stages, func(is func(int) bool) bool { return !is(n) })
	}
	if holds(0) {
		w.Stages = append(w.Stages, core.NotBegun)
	}
	for _, ours := range slices.Sorted(maps.Keys(stages)) {
		if holds(stages[ours].number) {
			w.Stages = append(w.Stages, ours)
		}
	}
	w.Nothing = w.Nothing || len(w.Stages) == 0
}

// separators are what follows a comma between two values, where commas are common
// within one: DNs begin with a backslash.
var separators = map[string]string{"parentdn": `\`, "parentdnrecursive": `\`}

// splitValues splits at commas outside of quotes. Values with commas stand in
// quotes, and a quote within them is doubled.
func splitValues(s string) []string { return splitBefore(s, "") }

// splitBefore is splitValues at those commas alone that a value with the beginning
// follows, in quotes or not.
func splitBefore(s, beginning string) []string {
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
		case s[i] == ',' && !quoted && strings.HasPrefix(strings.TrimLeft(s[i+1:], ` "`), beginning):
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
func texts(field func(*wanted) *[]string, form func(string) string) parameter {
	return func(w *wanted, _ string, values []string) error {
		for _, v := range values {
			if form != nil {
				v = form(v)
			}
			*field(w) = append(*field(w), v)
		}
		return nil
	}
}

// bareHex is hex in upper case, without the separators that people write.
func bareHex(s string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", " ", "", ".", "", "-", "").Replace(s))
}

// alternative is a parameter of alternative names of one kind.
func alternative(kind clm.Attr) parameter {
	return func(w *wanted, _ string, values []string) error {
		if w.SANs == nil {
			w.SANs = map[clm.Attr][]string{}
		}
		w.SANs[kind] = values
		return nil
	}
}

// types are the values of CertificateType. A certificate of no special class is
// taken for a server's, as everywhere.
var types = map[string][]clm.Class{
	"codesigning": {clm.CodeSigningCertificate},
	"device":      {clm.DeviceCertificate},
	"server":      {clm.ServerCertificate, clm.AnyCertificate},
	"user":        {clm.UserCertificate},
}

func readTypes(w *wanted, name string, values []string) error {
	for _, v := range values {
		classes, ok := types[strings.ToLower(v)]
		if !ok {
			return clm.About(name, clm.Fail(clm.Invalid, "certificate-type", v))
		}
		w.Classes = append(w.Classes, classes...)
	}
	return nil
}

// readPkixSets reads parameter sets by their object ids or their names, of which
// only letters and digits count. One that is not known has no certificates.
func readPkixSets(w *wanted, _ string, values []string) error {
	for _, v := range values {
		for id, set := range pkixSets {
			if v == pkixArc+id || slices.Contains(pkixNames(set), bareName(v)) {
				w.Keys = append(w.Keys, core.KeySizeOf{Algorithm: set.KeyAlgorithm, Size: bitsOf(set)})
			}
		}
	}
	w.Nothing = w.Nothing || len(w.Keys) == 0
	return nil
}

func bitsOf(set core.Request) int {
	return pki.KeySpec{Algorithm: set.KeyAlgorithm, Bits: set.KeySize, Curve: set.Curve}.Size()
}

// pkixNames are the names by which people call a parameter set, as bareName has them.
func pkixNames(set core.Request) []string {
	if set.KeyAlgorithm == clm.RSA {
		return []string{"RSA" + strconv.Itoa(set.KeySize)}
	}
	return []string{"ECC" + set.Curve, "EC" + set.Curve, "ECDSA" + set.Curve, set.Curve}
}

func bareName(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, s)
}

// flags is a parameter of yes and no; both together are no filter.
func flags(field func(*wanted) **bool) parameter {
	return func(w *wanted, name string, values []string) error {
		yes, no, err := readFlags(name, values)
		if yes != no {
			*field(w) = &yes
		}
		return err
	}
}

func readFlags(name string, values []string) (yes, no bool, err error) {
	for _, v := range values {
		is, err := lenient.ParseBool(v)
		if err != nil {
			return false, false, clm.About(name, clm.Fail(clm.Invalid, "boolean", v))
		}
		yes, no = yes || is, no || !is
	}
	return yes, no, nil
}

// readPending reads PendingWorkflow, which says yes by being there.
func readPending(w *wanted, name string, values []string) error {
	for i, v := range values {
		if v == "" {
			values[i] = "1"
		}
	}
	return flags(func(w *wanted) **bool { return &w.Gated })(w, name, values)
}

// number is a parameter whose one value is a whole number, no smaller than least.
func number(least int, set func(*wanted, int)) parameter {
	return func(w *wanted, name string, values []string) error {
		n, err := strconv.Atoi(values[0])
		if err != nil || n < least {
			return clm.About(name, clm.Fail(clm.Invalid, "integer", values[0]))
		}
		set(w, n)
		return nil
	}
}

// numbers is a parameter whose values are whole numbers.
func numbers(set func(*wanted, []int)) parameter {
	return func(w *wanted, name string, values []string) error {
		all := make([]int, len(values))
		for i, v := range values {
			n, err := strconv.Atoi(v)
			if err != nil {
				return clm.About(name, clm.Fail(clm.Invalid, "integer", v))
			}
			all[i] = n
		}
		set(w, all)
		return nil
	}
}

// stage is a parameter about the number of a stage.
func stage(holds func(number int, values []int) bool) parameter {
	return numbers(func(w *wanted, all []int) {
		w.stages = append(w.stages, func(n int) bool { return holds(n, all) })
	})
}

// dates is a parameter whose values are dates.
func dates(field func(*wanted) *core.Span, see func(*core.Span, time.Time)) parameter {
	return func(w *wanted, name string, values []string) error {
		for _, v := range values {
			t, err := lenient.ParseDate(v)
			if err != nil {
				return clm.About(name, clm.Fail(clm.Invalid, "date", v))
			}
			see(field(w), t)
		}
		return nil
	}
}

func exactly(s *core.Span, t time.Time) { s.At = append(s.At, t) }

// later takes the earliest of the dates: what is later than any of them is later
// than that.
func later(s *core.Span, t time.Time) {
	if s.After.IsZero() || t.Before(s.After) {
		s.After = t
	}
}

func earlier(s *core.Span, t time.Time) {
	if t.After(s.Before) {
		s.Before = t
	}
}

// readState reads the states of validation. What is none of them has no certificates.
func readState(w *wanted, _ string, values []string) error {
	for state, name := range validationStates {
		if slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, name) }) {
			w.Seen = append(w.Seen, state)
		}
	}
	slices.Sort(w.Seen)
	w.Nothing = w.Nothing || len(w.Seen) == 0
	return nil
}

// failures is a parameter of codes, by name or number. Those that never occur have no
// certificates.
func failures(of []code, set func(*wanted, uint32)) parameter {
	return func(w *wanted, _ string, values []string) error {
		var bits uint32
		for _, c := range of {
			if slices.ContainsFunc(values, c.isCalled) {
				bits |= c.bits
			}
		}
		set(w, bits)
		w.Nothing = w.Nothing || bits == 0
		return nil
	}
}

func (c code) isCalled(v string) bool {
	return strings.EqualFold(v, c.name) || v == strconv.FormatUint(uint64(c.bits), 10)
}

// readProtocols reads versions of SSL and TLS that services were found to speak. Nobody
// looks for those of SSL.
func readProtocols(w *wanted, _ string, values []string) error {
	for _, version := range slices.Sorted(maps.Keys(protocolCodes)) {
		if slices.ContainsFunc(values, protocolCodes[version].isCalled) {
			w.Versions = append(w.Versions, version)
		}
	}
	w.Nothing = w.Nothing || len(w.Versions) == 0
	return nil
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
