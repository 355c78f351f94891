package avx

import (
	"cmp"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var searchRoutes = []route{
	{method: http.MethodPost, name: "certificate/search", function: mayView, handle: read((*api).search)},
	{method: http.MethodPost, name: "certificate/list", function: mayView, handle: read((*api).list)},
	{method: http.MethodPost, name: "execute-hook", function: mayView, handle: read((*api).executeHook)},
}

// usualMax is how many records a page has unless its filter says otherwise.
const usualMax = 10

// A searching is the body of a search.
type searching struct {
	Input  *searchInput
	Filter searchFilter
}

// A searchInput says what is looked for: all that is given must hold.
type searchInput struct {
	Category      lenient.String // several, with commas between them
	ResourceID    lenient.String
	CommonName    lenient.String
	SerialNumber  lenient.String
	FreeSearch    lenient.String
	KeywordSearch map[string]lenient.String
	AutoRenew     lenient.Bool // true asks for those that renew themselves, false for nothing
}

// A searchFilter says which part of it is wanted, and in which order.
type searchFilter struct {
	Max        lenient.Int64
	Start      lenient.Int64 // from 1
	SortColumn lenient.String
	SortOrder  lenient.String
}

// search finds records.
func (a *api) search(c *call, in *searching) answer {
	if in.Input == nil {
		return fail(mandatory("input"))
	}
	q, refused := in.Input.query()
	if refused == nil {
		refused = in.Filter.write(&q)
	}
	if refused != nil {
		return fail(*refused)
	}
	page, err := a.core.Records(c.Context(), c.who(), q)
	if err != nil {
		return a.refuse(c, in.Filter.words(), err)
	}
	return ok(http.StatusOK, foundOf(page, q.Offset), "")
}

// words are how a search fails.
func (f searchFilter) words() words {
	text := fmt.Sprintf("Please narrow the search - more than %d records cannot be sorted by %s.", core.MaxCompared, f.SortColumn.Trimmed())
	return words{{clm.Limited, "order"}: {http.StatusBadRequest, codeInvalidRequest, text}}
}

// query is what is looked for. Without a category it is certificates of servers, but for a
// record that is named by its ID.
func (in *searchInput) query() (q core.RecordQuery, refused *failure) {
	w := wanted{RecordQuery: &q}
	if id := in.ResourceID.Trimmed(); id != "" {
		q.IDs = []string{id}
	}
	switch category := in.Category.Trimmed(); {
	case category != "":
		q.Kinds = kindsIn(category)
	case q.IDs == nil:
		q.Kinds = []core.RecordKind{core.ServerRecord}
	}
	w.text(&q.CommonName, in.CommonName.Trimmed())
	w.number(&q.Serial, in.SerialNumber.Trimmed())
	q.Text, q.AutoRenewed = in.FreeSearch.Trimmed(), in.AutoRenew.Value
	for _, key := range slices.Sorted(mapKeys(in.KeywordSearch)) {
		look, known := keywords[strings.ToLower(strings.TrimSpace(key))]
		if !known {
			return q, &failure{http.StatusBadRequest, codeInvalidRequest, "Please provide a valid search key - " + key + "."}
		}
		if value := in.KeywordSearch[key].Trimmed(); value != "" {
			look(w, value)
		}
	}
	return q, nil
}

func mapKeys(m map[string]lenient.String) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// A wanted gathers what is looked for. Of what is asked for twice both must hold.
type wanted struct{ *core.RecordQuery }

// nothing is what holds for no record.
func (w wanted) nothing() { w.IDs = []string{} }

func (w wanted) text(into *string, value string) {
	if *into != "" && value != "" && !strings.EqualFold(*into, value) {
		w.nothing()
	}
	*into = cmp.Or(value, *into)
}

// number is text for what may be written with separators.
func (w wanted) number(into *string, value string) {
	bare := func(s string) string {
		return strings.TrimLeft(strings.NewReplacer(":", "", " ", "", "-", "").Replace(strings.ToLower(s)), "0x")
	}
	if *into != "" && value != "" && bare(*into) != bare(value) {
		w.nothing()
	}
	*into = cmp.Or(value, *into)
}

// keywords are what keywordSearch may ask for, in lower case.
var keywords = map[string]func(wanted, string){
	"subject:cn": func(w wanted, s string) { w.text(&w.CommonName, s) },
	"certcn":     func(w wanted, s string) { w.text(&w.CommonName, s) },
	"commonname": func(w wanted, s string) { w.text(&w.CommonName, s) },
	"subject:o":  func(w wanted, s string) { w.text(&w.Organization, s) },
	"subject:ou": func(w wanted, s string) { w.text(&w.Unit, s) },
	"subject:l":  func(w wanted, s string) { w.text(&w.Locality, s) },
	"subject:st": func(w wanted, s string) { w.text(&w.Province, s) },
	"subject:c":  func(w wanted, s string) { w.text(&w.Country, s) },
	"certsan":    func(w wanted, s string) { w.text(&w.SAN, s) },

	"certserialno":     func(w wanted, s string) { w.number(&w.Serial, s) },
	"serialnumber":     func(w wanted, s string) { w.number(&w.Serial, s) },
	"certissuer":       func(w wanted, s string) { w.text(&w.Issuer, s) },
	"issuercommonname": func(w wanted, s string) { w.text(&w.Issuer, s) },
	"thumbprint":       func(w wanted, s string) { w.number(&w.Thumbprint, s) },
	"group":            func(w wanted, s string) { w.text(&w.Group, s) },
	"certstatus":       wanted.status,
	"status":           wanted.status,
	"requestids":       wanted.order,
	"requestid":        wanted.order,
}

// status is that of one word. What is none holds for no record.
func (w wanted) status(word string) {
	was := w.Statuses
	w.Statuses = []core.RecordStatus{}
	for status, name := range statusWords {
		if strings.EqualFold(name, word) && (was == nil || slices.Contains(was, status)) {
			w.Statuses = append(w.Statuses, status)
		}
	}
}

// order is the number of one, with or without its R.
func (w wanted) order(number string) {
	was := w.Orders
	w.Orders = []clm.WorkID{}
	n, err := strconv.ParseInt(strings.TrimPrefix(strings.ToUpper(number), "R"), 10, 64)
	if id := clm.WorkID(n); err == nil && (was == nil || slices.Contains(was, id)) {
		w.Orders = append(w.Orders, id)
	}
}

// kindsIn are the categories of a list. What is none holds for no record.
func kindsIn(list string) []core.RecordKind {
	bare := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), "")) }
	kinds := []core.RecordKind{}
	for word := range strings.SplitSeq(list, ",") {
		for kind, name := range categories {
			if bare(word) == bare(name) && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	return kinds
}

// columnOrders are the columns by which any number of records is sorted.
var columnOrders = map[string]func(*core.RecordQuery){
	"":           func(q *core.RecordQuery) { q.Order = core.ByCommonName },
	"commonName": func(q *core.RecordQuery) { q.Order = core.ByCommonName },
	"resourceId": func(q *core.RecordQuery) { q.Order = core.ByRecordID },
	"validFrom":  func(q *core.RecordQuery) { q.Order = core.ByBegin },
	"validTo":    func(q *core.RecordQuery) { q.Order = core.ByEnd },
	"validFor":   func(q *core.RecordQuery) { q.Order = core.ByEnd },
	"requestIds": func(q *core.RecordQuery) { q.Order = core.ByLastOrder },
}

// columns are the members of a certificate that are no lists and no objects, by name.
var columns = func() map[string]int {
	found, of := map[string]int{}, reflect.TypeFor[certificate]()
	for i := range of.NumField() {
		switch f := of.Field(i); f.Type.Kind() {
		case reflect.String, reflect.Int64, reflect.Int, reflect.Float64, reflect.Bool:
			found[f.Tag.Get("json")] = i
		}
	}
	return found
}()

// write says which part is wanted, and in which order. A column that is none is the common
// name.
func (f searchFilter) write(q *core.RecordQuery) *failure {
	if f.Max.Wrong != "" || f.Max.Value < 0 {
		return new(mandatory("max"))
	}
	if f.Start.Wrong != "" || f.Start.Value < 0 {
		return new(mandatory("start"))
	}
	q.Limit = int(min(cmp.Or(f.Max.Value, usualMax), core.MaxRecords))
	q.Offset = int(max(f.Start.Value, 1) - 1)
	q.Descending = slices.Contains([]string{"desc", "-1"}, strings.ToLower(f.SortOrder.Trimmed()))
	column := f.SortColumn.Trimmed()
	if order, known := columnOrders[column]; known {
		order(q)
	} else if field, known := columns[column]; known {
		q.Compare = byColumn(field)
	}
	return nil
}

// byColumn compares records by a member of what is shown of them.
func byColumn(field int) func(a, b *core.RecordView) int {
	known := map[string]reflect.Value{}
	value := func(r *core.RecordView) reflect.Value {
		v, ok := known[r.ID]
		if !ok {
			v = reflect.ValueOf(reflect.ValueOf(certificateOf(r)).Field(field).Interface()) // the rest is not kept
			known[r.ID] = v
		}
		return v
	}
	return func(a, b *core.RecordView) int {
		x, y := value(a), value(b)
		switch x.Kind() {
		case reflect.String:
			return cmp.Or(strings.Compare(strings.ToLower(x.String()), strings.ToLower(y.String())), strings.Compare(x.String(), y.String()))
		case reflect.Bool:
			return cmp.Compare(strconv.FormatBool(x.Bool()), strconv.FormatBool(y.Bool()))
		case reflect.Float64:
			return cmp.Compare(x.Float(), y.Float())
		}
		return cmp.Compare(x.Int(), y.Int())
	}
}

// A found is what a search answers, within what all calls do.
type found struct {
	HTTPStatusCode int       `json:"httpStatusCode"`
	Response       foundPage `json:"response"`
	Message        string    `json:"message"`
	AppStatusCode  any       `json:"appStatusCode"`
	Tags           any       `json:"tags"`
}

type foundPage struct {
	Objects         []certificate `json:"objects"`
	TotalRecords    int           `json:"totalRecords"`
	ObtainedRecords int           `json:"obtainedRecords"`
	Range           foundRange    `json:"obtainedRecordRange"`
}

type foundRange struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

func foundOf(page core.RecordPage, offset int) found {
	f := found{HTTPStatusCode: http.StatusOK, Message: "Matching results found for the given input."}
	f.Response = foundPage{Objects: certificatesOf(page.Found), TotalRecords: page.Total, ObtainedRecords: len(page.Found)}
	if n := len(page.Found); n > 0 {
		f.Response.Range = foundRange{offset + 1, offset + n}
	}
	if page.Total == 0 {
		f.Message = "No matching records found for the given input."
	}
	return f
}

func certificatesOf(records []core.RecordView) []certificate {
	list := make([]certificate, len(records))
	for i := range records {
		list[i] = certificateOf(&records[i])
	}
	return list
}
