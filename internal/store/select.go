package store

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// A selection is a filter made ready to be carried out. Three kinds of conditions
// come together in it:
//
//   - what selects few, each by an index of its own: names, numbers, open work;
//   - spans of time, of which the tallies know how many certificates they hold;
//   - cohorts. Which of them match is found in memory, as is how many certificates
//     they have. The statements fetch each certificate's cohort, and it is
//     looked up here: lists of thousands of cohorts never go to the database.
//
// A page is taken from the cheapest source: along the primary key until it is
// full, where what is selected is common; or from the index of a condition, all of
// it, where it is rare. The order of IDs is either the index's own or, so that no
// planner thinks of the other, that of an expression.
type selection struct {
	tx     *Tx
	key    string
	few    condition
	spans  []span
	except []string // subqueries of certificates that are not selected

	places  map[int64]int // of cohorts in seats
	moved   int64         // the state of the census, if nothing else decides; or zero
	all     int64         // certificates in all
	visible *Visible
	seating
}

// A seating says which cohorts are selected.
type seating struct {
	seats   []seat  // of each cohort; nil: all are selected, and visible
	seated  []int64 // the cohorts of which some are
	members int64   // how many certificates they have
	inside  int64   // how many of these are selected, but for what is hidden or shown one by one
	at      int64   // the state of the census then
}

// A seat says which certificates of a cohort are selected.
type seat uint8

const (
	outside seat = iota
	ifShown      // those that are shown to the actor one by one
	inside       // all but those that are hidden one by one
)

const (
	stopped = "SELECT w.subject FROM work w WHERE w.done = FALSE AND w.failure <> '' AND w.lane = 'enroll'"
	gated   = "SELECT w.subject FROM work w JOIN tickets g ON g.work = w.id WHERE w.done = FALSE AND w.failure = '' AND w.lane = 'enroll' AND g.stage = w.stage AND g.open = TRUE"

	// staged needs what clm.Work.State calls Queued to be told from the rest. That the
	// stage is no empty text lets the index of open work be used.
	staged = `SELECT w.subject FROM work w WHERE w.done = FALSE AND w.lane = 'enroll' AND w.stage > ''
		AND CASE WHEN w.begun = TRUE OR w.failure <> '' OR w.stage = 'create-csr' AND w.due = ? OR EXISTS
			(SELECT 1 FROM tickets g WHERE g.work = w.id AND g.stage = w.stage AND g.open = TRUE) THEN w.stage ELSE '' END %s`

	// installed are those that some application is still to get, or has failed to: they
	// stand at clm.Place, unless the next one is on its way.
	installed = ` UNION ALL SELECT v.certificate FROM work w JOIN versions v ON v.id = w.version WHERE w.done = FALSE AND w.host <> '' AND w.op = 'install'
		AND NOT EXISTS (SELECT 1 FROM work e WHERE e.subject = v.certificate AND e.lane = 'enroll' AND e.done = FALSE)`
)

// selects makes the filter ready.
func (tx *Tx) selects(f Filter) (*selection, error) {
	s := &selection{tx: tx, key: f.Key, visible: f.Visible}
	few, d := &s.few, tx.db.dialect
	few.in(d, "c.cn_key %s", each(f.CommonNames, strings.ToLower))
	few.in(d, "c.name_key %s", each(f.Names, strings.ToLower))
	for _, by := range []struct {
		column string
		values []string
	}{{"thumbprint", f.Thumbprints}, {"serial", f.Serials}} {
		// Every version stands in the index; only that in use counts.
		few.in(d, "EXISTS (SELECT 1 FROM versions u WHERE u.id = c.current AND u."+by.column+" %s)", each(by.values, strings.ToUpper))
		few.in(d, "c.id IN (SELECT v.certificate FROM versions v WHERE v."+by.column+" <> '' AND v."+by.column+" %s)", each(by.values, strings.ToUpper))
	}
	for _, kind := range sanKinds {
		few.in(d, "c.id IN (SELECT certificate FROM sans WHERE kind = '"+string(kind)+"' AND value %s)", each(f.SANs[kind], strings.ToLower))
	}
	if len(f.Stages) > 0 {
		stages := make([]string, len(f.Stages))
		for i, stage := range f.Stages {
			stages[i] = string(stage)
		}
		found := fmt.Sprintf(staged, fmt.Sprintf(d.among, d.texts("?")))
		if slices.Contains(f.Stages, clm.Place) {
			found += installed
		}
		few.and("c.id IN ("+found+")", micros(clm.Never), toJSON(stages, len(stages)))
	}
	for _, by := range []struct {
		wanted *bool
		found  string
	}{{f.InError, stopped}, {f.Gated, gated}, {f.NoLook, withOwn(clm.NoLook)}, {f.NoValidate, withOwn(clm.NoValidate)}} {
		switch {
		case by.wanted == nil:
		case *by.wanted:
			few.and("c.id IN (" + by.found + ")")
		default:
			s.except = append(s.except, by.found)
		}
	}
	s.seen(f)
	for _, by := range []struct {
		column string
		kind   tallyKind
		Span
	}{{"c.not_before", byStart, f.Begins}, {"c.not_after", byEnd, f.Ends}, {createdColumn, byCreated, f.Created}} {
		if err := s.within(by.column, by.kind, by.Span); err != nil {
			return nil, err
		}
	}
	return s, s.seat(f)
}

// withOwn finds what has a yes-or-no attribute of its own that says yes.
func withOwn(a clm.Attr) string {
	return `SELECT w.subject FROM (SELECT id AS subject, own FROM objects) w WHERE w.own LIKE '%"` + string(a) + `":["1"%'`
}

// seen selects by what came of looking for the certificates where they should be in use.
func (s *selection) seen(f Filter) {
	const round, place = "SELECT w.subject FROM (SELECT certificate AS subject, state FROM validation_rounds) w WHERE w.state ", "c.id IN (SELECT certificate FROM validations WHERE "
	if states := slices.DeleteFunc(slices.Clone(f.Seen), func(state int) bool { return state == 0 }); len(states) < len(f.Seen) {
		s.except = append(s.except, round+"> 0 AND w.state NOT IN ("+numberList(states)+")") // of most nobody knows anything
	} else if len(states) > 0 {
		s.few.and("c.id IN (" + round + "IN (" + numberList(states) + "))")
	}
	for _, by := range []struct {
		column string
		set    uint32
	}{{"leaf", f.Leaf}, {"chain", f.Chain}} {
		if by.set != 0 {
			s.few.and(place+by.column+" & ? <> 0)", int64(by.set))
		}
	}
	if len(f.Versions) > 0 {
		var speaks []string
		for _, v := range f.Versions { // of three digits each
			speaks = append(speaks, fmt.Sprintf("versions LIKE '%%%d%%'", v))
		}
		s.few.and(place + strings.Join(speaks, " OR ") + ")")
	}
}

// numberList is a list for IN, which must not be empty: no state is below zero.
func numberList(numbers []int) string {
	list := "-1"
	for _, n := range numbers {
		list += ", " + strconv.Itoa(n)
	}
	return list
}

// sanKinds are the alternative names that are searched for.
var sanKinds = []clm.Attr{clm.SANDNS, clm.SANEmail, clm.SANIP, clm.SANURI, clm.SANUPN}

// seat finds the cohorts that are selected.
func (s *selection) seat(f Filter) error {
	census := &s.tx.db.census
	if err := census.update(s.tx); err != nil {
		return err
	}
	folders, err := s.folders(f)
	if err != nil {
		return err
	}
	shown, err := s.cohortsOf(f.Visible)
	if err != nil {
		return err
	}
	census.mu.RLock()
	defer census.mu.RUnlock()
	s.places, s.moved, s.all = census.at, census.moved, census.total
	if len(s.few.texts)+len(s.spans)+len(s.except) > 0 || s.oneByOne() {
		s.moved = 0 // what the census does not know of may move as well
	}
	s.inside = census.total
	if folders == nil && f.Match == nil && f.Visible == nil {
		return nil
	}
	if known := s.tx.db.pages.seating(f.Key); known != nil && known.at == census.moved && !s.oneByOne() {
		s.seating = *known
		return nil
	}
	s.seating = seating{seats: make([]seat, len(census.all)), at: census.moved}
	for i := range census.all {
		k := &census.all[i]
		switch {
		case k.n == 0, folders != nil && !folders[k.Folder], f.Match != nil && !f.Match(&k.Cohort):
			continue
		case f.Visible == nil || f.Visible.Folders[k.Folder]:
			s.seats[i] = inside
			s.inside += k.n
		case shown[k.id]:
			s.seats[i] = ifShown
		default:
			continue
		}
		s.seated, s.members = append(s.seated, k.id), s.members+k.n
	}
	if !s.oneByOne() {
		known := s.seating
		s.tx.db.pages.keep(f.Key, &known)
	}
	return nil
}

// folders are those that the filter names; nil for any.
func (s *selection) folders(f Filter) (map[clm.ObjectID]bool, error) {
	if len(f.Folders)+len(f.Trees) == 0 {
		return nil, nil
	}
	all, err := s.tx.Folders()
	if err != nil {
		return nil, err
	}
	from := func(key string) int { return sort.Search(len(all), func(i int) bool { return all[i].key >= key }) }
	directly, below := map[clm.ObjectID]bool{}, map[clm.ObjectID]bool{}
	for _, dn := range f.Folders {
		if i := from(dn.Key()); i < len(all) && all[i].key == dn.Key() {
			directly[all[i].Last().ID] = true
		}
	}
	for _, dn := range f.Trees {
		if i := from(dn.Key()); i < len(all) && all[i].key == dn.Key() {
			below[all[i].Last().ID] = true
		}
		// All that begins with the DN and a backslash, whose successor is "]".
		for _, folder := range all[from(dn.Key()+`\`):from(dn.Key()+`]`)] {
			below[folder.Last().ID] = true
		}
	}
	switch {
	case len(f.Trees) == 0:
		return directly, nil
	case len(f.Folders) > 0:
		maps.DeleteFunc(below, func(id clm.ObjectID, _ bool) bool { return !directly[id] })
	}
	return below, nil
}

// cohortsOf are the cohorts of the certificates that are shown one by one.
func (s *selection) cohortsOf(v *Visible) (map[int64]bool, error) {
	if v == nil || len(v.Shown) == 0 {
		return nil, nil
	}
	d := s.tx.db.dialect
	list, err := all(s.tx, scanOne[int64], "SELECT cohort FROM certificates WHERE id "+fmt.Sprintf(d.among, d.texts("$1")), toJSON(slices.Collect(maps.Keys(v.Shown)), 1))
	cohorts := map[int64]bool{}
	for _, id := range list {
		cohorts[id] = true
	}
	return cohorts, err
}

// inventoried is a certificate as far as its cohort's index alone knows it.
type inventoried struct {
	id     clm.ObjectID
	cohort int64
}

// admits reports whether the certificate is selected. The census must be locked.
func (s *selection) admits(c inventoried) bool {
	if s.seats == nil {
		return true
	}
	i, known := s.places[c.cohort]
	if !known || i >= len(s.seats) {
		return false
	}
	switch s.seats[i] {
	case inside:
		return s.visible == nil || !s.visible.Hidden[c.id]
	case ifShown:
		return s.visible.Shown[c.id]
	}
	return false
}

// oneByOne reports whether some certificates are shown or hidden for themselves.
func (s *selection) oneByOne() bool {
	return s.visible != nil && len(s.visible.Shown)+len(s.visible.Hidden) > 0
}

// aside is the ID where its order is not to be taken from the primary key.
const aside = "c.id || ''"

// A source is where certificates are taken from.
type source struct {
	along   bool  // the primary key, until there are enough
	plain   int   // the span whose index it is, or none
	cohorts bool  // the index of cohorts
	exact   bool  // all that it holds are selected
	looks   bool  // the index does not tell all that is asked
	rows    int64 // how many it holds
}

const none = -1

// sources lists where the certificates that are selected can be taken from, the
// primary key last.
func (s *selection) sources() (list []source) {
	exact := s.seats == nil
	if len(s.few.texts) > 0 {
		return []source{{plain: none, exact: exact}}
	}
	along := source{along: true, looks: true, plain: none, exact: exact, rows: s.all}
	for i, p := range s.spans {
		if p.column == createdColumn {
			along.plain, along.rows = i, p.rows
		} else {
			list = append(list, source{plain: i, exact: exact, looks: len(s.spans) > 1, rows: p.rows})
		}
	}
	if s.seats != nil {
		list = append(list, source{plain: none, cohorts: true, exact: !s.oneByOne(), looks: len(s.spans) > 0, rows: s.members})
	}
	return append(list, along)
}

// of is the condition for what is taken from the source.
func (s *selection) of(src source) condition {
	c := s.few.clone()
	for i, p := range s.spans {
		text, values := p.sql(i == src.plain)
		c.and(text, values...)
	}
	for _, found := range s.except {
		c.and("NOT EXISTS (" + found + " AND w.subject = c.id)")
	}
	if d := s.tx.db.dialect; src.cohorts {
		c.and("c.cohort "+fmt.Sprintf(d.among, d.numbers("?")), toJSON(s.seated, 1))
	}
	return c
}

// cheapest is the source that costs least, but for the primary key; false where
// there is none.
func cheapest(sources []source, cost func(source) float64) (best source, any bool) {
	for _, src := range sources {
		if !src.along && (!any || cost(src) < cost(best)) {
			best, any = src, true
		}
	}
	return best, any
}

func scanInventoried(r row) (i inventoried, err error) {
	return i, r.Scan(&i.id, &i.cohort)
}
