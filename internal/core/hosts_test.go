package core

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/remote"
)

var errNoRoute = fmt.Errorf("no route: %w", remote.ErrUnreachable)

// A host that could not be reached is down for a moment, also where the clock is set back
// or forward meanwhile.
func TestHostIsDownForAMoment(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		later time.Duration
		down  bool
	}{
		"at once":                 {0, true},
		"before it is over":       {downTime - 1, true},
		"when it is over":         {downTime, false},
		"the clock was set back":  {-time.Hour, false},
		"it was set back a bit":   {-1, false},
		"it was set far forward":  {time.Hour, false},
		"it was set back a while": {-downTime, false},
	} {
		h, w := newHosts(), clm.Work{Host: "h", Subject: "a"}
		h.enter(w)
		h.tell(w.Host, errNoRoute, now)
		if err := h.isDown(w.Host, now.Add(c.later)); errors.Is(err, errNoRoute) != c.down {
			t.Errorf("%s: got %v, want it down: %v", name, err, c.down)
		}
	}
}

// Of a host at which nobody is, nothing is kept once it may be tried again.
func TestHostsAreForgotten(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		later time.Duration // the next leaves another host
		kept  int
	}{
		"it is down":             {downTime - 1, 1},
		"it may be tried":        {downTime, 0},
		"the clock was set back": {-time.Hour, 0},
	} {
		h, down, up := newHosts(), clm.Work{Host: "down", Subject: "a"}, clm.Work{Host: "up", Subject: "b"}
		h.enter(down)
		h.enter(up)
		h.tell(down.Host, errNoRoute, now)
		h.leave(down, now)
		if len(h.all) != 2 {
			t.Errorf("%s: %d hosts are known, want the one that is down and the one that is busy", name, len(h.all))
		}
		h.leave(up, now.Add(c.later))
		if len(h.all) != c.kept || len(h.apps) != 0 {
			t.Errorf("%s: %d hosts and %d applications are known, want %d and none", name, len(h.all), len(h.apps), c.kept)
		}
	}
}
