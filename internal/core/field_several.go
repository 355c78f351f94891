package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
)

// A FieldDefinition is what a custom field of certificates is to be, as those define it who
// know its name.
type FieldDefinition struct {
	Name     string // which it keeps
	Label    string
	Defaults []string // what forms begin with
	Required bool     // forms insist on a value
}

// DefineFields makes custom fields of certificates, texts, one after the other. It fails as
// DefineField does; those before the one that fails are made.
func (c *Core) DefineFields(ctx context.Context, who clm.Actor, wanted []FieldDefinition) (made []Field, err error) {
	for _, d := range wanted {
		f := Field{Label: d.Label, Kind: clm.TextField, Classes: []string{string(clm.CertificateBase)}, Policyable: true, Defaults: d.Defaults, Required: d.Required}
		if f, err = c.DefineField(ctx, who, d.Name, f); err != nil {
			return made, err
		}
		made = append(made, f)
	}
	return made, nil
}

// UpdateFields changes custom fields, which it finds by their names. It fails as UpdateField
// does; those before the one that fails are changed.
func (c *Core) UpdateFields(ctx context.Context, who clm.Actor, wanted []FieldDefinition) (changed []Field, err error) {
	for _, d := range wanted {
		known, err := c.fieldNamed(ctx, d.Name)
		if err != nil {
			return changed, err
		}
		err = c.UpdateField(ctx, who, known.ID, func(f *Field) error {
			f.Label, f.Required = d.Label, d.Required
			if len(d.Defaults) > 0 {
				f.Defaults = d.Defaults
			}
			known = *f
			return nil
		})
		if err != nil {
			return changed, err
		}
		changed = append(changed, known)
	}
	return changed, nil
}

// UndefineFields removes custom fields, which it finds by their names, and all values of
// them. It fails as UndefineField does; those before the one that fails are removed.
func (c *Core) UndefineFields(ctx context.Context, who clm.Actor, names []string) error {
	for _, name := range names {
		known, err := c.fieldNamed(ctx, name)
		if err == nil {
			err = c.UndefineField(ctx, who, known.ID, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fieldNamed finds the custom field that is called so, or has the label. It fails with
// NotFound of the Field "custom-field".
func (c *Core) fieldNamed(ctx context.Context, name string) (Field, error) {
	all, err := c.CustomFields(ctx)
	if err != nil {
		return Field{}, err
	}
	for _, f := range all {
		if (FieldValues{Name: name}).isOf(f) {
			return f, nil
		}
	}
	return Field{}, noField(name)
}
