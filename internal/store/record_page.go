package store

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// count is how many records are selected.
func (s *recordSearch) count() (int, error) {
	if s.never {
		return 0, nil
	}
	counts := &s.tx.db.counts
	if n, known := counts.total(s.key, s.tx.Now); known {
		return n, nil
	}
	begun := time.Now()
	n, err := one(s.tx, scanOne[int], "SELECT COUNT(*)"+s.from(s.c), s.c.args...)
	if err == nil && (n >= manyRecords || time.Since(begun) >= longCount && s.tx.db.census.certificates() >= manyRecords) {
		counts.keepTotal(s.key, n, s.tx.Now)
	}
	return n, err
}

// isCostly reports whether very many records may have to be looked at: to count them, or
// to find the first of them in an order that no index has.
func (s *recordSearch) isCostly(f RecordFilter) bool {
	if s.never || s.narrow {
		return false
	}
	_, counted := s.tx.db.counts.total(s.key, s.tx.Now)
	return f.Order != ByCommonName || !f.Untold && !counted
}

// turn is the place in the order of common names that the page follows, where it is known.
func (s *recordSearch) turn(f RecordFilter) *RecordMark {
	switch {
	case f.Order != ByCommonName:
		return nil
	case f.After != nil || f.Offset == 0:
		return f.After
	}
	return s.tx.db.counts.turn(turnKey{s.key, f.Descending, f.Offset}, s.tx.Now)
}

// page reads what stands at the offset, counted from the turn where that is given; but one
// that is remembered is at the offset itself. Where few are selected they are sorted; the index
// of common names would be followed to its end in vain.
func (s *recordSearch) page(f RecordFilter, turn *RecordMark) ([]RecordHit, error) {
	if s.never {
		return nil, nil
	}
	c, offset := s.c.clone(), f.Offset
	way, beyond := "ASC", ">"
	if f.Descending {
		way, beyond = "DESC", "<"
	}
	columns := []string{"r.record"}
	if by := recordOrders[f.Order]; by != "" {
		columns = []string{by, "r.record"}
	}
	if turn != nil {
		c.and("(r.cn_key, r.record) "+beyond+" (?, ?)", octets(turn.CommonName), turn.Record)
		if f.After == nil {
			offset = 0
		}
	}
	if f.Order == ByCommonName && s.narrow {
		columns[0] = "COALESCE(r.cn_key, r.cn_key)"
	}
	query := "SELECT r.id, r.cn_key, r.record" + s.from(c) + " ORDER BY " + strings.Join(columns, " "+way+", ") + " " + way +
		fmt.Sprintf(" LIMIT $%d OFFSET $%d", len(c.args)+1, len(c.args)+2)
	hits, err := all(s.tx, func(r row) (h RecordHit, err error) {
		err = r.Scan(&h.ID, &h.CommonName, &h.Record)
		h.CommonName = octets(h.CommonName)
		return h, err
	}, query, append(c.args, f.Limit, offset)...)
	if err == nil && len(hits) > 0 && f.Order == ByCommonName && f.After == nil {
		s.tx.db.counts.keepTurn(turnKey{s.key, f.Descending, f.Offset + len(hits)}, hits[len(hits)-1].RecordMark, s.tx.Now)
	}
	return hits, err
}

// octets are the bytes, of which there may be none: nil would be NULL, with which nothing
// compares.
func octets(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// recordCounts remembers what the next search for the same records can use.
type recordCounts struct {
	mu     sync.Mutex
	totals map[[32]byte]countedAt
	turns  map[turnKey]turnedAt
}

type countedAt struct {
	n  int
	at time.Time
}

// A turnKey is the place in a search where a page has ended.
type turnKey struct {
	search     [32]byte
	descending bool
	offset     int
}

type turnedAt struct {
	RecordMark
	at time.Time
}

func (r *recordCounts) total(key [32]byte, now time.Time) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.totals[key]
	age := now.Sub(known.at)
	return known.n, ok && age >= 0 && age < countedFor
}

func (r *recordCounts) keepTotal(key [32]byte, n int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.totals == nil || len(r.totals) >= maxCounts {
		r.totals = map[[32]byte]countedAt{}
	}
	r.totals[key] = countedAt{n, now}
}

func (r *recordCounts) turn(key turnKey, now time.Time) *RecordMark {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.turns[key]
	if !ok || now.Sub(known.at) >= maxMarkAge {
		return nil
	}
	return &known.RecordMark
}

func (r *recordCounts) keepTurn(key turnKey, m RecordMark, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turns == nil || len(r.turns) >= maxTurns {
		r.turns = map[turnKey]turnedAt{}
	}
	r.turns[key] = turnedAt{m, now}
}
