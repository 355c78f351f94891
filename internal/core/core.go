// Package core holds the use cases: everything that anybody can ask of the
// server, whichever dialect they speak, and the runner that carries work out.
//
// A use case checks who may, applies the rules of package clm to facts, and in
// one transaction writes what follows together with its audit entry. What takes
// time is written down as work, which the runner claims and carries from stage
// to stage; whoever wants to wait watches the work.
package core

import (
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Config is what a Core is made of.
type Config struct {
	DB            *store.DB
	Box           *secret.Box
	Connectors    ca.Registry
	Drivers       deploy.Registry
	MakeIssuer    IssuerMaker
	MakeResponder ResponderMaker // nil: OCSP requests are not answered
	Log           *slog.Logger
	Workers       int      // works carried out at a time; zero means DefaultWorkers
	Rehearsal     bool     // certificates may be put on stage, see Rehearse
	Expand        Expander // nil: texts stay as they are
	LocalHost     bool     // devices may be the machine on which this program runs

	PasswordCost secret.PasswordCost // of passwords that are set; zero means secret.UsualCost
}

// DefaultWorkers is how many works are carried out at a time unless said
// otherwise. Most of them wait, for a CA or for the disk.
const DefaultWorkers = 128

// Core is the whole server without its edges. Its methods may be used concurrently.
type Core struct {
	db            *store.DB
	box           *secret.Box
	connectors    ca.Registry
	drivers       deploy.Registry
	makeIssuer    IssuerMaker
	makeResponder ResponderMaker
	log           *slog.Logger
	workers       int
	rehearsal     bool
	expand        Expander
	localHost     bool
	passwordCost  secret.PasswordCost
	module        clm.ObjectID // of this process among the engines; empty until it is registered

	failures failures
	watch    watch         // what was learnt by looking for revocations
	hurry    chan struct{} // closed when nobody shall wait any more
	hashing  chan struct{} // holds a token for each password that is being checked
	opening  chan struct{} // holds a token for each file that is being opened to be imported
	free     chan struct{} // a token for each worker of the runner that has nothing to do
	handed   chan *task    // work that was claimed as it was written down
	hosts    *hosts
	turns    turns
	answers  answers

	signing      chan struct{} // holds a token for each part of a list and each answer that is being signed
	signingWhole chan struct{} // holds a token while a whole list is being signed
	began        time.Time     // when this process did, to the second
	told         told

	mu          sync.Mutex
	held        map[clm.WorkID]int64 // works that are being carried out, with their epochs
	issuers     map[string]*ca.Issuer
	authorities map[string]authority
	published   []*publisher // replaced, never changed
	looked      time.Time    // when all publishers were known
}

// New makes a Core. It does nothing by itself until Run is called.
func New(c Config) *Core {
	if c.Workers == 0 {
		c.Workers = DefaultWorkers
	}
	if c.PasswordCost == (secret.PasswordCost{}) {
		c.PasswordCost = secret.UsualCost
	}
	return &Core{
		db: c.DB, box: c.Box, connectors: c.Connectors, makeIssuer: c.MakeIssuer, log: c.Log, workers: c.Workers,
		rehearsal: c.Rehearsal, makeResponder: c.MakeResponder, expand: c.Expand,
		drivers: c.Drivers, localHost: c.LocalHost, passwordCost: c.PasswordCost, hosts: newHosts(),
		held: map[clm.WorkID]int64{}, issuers: map[string]*ca.Issuer{}, authorities: map[string]authority{},
		hurry:   make(chan struct{}),
		hashing: make(chan struct{}, runtime.GOMAXPROCS(0)),
		opening: make(chan struct{}, (runtime.GOMAXPROCS(0)+1)/2),                                       // there are others to be served
		signing: make(chan struct{}, (runtime.GOMAXPROCS(0)+1)/2), signingWhole: make(chan struct{}, 1), // the same
		began: c.DB.Now().Truncate(time.Second), told: told{at: map[string]time.Time{}},
		free: make(chan struct{}, c.Workers), handed: make(chan *task, c.Workers),
	}
}
