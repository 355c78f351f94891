package store

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// total is how many certificates are selected.
func (s *selection) total() (int, error) {
	n, err := int64(0), error(nil)
	switch {
	case s.seats != nil && len(s.seated) == 0:
		return 0, nil
	case len(s.few.texts)+len(s.spans)+len(s.except) == 0:
		n = s.inside
	case len(s.few.texts)+len(s.except) == 0 && len(s.spans) == 1 && s.seats == nil:
		n, err = s.inSpan(s.spans[0])
		return int(n), err
	case len(s.few.texts)+len(s.spans) == 0:
		var but int64
		but, err = s.excepted()
		n = s.inside - but
	default:
		n, err = s.counted()
	}
	if err != nil || !s.oneByOne() {
		return int(n), err
	}
	more, err := s.correction()
	return int(n + more), err
}

// inSpan counts the certificates of the span: whole days are known, the rest is
// counted in the index.
func (s *selection) inSpan(p span) (int64, error) {
	first, last := -dayOf(-p.from), dayOf(p.until) // the first whole day, and the one after the last
	if p.from == math.MinInt64 {
		first = dayOf(p.from)
	}
	parts := []span{p}
	n := int64(0)
	if first < last {
		var err error
		if n, err = s.tx.days(p.kind, first, last); err != nil {
			return 0, err
		}
		before, after := p, p
		before.until, after.from = first*dayMicros, last*dayMicros
		parts = []span{before, after}
		if p.from == math.MinInt64 {
			parts = parts[1:]
		}
		if p.until == math.MaxInt64 {
			parts = parts[:len(parts)-1]
		}
	}
	for _, part := range parts {
		var c condition
		text, values := part.sql(true)
		c.and(text, values...)
		some, err := one(s.tx, scanOne[int64], "SELECT COUNT(*) FROM certificates c"+c.where(), c.args...)
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// counted counts in the database, by cohorts.
func (s *selection) counted() (n int64, err error) {
	sources := s.sources()
	best, found := cheapest(sources, source.counting)
	if along := sources[len(sources)-1]; !found || along.along && along.counting() < best.counting() {
		best = along
	}
	type group struct{ cohort, n int64 }
	c := s.of(best)
	groups, err := all(s.tx, func(r row) (g group, err error) { return g, r.Scan(&g.cohort, &g.n) },
		"SELECT c.cohort, COUNT(*) FROM certificates c"+c.where()+" GROUP BY c.cohort", c.args...)
	s.tx.db.census.mu.RLock()
	defer s.tx.db.census.mu.RUnlock()
	for _, g := range groups {
		if s.admitsAll(g.cohort) {
			n += g.n
		}
	}
	return n, err
}

// excepted counts the certificates of seated cohorts that are not selected after all.
func (s *selection) excepted() (n int64, err error) {
	var c condition
	c.and("(c.id IN (" + strings.Join(s.except, ") OR c.id IN (") + "))")
	return s.tally(c, func(i inventoried) int64 {
		if s.admitsAll(i.cohort) {
			return 1
		}
		return 0
	})
}

// admitsAll reports whether the certificates of the cohort are selected, but for
// what is hidden or shown one by one.
func (s *selection) admitsAll(cohort int64) bool {
	i, known := s.places[cohort]
	return s.seats == nil || known && i < len(s.seats) && s.seats[i] == inside
}

// correction is how many more are selected than the cohorts tell, for those that
// are shown or hidden one by one.
func (s *selection) correction() (int64, error) {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(s.visible.Shown)), maps.Keys(s.visible.Hidden))
	c, d := s.of(source{plain: none}), s.tx.db.dialect
	c.and("c.id "+fmt.Sprintf(d.among, d.texts("?")), toJSON(ids, 1))
	return s.tally(c, func(i inventoried) int64 {
		switch {
		case s.admits(i) && !s.admitsAll(i.cohort):
			return 1
		case !s.admits(i) && s.admitsAll(i.cohort):
			return -1
		}
		return 0
	})
}

// tally adds up what the certificates that satisfy the condition count for.
func (s *selection) tally(c condition, worth func(inventoried) int64) (n int64, err error) {
	list, err := all(s.tx, scanInventoried, "SELECT c.id, c.cohort FROM certificates c"+c.where(), c.args...)
	s.tx.db.census.mu.RLock()
	defer s.tx.db.census.mu.RUnlock()
	for _, i := range list {
		n += worth(i)
	}
	return n, err
}
