package core

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// refer makes references of the DNs among values, as far as they name objects that the
// actor may see. strict: it fails with Invalid, of field "reference", where one does not.
// Values that are no DNs stay as they are.
func refer(tx *store.Tx, who clm.Actor, values []string, strict bool) ([]string, error) {
	kept := make([]string, 0, len(values))
	for _, v := range values {
		if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(v)), clm.RootDN.Key()) {
			kept = append(kept, v)
			continue
		}
		path, _, err := find(tx, who, v)
		switch kind := clm.AsError(err); {
		case err == nil:
			kept = append(kept, clm.Ref(path.Last().ID))
		case kind.Kind != clm.NotFound && kind.Kind != clm.Invalid:
			return nil, err
		case strict:
			return nil, clm.Fail(clm.Invalid, "reference", v)
		default:
			kept = append(kept, v)
		}
	}
	return kept, nil
}

// forged fails with Invalid where a value from outside looks like a reference of ours:
// it would tell the DN of an object that nobody has named.
func forged(values []string) error {
	for _, v := range values {
		if _, ok := clm.RefID(v); ok {
			return clm.Fail(clm.Invalid, "value", v)
		}
	}
	return nil
}

// referred finds the object that a value names, by reference or by DN. It fails with
// Invalid or NotFound.
func referred(tx *store.Tx, value string) (clm.Path, error) {
	if id, ok := clm.RefID(value); ok {
		return tx.PathByID(id)
	}
	dn, err := clm.ParseDN(value)
	if err != nil {
		return nil, err
	}
	return tx.Path(dn)
}

// dereferred are the values as clients see them: DNs instead of references. What is not
// there any more is left out.
func dereferred(tx *store.Tx, values []string) ([]string, error) {
	var list []string
	for _, v := range values {
		if id, ok := clm.RefID(v); ok {
			path, err := tx.PathByID(id)
			if errors.Is(err, clm.NotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			v = string(path.Last().DN)
		}
		list = append(list, v)
	}
	return list, nil
}

// dereferredOwn are the own values of an object as clients see them.
func dereferredOwn(tx *store.Tx, own map[clm.Attr][]string) (map[clm.Attr][]string, error) {
	fresh := make(map[clm.Attr][]string, len(own))
	for a, values := range own {
		list, err := dereferred(tx, values)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			fresh[a] = list
		}
	}
	return fresh, nil
}

// dereferredSetting is a setting as clients see it.
func dereferredSetting(tx *store.Tx, s clm.Setting) (clm.Setting, error) {
	var err error
	s.Values, err = dereferred(tx, s.Values)
	return s, err
}

// makeReferences makes references of the DNs in policy, which older releases have kept
// as they were written. What a certificate says of itself becomes one when it is written.
func (c *Core) makeReferences(ctx context.Context) error {
	var old []Put
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		old = nil
		return tx.Walk(store.Walk{Below: clm.RootDN, Classes: []clm.Class{clm.Folder}}, func(o *clm.Object) (bool, error) {
			rules := map[clm.PolicyKey]clm.Rule{}
			for key, rule := range o.Policy {
				values, err := refer(tx, clm.System, rule.Values, false)
				if err != nil {
					return false, err
				}
				if clm.Referring[key.Attr] && !slices.Equal(values, rule.Values) {
					rules[key] = rule
				}
			}
			if len(rules) > 0 {
				old = append(old, Put{DN: string(o.DN), Class: o.Class, Policy: rules})
			}
			return true, nil
		})
	})
	for _, p := range old {
		if err == nil {
			_, err = c.Put(ctx, clm.System, p) // which keeps what it says by reference
		}
	}
	return err
}
