package core

import (
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// relinks reports whether the edit is about which application uses which certificate,
// of which both sides know.
func (e Edit) relinks(o *clm.Object) bool {
	return e.Attr == clm.Bound && o.Class.Is(clm.Application) || e.Attr == clm.Consumers && o.Class.Is(clm.CertificateBase)
}

// relink changes which certificate an application uses, or which applications use a
// certificate: both sides at once. It returns the object as it is then, with what o has
// come to say besides. Who lets an application use a certificate must be allowed to
// write the certificate and to bind the application; who ends that, too.
func relink(tx *store.Tx, who clm.Actor, o *clm.Object, e Edit) (*clm.Object, error) {
	had := idsOf[clm.ObjectID](o.Own[e.Attr])
	wanted, err := e.linked(tx, who, had)
	if err != nil {
		return nil, err
	}
	if err := tx.SaveObject(o); err != nil { // what follows reads it, and writes it too
		return nil, err
	}
	if e.Attr == clm.Bound {
		err = relinkApplication(tx, who, o.ID, wanted)
	} else {
		err = relinkCertificate(tx, who, o.ID, had, wanted)
	}
	if err != nil {
		return nil, err
	}
	fresh, err := tx.PathByID(o.ID)
	if err != nil {
		return nil, err
	}
	o = cloned(fresh.Last())
	if e.Attr == clm.Consumers {
		set(o.Own, clm.Consumers, textsOf(wanted)...) // in the order that was given
	}
	return o, nil
}

// linked are the objects on the other side, as the edit wants it.
func (e Edit) linked(tx *store.Tx, who clm.Actor, had []clm.ObjectID) (wanted []clm.ObjectID, err error) {
	class := clm.CertificateBase
	if e.Attr == clm.Consumers {
		class = clm.Application
	}
	if len(e.Values) > MaxLinked {
		return nil, clm.Fail(clm.Limited, "values", "")
	}
	var given []clm.ObjectID
	for _, v := range distinct(e.Values) {
		other, _, err := find(tx, who, v)
		kind := clm.AsError(err)
		switch {
		case err != nil && kind.Kind != clm.NotFound && kind.Kind != clm.Invalid:
			return nil, err
		case err != nil && e.Mode == RemoveFrom:
			return nil, clm.Fail(clm.NotFound, "value", v)
		case err != nil, !other.Last().Class.Is(class):
			return nil, clm.Fail(clm.Invalid, "reference", v)
		}
		if id := other.Last().ID; !slices.Contains(given, id) {
			given = append(given, id)
		}
	}
	switch e.Mode {
	case Replace:
		wanted = given
	case AddTo:
		for _, id := range given {
			if slices.Contains(had, id) {
				return nil, clm.Fail(clm.Exists, "value", string(id))
			}
		}
		wanted = append(slices.Clone(had), given...)
	case RemoveFrom:
		for _, id := range given {
			if !slices.Contains(had, id) {
				return nil, clm.Fail(clm.NotFound, "value", string(id))
			}
		}
		wanted = slices.DeleteFunc(slices.Clone(had), func(id clm.ObjectID) bool { return slices.Contains(given, id) })
	}
	switch {
	case e.Attr == clm.Bound && len(wanted) > 1:
		return nil, clm.Fail(clm.Invalid, "single", "")
	case len(wanted) > MaxLinked:
		return nil, clm.Fail(clm.Limited, "values", "")
	}
	return wanted, nil
}

// MaxLinked is how many applications can be said to use a certificate in one go.
const MaxLinked = 1000

// relinkApplication lets the application use the only certificate of those wanted, or
// none.
func relinkApplication(tx *store.Tx, who clm.Actor, app clm.ObjectID, wanted []clm.ObjectID) error {
	path, err := tx.PathByID(app)
	if err != nil {
		return err
	}
	if !mayBind(path, who) {
		return clm.Fail(clm.Denied, "application", "")
	}
	var certificate *clm.Object
	if len(wanted) > 0 {
		found, err := tx.PathByID(wanted[0])
		if err != nil {
			return err
		}
		certificate = cloned(found.Last())
		if !found.Rights(who).Has(clm.Write) && firstOf(path.Last(), clm.Bound) != string(certificate.ID) {
			return clm.Fail(clm.Denied, "certificate", "")
		}
	}
	if path, _, err = release(tx, who, path, certificate); err != nil || certificate == nil {
		return err
	}
	if err := bind(tx, who, certificate, path); err != nil {
		return err
	}
	return tx.SaveObject(certificate)
}

// relinkCertificate lets those of the applications that are wanted use the certificate,
// and no others.
func relinkCertificate(tx *store.Tx, who clm.Actor, certificate clm.ObjectID, had, wanted []clm.ObjectID) error {
	for _, id := range had {
		path, err := tx.PathByID(id)
		switch {
		case slices.Contains(wanted, id), errors.Is(err, clm.NotFound):
			continue
		case err != nil:
			return err
		case firstOf(path.Last(), clm.Bound) != string(certificate):
			continue // it has gone over to another
		}
		if err := relinkApplication(tx, who, id, nil); err != nil {
			return err
		}
	}
	for _, id := range wanted {
		err := relinkApplication(tx, who, id, []clm.ObjectID{certificate})
		if err != nil && !(errors.Is(err, clm.NotFound) && slices.Contains(had, id)) {
			return err
		}
	}
	return nil
}

func idsOf[T ~string](ids []string) (list []T) {
	for _, id := range ids {
		list = append(list, T(id))
	}
	return list
}

func textsOf[T ~string](ids []T) (list []string) {
	for _, id := range ids {
		list = append(list, string(id))
	}
	return list
}
