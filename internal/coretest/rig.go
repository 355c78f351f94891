package coretest

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/all"
	"github.com/certwright/certwright/internal/ca/embedded"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/deploy"
	deployall "github.com/certwright/certwright/internal/deploy/all"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Rig is a core on a database of its own, set up as a first start would.
type Rig struct {
	*core.Core
	DB       *store.DB
	Box      *secret.Box
	Clock    *Clock
	Database Database
	Log      *Log
	Admin    clm.Actor
	Password secret.Plain // of the user admin

	t       testing.TB
	stop    func()
	mu      sync.Mutex
	secrets []secret.Plain
}

// Secret keeps a secret to be looked for when the test ends, in everything that
// was logged and audited. What is sealed or opened is kept by itself.
func (r *Rig) Secret(s secret.Plain) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, s)
}

// Options change what a rig is made of. The zero value is right for most tests.
type Options struct {
	Connectors ca.Registry // further connectors
	Workers    int
	Idle       bool                         // nobody carries out work
	Rehearsal  bool                         // states may be put on stage
	Fault      func(statement string) error // see store.Options
	LockWait   time.Duration                // see store.Options
	Rewrite    func(statement string) string
	Expand     core.Expander
	Drivers    deploy.Registry // nil: those that the program has
	LocalHost  bool            // see core.Config
}

// New makes a rig. When the test ends it looks for every secret that the test has
// made in everything that was logged and audited.
func New(t testing.TB, d Database, o Options) *Rig {
	t.Helper()
	r := &Rig{Database: d, Clock: &Clock{}, Log: &Log{}, Password: secret.NewString("correct-Horse-7-battery"), t: t}
	r.Start(o)
	t.Cleanup(func() {
		r.lookForSecrets()
		r.Stop()
	})
	return r
}

// Start starts a core on the rig's database; after Stop it is a new process to
// all intents.
func (r *Rig) Start(o Options) {
	r.t.Helper()
	ctx := context.Background()
	var err error
	if r.DB, err = store.Open(ctx, r.Database.Address, store.Options{Clock: r.Clock.Now, LockWait: o.LockWait, Fault: o.Fault, Rewrite: o.Rewrite}); err != nil {
		r.t.Fatal(err)
	}
	if r.Box, err = secret.OpenBox(filepath.Join(r.Database.Dir, "master.key"), secret.Plain{}); err != nil {
		r.t.Fatal(err)
	}
	r.Box.Watch = r.Secret
	connectors := maps.Clone(all.Registry)
	maps.Copy(connectors, o.Connectors)
	drivers := o.Drivers
	if drivers == nil {
		drivers = deployall.Registry
	}
	r.Core = core.New(core.Config{
		DB: r.DB, Box: r.Box, Connectors: connectors, MakeIssuer: MakeIssuer, MakeResponder: embedded.NewResponder, Log: slog.New(slog.NewTextHandler(r.Log, nil)), Workers: o.Workers, Rehearsal: o.Rehearsal, Expand: o.Expand,
		Drivers: drivers, LocalHost: o.LocalHost, PasswordCost: quickHash,
	})
	if _, err := r.Setup(ctx, r.Password); err != nil {
		r.t.Fatal(err)
	}
	if r.Admin = r.Database.admin; r.Admin.ID == "" {
		if r.Admin, err = r.Login(ctx, core.Login{Name: core.Admin, Password: r.Password, Address: "127.0.0.1"}); err != nil {
			r.t.Fatal(err)
		}
	}
	running, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if !o.Idle {
		wg.Go(func() { r.Run(running) })
	}
	r.stop = func() {
		cancel()
		wg.Wait()
		r.DB.Close()
	}
}

// quickHash spares tests the time that passwords cost.
var quickHash = secret.PasswordCost{Passes: 1, Memory: 8}

// Stop ends the core and closes the database. It may be called twice.
func (r *Rig) Stop() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// MakeIssuer makes CA certificates as the server does.
func MakeIssuer(above *ca.Issuer, n core.NewIssuer, key crypto.Signer, at time.Time) (ca.Issuer, error) {
	spec := embedded.Spec{
		Name: n.Name, Subject: n.Subject, Key: key, At: at, Years: n.Years, AIAURL: n.AIAURL, OCSPURL: n.OCSPURL, CDPURL: n.CDPURL,
	}
	if above == nil {
		return embedded.NewRoot(spec)
	}
	return embedded.NewIssuer(*above, spec)
}

// Clock is the real one plus what the test has turned it by, until it is stopped.
type Clock struct {
	by      atomic.Int64
	stopped atomic.Pointer[time.Time]
}

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.by.Load()))
}

// Stop leaves it to the test alone to turn the clock.
func (c *Clock) Stop() {
	now := time.Now()
	c.stopped.Store(&now)
}

// Turn turns the clock forward.
func (c *Clock) Turn(by time.Duration) { c.by.Add(int64(by)) }

// Log keeps all that is written to it.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var _ io.Writer = (*Log)(nil)

// lookForSecrets fails the test when a password or a private key of this rig
// stands in its log or its audit log, in any usual spelling.
func (r *Rig) lookForSecrets() {
	if r.stop == nil {
		return
	}
	ctx := context.Background()
	var told strings.Builder
	told.WriteString(r.Log.String())
	for after := int64(0); ; {
		entries, err := r.DB.Audit(ctx, after, 1000)
		if err != nil {
			r.t.Error(err)
			return
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			told.WriteString(e.Actor + "\n" + e.Action + "\n" + e.Subject + "\n" + e.Detail + "\n" + e.Event + "\n")
			after = e.ID
		}
	}
	text := told.String()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range append(r.secrets, r.Password) {
		for _, spelling := range spellings(s.Reveal()) {
			if strings.Contains(text, spelling) {
				r.t.Error("a secret stands in the log or the audit log")
			}
		}
	}
}

func spellings(b []byte) []string {
	tail := b[max(0, len(b)-24):]
	return []string{string(b), hex.EncodeToString(tail), base64.StdEncoding.EncodeToString(b)}
}
