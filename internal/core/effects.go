package core

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// task is a work in the hands of a worker, with the facts that its effects need.
type task struct {
	work    clm.Work
	path    clm.Path // ends at the place
	version clm.Version
	revoke  clm.Revocation // of the version, where that is what the work is about
	here    bool           // the revocation is ours to make
	asked   bool           // somebody has been asked to say yes to it
	before  *clm.Version   // the version whose key is taken over; nil where a new one is made
	ca      authority
	chain   [][]byte      // learnt with the certificate
	names   clm.Names     // what the certificate is to say
	issued  clm.Facts     // what it says
	settled crypto.Signer // the key, while it is at hand
	at      *site         // of what is done at a host: where the certificate goes
	said    string        // what programs have printed at this stage
}

// An effect does the work of one stage. It may be done twice with the same task;
// each says why a second time is harmless.
type effect func(*Core, context.Context, *task) (clm.Outcome, error)

// effects has one for every stage of every plan.
var effects = map[clm.Stage]effect{
	clm.CreateKey: (*Core).createKey,
	clm.CreateCSR: (*Core).createCSR,
	clm.Submit:    (*Core).submit,
	clm.Collect:   (*Core).collect,
	clm.Activate:  (*Core).activate,
	clm.Disown:    (*Core).disown,
	clm.RevokeAt:  (*Core).revokeAt,
	clm.Place:     (*Core).place,
	clm.Inspect:   (*Core).inspect,
	clm.Configure: (*Core).configure,
	clm.Reload:    (*Core).reload,
	clm.Verify:    (*Core).verify,
	clm.Settle:    (*Core).settle,
	clm.Restore:   (*Core).restore,
}

// A trade is what the works of one operation have in common.
type trade struct {
	equip  func(*Core, context.Context, *task) error // adds to the facts what the effects need
	keep   func(*store.Tx, *task) error              // writes what was learnt, whenever the work is saved; nil: nothing is
	finish func(*Core, *store.Tx, *task) error       // is part of the transaction that ends the work; nil: nothing follows
}

// trades has one for every operation.
var trades = map[clm.Op]trade{
	clm.Enroll:  {(*Core).equipEnrolment, keepVersion, (*Core).putInUse},
	clm.Abandon: {(*Core).equipOrdered, keepVersion, (*Core).orphan},
	clm.Revoke:  {(*Core).equipRevocation, nil, (*Core).revoked},
	clm.Hold:    {(*Core).equipHold, nil, (*Core).suspended},
	clm.Release: {(*Core).equipHold, nil, (*Core).reinstated},
	clm.Install: {(*Core).equipPush, nil, (*Core).installed},
	clm.Undo:    {(*Core).equipUndo, nil, (*Core).undone},
}

// seenOutside lists the stages at which something outside sees what was made so
// far, which must therefore be durable before. A CA that is local is not outside.
// What is done at a host is seen there at once.
var seenOutside = map[clm.Stage]bool{
	clm.Submit: true, clm.Collect: true,
	clm.Inspect: true, clm.Configure: true, clm.Reload: true, clm.Verify: true, clm.Settle: true,
}

// createKey makes the key, or takes over the one in use where policy allows it
// and it is wanted. Again is harmless: nobody has seen the first key.
func (c *Core) createKey(_ context.Context, t *task) (clm.Outcome, error) {
	key, err := c.keyFor(t)
	if err != nil {
		return clm.Outcome{}, err
	}
	sealed, err := c.sealKey(key, versionBind(t.version.ID))
	if err != nil {
		return clm.Outcome{}, fault(err)
	}
	t.settled = key
	return clm.Outcome{Key: sealed, Hash: pki.PublicKeyHash(key.Public())}, nil
}

func (c *Core) keyFor(t *task) (crypto.Signer, error) {
	if t.before != nil && len(t.before.Sealed) > 0 {
		key, err := c.openKey(t.before.Sealed, versionBind(t.before.ID))
		return key, clm.Permanent(fault(err))
	}
	demand := demandOf(t.path)
	t.path[:len(t.path)-1].PolicyFor(t.path.Last().Class).Fill(&demand)
	key, err := pki.GenerateKey(specOf(demand))
	return key, clm.Permanent(err)
}

// reusesKey reports whether the key in use is to serve the next version too.
func (t *task) reusesKey() bool {
	place := t.path.Last()
	switch t.version.KeyWish {
	case clm.KeyNew:
		return false
	case clm.KeySame:
		return mayKeepKey(t.path)
	}
	allowed := t.path[:len(t.path)-1].ValueFor(place.Class, clm.ReuseKeyAllowed) // what a folder says counts, locked or not
	if len(allowed.Values) == 0 {
		allowed.Values = place.Own[clm.ReuseKeyAllowed]
	}
	return allowed.IsOn() && t.path.Value(clm.ReuseKeyWanted).IsOn()
}

// allowsKeyOf reports whether policy would still have the version's key made as it is: what
// was good enough once need not be today.
func (t *task) allowsKeyOf(v clm.Version) bool {
	cert, err := x509.ParseCertificate(v.Cert)
	if err != nil {
		return true // of the key by itself nothing is known
	}
	key := pki.SpecOf(cert.PublicKey)
	demand := demandOf(t.path)
	demand.KeyAlgorithm, demand.KeySize, demand.Curve = key.Algorithm, key.Bits, key.Curve
	policy := t.path[:len(t.path)-1].PolicyFor(t.path.Last().Class)
	return !slices.ContainsFunc(policy.Judge(demand), func(b clm.Breach) bool {
		return b.Rule == clm.RuleKeyAlgorithm || b.Rule == clm.RuleKeySize || b.Rule == clm.RuleCurve
	})
}

// createCSR signs the request, for what the place has come to want, if policy has not
// come to forbid it: somebody may have been asked meanwhile, which takes days. Again is
// harmless: same key, same names.
func (c *Core) createCSR(_ context.Context, t *task) (clm.Outcome, error) {
	demand, policy := demandOf(t.path), t.path[:len(t.path)-1].PolicyFor(t.path.Last().Class)
	policy.Fill(&demand)
	if broken := policy.Judge(demand); len(broken) > 0 {
		return clm.Outcome{}, clm.Permanent(&clm.Error{Kind: clm.Violation, Breaches: broken})
	}
	if t.settled == nil {
		key, err := c.openKey(t.version.Sealed, versionBind(t.version.ID))
		if err != nil {
			return clm.Outcome{}, clm.Permanent(fault(err))
		}
		t.settled = key
	}
	csr, err := pki.CreateCSR(t.names, t.settled)
	return clm.Outcome{CSR: csr}, clm.Permanent(err)
}

// submit places the order. Again is harmless: the CA knows the order by its key. A
// local CA's name for it is not kept: nobody outside knows of the order.
func (c *Core) submit(ctx context.Context, t *task) (clm.Outcome, error) {
	order, err := t.order()
	if err != nil {
		return clm.Outcome{}, clm.Permanent(err)
	}
	ref, err := t.ca.Submit(ctx, order)
	if t.ca.isLocal() {
		ref = ""
	}
	return clm.Outcome{Ref: ref}, err
}

// collect fetches the certificate. Again is harmless: it only reads.
func (c *Core) collect(ctx context.Context, t *task) (clm.Outcome, error) {
	order, err := t.order()
	if err != nil && t.work.Op != clm.Abandon { // where it counts what was ordered, not what would be now
		return clm.Outcome{}, clm.Permanent(err)
	}
	issued, err := t.ca.Collect(ctx, order)
	if t.work.Op == clm.Abandon && clm.IsPermanent(err) {
		return clm.Outcome{}, nil // nothing has come of the order
	}
	return clm.Outcome{Later: issued.Later, Cert: issued.Cert, Chain: issued.Chain}, err
}

// activate compares the certificate with the key before it may become the one in
// use; the swap itself is part of the transaction that ends the work. Again is
// harmless: it only compares.
func (c *Core) activate(_ context.Context, t *task) (clm.Outcome, error) {
	cert, err := x509.ParseCertificate(t.version.Cert)
	if err != nil {
		return clm.Outcome{}, clm.Permanent(fmt.Errorf("the certificate cannot be read: %w", err))
	}
	facts := pki.Identify(cert)
	if !bytes.Equal(facts.KeyHash, t.version.KeyHash) {
		return clm.Outcome{}, clm.Permanent(errors.New("the certificate is for another key"))
	}
	t.identify(facts)
	t.issued = factsOf(cert, facts)
	return clm.Outcome{}, nil
}

// identify writes on the version which certificate it is.
func (t *task) identify(facts pki.Identity) {
	v := &t.version
	v.Thumbprint, v.Serial, v.NotBefore, v.NotAfter = facts.Thumbprint, facts.Serial, facts.NotBefore, facts.NotAfter
}

// order is the order for the version, the same order whichever work asks for what has
// become of it. What it takes from the tree is read when the work is claimed; a CA that
// is asked again may so be asked for something else, and must go by the key of the order.
func (t *task) order() (o ca.Order, err error) {
	o = ca.Order{
		Key: clm.Work{Op: clm.Enroll, Version: t.version.ID}.Key(), At: t.version.Created, CSR: t.version.CSR, Names: t.names,
		Ref: t.version.Ref, Shard: t.version.ID.Shard(),
	}
	if o.EndDate, err = endDate(t.path, t.ca.kind); err == nil {
		o.Days, err = validity(t.path)
	}
	if !t.version.Ends.IsZero() {
		o.EndDate = t.version.Ends
	}
	return o, err
}

// validity is the wanted validity in days; zero leaves it to the CA.
func validity(path clm.Path) (int, error) {
	text := path.Value(clm.ValidityDays).First()
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 {
		return 0, clm.Fail(clm.Invalid, string(clm.ValidityDays), text)
	}
	return days, nil
}

// learn keeps what an effect has brought.
func (t *task) learn(out clm.Outcome) {
	v := &t.version
	for _, fact := range []struct{ into, from *[]byte }{
		{&v.Sealed, &out.Key}, {&v.KeyHash, &out.Hash}, {&v.CSR, &out.CSR}, {&v.Cert, &out.Cert},
	} {
		if len(*fact.from) > 0 {
			*fact.into = *fact.from
		}
	}
	if out.Ref != "" {
		v.Ref = out.Ref
	}
	if len(out.Chain) > 0 {
		t.chain = out.Chain
	}
}

// load gathers the facts for a work that was claimed from the queue. Where its place
// is gone, it stands at the root.
func (c *Core) load(ctx context.Context, w clm.Work) (*task, error) {
	t := &task{work: w}
	err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		t.path, err = tx.PathByID(w.Subject)
		if errors.Is(err, clm.NotFound) && (w.Op.IsRevocation() || w.Op == clm.Abandon) {
			t.path, err = tx.Path(clm.RootDN)
		}
		if err != nil {
			return err
		}
		gates, err := tx.Gates(w.ID)
		if err != nil {
			return err
		}
		t.asked = len(gates) > 0
		if t.version, err = tx.Version(w.Version); w.Op != clm.Enroll {
			t.version.Sealed = nil // it may be deleted meanwhile
		}
		if errors.Is(err, clm.NotFound) && w.Op == clm.Undo {
			err = nil // what was there before can be put back without it
		}
		return err
	})
	return t, err
}

// equipEnrolment adds to the facts what can be had without the database, nearly
// always: the CA, the names, and the key that is to be taken over.
func (c *Core) equipEnrolment(ctx context.Context, t *task) error {
	err := c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		if t.version.Ref != "" { // the order stands there, whatever the place has come to want
			t.ca, err = c.authorityByID(tx, t.version.Authority)
		} else {
			t.ca, err = c.authority(tx, t.path.Value(clm.IssuedBy).First())
		}
		if err != nil {
			return err
		}
		if t.work.Stage == clm.CreateKey && t.reusesKey() {
			if t.before, err = c.keptKey(tx, t.path.Last()); t.before != nil && !t.allowsKeyOf(*t.before) {
				t.before = nil
			}
		}
		return fault(err)
	})
	if err == nil {
		t.version.Authority = t.ca.id
	}
	if len(t.version.CSR) == 0 {
		t.names = namesOf(t.path)
	} else if e := t.takeNames(); e != nil {
		return e
	}
	return err
}

// takeNames takes the names from the signing request, unless they are known already.
func (t *task) takeNames() error {
	if len(t.names.CommonName)+len(t.names.DNS) > 0 {
		return nil
	}
	csr, err := pki.ParseCSRDER(t.version.CSR)
	if err != nil {
		return clm.Permanent(err)
	}
	t.names = csr.Names
	return nil
}

// equipOrdered adds what the order was for, and the CA from which the version was
// ordered. The names are those of the order: the place may have come to want others.
func (c *Core) equipOrdered(ctx context.Context, t *task) error {
	if err := t.takeNames(); err != nil {
		return err
	}
	return c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		t.ca, err = c.authorityByID(tx, t.version.Authority)
		return err
	})
}

// keepVersion writes down what the task has learnt of its version.
func keepVersion(tx *store.Tx, t *task) (err error) {
	if len(t.chain) > 0 {
		if t.version.Chain, err = tx.SaveChain(t.chain); err != nil {
			return err
		}
	}
	return tx.SaveVersion(t.version)
}

// putInUse makes the new version the one in use.
func (c *Core) putInUse(tx *store.Tx, t *task) error {
	v := t.version
	path, err := tx.PathByID(v.Certificate) // not t.path: what it says of renewal may have changed since
	if err != nil {
		return err
	}
	if err := setKeyHolder(tx, path.Last(), ""); err != nil {
		return err
	}
	if err := tx.Activate(v, t.issued, path.PlanRenewal(v, tx.Now)); err != nil {
		return err
	}
	return c.installEverywhere(tx, path, v.ID, t.work.Actor)
}

// bar reports whether the work would put a key into use that has become known as
// compromised; if so it is to be written as it is returned, stopped.
func (t *task) bar(tx *store.Tx) (w clm.Work, barred bool, err error) {
	w = t.work
	if w.Op != clm.Enroll || !w.Done {
		return w, false, nil
	}
	if barred, err = tx.KeyCompromised(t.version.KeyHash); barred {
		w.Done, w.Stage, w.Failure = false, clm.Collect, "the private key is known to be compromised"
	}
	return w, barred, err
}

// keepBarred writes down the version with the compromised key: nobody has seen what a
// local CA has signed; what a CA outside has issued is revoked.
func (c *Core) keepBarred(tx *store.Tx, t *task) error {
	barred := *t
	if t.ca.isLocal() {
		barred.version.Cert = nil
		barred.identify(pki.Identity{})
		return keepVersion(tx, &barred)
	}
	barred.version.Orphaned = tx.Now
	if err := keepVersion(tx, &barred); err != nil {
		return err
	}
	return c.revokeUnwanted(tx, barred.version, clm.KeyCompromise)
}

// subject is what entries say that the work is about.
func (t *task) subject() string {
	if o := t.path.Last(); o.ID == t.work.Subject {
		return string(o.DN)
	}
	return string(t.work.Subject) // it was deleted
}

// fault marks an error as one of ours, of which clients see no more than that.
func fault(err error) error {
	if err == nil {
		return nil
	}
	return clm.AsError(err)
}

// current is the version in use of a place; nil before the first.
func (c *Core) current(tx *store.Tx, place *clm.Object) (*clm.Version, error) {
	if place.Current == 0 {
		return nil, nil
	}
	v, err := tx.Version(place.Current)
	return &v, err
}
