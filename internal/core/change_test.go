package core_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// own are the values of an object.
func own(t testing.TB, r *coretest.Rig, id clm.ObjectID) map[clm.Attr][]string {
	t.Helper()
	node, err := r.ObjectByID(context.Background(), r.Admin, id)
	check(t, err)
	return maps.Clone(node.Own)
}

// Values are kept as rules read them, however they are written; those that make no
// sense are refused, together with all that came with them.
func TestChangeReadsValues(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		folder := r.Folder(`\VED\Policy\Plain`, map[clm.Attr]clm.Rule{clm.ValidityDays: {Values: []string{"90"}}})
		id := put(t, r, folder+`\www`, clm.ServerCertificate, map[clm.Attr][]string{clm.Country: {"US"}})
		const bad = "-" // refused
		for _, c := range []struct {
			attr   clm.Attr
			given  []string
			stored string // joined
		}{
			{clm.Locality, []string{"Seattle"}, "Seattle"},
			{clm.Locality, nil, ""},
			{clm.Locality, []string{""}, ""},
			{clm.Locality, []string{"Seattle", "Tacoma"}, bad},
			{clm.CommonName, []string{"www\x00.example.com"}, bad},
			{clm.SANDNS, []string{"a.example.com", "b.example.com", "a.example.com", ""}, "a.example.com b.example.com"},
			{clm.SANDNS, []string{"bücher.example"}, bad},
			{clm.SANIP, []string{"10.0.0.1", "2001:db8::1"}, "10.0.0.1 2001:db8::1"},
			{clm.SANIP, []string{"10.0.0.1", "www"}, bad},
			{clm.ManagementType, []string{"provisioning"}, clm.Provisioning},
			{clm.ManagementType, []string{"Whatever"}, bad},
			{clm.KeyAlgorithm, []string{"ecdsa"}, clm.ECC},
			{clm.KeyAlgorithm, []string{"DSA"}, bad},
			{clm.KeySize, []string{"4096"}, "4096"},
			{clm.KeySize, []string{"1234"}, bad},
			{clm.KeySize, []string{"large"}, bad},
			{clm.Curve, []string{"p-384"}, clm.P384},
			{clm.Curve, []string{"P999"}, bad},
			{clm.NoAutoRenewal, []string{"True"}, "1"},
			{clm.NoAutoRenewal, []string{"no"}, "0"},
			{clm.NoAutoRenewal, []string{"perhaps"}, bad},
			{clm.RenewalWindow, []string{" 30 "}, "30"},
			{clm.RenewalWindow, []string{"90"}, bad}, // as long as the certificate lasts
			{clm.RenewalWindow, []string{"0"}, bad},
			{clm.RenewalWindow, []string{"1.5"}, bad},
			{clm.ValidityDays, []string{"365"}, "365"},
			{clm.ValidityDays, []string{"-1"}, bad},
			{clm.EndDate, []string{"2030-01-02"}, "2030-01-02"},
			{clm.EndDateFor("DigiCert CA"), []string{"soon"}, bad},
			{clm.IssuedBy, []string{core.DefaultCA}, core.DefaultCA},
			{clm.IssuedBy, []string{folder}, bad},
			{clm.IssuedBy, []string{"nonsense"}, bad},
			{clm.Contact, []string{"one", "two"}, "one two"},
			{"tpp:Notes", []string{"one", "two"}, "one two"},
			{"tpp:Notes", []string{"one", clm.Ref(id)}, bad}, // it would be read back as a DN
			{clm.Origin, []string{clm.Ref(id)}, bad},
			{clm.SANDNS, []string{clm.Ref(id)}, bad},
			{clm.IssuedBy, []string{clm.Ref(id)}, bad},
			{clm.Off, []string{"1"}, "1"},
			{clm.Off, []string{"2"}, bad},
		} {
			before := own(t, r, id)
			// What stands beside a value that is refused is refused with it.
			kept, err := r.Change(context.Background(), r.Admin, id, map[clm.Attr][]string{
				c.attr: c.given, clm.Description: {strings.Join(c.given, "+") + string(c.attr)},
			})
			after := own(t, r, id)
			if c.stored == bad {
				if e := clm.AsError(err); e == nil || e.Kind != clm.Invalid || e.Field != string(c.attr) {
					t.Errorf("%s %q: got %v, want it refused", c.attr, c.given, err)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("%s %q: something has changed:\n%s", c.attr, c.given, diff)
				}
				continue
			}
			if got := strings.Join(after[c.attr], " "); err != nil || got != c.stored || len(kept) > 0 {
				t.Errorf("%s %q: got %q, %v, %v; want %q", c.attr, c.given, got, kept, err, c.stored)
			}
			_, err = r.Change(context.Background(), r.Admin, id, map[clm.Attr][]string{c.attr: nil})
			check(t, err)
			if _, has := own(t, r, id)[c.attr]; has {
				t.Errorf("%s is there after it was cleared", c.attr)
			}
		}
	})
}

// What policy locks stays and is reported, unless it says the same; the rest is
// changed all the same. What is set already is never refused.
func TestChangeLeavesLockedValues(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	folder := r.Folder(`\VED\Policy\Locked`, map[clm.Attr]clm.Rule{clm.Organization: locked("Shop"), clm.Country: locked("US")})
	id := put(t, r, folder+`\www`, clm.ServerCertificate, map[clm.Attr][]string{clm.Organization: {"Old"}, clm.KeySize: {"odd"}})
	kept, err := r.Change(context.Background(), r.Admin, id, map[clm.Attr][]string{
		clm.Organization: {"New"}, clm.Country: {"US"}, clm.Locality: {"Seattle"}, clm.KeySize: {"odd"},
	})
	check(t, err)
	if want := []core.Kept{{Attr: clm.Organization, By: clm.DN(folder)}}; !slices.Equal(kept, want) {
		t.Errorf("got %v kept, want %v", kept, want)
	}
	want := map[clm.Attr][]string{clm.Organization: {"Old"}, clm.Locality: {"Seattle"}, clm.KeySize: {"odd"}}
	if diff := cmp.Diff(want, own(t, r, id)); diff != "" {
		t.Error(diff)
	}
	if got := entries(t, r, "change"); len(got) != 1 || got[0].Detail != folder+`\www: locality = Seattle` {
		t.Errorf("got audit entries %+v", got)
	}
}

// A certificate that is retired is not renewed, neither by itself nor on demand,
// until it is brought back.
func TestRetireAndReactivate(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		leaf := foreignLeaf(t, "www.example.com", 0, nil)
		done := take(t, r, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		renew := func() error {
			_, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(done.DN)})
			return err
		}
		set := func(value ...string) {
			t.Helper()
			_, err := r.Change(ctx, r.Admin, done.ID, map[clm.Attr][]string{clm.Off: value})
			check(t, err)
		}
		set("1")
		set("1")
		r.Clock.Turn(364 * clm.Day)
		if n, err := r.RenewDue(ctx); n != 0 || err != nil {
			t.Errorf("%d were renewed by themselves, %v", n, err)
		}
		if err := renew(); !errors.Is(err, clm.Disabled) {
			t.Errorf("got %v, want that it is disabled", err)
		}
		set("0")
		if n, err := r.RenewDue(ctx); n != 1 || err != nil {
			t.Errorf("%d were renewed by themselves, %v; want the one that is back", n, err)
		}
	})
}

// Who may not write changes nothing, and who may not see finds nothing.
func TestChangeNeedsRights(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	folder := r.Folder(`\VED\Policy\Shop`, nil)
	id := put(t, r, folder+`\www`, clm.ServerCertificate, nil)
	reader, stranger := user(t, r, "reader"), user(t, r, "stranger")
	give(t, r, folder, "reader", clm.AllRights&^(clm.Write|clm.PolicyWrite))
	for _, c := range []struct {
		name string
		who  clm.Actor
		id   clm.ObjectID
		want error
	}{
		{"reader", reader, id, clm.Denied},
		{"stranger", stranger, id, clm.NotFound},
		{"no certificate", r.Admin, objectID(t, r, folder), clm.NotFound},
		{"nothing", r.Admin, "nothing", clm.NotFound},
	} {
		_, err := r.Change(context.Background(), c.who, c.id, map[clm.Attr][]string{clm.Locality: {"Seattle"}})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if got := own(t, r, id); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// The values of a custom field are what the field takes; a field that is not there, or
// that objects of the class do not have, takes none.
func TestChangeChecksCustomFields(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	id := put(t, r, r.Folder(`\VED\Policy\Shop`, nil)+`\www`, clm.ServerCertificate, nil)
	field := clm.FieldAttr(put(t, r, core.FieldsDN+`\Centre`, clm.CustomField, map[clm.Attr][]string{
		clm.FieldKind: {clm.ListField}, clm.FieldClasses: {string(clm.AnyCertificate)}, clm.FieldValues: {"red", "blue"}, clm.FieldSingle: {"1"},
	}))
	rack := clm.FieldAttr(put(t, r, core.FieldsDN+`\Rack`, clm.CustomField, map[clm.Attr][]string{clm.FieldClasses: {string(clm.Device)}}))
	const unknown = clm.Attr("field/8d9c1b0e-0000-4000-8000-00000000000a")
	for _, c := range []struct {
		attr   clm.Attr
		values []string
		ok     bool
	}{
		{field, []string{"red"}, true}, {field, nil, true}, {field, []string{"green"}, false}, {field, []string{"red", "blue"}, false},
		{unknown, []string{"anything", "else"}, false}, {rack, []string{"7"}, false}, {clm.FieldAttr(id), []string{"itself"}, false}, {unknown, nil, true},
	} {
		_, err := r.Change(context.Background(), r.Admin, id, map[clm.Attr][]string{c.attr: c.values})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, clm.Invalid) {
			t.Errorf("%s %q: got %v, want it taken: %v", c.attr, c.values, err, c.ok)
		}
		if err == nil && !slices.Equal(own(t, r, id)[c.attr], c.values) {
			t.Errorf("%s: got %q, want %q", c.attr, own(t, r, id)[c.attr], c.values)
		}
	}
}
