package store

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A RecordState is how far a record has come, as far as it is searched for.
type RecordState uint8

// The states of records.
const (
	AnyRecord      RecordState = iota
	PendingRecord              // its certificate is on its way
	FailedRecord               // there was to be one
	RejectedRecord             // somebody has said no, or what was under way was ended
	ValidRecord                // there is a certificate, which is not revoked
	RevokedRecord              // there is one, and it is
)

// A RecordTerm selects records: all that it says holds, and what it does not say may be
// anything. Texts match whole and in any case, but for Text.
type RecordTerm struct {
	Versions    []clm.VersionID
	Orders      []clm.WorkID // about the record
	Serials     []string
	Thumbprints []string
	CommonName  string
	SAN         string // one of its alternative names, of whatever kind
	State       RecordState
	Leaf        bool // it is no CA certificate
	CA, Root    bool // it is one that another has issued; one that signs itself
	Renewed     bool // the one in use, which will be renewed by itself

	Issuer                                          string // its common name
	Organization, Unit, Locality, Province, Country string // of the subject

	Text   string // somewhere in one of its names, in its serial number or thumbprint
	Issued string // somewhere in the name of its issuer

	Match func(*Cohort) bool // what its place is; nil: whatever it is
}

// A RecordOrder is what records are sorted by. Among equals the order is that of their IDs.
type RecordOrder uint8

// The orders.
const (
	ByCommonName RecordOrder = iota // taken from an index; all others are made
	ByRecordID
	ByBegin
	ByEndOf
	ByLastOrder
)

var recordOrders = map[RecordOrder]string{
	ByCommonName: "r.cn_key", ByRecordID: "", ByBegin: "r.not_before", ByEndOf: "r.not_after",
	ByLastOrder: "(SELECT COALESCE(MAX(w.id), 0) FROM work w WHERE w.version = r.id AND w.op <> 'undo')",
}

// A RecordFilter selects records: of each group of All at least one term holds.
type RecordFilter struct {
	All     [][]RecordTerm
	Visible *Visible // the places that the actor may read; nil: all

	Order         RecordOrder
	Descending    bool
	Limit, Offset int
	After         *RecordMark // in the order of common names: only what follows it, and Offset counts from there
	Untold        bool        // nobody wants to know how many there are
}

// A RecordMark is a place in the order of common names.
type RecordMark struct {
	CommonName []byte
	Record     string
}

// A RecordHit is a record that was found, with its place in the order of common names.
type RecordHit struct {
	ID clm.VersionID
	RecordMark
}

// What a search of records costs at most before something else is done.
const (
	maxNarrow   = 20_000           // certificates of the cohorts that are selected, which are then looked at one by one,
	narrowShare = 8                // if they are no more than one in so many
	manyRecords = 50_000           // so many are not counted anew for each page
	longCount   = time.Second      // nor what it has taken so long to count where there are so many
	countedFor  = 10 * time.Second // but this often
	maxCounts   = 256              // searches of which it is remembered how many they find
	maxTurns    = 4096             // ends of pages that are remembered
)

// Records finds the part of what the filter selects that Limit and Offset ask for, and
// how many it selects in all, or -1 if nobody wants to know. Of many the number may be
// older by countedFor. Who asks for page after page in the order of common names misses
// nothing and sees nothing twice, even when records come and go before the page.
func (tx *Tx) Records(f RecordFilter) (hits []RecordHit, total int, err error) {
	s, err := tx.recordSearch(f)
	if err != nil {
		return nil, 0, err
	}
	if tx.thrifty && s.isCostly(f) {
		return nil, 0, errCostly
	}
	turn := s.turn(f)
	total = -1
	if !f.Untold {
		if total, err = s.count(); err != nil || turn == nil && f.Offset >= total {
			return nil, total, err
		}
	}
	if f.Limit == 0 {
		return nil, total, nil
	}
	hits, err = s.page(f, turn)
	return hits, total, err
}

// A seated is a selected cohort as it was when the search began.
type seated struct {
	Cohort
	id int64
}

func idsOfCohorts(cohorts []seated) (list []int64) {
	for _, k := range cohorts {
		list = append(list, k.id)
	}
	return list
}

// A recordSearch is a filter made ready.
type recordSearch struct {
	tx     *Tx
	c      condition
	joins  bool     // something is asked of the places
	narrow bool     // few are looked at, by an index
	seated []seated // the cohorts that are selected
	only   []int64  // where narrow by what records say: the cohorts of those that are looked at
	never  bool     // nothing can be selected
	key    [32]byte // of what is selected
}

func (tx *Tx) recordSearch(f RecordFilter) (*recordSearch, error) {
	s := &recordSearch{tx: tx}
	if err := s.look(f); err != nil {
		return s, err
	}
	if err := s.seat(f); err != nil || s.never {
		return s, err
	}
	for _, group := range f.All {
		var texts []string
		for _, t := range group {
			term := condition{args: s.c.args}
			s.term(&term, t, len(group) == 1)
			s.c.args = term.args
			if len(term.texts) == 0 {
				term.texts = []string{"1 = 1"}
			}
			texts = append(texts, "("+strings.Join(term.texts, " AND ")+")")
		}
		switch len(texts) {
		case 0:
			s.never = true
		default:
			s.c.texts = append(s.c.texts, "("+strings.Join(texts, " OR ")+")")
		}
	}
	s.key = sha256.Sum256(fmt.Appendf(nil, "%q %#v", s.c.texts, s.c.args))
	return s, nil
}

// look finds out whether something that is asked of the records finds few of them by an
// index. If so only the cohorts of these are of interest.
func (s *recordSearch) look(f RecordFilter) (err error) {
	few := recordSearch{tx: s.tx}
	for _, group := range f.All {
		if len(group) == 1 {
			t := group[0]
			t.Match, t.Renewed = nil, false
			s.narrow = few.term(&few.c, t, true) || s.narrow
		}
	}
	if s.narrow && asksPlaces(f) {
		few.joins = true
		s.only, err = all(s.tx, scanOne[int64], "SELECT DISTINCT c.cohort"+few.from(few.c), few.c.args...)
	}
	return err
}

// asksPlaces reports whether the filter says something about the places.
func asksPlaces(f RecordFilter) bool {
	for _, group := range f.All {
		if slices.ContainsFunc(group, func(t RecordTerm) bool { return t.Match != nil }) {
			return true
		}
	}
	return f.Visible != nil
}

// seat finds the cohorts that can be selected and adds the condition for them.
func (s *recordSearch) seat(f RecordFilter) error {
	census := &s.tx.db.census
	if err := census.update(s.tx); err != nil {
		return err
	}
	shown, err := (&selection{tx: s.tx}).cohortsOf(f.Visible)
	if err != nil {
		return err
	}
	if !asksPlaces(f) {
		return nil
	}
	var readable, others []int64
	members := int64(0)
	census.mu.RLock()
	defer census.mu.RUnlock()
	candidates := census.all
	if s.narrow {
		candidates = nil
		for _, id := range s.only {
			if at, known := census.at[id]; known {
				candidates = append(candidates, census.all[at])
			}
		}
	}
	for i := range candidates {
		k := &candidates[i]
		switch {
		case k.n == 0 && !s.narrow:
			continue
		case !possible(f.All, &k.Cohort), f.Visible != nil && !f.Visible.Folders[k.Folder] && !shown[k.id]:
			others = append(others, k.id)
			continue
		case f.Visible == nil || f.Visible.Folders[k.Folder]:
			readable = append(readable, k.id)
		}
		s.seated = append(s.seated, seated{k.Cohort, k.id})
		members += k.n
	}
	if s.never = len(s.seated) == 0; s.never {
		return nil
	}
	d := s.tx.db.dialect
	if !s.narrow && members <= min(maxNarrow, census.total/narrowShare) {
		s.narrow = true
		s.c.and("r.id "+fmt.Sprintf(d.among, "SELECT v.id FROM certificates k JOIN versions v ON v.certificate = k.id WHERE k.cohort "+fmt.Sprintf(d.among, d.numbers("?"))), toJSON(idsOfCohorts(s.seated), 1))
	} else if len(others) > 0 {
		s.joins = true
		list := idsOfCohorts(s.seated)
		s.c.and("c.cohort <> 0 AND "+s.inCohorts(list, others), s.shorter(list, others))
	}
	if v := f.Visible; v != nil && len(v.Shown)+len(v.Hidden) > 0 {
		s.joins = true
		s.c.and("(c.id IN ("+d.texts("?")+") OR c.cohort IN ("+d.numbers("?")+") AND c.id NOT IN ("+d.texts("?")+"))",
			keysJSON(v.Shown), listJSON(readable), keysJSON(v.Hidden))
	}
	return nil
}

func keysJSON(set map[clm.ObjectID]bool) string {
	list := []string{}
	for id := range set {
		list = append(list, string(id))
	}
	slices.Sort(list)
	return toJSON(list, 1)
}

func listJSON(list []int64) string {
	if len(list) == 0 {
		return "[]"
	}
	return toJSON(list, 1)
}

// inCohorts is the condition that the place is of one of the cohorts, and of none of the
// others; of the two lists the shorter one is asked for, see shorter.
func (s *recordSearch) inCohorts(list, others []int64) string {
	d := s.tx.db.dialect
	if len(others) < len(list) {
		return "c.cohort NOT IN (" + d.numbers("?") + ")"
	}
	return "c.cohort IN (" + d.numbers("?") + ")"
}

func (s *recordSearch) shorter(list, others []int64) string {
	if len(others) < len(list) {
		return listJSON(others)
	}
	return listJSON(list)
}

// possible reports whether records whose place is of the cohort can be selected.
func possible(all [][]RecordTerm, k *Cohort) bool {
	for _, group := range all {
		if !slices.ContainsFunc(group, func(t RecordTerm) bool { return t.Match == nil || t.Match(k) }) {
			return false
		}
	}
	return true
}

// What finds records by an index.
const (
	byOrders = "SELECT w.version FROM work w WHERE w.id "
	bySAN    = "SELECT v.id FROM versions v WHERE v.certificate "
	withSAN  = "SELECT s.certificate FROM sans s WHERE s.kind IN (%s) AND s.value = ? UNION ALL SELECT n.certificate FROM record_names n WHERE n.value = ?"
	// That the stage is no empty text lets the index of open work be used.
	underWay = "SELECT w.version FROM work w WHERE w.done = FALSE AND w.stage > '' AND w.failure = '' AND w.op = 'enroll'"

	pending = "EXISTS (SELECT 1 FROM work w WHERE w.version = r.id AND w.op = 'enroll' AND w.done = FALSE AND w.failure = '')"
	failed  = `EXISTS (SELECT 1 FROM work w WHERE w.version = r.id AND w.op = 'enroll' AND w.failure <> ''
		AND w.id = (SELECT MAX(x.id) FROM work x WHERE x.version = r.id AND x.op = 'enroll')
		AND COALESCE((SELECT d.yes OR d.at < w.since FROM decisions d WHERE d.work = w.id ORDER BY d.at DESC, d.yes, d.gate DESC LIMIT 1), TRUE))`
	revoked = "SELECT x.version FROM revocations x WHERE x.requested > 0 AND x.accepted > 0 AND x.cleared = 0"
)

// recordStates are the conditions of the states.
var recordStates = map[RecordState]string{
	FailedRecord: "r.issued = FALSE AND NOT " + pending + " AND " + failed, RejectedRecord: "r.issued = FALSE AND NOT " + pending + " AND NOT " + failed,
	ValidRecord: "r.issued = TRUE AND NOT EXISTS (" + revoked + " AND x.version = r.id)",
}

// term adds the conditions of the term. lone: there is no alternative to it, so that what
// finds few of them may lead. few: one of them finds few, by an index.
func (s *recordSearch) term(c *condition, t RecordTerm, lone bool) (few bool) {
	d := s.tx.db.dialect
	leading := "IN (%s)"
	if lone {
		leading = d.among
	}
	among := func(query string, values ...any) {
		few = true
		c.and("r.id "+fmt.Sprintf(leading, query), values...)
	}
	if t.Versions != nil {
		among(d.numbers("?"), toJSON(t.Versions, 1))
	}
	if t.Orders != nil {
		among(byOrders+fmt.Sprintf(d.among, d.numbers("?")), toJSON(t.Orders, 1))
	}
	for _, by := range []struct {
		column string
		values []string
	}{{"serial", t.Serials}, {"thumbprint", t.Thumbprints}} {
		if by.values != nil {
			among("SELECT v.id FROM versions v WHERE v."+by.column+" <> '' AND v."+by.column+" "+fmt.Sprintf(d.among, d.texts("?")), toJSON(each(by.values, strings.ToUpper), 1))
		}
	}
	if t.CommonName != "" {
		few = true
		key := keyOf(t.CommonName)
		c.and("r.cn_key = ?", []byte(key))
		if len(key) < len(t.CommonName) {
			c.and(`r.names LIKE ? ESCAPE '\'`, "\n"+escaped(oneLine(t.CommonName))+"\n%")
		}
	}
	if san := oneLine(t.SAN); san != "" {
		kinds := "'" + strings.Join(textsOfKinds(), "', '") + "'"
		among(bySAN+fmt.Sprintf(d.among, fmt.Sprintf(withSAN, kinds)), strings.ToLower(t.SAN), keyOf(t.SAN))
		c.and(`r.names LIKE ? ESCAPE '\'`, "%\n\t"+escaped(san)+"\n%")
	}
	switch t.State {
	case AnyRecord:
	case PendingRecord:
		among(underWay)
		c.and("r.issued = FALSE")
	case RevokedRecord:
		among(revoked)
		c.and("r.issued = TRUE")
	default:
		c.and(recordStates[t.State])
	}
	for _, flag := range []struct {
		is   bool
		text string
	}{{t.Leaf, "r.ca = 0"}, {t.CA, "r.ca = 1"}, {t.Root, "r.ca = 2"}} {
		if flag.is {
			c.and(flag.text)
		}
	}
	s.facts(c, t)
	if text := oneLine(t.Text); text != "" {
		c.and(`(r.names LIKE ? ESCAPE '\' OR r.prints LIKE ? ESCAPE '\')`, "%"+escaped(text)+"%", "%"+escaped(text)+"%")
	}
	if t.Renewed {
		s.joins = true
		c.and("c.current = r.id AND c.renew_at > 0")
	}
	if t.Match != nil {
		s.match(c, t)
	}
	return few
}

// facts adds what is asked of the facts.
func (s *recordSearch) facts(c *condition, t RecordTerm) {
	var in condition
	for _, by := range []struct{ column, value string }{
		{"issuer", t.Issuer}, {"organization", t.Organization}, {"locality", t.Locality}, {"province", t.Province}, {"country", t.Country},
	} {
		if by.value != "" {
			in.texts = append(in.texts, "f."+by.column+" = ?")
			in.args = append(in.args, oneLine(by.value))
		}
	}
	for _, by := range []struct{ column, before, value, after string }{{"units", "%\n", t.Unit, "\n%"}, {"issuer_name", "%", t.Issued, "%"}} {
		if by.value != "" {
			in.texts = append(in.texts, "f."+by.column+` LIKE ? ESCAPE '\'`)
			in.args = append(in.args, by.before+escaped(oneLine(by.value))+by.after)
		}
	}
	if len(in.texts) > 0 {
		c.and("r.facts IN (SELECT f.id FROM record_facts f WHERE "+strings.Join(in.texts, " AND ")+")", in.args...)
	}
}

// match adds what is asked of the cohort of the place.
func (s *recordSearch) match(c *condition, t RecordTerm) {
	var is, others []int64
	for i := range s.seated {
		if k := &s.seated[i]; t.Match(&k.Cohort) {
			is = append(is, k.id)
		} else {
			others = append(others, k.id)
		}
	}
	if len(others) == 0 {
		return // seat has seen to it
	}
	s.joins = true
	c.and(s.inCohorts(is, others), s.shorter(is, others))
}

func textsOfKinds() (kinds []string) {
	for _, k := range sanKinds {
		kinds = append(kinds, string(k))
	}
	return kinds
}

// escaped is a text that LIKE takes as it is.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
}

// from is the statement from FROM on, without an order.
func (s *recordSearch) from(c condition) string {
	text := " FROM records r"
	if s.joins {
		text += " JOIN certificates c ON c.id = r.certificate"
	}
	return text + c.where()
}
