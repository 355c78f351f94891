package core

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Kept is a value that a change left as it was because policy locks it.
type Kept struct {
	Attr clm.Attr
	By   clm.DN // the folder whose rule it is
}

// ChangeKinds are the ways in which Change fails. Of Invalid, Field says which
// attribute.
var ChangeKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied}

// Change replaces own values of a certificate: all of them or, when one makes no
// sense, none. An attribute without values is removed. What policy locks stays as
// it is and is reported. Values that are set already are never refused.
func (c *Core) Change(ctx context.Context, who clm.Actor, id clm.ObjectID, values map[clm.Attr][]string) (kept []Kept, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "change", Subject: string(id)}, func(tx *store.Tx) error {
		kept = nil
		path, rights, err := findByID(tx, who, id)
		if err != nil {
			return err
		}
		place := cloned(path.Last())
		switch dn := string(place.DN); {
		case !isCertificate(path):
			return clm.About(dn, clm.NotFound)
		case !rights.Has(clm.Write):
			return clm.About(dn, clm.Denied)
		}
		wanted := map[clm.Attr][]string{}
		for _, a := range sorted(values) {
			given, s := distinct(values[a]), path.Value(a)
			switch {
			case slices.Equal(given, place.Own[a]), s.Locked && slices.Equal(given, s.Values):
			case s.Locked:
				kept = append(kept, Kept{a, s.From})
			default:
				if wanted[a], err = readValues(a, given); err != nil {
					return clm.About(string(place.DN), err)
				}
			}
		}
		changes := Put{Own: wanted}.diffOwn(place)
		tx.About(string(place.DN), describe(changes))
		if len(changes) == 0 {
			return nil
		}
		path = append(path[:len(path)-1:len(path)-1], place)
		if err := checkReferences(tx, who, path, wanted); err != nil {
			return clm.About(string(place.DN), err)
		}
		if err := tx.SaveObject(place); err != nil {
			return err
		}
		return replanAfter(tx, path, changes)
	})
	return kept, err
}

// distinct are the values without those that are empty or stand there already.
func distinct(values []string) (kept []string) {
	seen := map[string]bool{"": true}
	for _, v := range values {
		if !seen[v] {
			kept = append(kept, v)
		}
		seen[v] = true
	}
	return kept
}

// forms are the attributes that have one value at most, and how it is read: in
// any spelling that is understood, and written as rules want it. Attributes that
// are not here have any number of values of any form.
var forms = map[clm.Attr]func(string) (value string, ok bool){
	clm.CommonName: asText, clm.Organization: asText, clm.Locality: asText, clm.Province: asText, clm.Country: asText,
	clm.Description: asText, clm.Origin: asText, clm.CreatedBy: asText, clm.IssuedBy: asText,

	clm.KeyAlgorithm: asKey(func(s string) pki.KeySpec {
		return pki.KeySpec{Algorithm: clm.Algorithm(s), Bits: clm.DefaultKeySize, Curve: clm.P256}
	}, func(k pki.KeySpec) string { return k.Algorithm }),
	clm.KeySize: asKey(func(s string) pki.KeySpec {
		bits, _ := strconv.Atoi(s) // what is no number is no size
		return pki.KeySpec{Algorithm: clm.RSA, Bits: bits}
	}, func(k pki.KeySpec) string { return strconv.Itoa(k.Bits) }),
	clm.Curve: asKey(func(s string) pki.KeySpec {
		return pki.KeySpec{Algorithm: clm.ECC, Curve: clm.CurveName(s)}
	}, func(k pki.KeySpec) string { return k.Curve }),

	clm.ManagementType: clm.ReadManagementType, clm.ValidityDays: asCount, clm.RenewalWindow: asCount, clm.EndDate: asDate,

	clm.Off: asFlag, clm.UserCSR: asFlag, clm.KeyOnApplication: asFlag, clm.ReuseKeyAllowed: asFlag, clm.ReuseKeyWanted: asFlag,
	clm.UniqueSubject: asFlag, clm.ProhibitWildcard: asFlag, clm.AnyPassword: asFlag, clm.NoAutoRenewal: asFlag,
}

// readValues reads the values of an attribute by themselves.
func readValues(a clm.Attr, values []string) ([]string, error) {
	read, single := forms[a]
	if strings.HasPrefix(string(a), string(clm.EndDateFor(""))) {
		read, single = asDate, true
	}
	switch {
	case len(values) == 0:
		return nil, nil
	case !canStand(a, values), forged(values) != nil, single && len(values) > 1:
		return nil, clm.Fail(clm.Invalid, string(a), strings.Join(values, ", "))
	case !single:
		return values, nil
	}
	value, ok := read(values[0])
	if !ok {
		return nil, clm.Fail(clm.Invalid, string(a), values[0])
	}
	return []string{value}, nil
}

// canStand reports whether a certificate can hold the values, if it is names that
// the attribute is about.
func canStand(a clm.Attr, values []string) bool {
	var n clm.Names
	for _, part := range nameAttrs {
		switch {
		case part.attr != a:
		case part.one != nil:
			*part.one(&n) = values[0]
		default:
			*part.many(&n) = values
		}
	}
	return canBeSaid(n) == nil
}

func asText(s string) (string, bool) { return s, true }

func asFlag(s string) (string, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "true", "yes":
		return "1", true
	case "0", "false", "no":
		return "0", true
	}
	return "", false
}

// asCount reads a whole number that is not too small to be a number of days.
func asCount(s string) (string, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	return strconv.Itoa(n), err == nil && n > 0
}

func asDate(s string) (string, bool) {
	_, ok := clm.ParseEndDate(s)
	return s, ok
}

// asKey reads a part of what a key is like: one that can be made.
func asKey(spec func(string) pki.KeySpec, part func(pki.KeySpec) string) func(string) (string, bool) {
	return func(s string) (string, bool) {
		k := spec(strings.TrimSpace(s))
		return part(k), k.Check() == nil
	}
}

// checkReferences checks what the new values of the last object of the path say
// about other objects, or together with what holds besides.
func checkReferences(tx *store.Tx, who clm.Actor, path clm.Path, changed map[clm.Attr][]string) error {
	if dn := changed[clm.IssuedBy]; len(dn) > 0 {
		found, _, err := find(tx, who, dn[0])
		if err != nil || found.Last().Class != clm.Authority {
			return clm.Fail(clm.Invalid, string(clm.IssuedBy), dn[0])
		}
		set(path.Last().Own, clm.IssuedBy, clm.Ref(found.Last().ID))
	}
	place := path.Last()
	if len(changed[clm.RenewalWindow]) > 0 {
		if err := checkWindow(tx, path[:len(path)-1], place.Class, place.Own); err != nil {
			return err
		}
	}
	return checkFields(tx, place, changed)
}

// checkFields makes sure that objects such as this have the custom fields of which there
// are new values, and that the fields can have them. Those that are stored already may
// stay.
func checkFields(tx *store.Tx, o *clm.Object, changed map[clm.Attr][]string) error {
	stored, err := tx.PathByID(o.ID)
	if err != nil {
		return err
	}
	fields, err := fieldsFor(tx, o.Class)
	if err != nil {
		return err
	}
	for _, a := range sorted(changed) {
		id, isField := clm.FieldOf(a)
		if values := changed[a]; isField && len(values) > 0 {
			at := slices.IndexFunc(fields, func(f Field) bool { return f.ID == id })
			if at < 0 {
				return clm.Fail(clm.Invalid, string(a), values[0])
			}
			if err := fields[at].checkNew(values, stored.Last().Own[a]); err != nil {
				return err
			}
		}
	}
	return nil
}
