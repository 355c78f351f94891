package core

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Renew asks for the next certificate of a place.
type Renew struct {
	DN       string
	CSR      string // PKCS #10 in any form that clients send
	Reenable bool   // a disabled place is enabled again

	// Record names a certificate rather than its place: the next one says what that one
	// says. Work that has stopped is then ended, a revocation that is under way is in the
	// way, and a key is made here where a signing request came from outside before.
	Record   *RecordRef
	Key      clm.KeyWish
	KeepEnd  bool   // the next certificate ends when the record's does
	Approval bool   // it waits until somebody has approved and somebody has implemented it
	Reason   string // why, in the asker's words
	Action   Action // what the asker calls it, and what its authority must be capable of; empty: to renew
	WithKey  bool   // the asker wants the private key too: a signing request from outside is refused with NoKey

	// Check is what the edge has to say once the place is found and the actor may
	// renew it; nil has nothing to say. keyless: the private key will not be held here.
	Check func(path clm.Path, keyless bool) error
}

// RenewKinds are the ways in which Renew fails. Of Busy, Field is "queued" while
// nobody has begun, "csr" while the work waits for a signing request, and empty
// otherwise; of Unmanaged, Value is the management type; of NeedsCSR, Field is
// "required", "refused" or, where a place's requests come from outside, "origin";
// of Unwritten, what could not be: the attribute of the place that comes first in
// writesOfRenewal (clm.UserCSR with "/none" where it was to be removed), "csr" or "work".
var RenewKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Unmanaged, clm.Busy, clm.Disabled, clm.InError, clm.NeedsCSR, clm.Violation,
	clm.Unwritten,
}

// RenewRecordKinds are those of a renewal by record: Denied, where the actor may only read; with
// Unsupported, where the record never was a certificate (Field "record") or the authority
// is not there or is not capable of the action ("authority"); with Invalid where the
// identifiers fit several records (Field "record", Value how many). Of Busy Value is then
// the number of the work that is in the way.
var RenewRecordKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Unmanaged, clm.Busy, clm.Disabled, clm.NeedsCSR, clm.Violation, clm.Unwritten,
	clm.Denied, clm.Unsupported, clm.NoKey,
}

// Renew opens the work that leads to the place's next version. The version in use
// stays so until the new one is in.
func (c *Core) Renew(ctx context.Context, who clm.Actor, r Renew) (done Accepted, err error) {
	sent, csrErr := parseCSR(r.CSR)
	claim := c.reserve()
	var t *task
	entry := store.Entry{Actor: who, Action: string(cmp.Or(r.Action, ActionRenew)), Subject: r.subject(), Detail: r.Reason}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		t = nil
		path, of, err := r.find(tx, who)
		if err != nil {
			return err
		}
		before := path.Last()
		place := cloned(before)
		path = append(path[:len(path)-1:len(path)-1], place)
		tx.About(string(place.DN), r.Reason)
		open, err := openWork(tx, place.ID)
		if err != nil {
			return err
		}
		csr := sent
		if r.CSR == "" {
			if csr, err = r.csr(tx, path, of); err != nil {
				return err
			}
		}
		if of != nil && csr == nil {
			like(path, *of)
		}
		if err := r.may(tx, path, of, open, csr, csrErr); err != nil {
			return clm.About(string(place.DN), err)
		}
		r.write(place, csr, path.Value(clm.UserCSR))
		if err := dropHeld(tx, place); err != nil {
			return err
		}
		if changed := changedBy(before.Own, place.Own); changed != "" {
			if err := tx.SaveObject(place); err != nil {
				if changed == clm.UserCSR && csr == nil {
					changed += "/none"
				}
				return clm.About(string(place.DN), unwritten(string(changed), err))
			}
		}
		if err := replanFrom(tx, path, before.Own); err != nil {
			return err
		}
		b := beginning{csr: csr, reason: cmp.Or(r.Reason, "renew"), action: r.Action, key: r.Key, claim: claim && !r.Approval}
		if open != nil && of == nil {
			b.from = &open.Work // it waits for the signing request that has come
		} else if open != nil {
			if err := endEnrolment(tx, open.Work); err != nil { // it has stopped
				return err
			}
		}
		if r.KeepEnd {
			b.ends = of.Version.NotAfter
		}
		if of != nil && !of.IsCurrent() && r.Key == clm.KeySame {
			b.key = clm.KeyNew // that of another version is not meant
		}
		t, err = begin(tx, who, path, b)
		if err == nil && r.Approval {
			err = c.askForOrder(tx, t.work, path)
		}
		done = Accepted{DN: place.DN, ID: place.ID, Version: t.version.ID, Record: RecordID(t.version), Work: t.work.ID}
		return clm.About(string(place.DN), err)
	})
	c.hand(claim, t, err)
	return done, err
}

func (r Renew) subject() string {
	if r.Record != nil {
		return r.Record.String()
	}
	return r.DN
}

// find finds the place, and the record where it is named by one.
func (r Renew) find(tx *store.Tx, who clm.Actor) (clm.Path, *Record, error) {
	if r.Record != nil {
		of, err := findRecord(tx, who, *r.Record)
		if err == nil && !of.Rights.Has(clm.Write) {
			err = clm.About(string(of.Path.Last().DN), clm.Denied)
		}
		return of.Path, &of, err
	}
	path, rights, err := find(tx, who, r.DN)
	if err == nil && (!isCertificate(path) || !rights.Has(clm.Write|clm.KeyRead)) {
		err = clm.About(r.DN, clm.NotFound)
	}
	return path, nil, err
}

// csr is the signing request that is there already: the one that was handed in for the
// place or, where the key of a record is wanted that somebody else has, the record's.
func (r Renew) csr(tx *store.Tx, path clm.Path, of *Record) (*pki.CSR, error) {
	switch {
	case of == nil:
		return heldCSR(tx, path)
	case r.Key == clm.KeySame && of.Version.UserCSR && len(of.Version.CSR) > 0 && mayKeepKey(path):
		return pki.ParseCSRDER(of.Version.CSR)
	}
	return nil, nil
}

// mayKeepKey reports whether policy has nothing against a key that serves again where
// its owner wants that.
func mayKeepKey(path clm.Path) bool {
	allowed := path.Value(clm.ReuseKeyAllowed)
	return len(allowed.Values) == 0 || allowed.IsOn()
}

// like has the place want what the record's certificate says, with a key made here.
func like(path clm.Path, of Record) {
	place := path.Last()
	if path.Value(clm.UserCSR).IsOn() {
		set(place.Own, clm.UserCSR, "0")
	}
	cert, err := x509.ParseCertificate(of.Version.Cert)
	if err != nil {
		return // there is none, which is found out in its turn
	}
	key := pki.SpecOf(cert.PublicKey)
	if key.Algorithm == clm.RSA {
		key.Bits = pki.RSASizeFor(key.Bits) // this one is made here
	}
	wanted := clm.Demand{Names: pki.Identify(cert).Names, KeyAlgorithm: key.Algorithm, KeySize: key.Bits, Curve: key.Curve}
	has := demandOf(path)
	path[:len(path)-1].PolicyFor(place.Class).Fill(&has)
	if clm.Algorithm(has.KeyAlgorithm) == clm.RSA {
		has.Curve = wanted.Curve
	} else {
		has.KeySize = wanted.KeySize
	}
	if !reflect.DeepEqual(has, wanted) {
		outside := place.Own[clm.UserCSR]
		writeDemand(place.Own, wanted, false)
		set(place.Own, clm.UserCSR, outside...)
	}
}

// may applies the rules in an order that is the same for all dialects; the first
// that fails answers.
func (r Renew) may(tx *store.Tx, path clm.Path, of *Record, open *Open, csr *pki.CSR, csrErr error) error {
	place := path.Last()
	if r.Check != nil {
		if err := r.Check(path, csr != nil || r.CSR != ""); err != nil {
			return err
		}
	}
	if m := path.Management(); !clm.IsManaged(m) {
		return clm.Fail(clm.Unmanaged, "", m)
	}
	if open != nil && open.State != clm.Stopped && (open.State != clm.AwaitsCSR || r.CSR == "" || of != nil) {
		return clm.Fail(clm.Busy, busyField[open.State], strconv.FormatInt(int64(open.ID), 10))
	}
	if of != nil {
		if err := noneToRevoke(tx, place.ID); err != nil {
			return err
		}
	}
	if (clm.Certificate{Object: *place}).IsOff() && !r.Reenable {
		return clm.Disabled
	}
	if open != nil && open.State == clm.Stopped && of == nil {
		return clm.InError
	}
	policy := path[:len(path)-1].PolicyFor(place.Class)
	if r.Key == clm.KeySame && r.CSR == "" {
		policy.KeyReuse = policy.KeyReuse || mayKeepKey(path)
	}
	if r.Key == clm.KeyNew {
		policy.KeyReuse = false
	}
	if of != nil {
		err := orElse(r.suits(tx, path, *of, csr != nil || r.CSR != ""), csrErr)
		if err == nil && csr != nil {
			err = r.suitsRequest(tx, policy, csr, *of)
		}
		if err != nil {
			return err
		}
	}
	fromOutside := len(place.Own[clm.UserCSR]) > 0 && place.Own[clm.UserCSR][0] == "1"
	if err := csrWish(policy, r.CSR != "" || csr != nil, fromOutside && of == nil); err != nil {
		return err
	}
	if csrErr != nil {
		return csrErr
	}
	demand := demandOf(path)
	if csr != nil {
		demand = demandOfCSR(csr)
	} else {
		policy.Fill(&demand)
		if err := canBeMade(demand); err != nil {
			return err
		}
	}
	return judge(tx, policy, demand, csr, place.ID)
}

// noneToRevoke fails with Busy while a revocation of any version of the place is under
// way. That of one which nobody wants any more is nobody's affair.
func noneToRevoke(tx *store.Tx, place clm.ObjectID) error {
	works, err := tx.OpenWorks(place)
	for _, w := range works {
		if err != nil || !w.Op.IsRevocation() || w.Failure != "" {
			continue
		}
		var v clm.Version
		if v, err = tx.Version(w.Version); err == nil && v.Orphaned.IsZero() {
			err = clm.Fail(clm.Busy, "revocation", strconv.FormatInt(int64(w.ID), 10))
		}
	}
	return err
}

// suits fails with Unsupported where nothing can follow the record in this way, or
// where its authority cannot do it.
func (r Renew) suits(tx *store.Tx, path clm.Path, of Record, hasCSR bool) error {
	isWrong := of.State != RecordIssued
	if r.Action != ActionRegenerate { // which may be done about anything that was ever issued
		isWrong = isWrong || of.Revocation.IsDone() || of.Revocation.IsHeld() || r.Action == ActionReissue && of.IsExpired(tx.Now) ||
			!hasCSR && len(of.Version.Sealed) == 0 && len(of.Version.CSR) == 0
	}
	if isWrong {
		return clm.Fail(clm.Unsupported, "record", string(r.Action))
	}
	template, err := authorityPath(tx, path.Value(clm.IssuedBy).First())
	if errors.Is(err, clm.NotFound) || err == nil && !IsCapable(template.Last(), r.Action) {
		err = clm.Fail(clm.Unsupported, "authority", string(r.Action))
	}
	return err
}

// suitsRequest applies what must hold of a signing request whatever policy says of requests
// from outside: that of a renewal is for the same name, and the key may serve.
func (r Renew) suitsRequest(tx *store.Tx, policy clm.Policy, csr *pki.CSR, of Record) error {
	switch {
	case r.WithKey:
		return clm.NoKey // whoever made it has the key
	case r.Action == ActionRenew && r.CSR != "" && !strings.EqualFold(csr.Names.CommonName, of.CommonName):
		return clm.Fail(clm.Invalid, "csr", csr.Names.CommonName)
	}
	return keyMayServe(tx, policy, csr, of.Version.Certificate)
}

// IsCapable reports whether the authority's template says that it is capable of the
// action. One that says nothing is.
func IsCapable(template *clm.Object, a Action) bool {
	capable := template.Own[clm.AuthorityActions]
	return len(capable) == 0 || slices.ContainsFunc(capable, func(s string) bool { return strings.EqualFold(s, string(a)) })
}

// busyField says which kind of busy a state is.
var busyField = map[clm.State]string{clm.Queued: "queued", clm.AwaitsCSR: "csr"}

// writesOfRenewal are the attributes that a renewal may have to write, in the order
// in which a store that cannot be written is complained of.
var writesOfRenewal = []clm.Attr{clm.Off, clm.UserCSR, clm.KeySize, clm.Curve}

// write writes the renewal's data on the place. A place whose requests come from
// outside makes its own once policy is locked to that.
func (r Renew) write(place *clm.Object, csr *pki.CSR, wanted clm.Setting) {
	delete(place.Own, clm.Off)
	switch {
	case csr != nil:
		writeDemand(place.Own, demandOfCSR(csr), true)
	case wanted.Locked && !wanted.IsOn():
		delete(place.Own, clm.UserCSR)
	}
}

// changedBy is the first attribute that differs, those of writesOfRenewal before
// all others; empty where none does.
func changedBy(before, after map[clm.Attr][]string) clm.Attr {
	if maps.EqualFunc(before, after, slices.Equal[[]string]) {
		return ""
	}
	for _, a := range writesOfRenewal {
		if !slices.Equal(before[a], after[a]) {
			return a
		}
	}
	return clm.CommonName
}
