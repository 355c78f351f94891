package core

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// An Event is something that a client tells of, to be kept in the log.
type Event struct {
	Kind      int64  `json:"kind"` // which kind of event, as the client numbers them
	Grouping  int64  `json:"grouping,omitempty"`
	Severity  int    `json:"severity"`            // as the client's API counts them
	Address   string `json:"address,omitempty"`   // where it happened
	Component int64  `json:"component,omitempty"` // the number of the part of the client's that tells of it
	Subsystem string `json:"subsystem,omitempty"`
	Text1     string `json:"text1,omitempty"`
	Text2     string `json:"text2,omitempty"`
	Value1    int64  `json:"value1,omitempty"`
	Value2    int64  `json:"value2,omitempty"`
}

// Limits of the log.
const (
	MaxEventText  = 1024    // characters that are kept of a text of an event
	MaxLogEntries = 10_000  // entries that are found at a time
	MaxLogRows    = 100_000 // entries that are looked at to find them
	MaxLogChecks  = 20_000  // and for whom each has to be checked, who may not read everything
	logStep       = 1000    // entries fetched at a time
)

// Report writes an event into the log. about is what it is about: the DN of an object,
// which need not be there, or any other text. Longer texts are cut. It fails with
// Invalid, whose Field is "component", when that is empty.
func (c *Core) Report(ctx context.Context, who clm.Actor, about string, e Event) error {
	if about = strings.TrimSpace(about); about == "" {
		return clm.Fail(clm.Invalid, "component", about)
	}
	if dn, err := clm.ParseDN(about); err == nil {
		about = string(dn)
	}
	for _, text := range []*string{&e.Text1, &e.Text2, &e.Subsystem, &e.Address} {
		*text = cut(*text)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "event", Subject: about}, func(tx *store.Tx) error {
		if path, _, err := find(tx, who, about); err == nil {
			tx.About(string(path.Last().DN), "")
		}
		return tx.Report(string(text))
	})
}

func cut(text string) string {
	if utf8.RuneCountInString(text) <= MaxEventText {
		return text
	}
	return string([]rune(text)[:MaxEventText]) + "…"
}

// A LogEntry is an entry of the log: something that was done here or, with an Event,
// that a client has told of.
type LogEntry struct {
	At      time.Time
	Actor   string
	Action  string
	About   string // a DN, where it is about an object
	Outcome string // LogOK, or how it failed
	Detail  string
	Event   *Event // nil: it was done here
}

// LogOK is the outcome of what went well.
const LogOK = "ok"

// A LogQuery selects entries of the log.
type LogQuery struct {
	About       string // a DN: the object and all below it; another text: exactly that, in any case; empty: anything
	Only        bool   // of a DN: the object alone
	From, Until time.Time
	Matches     func(LogEntry) bool // nil: all
	Oldest      bool                // the oldest first, instead of the latest
	Skip        int
	Limit       int // zero: MaxLogEntries, which is also the most
}

// Log lists entries of the log. Who may read everything sees all of them, others those
// about objects that they may read. Of a long log only MaxLogRows entries are looked
// at, beginning with the latest or the oldest, and MaxLogChecks when each has to be
// checked; whoever wants others names another time. All those about one object are always
// found. Who does not see all finds nothing about what is not there any more, also when
// another object has its name; nor about what is below an object that they may not see,
// when they ask for that one.
func (c *Core) Log(ctx context.Context, who clm.Actor, q LogQuery) (list []LogEntry, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list, err = q.entries(tx, who)
		return err
	})
	return list, err
}

// ObjectLog lists the entries about the object with the GUID, the latest first. It
// fails with NotFound and Denied.
func (c *Core) ObjectLog(ctx context.Context, who clm.Actor, id clm.ObjectID, limit int) (list []LogEntry, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := findByID(tx, who, id)
		if err != nil {
			return err
		}
		if !rights.Has(clm.Read) {
			return clm.About(string(path.Last().DN), clm.Denied)
		}
		list, err = LogQuery{About: string(path.Last().DN), Only: true, Limit: limit}.entries(tx, who)
		return err
	})
	return list, err
}

func (q LogQuery) entries(tx *store.Tx, who clm.Actor) (list []LogEntry, err error) {
	if q.Limit <= 0 || q.Limit > MaxLogEntries {
		q.Limit = MaxLogEntries
	}
	l := logReader{tx: tx, who: who, seen: map[string]logSubject{}}
	rows := MaxLogRows
	if !l.seesAll() {
		rows = MaxLogChecks
	}
	list = []LogEntry{}
	part, fits, err := q.part(tx, who)
	if errors.Is(err, clm.NotFound) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	for past := int64(0); rows > 0; {
		entries, err := tx.Entries(part, past, min(logStep, rows))
		if err != nil {
			return nil, err
		}
		for _, stored := range entries {
			past = stored.ID
			e, visible, err := l.read(stored)
			switch {
			case err != nil:
				return nil, err
			case !visible, !fits(e.About), q.Matches != nil && !q.Matches(e):
			case q.Skip > 0:
				q.Skip--
			default:
				if list = append(list, e); len(list) == q.Limit {
					return list, nil
				}
			}
		}
		if rows -= len(entries); len(entries) < logStep {
			break
		}
	}
	return list, nil
}

// part is the part of the log in which there is what is asked for, and what else an
// entry has to be about. It fails with NotFound when that is an object which is not there
// or may not be seen, by one who does not see all: both take the same time.
func (q LogQuery) part(tx *store.Tx, who clm.Actor) (part store.AuditRange, fits func(about string) bool, err error) {
	part = store.AuditRange{From: q.From, Until: q.Until, Oldest: q.Oldest}
	if q.About == "" {
		return part, func(string) bool { return true }, nil
	}
	dn, err := clm.ParseDN(q.About)
	if err != nil {
		return part, func(about string) bool { return strings.EqualFold(about, strings.TrimSpace(q.About)) }, nil
	}
	fits = func(about string) bool {
		return strings.EqualFold(about, string(dn)) || !q.Only && clm.DN(about).IsBelow(dn)
	}
	path, err := tx.Path(dn)
	if !seesAll(who) {
		path, _, err = find(tx, who, string(dn))
	} else if errors.Is(err, clm.NotFound) {
		return part, fits, nil
	}
	if err != nil {
		return part, fits, err
	}
	if q.Only {
		part.From = latest(part.From, time.UnixMicro(path.Last().Created))
	}
	if q.Only || len(path.Last().Class.Classes()) == 0 {
		part.Subjects = []string{string(path.Last().DN), string(path.Last().ID)}
	}
	return part, fits, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A logReader makes entries of the log of what is stored, for one who may not see all.
type logReader struct {
	tx   *store.Tx
	who  clm.Actor
	seen map[string]logSubject
}

// A logSubject is what an entry is about.
type logSubject struct {
	name    string // its DN, if it is an object
	visible bool
	since   time.Time // what is older was about another object of the name; zero: nothing was
}

func seesAll(who clm.Actor) bool { return who.Master || who.Auditor }

func (l *logReader) seesAll() bool { return seesAll(l.who) }

// read makes an entry of what is stored; visible: it may be shown.
func (l *logReader) read(stored store.AuditEntry) (e LogEntry, visible bool, err error) {
	subject, known := l.seen[stored.Subject]
	if !known {
		if subject, err = l.subject(stored.Subject); err != nil {
			return e, false, err
		}
		l.seen[stored.Subject] = subject
	}
	e = LogEntry{At: stored.At, Actor: stored.Actor, Action: stored.Action, About: subject.name, Outcome: stored.Outcome, Detail: stored.Detail}
	if stored.Event != "" {
		e.Event = new(Event)
		err = json.Unmarshal([]byte(stored.Event), e.Event)
	}
	return e, subject.visible && !stored.At.Before(subject.since), err
}

// subject finds what an entry is about: a DN or the ID of an object, or something else.
func (l *logReader) subject(text string) (logSubject, error) {
	var path clm.Path
	dn, err := clm.ParseDN(text)
	switch {
	case err == nil && l.seesAll():
		return logSubject{name: string(dn), visible: true}, nil
	case err == nil:
		path, err = l.tx.Path(dn)
	case clm.IsObjectID(text):
		path, err = l.tx.PathByID(clm.ObjectID(text))
	default:
		return logSubject{name: text, visible: l.seesAll()}, nil
	}
	if errors.Is(err, clm.NotFound) {
		return logSubject{name: text, visible: l.seesAll()}, nil
	}
	if err != nil {
		return logSubject{}, err
	}
	o := path.Last()
	return logSubject{string(o.DN), l.seesAll() || path.Rights(l.who).Has(clm.Read), time.UnixMicro(o.Created)}, nil
}
