package core

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// It is looked whether the certificates in use are where they should be: when somebody
// asks for that, soon after something may have changed, and once a day.

// Limits of looking for certificates.
const (
	validateSoon      = 5 * time.Minute        // after what may have changed what is seen; what follows within it is seen at once
	validateDay       = 24 * time.Hour         // between looks
	validatePause     = 100 * time.Millisecond // before it is seen again what is due
	validateClaim     = 32                     // certificates claimed at once
	validationsAtOnce = 256                    // certificates looked for at a time; most of the time is spent waiting for hosts
	validateTime      = 10 * time.Minute       // for one certificate; what it does not get to has to wait for another day
	validateHold      = 2 * validateTime       // so long nobody else looks for it
	askedAtATime      = 64                     // of one call, so that they share commits
)

// validating is the actor of what is learnt by looking.
var validating = clm.Actor{Name: "validation", Master: true}

// ValidationState is what is to be held of all places together where a certificate should be.
type ValidationState int

// What is to be held of them.
const (
	NotValidated ValidationState = iota // nobody has looked, or there was nothing to look at
	FoundInUse                          // it is in all of them, and nothing is wrong with its chain
	NotInUse
)

// String says it in words.
func (s ValidationState) String() string {
	return [...]string{"nothing to look at", "as it should be", "not as it should be"}[s]
}

// Which names a certificate: by its ID, or else by its DN.
type Which struct {
	ID clm.ObjectID
	DN string
}

// A Validating is a certificate that is going to be looked for, or why it is not.
type Validating struct {
	DN      clm.DN
	ID      clm.ObjectID
	Refused *clm.Error
}

// ValidateKinds are the ways in which Validate refuses a certificate. NotIssued: there is
// none in use. Unnecessary: there is no place to look at.
var ValidateKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Disabled, clm.NotIssued, clm.Unnecessary}

// Validate has somebody look at once whether certificates are where they should be in
// use. One that is refused does not keep the others from being looked for; the answers
// come in the order of the questions.
func (c *Core) Validate(ctx context.Context, who clm.Actor, which []Which) []Validating {
	all := make([]Validating, len(which))
	numbers := make([]int, len(which))
	for n := range numbers {
		numbers[n] = n
	}
	each(numbers, askedAtATime, func(n int) {
		var err error
		if all[n], err = c.validate(ctx, who, which[n]); err != nil {
			all[n] = Validating{Refused: clm.AsError(err)}
		}
	})
	return all
}

func (c *Core) validate(ctx context.Context, who clm.Actor, which Which) (v Validating, err error) {
	name := which.DN
	if which.ID != "" {
		name = string(which.ID)
	}
	var s *survey // apart from the write, which others wait for: there may be many places
	if err := c.db.Read(ctx, func(tx *store.Tx) error {
		path, _, err := which.find(tx, who)
		if err != nil {
			return nil // which the write finds too
		}
		s, err = c.survey(tx, path)
		return err
	}); err != nil {
		return v, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "validate", Subject: name}, func(tx *store.Tx) error {
		path, rights, err := which.find(tx, who)
		if err != nil {
			return err
		}
		place := path.Last()
		tx.About(string(place.DN), "")
		v = Validating{DN: place.DN, ID: place.ID}
		switch {
		case !isCertificate(path):
			return clm.About(name, clm.NotFound)
		case !rights.Has(clm.Write):
			return clm.About(name, clm.Denied)
		case (clm.Certificate{Object: *place}).IsOff():
			return clm.About(name, clm.Disabled)
		case place.Current == 0:
			return clm.About(name, clm.NotIssued)
		case s != nil && s.isEmpty():
			return clm.About(name, clm.Unnecessary)
		}
		return tx.ValidateBy(place.ID, tx.Now)
	})
	return v, err
}

func (w Which) find(tx *store.Tx, who clm.Actor) (clm.Path, clm.Rights, error) {
	if w.ID != "" {
		return findByID(tx, who, w.ID)
	}
	return find(tx, who, w.DN)
}

// validateLater has somebody look for the certificate soon: something has changed about
// where it should be.
func validateLater(tx *store.Tx, certificate clm.ObjectID) error {
	return tx.ValidateBy(certificate, tx.Now.Add(validateSoon))
}

// nextValidation is when to look for the certificate again: at its own time of the day,
// which its ID says, so that not all are looked for at once.
func nextValidation(now time.Time, id clm.ObjectID) time.Time {
	hash := fnv.New64a()
	hash.Write([]byte(id))
	slot := time.Duration(hash.Sum64() % uint64(validateDay))
	from := now.Add(validateDay / 2)
	next := from.Truncate(validateDay).Add(slot)
	if next.Before(from) {
		next = next.Add(validateDay)
	}
	return next
}

// validator looks for certificates, so many at a time.
type validator struct {
	*Core
	free       chan struct{} // a token for each certificate that may be looked for besides
	inspecting chan struct{} // holds a token for each host at which somebody is
	workers    sync.WaitGroup
}

func (c *Core) newValidator() *validator {
	v := &validator{Core: c, free: make(chan struct{}, validationsAtOnce), inspecting: make(chan struct{}, inspectAtOnce)}
	for range validationsAtOnce {
		v.free <- struct{}{}
	}
	return v
}

// validateCertificates looks for certificates that are due until ctx ends.
func (c *Core) validateCertificates(ctx context.Context) {
	v, woken := c.newValidator(), c.db.Woken()
	defer v.workers.Wait()
	for ctx.Err() == nil {
		begun, err := v.begin(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Error("look for certificates", slog.Any("error", err))
		}
		if begun == 0 {
			c.rest(ctx, woken, pollInterval)
			c.rest(ctx, nil, validatePause) // it is woken by other work as well
		}
	}
}

// ValidateDue looks for every certificate whose time has come whether it is where it
// should be in use, and says for how many it has looked. Any number of nodes may do this
// at a time.
func (c *Core) ValidateDue(ctx context.Context) (looked int, err error) {
	v := c.newValidator()
	defer v.workers.Wait()
	for ctx.Err() == nil {
		begun, err := v.begin(ctx)
		if looked += begun; err != nil || begun == 0 {
			return looked, err
		}
	}
	return looked, ctx.Err()
}

// begin claims certificates as soon as one may be looked for, sets somebody to each, and
// says how many they were.
func (v *validator) begin(ctx context.Context) (begun int, err error) {
	select {
	case <-v.free:
	case <-ctx.Done():
		return 0, nil
	}
	most := 1 + take(v.free, validateClaim-1)
	claimed, err := v.db.ClaimValidations(ctx, most, validateHold)
	for range most - len(claimed) {
		v.free <- struct{}{}
	}
	for _, round := range claimed {
		v.workers.Go(func() {
			if err := v.look(ctx, round); err != nil {
				v.log.Error("look for certificate", slog.String("certificate", string(round.Certificate)), slog.Any("error", err))
			}
			v.free <- struct{}{}
		})
	}
	return len(claimed), err
}

// look looks for one certificate and writes down what was seen. Whoever ends meanwhile
// leaves it to others.
func (v *validator) look(ctx context.Context, round store.ValidationRound) error {
	var s *survey
	err := v.db.Read(ctx, func(tx *store.Tx) error {
		path, err := tx.PathByID(round.Certificate)
		if err == nil {
			s, err = v.survey(tx, path)
		}
		if errors.Is(err, clm.NotFound) {
			return nil
		}
		return err
	})
	late := context.WithoutCancel(ctx)
	next := nextValidation(v.db.Now(), round.Certificate)
	switch {
	case ctx.Err() != nil:
		return v.db.PutValidationOff(late, round, v.db.Now())
	case err != nil:
		return err
	case s == nil || s.isEmpty() && !s.isUsed:
		return v.db.EndValidation(late, round)
	case (clm.Certificate{Object: *s.path.Last()}).IsOff():
		return v.db.PutValidationOff(late, round, next)
	}
	looking, cancel := context.WithTimeout(ctx, validateTime)
	defer cancel()
	s.look(looking, v)
	if ctx.Err() != nil {
		return v.db.PutValidationOff(late, round, v.db.Now())
	}
	seen, err := s.results(late, v.Core)
	if err != nil {
		return err
	}
	return v.keep(late, s, round, seen, next)
}

// keep writes down what was seen. There is an entry where that is something else than
// before.
func (v *validator) keep(ctx context.Context, s *survey, round store.ValidationRound, seen []store.Validation, next time.Time) error {
	state, wrong := NotValidated, 0
	for _, one := range seen {
		state = max(state, FoundInUse)
		if !isFine(one) {
			state, wrong = NotInUse, wrong+1
		}
	}
	was := round.State
	round.Last, round.State = v.db.Now(), int(state)
	if was == round.State {
		return v.db.KeepValidation(ctx, round, seen, next)
	}
	entry := store.Entry{Actor: validating, Action: "validate", Subject: string(s.path.Last().DN), Detail: fmt.Sprintf("%s: %d of %d places", state, len(seen)-wrong, len(seen))}
	return v.db.Write(ctx, entry, func(tx *store.Tx) error { return tx.SaveValidation(round, seen, next) })
}

// isFine reports whether nothing is wrong at a place.
func isFine(v store.Validation) bool {
	return v.Leaf == uint32(LeafFine) && (v.File || v.Chain == uint32(ChainFine))
}

// Validations is what was seen of a certificate where it should be in use.
type Validations struct {
	State    ValidationState
	Since    time.Time // when it became that
	Last     time.Time // when somebody has looked; zero: nobody has
	Files    []FileSeen
	Services []ServiceSeen
}

// A FileSeen is what lies where an application has its certificate.
type FileSeen struct {
	Application clm.DN
	At          time.Time
	Leaf        LeafSeen
	Said        string // the same in words
}

// A ServiceSeen is what a service has shown.
type ServiceSeen struct {
	Number       int // among all places of the certificate
	Host         string
	Address      string // empty: the host could not be found
	Port         int
	Applications []clm.DN // which it is of
	Names        []string // of the certificate, for whose sake it was looked at
	At           time.Time
	Leaf         LeafSeen
	Chain        ChainSeen
	Versions     []uint16 // of TLS, as crypto/tls has them
	Said         string   // why nothing was shown
}

// Of is what was seen at the application.
func (v Validations) Of(app clm.DN) Validations {
	v.Files = slices.DeleteFunc(slices.Clone(v.Files), func(f FileSeen) bool { return f.Application != app })
	v.Services = slices.DeleteFunc(slices.Clone(v.Services), func(s ServiceSeen) bool { return !slices.Contains(s.Applications, app) })
	return v
}

// ValidationsKinds are the ways in which Validations fails.
var ValidationsKinds = []clm.Kind{clm.Internal, clm.NotFound}

// Validations tells what was seen last of the certificate. Places that belong to
// applications alone which the actor may not see are left out.
func (c *Core) Validations(ctx context.Context, who clm.Actor, id clm.ObjectID) (v Validations, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := findByID(tx, who, id)
		if err != nil {
			return err
		}
		if !isCertificate(path) || !rights.Has(clm.Read) {
			return clm.About(string(id), clm.NotFound)
		}
		v, err = validationsOf(tx, who, id)
		return err
	})
	return v, err
}

// validationOf is what is to be held of all places together, without the places.
func validationOf(tx *store.Tx, certificate clm.ObjectID) (v Validations, err error) {
	round, err := tx.ValidationRound(certificate)
	if err == nil && !round.Last.IsZero() {
		v = Validations{State: ValidationState(round.State), Since: round.Since, Last: round.Last}
	}
	return v, err
}

func validationsOf(tx *store.Tx, who clm.Actor, certificate clm.ObjectID) (v Validations, err error) {
	v, err = validationOf(tx, certificate)
	if err != nil || v.Last.IsZero() {
		return v, err
	}
	all, err := tx.Validations(certificate)
	if err != nil {
		return v, err
	}
	for _, one := range all {
		apps, err := visibleDNs(tx, who, one.Applications)
		if err != nil {
			return v, err
		}
		switch {
		case len(apps)+len(one.Names) == 0:
		case one.File:
			v.Files = append(v.Files, FileSeen{Application: apps[0], At: one.At, Leaf: LeafSeen(one.Leaf), Said: one.Said})
		default:
			v.Services = append(v.Services, ServiceSeen{
				Number: one.Number, Host: one.Host, Address: one.Address, Port: one.Port, Applications: apps, Names: one.Names, At: one.At,
				Leaf: LeafSeen(one.Leaf), Chain: ChainSeen(one.Chain), Versions: one.Versions, Said: one.Said,
			})
		}
	}
	return v, nil
}

// visibleDNs are the DNs of those of the objects that are there and that the actor may see.
func visibleDNs(tx *store.Tx, who clm.Actor, ids []clm.ObjectID) (dns []clm.DN, err error) {
	for _, id := range ids {
		path, _, err := findByID(tx, who, id)
		switch {
		case err == nil:
			dns = append(dns, path.Last().DN)
		case !errors.Is(err, clm.NotFound):
			return nil, err
		}
	}
	return dns, nil
}
