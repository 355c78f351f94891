package core

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Preference is how a user wants something to be. The server makes nothing of it.
type Preference = store.Preference

// Limits of preferences.
const (
	MaxPreferences      = 500    // of one user
	MaxPreferenceName   = 255    // characters of a name or category
	MaxPreferenceLength = 16_384 // bytes of a value
)

// PreferencesOf selects preferences; an empty text selects all.
type PreferencesOf struct{ Product, Category, Name string }

func (s PreferencesOf) has(p Preference) bool {
	same := func(wanted, is string) bool { return wanted == "" || strings.EqualFold(wanted, is) }
	return same(s.Product, p.Product) && same(s.Category, p.Category) && same(s.Name, p.Name)
}

// Preferences lists what the actor prefers, by product, category and name.
func (c *Core) Preferences(ctx context.Context, who clm.Actor, which PreferencesOf) (list []Preference, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list, err = which.of(tx, who)
		return err
	})
	return list, err
}

func (s PreferencesOf) of(tx *store.Tx, who clm.Actor) ([]Preference, error) {
	list, err := tx.Preferences(who.ID)
	return slices.DeleteFunc(list, func(p Preference) bool { return !s.has(p) }), err
}

// Prefer writes down what the actor prefers: all of it or, when something cannot be,
// nothing. It fails with Invalid, whose Field says which part, and with Limited when
// there would be too many.
func (c *Core) Prefer(ctx context.Context, who clm.Actor, wanted []Preference) error {
	for _, p := range wanted {
		for _, part := range []struct {
			field, value string
			most         int
		}{{"product", p.Product, MaxPreferenceName}, {"category", p.Category, MaxPreferenceName}, {"name", p.Name, MaxPreferenceName}} {
			if utf8.RuneCountInString(part.value) > part.most || strings.ContainsRune(part.value, 0) || part.field == "name" && part.value == "" {
				return clm.Fail(clm.Invalid, part.field, part.value)
			}
		}
		if len(p.Value) > MaxPreferenceLength || strings.ContainsRune(p.Value, 0) {
			return clm.Fail(clm.Invalid, "value", p.Name)
		}
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "prefer", Subject: who.Name}, func(tx *store.Tx) error {
		known, err := tx.Preferences(who.ID)
		if err != nil {
			return err
		}
		for _, p := range wanted {
			p.Number = 0
			at := slices.IndexFunc(known, func(k Preference) bool {
				return k.Product == p.Product && k.Category == p.Category && k.Name == p.Name
			})
			if at >= 0 {
				p.Number = known[at].Number
			} else if known = append(known, p); len(known) > MaxPreferences {
				return clm.Fail(clm.Limited, "preferences", strconv.Itoa(MaxPreferences))
			}
			if err := tx.SavePreference(who.ID, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetPreferences forgets what the actor prefers.
func (c *Core) ForgetPreferences(ctx context.Context, who clm.Actor, which PreferencesOf) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "forget preferences", Subject: who.Name}, func(tx *store.Tx) error {
		list, err := which.of(tx, who)
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := tx.DeletePreference(who.ID, p.Number); err != nil {
				return err
			}
		}
		return nil
	})
}
