package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/certwright/certwright/internal/clm"
)

// hub tells who waits that something was committed: runners that there may be
// work, callers that the work they wait for has moved.
type hub struct {
	mu      sync.Mutex
	waiting map[clm.WorkID][]chan clm.Work
	recent  map[clm.WorkID]clm.Work // what has moved lately: it may be waited for in a moment
	order   []clm.WorkID            // of recent, as a ring
	next    int                     // where the ring goes on
	runners []chan struct{}
	tell    chan string // for other nodes; nil where there are none
	stop    context.CancelFunc
	others  sync.WaitGroup
}

// Woken returns a channel on which a token lies whenever there may be work.
func (db *DB) Woken() <-chan struct{} {
	ch := make(chan struct{}, 1)
	db.hub.mu.Lock()
	defer db.hub.mu.Unlock()
	db.hub.runners = append(db.hub.runners, ch)
	return ch
}

// Watch returns a channel on which the work lies, as it stands now, whenever it
// has moved, or has just moved already, and the function that ends the watch. A work without a stage says
// no more than that it has moved.
func (db *DB) Watch(id clm.WorkID) (moved <-chan clm.Work, end func()) {
	ch := make(chan clm.Work, 1)
	h := &db.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == nil {
		h.waiting = map[clm.WorkID][]chan clm.Work{}
	}
	h.waiting[id] = append(h.waiting[id], ch)
	if w, ok := h.recent[id]; ok {
		ch <- w
	}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		rest := slices.DeleteFunc(h.waiting[id], func(c chan clm.Work) bool { return c == ch })
		if h.waiting[id] = rest; len(rest) == 0 {
			delete(h.waiting, id)
		}
	}
}

// announce tells of what the job has committed, here and on other nodes.
func (db *DB) announce(j *job) {
	if j.err != nil || j.tx == nil {
		return
	}
	if j.tx.newTree && !db.IsShared() {
		db.revision.Store(j.tx.tree)
	}
	if j.tx.enlists {
		put(db.enlisted, struct{}{})
	}
	if !j.tx.wake && len(j.tx.touched) == 0 {
		return
	}
	db.hub.moved(j.tx.wake, j.tx.touched)
	if db.hub.tell == nil {
		return
	}
	words := []string{strconv.FormatBool(j.tx.wake)}
	for _, w := range j.tx.touched {
		words = append(words, strconv.FormatInt(int64(w.ID), 10))
	}
	select {
	case db.hub.tell <- strings.Join(words, " "):
	default: // others poll as well
	}
}

func (h *hub) moved(wake bool, works []clm.Work) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if wake {
		for _, ch := range h.runners {
			put(ch, struct{}{})
		}
	}
	for _, w := range works {
		h.remember(w)
		for _, ch := range h.waiting[w.ID] {
			put(ch, w)
		}
	}
}

// maxRecent is how many works are remembered for those who begin to watch just
// after they have moved.
const maxRecent = 1024

func (h *hub) remember(w clm.Work) {
	if h.recent == nil {
		h.recent, h.order = make(map[clm.WorkID]clm.Work, maxRecent), make([]clm.WorkID, maxRecent)
	}
	if _, known := h.recent[w.ID]; !known {
		delete(h.recent, h.order[h.next])
		h.order[h.next] = w.ID
		h.next = (h.next + 1) % maxRecent
	}
	h.recent[w.ID] = w
}

// put lays v on the channel, which holds one, in place of what lies there. There
// is one that puts at a time.
func put[T any](ch chan T, v T) {
	select {
	case <-ch:
	default:
	}
	ch <- v
}

// notifyChannel is the PostgreSQL channel on which nodes tell one another. It
// makes polling quicker and is not relied upon.
const notifyChannel = "certwright"

// listen starts to tell other nodes, and to hear from them, where there may be any.
func (db *DB) listen(address string) {
	if !db.IsShared() {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	db.hub.stop, db.hub.tell = stop, make(chan string, 256)
	db.hub.others.Go(func() {
		for ctx.Err() == nil {
			db.hear(ctx, address)
			pause(ctx, time.Second)
		}
	})
	db.hub.others.Go(func() {
		for {
			select {
			case words := <-db.hub.tell:
				db.write.ExecContext(ctx, "SELECT pg_notify($1, $2)", notifyChannel, words)
			case <-ctx.Done():
				return
			}
		}
	})
}

// hear passes on what other nodes tell, until the connection ends.
func (db *DB) hear(ctx context.Context, address string) {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return
	}
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return
		}
		wake, rest, _ := strings.Cut(n.Payload, " ")
		var works []clm.Work
		for word := range strings.FieldsSeq(rest) {
			if id, err := strconv.ParseInt(word, 10, 64); err == nil {
				works = append(works, clm.Work{ID: clm.WorkID(id)})
			}
		}
		db.hub.moved(wake == "true", works)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (h *hub) close() {
	if h.stop != nil {
		h.stop()
		h.others.Wait()
	}
}
