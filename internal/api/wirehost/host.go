// Package wirehost is the server behind conversations, whatever dialect they are held
// in: what must be there before the first request, the section "setup", has a command in
// each line, and what must be stored after a response, the section "look", a claim. See
// setups and looks; a dialect adds what is its own.
package wirehost

import (
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/api/wiretest"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A Dialect is what the hosts of one have of their own.
type Dialect struct {
	// Handler serves the dialect; log takes what it has to say. It is called again
	// whenever the core has been started anew.
	Handler func(rig *coretest.Rig, log *slog.Logger) http.Handler

	Setups map[string]Command // further commands; they come before those of all
	Looks  map[string]Command // further claims

	Expand    core.Expander
	Stages    map[clm.Stage]string         // its words for stages; nil: our own names
	Principal func(clm.PrincipalID) string // its name of a user; nil: the ID
}

// A Command is a line of a section. One marked Before must stand before all others, when
// there is no core yet.
type Command struct {
	Before bool
	Do     func(h *Host, args []string) error
}

// Host is a server for one conversation.
type Host struct {
	T    *testing.T
	Wire *wiretest.Host
	Rig  *coretest.Rig // nil before it is needed

	dialect Dialect
	idle    bool
	wait    time.Duration // for a lock; zero: as long as usual
	on      coretest.Database

	faults faults
	faulty *coretest.Faulty
	held   map[string]held // calls of the faulty CA, by their name
	locked func()          // lets the row go that is locked

	once    sync.Once
	handler http.Handler
}

// New makes a host of the dialect on a database that has been set up.
func New(t *testing.T, on coretest.Database, d Dialect) *Host {
	t.Helper()
	certificate, err := coretest.QuickCertificate()
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{T: t, on: on, dialect: d}
	h.Wire = &wiretest.Host{Vars: map[string]string{}, Do: h.Do, Clients: map[string]tls.Certificate{}, Certificates: []tls.Certificate{certificate}}
	h.Wire.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.start()
		h.handler.ServeHTTP(w, r)
	})
	return h
}

// start makes the core when it is first needed.
func (h *Host) start() {
	h.once.Do(func() {
		h.Rig = coretest.New(h.T, h.on, h.options())
		h.serve()
		if h.faulty != nil {
			h.Rig.AddFaulty(nil)
		}
	})
}

func (h *Host) serve() {
	h.handler = h.dialect.Handler(h.Rig, slog.New(slog.NewTextHandler(h.Rig.Log, nil)))
}

// again starts the core anew.
func (h *Host) again(idle bool) {
	h.Rig.Stop()
	h.idle = idle
	h.Rig.Start(h.options())
	h.serve()
}

func (h *Host) options() coretest.Options {
	o := coretest.Options{
		Idle: h.idle, Connectors: connectors, Rehearsal: true, LockWait: h.wait, Fault: h.faults.at, Expand: h.dialect.Expand, LocalHost: true,
	}
	if h.faulty != nil {
		o.Connectors = maps.Clone(o.Connectors)
		maps.Copy(o.Connectors, h.faulty.Connectors())
	}
	return o
}

// Do carries out a section.
func (h *Host) Do(t *testing.T, section, text string) {
	t.Helper()
	tables := map[string][]map[string]Command{"setup": {h.dialect.Setups, setups}, "look": {h.dialect.Looks, looks}}[section]
	if tables == nil {
		t.Fatalf("there is no section %s", section)
	}
	for line := range strings.Lines(text) {
		words := split(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		command := named(tables, words[0])
		if command.Do == nil {
			t.Fatalf("there is no command %s", words[0])
		}
		if !command.Before {
			h.start()
		}
		if err := command.Do(h, words[1:]); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
	}
}

func named(tables []map[string]Command, name string) Command {
	for _, table := range tables {
		if command, ok := table[name]; ok {
			return command
		}
	}
	return Command{}
}

// split splits a line at blanks outside of double quotes.
func split(line string) []string {
	var words []string
	var b strings.Builder
	quoted, any := false, false
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteRune(r)
			any = true
		}
	}
	return words
}
