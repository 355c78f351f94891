package core

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A View is an object with what is known of it besides what it says of itself.
type View struct {
	Node
	Rights clm.Rights // of the actor

	Open       *Open             // the work under way for a certificate or application
	Version    *clm.Version      // of a certificate: the one in use
	KeyOf      clm.VersionID     // of a certificate: whose private key it has; zero for none
	CSROf      clm.VersionID     // of a certificate: the latest with a signing request; zero for none
	Revocation clm.Revocation    // of the one in use
	Installing Installing        // of a certificate: how it comes to its applications
	Consumers  []clm.DN          // of a certificate: the applications that use it
	Bound      clm.DN            // of an application: the certificate that it uses
	Tickets    []clm.DN          // of a certificate or application: what is asked about it
	Members    []clm.PrincipalID // of a group: who is directly in it
	MemberOf   []clm.PrincipalID // of a user or group: the groups that it is directly in
}

// View finds an object by its DN. It fails with Invalid or NotFound. What needs the
// right to read is left out where the actor has not got it.
func (c *Core) View(ctx context.Context, who clm.Actor, dn string) (v View, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		v = View{Rights: rights}
		if v.Node, err = nodeAt(tx, path); err != nil || !rights.Has(clm.Read) {
			v.Own = kindOf(v.Own)
			return err
		}
		switch o := path.Last(); {
		case isCertificate(path):
			return v.readCertificate(tx, who, o)
		case o.Class.Is(clm.Application):
			return v.readApplication(tx, o)
		case isPrincipal(o.Class):
			return v.readPrincipal(tx, clm.PrincipalID(o.ID))
		}
		return nil
	})
	return v, err
}

// kindOf are those own values that belong to the class of the object for clients: they
// may be seen by whoever sees the object.
func kindOf(own map[clm.Attr][]string) map[clm.Attr][]string {
	kind := map[clm.Attr][]string{}
	for _, a := range []clm.Attr{clm.AuthorityKind, clm.FieldKind, clm.FieldSingle} {
		set(kind, a, own[a]...)
	}
	return kind
}

func (v *View) readCertificate(tx *store.Tx, who clm.Actor, o *clm.Object) (err error) {
	if v.Open, err = openWork(tx, o.ID); err != nil {
		return err
	}
	if v.Consumers, err = consumersOf(tx, who, o); err != nil {
		return err
	}
	if v.Installing, err = installing(tx, o.ID); err != nil {
		return err
	}
	versions, err := tx.Versions(o.ID)
	if err != nil {
		return err
	}
	for i, known := range versions {
		if len(known.CSR) > 0 {
			v.CSROf = max(v.CSROf, known.ID)
		}
		if known.ID == o.Current {
			v.Version = &versions[i]
		}
	}
	if v.Version != nil {
		holder, state, err := keyHolder(tx, o, *v.Version)
		if err != nil {
			return err
		}
		if state != KeyNone {
			v.KeyOf = holder.ID
			if n, err := strconv.ParseInt(firstOf(o, clm.KeyHolder), 10, 64); err == nil && holder.ID == 0 {
				v.KeyOf = clm.VersionID(n) // which is not there
			}
		}
		if v.Revocation, err = tx.Revocation(o.Current); err != nil {
			return err
		}
	}
	return v.readTickets(tx, o.ID)
}

// Installing counts the applications that a certificate is to be installed in: those that
// have not got it yet, and those that have not as that has failed.
type Installing struct{ Waiting, Failed int }

// IsOver reports whether there are none.
func (i Installing) IsOver() bool { return i.Waiting+i.Failed == 0 }

// installing says how the certificate comes to its applications.
func installing(tx *store.Tx, certificate clm.ObjectID) (i Installing, err error) {
	works, err := tx.Installs(certificate)
	for _, w := range works {
		if w.Failure == "" {
			i.Waiting++
		} else {
			i.Failed++
		}
	}
	return i, err
}

func (v *View) readApplication(tx *store.Tx, o *clm.Object) error {
	w, err := tx.OpenWork(o.ID, clm.InstallLane)
	if err == nil && w != nil {
		v.Open, err = stand(tx, *w)
	}
	if err != nil {
		return err
	}
	certificate, err := tx.PathByID(clm.ObjectID(firstOf(o, clm.Bound)))
	switch {
	case err == nil:
		v.Bound = certificate.Last().DN
	case !errors.Is(err, clm.NotFound):
		return err
	}
	return v.readTickets(tx, o.ID)
}

func (v *View) readTickets(tx *store.Tx, id clm.ObjectID) error {
	gates, err := tx.GatesOf(id)
	for _, g := range gates {
		if g.Holds(tx.Now) {
			v.Tickets = append(v.Tickets, clm.DN(TicketsDN).Child(string(g.ID)))
		}
	}
	return err
}

func (v *View) readPrincipal(tx *store.Tx, id clm.PrincipalID) error {
	known, err := tx.Principals()
	if err != nil {
		return err
	}
	for _, p := range known {
		if slices.Contains(groupsOf(known, p), id) {
			v.Members = append(v.Members, p.ID)
		}
	}
	slices.Sort(v.Members)
	if p := known[id]; p != nil {
		v.MemberOf = groupsOf(known, p)
	}
	return nil
}

// A Holding is what holds for an attribute of an object.
type Holding struct {
	clm.Setting
	Overridden bool // there is a value of its own as well as one of policy
}

// Effective says what holds for an attribute of the object. Kinds: Internal, Invalid,
// NotFound, Denied.
func (c *Core) Effective(ctx context.Context, who clm.Actor, dn string, a clm.Attr) (h Holding, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, err := readable(tx, who, dn)
		if err != nil {
			return err
		}
		o := path.Last()
		above := path[:len(path)-1]
		if o.Class == clm.Folder {
			above = path // what a folder says about folders holds for itself
		}
		h = Holding{Setting: above.ValueFor(o.Class, a, o.Own[a]...)}
		h.Overridden = len(o.Own[a]) > 0 && len(above.ValueFor(o.Class, a).Values) > 0
		h.Setting, err = dereferredSetting(tx, h.Setting)
		return err
	})
	return h, err
}

// FindPolicy says what the folder, or else one above it, has to say about an attribute
// of objects of the class. Kinds: those of Effective.
func (c *Core) FindPolicy(ctx context.Context, who clm.Actor, dn string, class clm.Class, a clm.Attr) (s clm.Setting, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, err := readable(tx, who, dn)
		if err != nil {
			return err
		}
		s, err = dereferredSetting(tx, path.ValueFor(class, a))
		return err
	})
	return s, err
}
