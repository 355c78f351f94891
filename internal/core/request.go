package core

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Request asks for a certificate: a new one at a new place in a folder, or the
// next one of a place that exists.
type Request struct {
	Folder       string    // its DN
	Name         string    // of the place; empty: the common name, or else the first DNS name
	Class        clm.Class // empty: what the authority makes
	Authority    string    // the DN of the template; empty: what policy says
	Names        clm.Names
	KeyAlgorithm string
	KeySize      int
	Curve        string
	CSR          string                // PKCS #10 in any form that clients send; empty: key and request are made here
	Own          map[clm.Attr][]string // further values to be written on the object
	Fields       []FieldValues         // values of custom fields; those that are not named stay as they are
	Devices      []DeviceWish          // where the certificate is to be used
	Reenable     bool                  // a disabled place is enabled again
	Hold         bool                  // write it all down, but begin nothing

	WithKey bool // its private key will be asked for as soon as it is issued

	Group    string        // the folder by the name of its group, rather than by its DN
	Template *AuthorityRef // the template by its account, rather than by its DN

	// Fresh: the place is a new one, whatever is there already: a name that is taken gets a
	// number. Certificates are ordered for it, and keys made here, unless policy insists on
	// something else.
	Fresh bool

	// Notes are further values by whatever names the asker has for them: those of custom
	// fields of these names, and as NoteAs has it what there is no field for.
	Notes  []FieldValues
	NoteAs func(name string) clm.Attr

	Action   Action // what the asker calls it, and what the authority must be capable of; may be empty
	Reason   string // why, in the asker's words; may be empty
	External string // the asker's name for what is asked; may be empty
	Approval bool   // the work waits until somebody has approved and somebody has implemented it

	// Check is what the edge has to say once the object's place is known and the
	// actor may use it; nil has nothing to say. The path ends at the place, as it
	// is before the request. keyless: the private key will not be held here.
	Check func(path clm.Path, keyless bool) error
}

// Accepted is what a request or a renewal led to. The work has begun or waits;
// see Core.Wait.
type Accepted struct {
	DN      clm.DN
	ID      clm.ObjectID
	Version clm.VersionID
	Record  string     // the ID of that version's record
	Work    clm.WorkID // zero where nothing was begun
	Devices []BoundDevice
}

// RequestKinds are the ways in which Request fails. NotFound and Denied are about
// the folder; of Invalid, Field says which input; of NeedsCSR, whether one is
// required or refused, and Value whose rule it is; of Exists, Field is "class"
// where an object of another class (Value) has the name, and "bound" where an
// application uses another certificate (Value). A custom field may be Unsupported
// for the class, Denied where policy has locked it, or Invalid. Of a group that may only
// be read the request is Denied ("read-only"); NotFound has the Field "group" or, for a
// template, "setting", and Unsupported the Field "authority" where that is not capable of
// the action.
var RequestKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Disabled, clm.Unmanaged, clm.NeedsCSR, clm.Violation, clm.Exists,
	clm.Unsupported, clm.Unwritten,
}

// Request writes the request down and begins the work. A place whose work is
// still open begins anew with the new data; the old work is ended and whatever it
// brings later is dropped. If that was to be approved, so is the new work. A place that has stopped on an error takes the request
// but stays stopped.
func (c *Core) Request(ctx context.Context, who clm.Actor, r Request) (done Accepted, err error) {
	csr, csrErr := parseCSR(r.CSR)
	if csr != nil {
		r.Names = csr.Names
	}
	if err := c.makeBuiltIn(ctx, who, r.Group); err != nil {
		return done, err
	}
	claim := c.reserve()
	var t *task
	entry := store.Entry{Actor: who, Action: "request", Subject: cmp.Or(r.Folder, r.Group), Detail: r.Reason}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		t = nil
		folder, err := r.folder(tx, who)
		if err != nil {
			return err
		}
		r := r
		if r.Template != nil {
			if r.Authority, err = r.template(tx, who, folder); err != nil {
				return err
			}
		}
		if r.Class == "" {
			r.Class = r.classFor(tx, folder)
		}
		place, fresh, err := r.place(tx, who, folder)
		if err != nil {
			return err
		}
		tx.About(string(place.DN), r.Reason)
		before := maps.Clone(place.Own)
		if err := r.admit(tx, who, folder, place, csr, csrErr); err != nil {
			return clm.About(string(place.DN), err)
		}
		done = Accepted{DN: place.DN, ID: place.ID}
		if done.Devices, err = bindDevices(tx, who, place, r.Devices); err != nil {
			return err
		}
		path := append(folder[:len(folder):len(folder)], place)
		rests := r.Hold || !clm.IsManaged(path.Management())
		if err := hold(tx, place, csr, rests); err != nil {
			return err
		}
		if fresh {
			err = tx.AddObject(place, folder.Last().ID)
		} else if err = tx.SaveObject(place); err == nil {
			err = replanFrom(tx, path, before)
		}
		if err != nil || rests {
			return err
		}
		open, err := tx.OpenWork(place.ID, clm.EnrollLane)
		if err != nil {
			return err
		}
		inherits, err := isToBeApproved(tx, open)
		if err != nil {
			return err
		}
		t, err = begin(tx, who, path, beginning{
			csr: csr, from: open, reason: cmp.Or(r.Reason, reasonRequest), action: r.Action, external: r.External, claim: claim && !r.Approval && !inherits,
		})
		if err == nil && r.Approval {
			err = c.askForOrder(tx, t.work, path)
		} else if err == nil && inherits {
			err = c.askForSuccessor(tx, t.work, path)
		}
		done.Version, done.Record, done.Work = t.version.ID, RecordID(t.version), t.work.ID
		return err
	})
	c.hand(claim, t, err)
	return done, err
}

// folder finds the folder in which the actor may make what is asked for.
func (r Request) folder(tx *store.Tx, who clm.Actor) (clm.Path, error) {
	if r.Group != "" {
		g, err := findGroup(tx, who, r.Group)
		if err == nil && !g.Rights.Has(clm.Create|clm.Write) {
			err = clm.About(r.Group, clm.Fail(clm.Denied, "read-only", ""))
		}
		return g.Path, err
	}
	folder, rights, err := find(tx, who, r.Folder)
	if err == nil && (!rights.Has(clm.Create) || folder.Last().Class != clm.Folder) {
		err = clm.About(r.Folder, clm.NotFound)
	}
	return folder, err
}

// template finds the template that is named by its account. The one that policy names
// needs no saying; it is empty then.
func (r Request) template(tx *store.Tx, who clm.Actor, folder clm.Path) (dn string, err error) {
	var usual clm.ObjectID
	class := cmp.Or(r.Class, clm.AnyCertificate)
	if path, err := authorityPath(tx, folder.ValueFor(class, clm.IssuedBy).First()); err == nil {
		usual = path.Last().ID
	}
	found, err := r.Template.find(tx, who, usual)
	switch {
	case err != nil:
		return "", err
	case r.Action != "" && !IsCapable(found.Last(), r.Action):
		return "", clm.About(r.Template.String(), clm.Fail(clm.Unsupported, "authority", string(r.Action)))
	case found.Last().ID == usual:
		return "", nil
	}
	return string(found.Last().DN), nil
}

// classFor is the class of what the authority makes that the request is for. One
// that is for clients makes user certificates where they name a user.
func (r Request) classFor(tx *store.Tx, folder clm.Path) clm.Class {
	dn := r.Authority
	if dn == "" {
		dn = folder.ValueFor(clm.ServerCertificate, clm.IssuedBy).First()
	}
	authority, err := authorityPath(tx, dn)
	switch {
	case err != nil, !slices.Contains(authority.Last().Own[clm.Profile], "client"):
		return clm.ServerCertificate
	case len(r.Names.UPN)+len(r.Names.Email) > 0:
		return clm.UserCertificate
	}
	return clm.DeviceCertificate
}

// place finds the place that the request names, or makes up a new one.
func (r Request) place(tx *store.Tx, who clm.Actor, folder clm.Path) (place *clm.Object, fresh bool, err error) {
	name := r.Name
	if name == "" {
		name = r.Names.CommonName
	}
	if name == "" && len(r.Names.DNS) > 0 {
		name = r.Names.DNS[0]
	}
	if r.Fresh {
		dn, err := freeDN(tx, folder.Last(), placeName(name, r.Names))
		return &clm.Object{ID: tx.NewObjectID(), DN: dn, Class: r.Class, Own: map[clm.Attr][]string{}}, true, err
	}
	dn, err := childDN(folder.Last(), name)
	if err != nil {
		return nil, false, err
	}
	path, err := tx.Path(dn)
	switch {
	case err == nil && !path.Rights(who).Has(clm.Write):
		return nil, false, clm.About(string(dn), clm.NotFound)
	case err == nil && !isCertificate(path):
		return nil, false, clm.About(string(dn), clm.Fail(clm.Exists, "class", string(path.Last().Class)))
	case err == nil:
		return cloned(path.Last()), false, nil
	case clm.AsError(err).Kind == clm.NotFound:
		return &clm.Object{ID: tx.NewObjectID(), DN: dn, Class: r.Class, Own: map[clm.Attr][]string{}}, true, nil
	}
	return nil, false, err
}

// admit applies the rules, in the order in which their failures are reported, and
// writes the request's data on the place.
func (r Request) admit(tx *store.Tx, who clm.Actor, folder clm.Path, place *clm.Object, csr *pki.CSR, csrErr error) error {
	path := append(folder[:len(folder):len(folder)], place)
	if r.Check != nil {
		if err := r.Check(path, r.CSR != ""); err != nil {
			return err
		}
	}
	if r.WithKey && !path.Rights(who).Has(clm.KeyRead) {
		return clm.Fail(clm.Denied, "key", "")
	}
	policy := folder.PolicyFor(place.Class)
	if m := policy.Management; m.Locked && !clm.IsManaged(m.First()) {
		return clm.Fail(clm.Unmanaged, "policy", m.First())
	}
	if (clm.Certificate{Object: *place}).IsOff() && !r.Reenable {
		return clm.Disabled
	}
	delete(place.Own, clm.Off)
	if err := csrWish(policy, r.CSR != "", false); err != nil {
		return err
	}
	if csrErr != nil {
		return csrErr
	}
	before := maps.Clone(place.Own)
	r.write(place.Own, csr)
	if issuer, err := refer(tx, who, place.Own[clm.IssuedBy], false); err != nil {
		return err
	} else {
		set(place.Own, clm.IssuedBy, issuer...)
	}
	if r.Fresh {
		orderHere(path, csr)
		if len(r.Own[clm.RenewalWindow]) > 0 {
			if err := checkWindow(tx, folder, place.Class, place.Own); err != nil {
				return err
			}
		}
	}
	if err := r.note(tx, folder, place); err != nil {
		return err
	}
	if err := forgedSince(before, place.Own); err != nil {
		return err
	}
	demand := r.demand()
	if csr != nil {
		demand = demandOfCSR(csr)
	} else {
		policy.Fill(&demand)
		if err := canBeSaid(demand.Names); err != nil {
			return err
		}
		if err := canBeMade(demand); err != nil {
			return err
		}
	}
	if err := judge(tx, policy, demand, csr, place.ID); err != nil {
		return err
	}
	return r.checkAuthority(tx, who, path)
}

// hold keeps the signing request of a place that nothing is begun for, until
// somebody asks for its renewal; of any other place it forgets what was kept.
func hold(tx *store.Tx, place *clm.Object, csr *pki.CSR, rests bool) error {
	if err := dropHeld(tx, place); err != nil || !rests || csr == nil {
		return err
	}
	v := clm.Version{Certificate: place.ID, UserCSR: true, CSR: csr.DER, KeyHash: csr.KeyHash}
	err := tx.AddVersion(&v)
	set(place.Own, clm.HeldCSR, strconv.FormatInt(int64(v.ID), 10))
	return unwritten("csr", err)
}

// canBeSaid makes sure that a certificate can hold the names.
func canBeSaid(n clm.Names) error {
	if _, err := pki.Subject(n); err != nil {
		return &clm.Error{Kind: clm.Invalid, Field: "subject", Value: n.CommonName, Err: err}
	}
	if _, _, err := pki.AlternativeNames(n); err != nil {
		return &clm.Error{Kind: clm.Invalid, Field: "san", Err: err}
	}
	return nil
}

// demand is what the members of the request ask for, with nothing filled in.
func (r Request) demand() clm.Demand {
	return clm.Demand{Names: r.Names, KeyAlgorithm: r.KeyAlgorithm, KeySize: r.KeySize, Curve: r.Curve}
}

// write writes the request's data on the place.
func (r Request) write(own map[clm.Attr][]string, csr *pki.CSR) {
	for a, values := range r.Own {
		if a != clm.CreatedBy || len(own[a]) == 0 {
			set(own, a, values...)
		}
	}
	set(own, clm.IssuedBy, r.Authority)
	if csr != nil {
		writeDemand(own, demandOfCSR(csr), true)
	} else {
		writeDemand(own, r.demand(), false)
	}
}

// forgedSince makes sure that nothing of what was written since looks like a reference
// of ours. The authority may: checkAuthority looks at it.
func forgedSince(before, own map[clm.Attr][]string) error {
	for _, a := range sorted(own) {
		if a == clm.IssuedBy || slices.Equal(own[a], before[a]) {
			continue
		}
		if err := forged(own[a]); err != nil {
			return err
		}
	}
	return nil
}

// writeDemand writes on a place what is demanded; what the demand leaves out is
// removed, so that the place asks for that and nothing else.
func writeDemand(own map[clm.Attr][]string, d clm.Demand, userCSR bool) {
	setNames(own, d.Names)
	algorithm, size, outside := "", "", ""
	if d.KeyAlgorithm != "" {
		algorithm = clm.Algorithm(d.KeyAlgorithm)
	}
	if d.KeySize != 0 {
		size = strconv.Itoa(d.KeySize)
	}
	if userCSR {
		outside = "1"
	}
	set(own, clm.KeyAlgorithm, algorithm)
	set(own, clm.KeySize, size)
	set(own, clm.Curve, clm.CurveName(d.Curve))
	set(own, clm.UserCSR, outside)
}

// checkAuthority makes sure that there is an authority to order from, and that one
// the request names is seen by the actor and not against policy.
func (r Request) checkAuthority(tx *store.Tx, who clm.Actor, path clm.Path) error {
	dn := path.Value(clm.IssuedBy).First()
	if dn == "" {
		return clm.Fail(clm.Invalid, string(clm.IssuedBy), "")
	}
	used, err := authorityPath(tx, dn)
	if err != nil {
		return clm.Fail(clm.Invalid, string(clm.IssuedBy), dn)
	}
	if r.Authority == "" {
		return nil
	}
	asked, _, err := find(tx, who, r.Authority)
	if err != nil || asked.Last().ID != used.Last().ID {
		return clm.Fail(clm.Invalid, string(clm.IssuedBy), r.Authority)
	}
	return nil
}

// RecordByExternal finds the record that was asked for by the external name, among those
// that the actor may read; of several the latest. It fails with NotFound.
func (c *Core) RecordByExternal(ctx context.Context, who clm.Actor, name string) (rec Record, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		versions, err := tx.VersionsByExternal(name)
		if err != nil {
			return err
		}
		for _, v := range slices.Backward(versions) {
			if rec, err = recordOf(tx, who, v); !errors.Is(err, clm.NotFound) {
				return err
			}
		}
		return clm.About(name, clm.NotFound)
	})
	return rec, err
}
