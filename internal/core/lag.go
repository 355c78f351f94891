package core

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// maxUseless is how many addresses are remembered for having been of no use.
const maxUseless = 10_000

// A Lag is how long revocations took from when the CA had accepted them until this
// process saw them in one of the places where relying parties look.
type Lag struct {
	N      uint64
	Sum    time.Duration
	Within []uint64 // how many took no longer than each of LagBounds
}

// LagBounds are the times by which lags are told apart.
var LagBounds = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, clm.Day, 7 * clm.Day,
}

// RevocationLags are the lags of lists and of responders since this process began.
func (c *Core) RevocationLags() (crl, ocsp Lag) {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	return c.watch.crl.copy(), c.watch.ocsp.copy()
}

func (l Lag) copy() Lag {
	l.Within = append(make([]uint64, 0, len(LagBounds)), l.Within...)
	for len(l.Within) < len(LagBounds) { // nobody has seen anything yet
		l.Within = append(l.Within, 0)
	}
	return l
}

func (l *Lag) add(took time.Duration) {
	took = max(took, 0) // nodes' clocks differ
	*l = l.copy()
	l.N, l.Sum = l.N+1, l.Sum+took
	for i, bound := range LagBounds {
		if took <= bound {
			l.Within[i]++
		}
	}
}

// A watch is what a process remembers of its looks.
type watch struct {
	mu        sync.Mutex
	crl, ocsp Lag
	useless   map[string]bool // addresses of which was said that something is wrong there
	silence   silence         // guards itself
}

// see counts how long it took until the revocation was seen.
func (w *watch) see(l store.Look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if accepted := l.Revocation.Told(); !l.SeenCRL.IsZero() {
		w.crl.add(l.SeenCRL.Sub(accepted))
	}
	if accepted := l.Revocation.Told(); !l.SeenOCSP.IsZero() {
		w.ocsp.add(l.SeenOCSP.Sub(accepted))
	}
}

// tell says of each address that was asked, once, that something has gone wrong
// there, and once that it does no more.
func (w *watch) tell(log *slog.Logger, asked map[string]error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.useless == nil || len(w.useless) > maxUseless {
		w.useless = map[string]bool{}
	}
	for address, err := range asked {
		where, level := slog.String("address", address), slog.LevelDebug
		switch {
		case err == nil && w.useless[address]:
			delete(w.useless, address)
			log.Info("revocations can be looked for again", where)
		case err != nil:
			if !w.useless[address] {
				level = slog.LevelWarn
			}
			w.useless[address] = true
			log.Log(context.Background(), level, "revocations cannot be looked for", where, slog.Any("error", err))
		}
	}
}
