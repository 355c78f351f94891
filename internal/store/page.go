package store

import (
	"fmt"

	"github.com/certwright/certwright/internal/clm"
)

// Limits of going along the primary key.
const (
	minChunk = 32     // certificates fetched at a time, at least
	maxChunk = 4096   // at most
	stride   = 16_384 // certificates passed over at a time, where all are selected
	maxLeap  = 1000   // cohorts of which the next certificate is looked for, rather than to walk up to it
)

// What it costs to read a certificate in one way or another, beside one that is
// read from an index and sorted by the database: from the table; to look at it
// here; to pass over it, which has to be done only once.
const (
	looking  = 3
	fetching = 3
	passing  = 1. / 2
)

// counting is what it costs to count all that the source holds.
func (src source) counting() float64 {
	if src.looks {
		return looking * float64(src.rows)
	}
	return float64(src.rows)
}

// gathering is what it costs to sort all that the source holds.
func (src source) gathering() float64 {
	if !src.exact {
		return fetching * src.counting()
	}
	return src.counting()
}

// page finds the certificates that are selected from the offset on. It begins at
// the mark, at or before it, and knows how many there are in all.
func (s *selection) page(from mark, offset, limit, total int) ([]inventoried, error) {
	sources := s.sources()
	src := sources[len(sources)-1]
	skip := offset - from.offset
	gather, can := cheapest(sources, source.gathering)
	if each := float64(src.rows) / float64(max(total, 1)); can && (!src.along || gather.gathering() <= each*(float64(limit)*fetching+float64(skip)*passing)) {
		src = gather
	}
	if src.exact {
		return s.hop(src, from, offset, limit)
	}
	w := walk{selection: s, source: src, at: from, op: ">", share: float64(total) / float64(max(src.rows, 1))}
	for len(w.found) < limit && !w.ended {
		if can && w.along && float64(w.read)*fetching > gather.gathering() {
			w.source, w.share = gather, 1 // what is selected does not lie as evenly as was thought
		}
		if err := w.step(offset, limit); err != nil {
			return nil, err
		}
	}
	return w.found, nil
}

// hop goes to the offset in large steps, each of which is remembered, and fetches
// what stands there.
func (s *selection) hop(src source, at mark, offset, limit int) ([]inventoried, error) {
	for src.along && offset-at.offset > stride {
		next, err := s.fetch(src, at.after, ">", 1, stride-1)
		if err != nil || len(next) == 0 {
			return nil, err
		}
		at = mark{at.offset + stride, next[0].id, s.moved, s.tx.Now}
		s.remember(at)
	}
	return s.fetch(src, at.after, ">", limit, offset-at.offset)
}

func (s *selection) remember(m mark) {
	if s.moved != 0 {
		s.tx.db.pages.remember(s.key, m)
	}
}

// A walk goes along a source and picks what is selected.
type walk struct {
	*selection
	source
	at    mark    // where it is
	op    string  // whether the one at which it is has been seen
	share float64 // of the rows, as far as known, that are selected
	read  int64   // rows read so far
	lost  bool    // too few of them were
	found []inventoried
	ended bool
}

// step fetches certificates until about as many are selected as are wanted.
func (w *walk) step(offset, limit int) error {
	if w.lost && w.along && w.seats != nil && len(w.seated) <= maxLeap {
		if err := w.leap(); err != nil || w.ended {
			return err
		}
	}
	wanted := max(offset-w.at.offset, 0) + limit - len(w.found)
	chunk := min(max(int(float64(wanted)/w.share*1.2), minChunk), maxChunk)
	list, err := w.fetch(w.source, w.at.after, w.op, chunk, 0)
	if err != nil || len(list) == 0 {
		w.ended = true
		return err
	}
	census := &w.tx.db.census
	census.mu.RLock()
	admitted := 0
	for _, c := range list {
		if !w.admits(c) {
			continue
		}
		if w.at.offset+admitted >= offset && len(w.found) < limit {
			w.found = append(w.found, c)
		}
		admitted++
	}
	census.mu.RUnlock()
	w.at, w.op = mark{w.at.offset + admitted, list[len(list)-1].id, w.moved, w.tx.Now}, ">"
	w.read, w.ended = w.read+int64(len(list)), len(list) < chunk
	w.lost = float64(admitted) < float64(len(list))*w.share/4
	if w.at.offset <= offset {
		w.remember(w.at)
	}
	return nil
}

// leap goes on to the next certificate of any cohort that is selected.
func (w *walk) leap() error {
	// The subquery looks once into the index for each cohort.
	next, err := one(w.tx, scanOne[*clm.ObjectID], `SELECT MIN(x.id) FROM (SELECT
		(SELECT c.id FROM certificates c WHERE c.cohort = k.value AND c.id > $2 ORDER BY c.id LIMIT 1) AS id FROM (`+w.tx.db.dialect.numbers("$1")+`) k) x`,
		toJSON(w.seated, 1), string(w.at.after))
	if err != nil || next == nil {
		w.ended = true
		return err
	}
	w.at.after, w.op, w.lost = *next, ">=", false
	return nil
}

// fetch reads from the source in the order of the IDs.
func (s *selection) fetch(src source, after clm.ObjectID, op string, limit, skip int) ([]inventoried, error) {
	id, c := aside, s.of(src)
	if src.along {
		id = "c.id"
	}
	c.and(id+" "+op+" ?", string(after))
	query := "SELECT c.id, c.cohort FROM certificates c" + c.where() + fmt.Sprintf(" ORDER BY %s LIMIT $%d OFFSET $%d", id, len(c.args)+1, len(c.args)+2)
	return all(s.tx, scanInventoried, query, append(c.args, limit, skip)...)
}
