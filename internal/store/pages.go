package store

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// pages remembers what the next search with the same key can use: which cohorts
// are selected, and where pages ended, so that the page after one of them begins
// there and what lies before is not read again. Who asks for page after page
// misses nothing and sees nothing twice, even when certificates before the page
// come and go meanwhile.
type pages struct {
	mu    sync.Mutex
	known map[string]*list.Element // of *searched, by the key of a filter
	order list.List                // the latest first
}

// Limits of what is remembered.
const (
	maxSearches = 128
	maxMarks    = 2048             // of one search
	maxMarkAge  = 10 * time.Minute // after that somebody has begun anew
)

type searched struct {
	key     string
	marks   []mark   // in order
	seating *seating // nil: not remembered
}

// A mark is a place in a list: so many certificates stand before it, and this is
// the last of them.
type mark struct {
	offset int
	after  clm.ObjectID
	moved  int64 // the state of the census then; zero where that does not tell
	at     time.Time
}

// search is what is remembered of the key; nil for none. p must be locked.
func (p *pages) search(key string) *searched {
	e := p.known[key]
	if e == nil {
		return nil
	}
	p.order.MoveToFront(e)
	return e.Value.(*searched)
}

// begin is search that begins to remember, at the cost of the search that lies
// back farthest.
func (p *pages) begin(key string) *searched {
	if s := p.search(key); s != nil {
		return s
	}
	if p.known == nil {
		p.known = map[string]*list.Element{}
	}
	if p.order.Len() >= maxSearches {
		delete(p.known, p.order.Remove(p.order.Back()).(*searched).key)
	}
	s := &searched{key: key}
	p.known[key] = p.order.PushFront(s)
	return s
}

// seating is the one that was kept last.
func (p *pages) seating(key string) *seating {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.search(key); s != nil {
		return s.seating
	}
	return nil
}

// keep keeps a seating, which nobody changes any more.
func (p *pages) keep(key string, known *seating) {
	if key == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(key).seating = known
}

// near is the nearest mark from which the offset can be reached: at the offset
// itself, or before it if nothing has moved since.
func (p *pages) near(key string, offset int, moved int64, now time.Time) mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.search(key)
	if s == nil {
		return mark{}
	}
	n, found := slices.BinarySearchFunc(s.marks, offset, byOffset)
	if found && now.Sub(s.marks[n].at) < maxMarkAge {
		return s.marks[n]
	}
	for n--; n >= 0 && moved != 0; n-- {
		if s.marks[n].moved == moved {
			return s.marks[n]
		}
	}
	return mark{}
}

func byOffset(m mark, offset int) int { return m.offset - offset }

// remember keeps the mark for those who ask with the same key.
func (p *pages) remember(key string, m mark) {
	if key == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.begin(key)
	if len(s.marks) >= maxMarks {
		s.marks = nil
	}
	n, found := slices.BinarySearchFunc(s.marks, m.offset, byOffset)
	if found {
		s.marks[n] = m
	} else {
		s.marks = slices.Insert(s.marks, n, m)
	}
}
