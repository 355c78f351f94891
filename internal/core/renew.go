package core

import (
	"context"
	"maps"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Renew asks for the next certificate of a place.
type Renew struct {
	DN       string
	CSR      string // PKCS #10 in any form that clients send
	Reenable bool   // a disabled place is enabled again

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

// Renew opens the work that leads to the place's next version. The version in use
// stays so until the new one is in.
func (c *Core) Renew(ctx context.Context, who clm.Actor, r Renew) (done Accepted, err error) {
	sent, csrErr := parseCSR(r.CSR)
	claim := c.reserve()
	var t *task
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "renew", Subject: r.DN}, func(tx *store.Tx) error {
		t = nil
		path, rights, err := find(tx, who, r.DN)
		if err != nil {
			return err
		}
		if !isCertificate(path) || !rights.Has(clm.Write|clm.KeyRead) {
			return clm.About(r.DN, clm.NotFound)
		}
		place := cloned(path.Last())
		tx.About(string(place.DN), "")
		open, err := openWork(tx, place.ID)
		if err != nil {
			return err
		}
		csr := sent
		if r.CSR == "" {
			if csr, err = heldCSR(tx, path); err != nil {
				return err
			}
		}
		if err := r.may(tx, path, open, csr, csrErr); err != nil {
			return clm.About(string(place.DN), err)
		}
		r.write(place, csr, path.Value(clm.UserCSR))
		if err := dropHeld(tx, place); err != nil {
			return err
		}
		if changed := changedBy(path.Last().Own, place.Own); changed != "" {
			if err := tx.SaveObject(place); err != nil {
				if changed == clm.UserCSR && csr == nil {
					changed += "/none"
				}
				return clm.About(string(place.DN), unwritten(string(changed), err))
			}
		}
		next := append(path[:len(path)-1:len(path)-1], place)
		if err := replanFrom(tx, next, path.Last().Own); err != nil {
			return err
		}
		var from *clm.Work
		if open != nil {
			from = &open.Work // it waits for the signing request that has come
		}
		t, err = begin(tx, who, next, csr, from, "renew", claim)
		done = Accepted{DN: place.DN, ID: place.ID, Version: t.version.ID, Work: t.work.ID}
		return clm.About(string(place.DN), err)
	})
	c.hand(claim, t, err)
	return done, err
}

// may applies the rules in an order that is the same for all dialects; the first
// that fails answers.
func (r Renew) may(tx *store.Tx, path clm.Path, open *Open, csr *pki.CSR, csrErr error) error {
	place := path.Last()
	if r.Check != nil {
		if err := r.Check(path, csr != nil || r.CSR != ""); err != nil {
			return err
		}
	}
	if m := path.Management(); !clm.IsManaged(m) {
		return clm.Fail(clm.Unmanaged, "", m)
	}
	if open != nil && open.State != clm.Stopped && !(open.State == clm.AwaitsCSR && r.CSR != "") {
		return clm.Fail(clm.Busy, busyField[open.State], "")
	}
	if (clm.Certificate{Object: *place}).IsOff() && !r.Reenable {
		return clm.Disabled
	}
	if open != nil && open.State == clm.Stopped {
		return clm.InError
	}
	policy := path[:len(path)-1].PolicyFor(place.Class)
	fromOutside := len(place.Own[clm.UserCSR]) > 0 && place.Own[clm.UserCSR][0] == "1"
	if err := csrWish(policy, r.CSR != "" || csr != nil, fromOutside); err != nil {
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
