package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A custom field takes what its definition says, and nothing else.
func TestFieldTakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		field core.Field
		value string
		takes bool
	}{
		{"any text", core.Field{Kind: clm.TextField}, "", true},
		{"long enough", core.Field{Kind: clm.TextField, Shortest: 2, Longest: 3}, "äöü", true},
		{"too short", core.Field{Kind: clm.TextField, Shortest: 2}, "ä", false},
		{"too long", core.Field{Kind: clm.TextField, Longest: 3}, "aaaa", false},
		{"of its characters", core.Field{Kind: clm.TextField, Characters: []string{"ab", "c"}}, "cab", true},
		{"a strange character", core.Field{Kind: clm.TextField, Characters: []string{"ab", "c"}}, "cat", false},
		{"the whole matches", core.Field{Kind: clm.TextField, Pattern: "a|b"}, "ab", false},
		{"a choice", core.Field{Kind: clm.ListField, Choices: []string{"a"}}, "a", true},
		{"no choice", core.Field{Kind: clm.ListField, Choices: []string{"a"}}, "A", false},
		{"a day", core.Field{Kind: clm.DateField, DateOnly: true}, "01/31/2027", true},
		{"no such day", core.Field{Kind: clm.DateField, DateOnly: true}, "31/01/2027", false},
		{"a day with its time", core.Field{Kind: clm.DateField, DateOnly: true}, "01/31/2027 10:00:00", false},
		{"a moment", core.Field{Kind: clm.DateField}, "01/31/2027 10:00:00", true},
		{"a time of day", core.Field{Kind: clm.DateField, TimeOnly: true}, "10:00", true},
		{"a day for a time", core.Field{Kind: clm.DateField, TimeOnly: true}, "01/31/2027", false},
		{"an identity", core.Field{Kind: clm.IdentityField}, "local:{8d9c1b0e-0000-4000-8000-00000000000a}", true},
		{"an identity of another directory", core.Field{Kind: clm.IdentityField}, "AD+corp:0123456789abcdef0123456789abcdef", true},
		{"a name for an identity", core.Field{Kind: clm.IdentityField}, "alice", false},
	} {
		if err := c.field.Check([]string{c.value}); (err == nil) != c.takes {
			t.Errorf("%s: got %v, want it taken: %v", c.name, err, c.takes)
		}
	}
}

// define makes a custom field for certificates.
func define(t *testing.T, r *coretest.Rig, label string) core.Field {
	t.Helper()
	f, err := r.DefineField(context.Background(), r.Admin, label, core.Field{
		Label: label, Kind: clm.TextField, Classes: []string{string(clm.AnyCertificate)}, Policyable: true, More: map[clm.Attr][]string{"tpp:Help Text": {"help"}},
	})
	check(t, err)
	return f
}

// With its data a custom field goes from every object and folder, however many there
// are, and other values stay.
func TestUndefinedFieldLeavesNothing(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		going, staying := define(t, r, "Going"), define(t, r, "Staying")
		check(t, r.SetFieldRules(ctx, r.Admin, core.FieldRules{
			DN: core.DefaultZone, Class: clm.AnyCertificate, Sets: []core.FieldSet{{ID: going.ID, Values: []string{"default"}}, {ID: staying.ID, Values: []string{"default"}}},
		}))
		const many = 250 // more than are changed at a time
		var dns []string
		for i := range many {
			dn := fmt.Sprintf(`%s\www%d`, core.DefaultZone, i)
			put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.FieldAttr(going.ID): {"a"}, clm.FieldAttr(staying.ID): {"b"}})
			dns = append(dns, dn)
		}
		found, err := r.FieldHolders(ctx, r.Admin, going.ID, "A")
		if err != nil || len(found) != many {
			t.Errorf("got %d, %v; want %d", len(found), err, many)
		}
		if err := r.UndefineField(ctx, r.Admin, going.ID, false); !errors.Is(err, clm.Exists) {
			t.Errorf("got %v, want %v", err, clm.Exists)
		}
		bob := user(t, r, "bob")
		give(t, r, core.FieldsDN, "bob", clm.Write)
		if err := r.UndefineField(ctx, bob, going.ID, true); !errors.Is(err, clm.Denied) {
			t.Errorf("got %v, want %v", err, clm.Denied)
		}
		check(t, r.UndefineField(ctx, r.Admin, going.ID, true))
		for _, dn := range dns {
			o, err := r.Object(ctx, r.Admin, dn)
			if err != nil || len(o.Own) != 1 || !slices.Equal(o.Own[clm.FieldAttr(staying.ID)], []string{"b"}) {
				t.Fatalf("got %v, %v", o.Own, err)
			}
		}
		folder, err := r.Object(ctx, r.Admin, core.DefaultZone)
		if err != nil || len(folder.Policy) != 1 {
			t.Errorf("got %v, %v", folder.Policy, err)
		}
		if err := r.UndefineField(ctx, r.Admin, going.ID, true); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want %v", err, clm.NotFound)
		}
	})
}

// An edit changes what it says and keeps the rest; what it must not change it cannot,
// and a failed one changes nothing.
func TestUpdateFieldKeepsTheRest(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	f, other := define(t, r, "Centre"), define(t, r, "Other")
	check(t, r.UpdateField(ctx, r.Admin, f.ID, func(f *core.Field) error {
		f.Longest, f.Policyable, f.Required = 5, false, true
		return nil
	}))
	for _, c := range []struct {
		name string
		edit func(*core.Field)
		want clm.Kind
	}{
		{"another kind", func(f *core.Field) { f.Kind = clm.DateField }, clm.Invalid},
		{"another place", func(f *core.Field) { f.DN += "x" }, clm.Invalid},
		{"another's label", func(f *core.Field) { f.Label = "OTHER" }, clm.Exists},
		{"no pattern", func(f *core.Field) { f.Pattern = "(" }, clm.Invalid},
	} {
		err := r.UpdateField(ctx, r.Admin, f.ID, func(f *core.Field) error {
			c.edit(f)
			f.Required = false
			return nil
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	got, err := r.LoadField(ctx, r.Admin, string(f.DN))
	if err != nil || got.Longest != 5 || got.Policyable || !got.Required || got.Label != "Centre" || !slices.Equal(got.More["tpp:Help Text"], []string{"help"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got.ID == other.ID {
		t.Error("two fields are one")
	}
}

// What policy says of a custom field is what it can have, whichever way it is written; what
// became of the definition does not keep anybody from removing it, nor other values.
func TestFieldRulesMakeSense(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		folder := r.Folder(`\VED\Policy\Shop`, nil)
		f, err := r.DefineField(ctx, r.Admin, "Env", core.Field{Label: "Env", Kind: clm.ListField, Classes: []string{string(clm.AnyCertificate)}, Choices: []string{"a", "b", "c"}, Policyable: true})
		check(t, err)
		attr := clm.FieldAttr(f.ID)
		rule := func(class clm.Class, mode core.EditMode, values ...string) error {
			return r.EditPolicy(ctx, r.Admin, folder, class, core.Edit{Attr: attr, Values: values, Mode: mode}, true)
		}
		if err := rule(clm.AnyCertificate, core.Replace, "d"); !is(err, clm.Invalid, "custom-field") {
			t.Errorf("a value that it cannot have: got %v", err)
		}
		if err := rule(clm.Device, core.Replace, "a"); !is(err, clm.Unsupported, "custom-field") {
			t.Errorf("a class without it: got %v", err)
		}
		check(t, rule(clm.AnyCertificate, core.Replace, "a", "b"))
		put(t, r, folder+`x`, clm.Folder, nil)
		put(t, r, folder+`x\www`, clm.ServerCertificate, map[clm.Attr][]string{attr: {"a", "b", "c"}})
		change := func(edit func(*core.Field)) {
			check(t, r.UpdateField(ctx, r.Admin, f.ID, func(f *core.Field) error { edit(f); return nil }))
		}
		change(func(f *core.Field) { f.Choices = []string{"c", "d"} })
		check(t, rule(clm.AnyCertificate, core.RemoveFrom, "b"))
		check(t, r.EditObject(ctx, r.Admin, folder+`x\www`, []core.Edit{{Attr: attr, Values: []string{"c"}, Mode: core.RemoveFrom}}, nil))
		if err := r.EditObject(ctx, r.Admin, folder+`x\www`, []core.Edit{{Attr: attr, Values: []string{"e"}, Mode: core.AddTo}}, nil); !is(err, clm.Invalid, "custom-field") {
			t.Errorf("another value that it cannot have: got %v", err)
		}
		check(t, r.EditObject(ctx, r.Admin, folder+`x\www`, []core.Edit{{Attr: attr, Values: []string{"d"}, Mode: core.AddTo}}, nil))
		change(func(f *core.Field) { f.Policyable = false })
		if err := rule(clm.AnyCertificate, core.Replace, "c"); !is(err, clm.Unsupported, "policyable") {
			t.Errorf("a field about which folders say nothing: got %v", err)
		}
		check(t, r.SetFieldRules(ctx, r.Admin, core.FieldRules{DN: folder, Class: clm.AnyCertificate, Sets: []core.FieldSet{{ID: f.ID}}}))
		if o, err := r.Object(ctx, r.Admin, folder); err != nil || len(o.Policy) != 0 {
			t.Errorf("got %v, %v", o.Policy, err)
		}
	})
}

// What can be done to any object does no more to a custom field than the calls that are
// for it.
func TestFieldIsNoCommonObject(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		centre, other := define(t, r, "Centre"), define(t, r, "Other")
		dn := string(centre.DN)
		list := map[clm.Attr][]string{clm.FieldKind: {clm.ListField}}
		if err := r.Mutate(ctx, r.Admin, dn, clm.CustomField, list); !is(err, clm.Unsupported, "class") {
			t.Errorf("another kind: got %v", err)
		}
		check(t, r.Mutate(ctx, r.Admin, dn, clm.CustomField, map[clm.Attr][]string{clm.FieldKind: {clm.TextField}}))
		check(t, r.UpdateField(ctx, r.Admin, other.ID, func(f *core.Field) error { f.Label = "Label"; return nil }))
		if err := r.Rename(ctx, r.Admin, dn, core.FieldsDN+`\LABEL`); !errors.Is(err, clm.Exists) {
			t.Errorf("another's label: got %v", err)
		}
		check(t, r.Rename(ctx, r.Admin, dn, core.FieldsDN+`\CENTRE`))
		for a, v := range map[clm.Attr]string{clm.FieldShortest: "some", clm.FieldLongest: "-1", clm.FieldSingle: "perhaps"} {
			if err := r.EditObject(ctx, r.Admin, dn, []core.Edit{{Attr: a, Values: []string{v}}}, nil); !is(err, clm.Invalid, string(a)) {
				t.Errorf("%s = %s: got %v", a, v, err)
			}
		}
		put(t, r, core.DefaultZone+`\www`, clm.ServerCertificate, map[clm.Attr][]string{clm.FieldAttr(centre.ID): {"x"}})
		if err := r.DeleteObject(ctx, r.Admin, dn, false); !is(err, clm.Unsupported, "field-data") {
			t.Errorf("in use: got %v", err)
		}
		if err := r.UndefineField(ctx, r.Admin, centre.ID, false); !is(err, clm.Exists, "field-data") {
			t.Errorf("in use, without its data: got %v", err)
		}
		check(t, r.DeleteObject(ctx, r.Admin, string(other.DN), false))
	})
}
