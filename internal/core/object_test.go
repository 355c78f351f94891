package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// onBoth runs the test on both databases, each with a rig that carries out no work.
func onBoth(t *testing.T, test func(t *testing.T, r *coretest.Rig)) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		test(t, coretest.New(t, d, coretest.Options{Idle: true}))
	})
}

// is reports whether err is of the kind, and about the field.
func is(err error, kind clm.Kind, field string) bool {
	if kind == 0 {
		return err == nil
	}
	return errors.Is(err, kind) && clm.AsError(err).Field == field
}

// ownOf are the own values of an object, by its DN.
func ownOf(t testing.TB, r *coretest.Rig, dn string) map[clm.Attr][]string {
	t.Helper()
	node, err := r.Object(context.Background(), r.Admin, dn)
	check(t, err)
	return node.Own
}

// Create looks at the class first, then at the name, the place, the right, what is there,
// and at last the values; what is refused leaves nothing.
func TestCreateRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		folder := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, folder+`\host`, clm.Device, nil)
		seer := user(t, r, "seer")
		give(t, r, folder, "seer", clm.View)
		deep := folder + strings.Repeat(`\x`, clm.MaxDepth)
		wrong := []core.Edit{{Attr: clm.KeySize, Values: []string{"1"}}}
		for _, c := range []struct {
			name  string
			who   clm.Actor
			n     core.NewObject
			kind  clm.Kind
			field string
		}{
			{"an abstract class", r.Admin, core.NewObject{DN: `\VED\Nowhere\a\b`, Class: clm.Application}, clm.Unsupported, "class"},
			{"a ticket", r.Admin, core.NewObject{DN: core.TicketsDN + `\a`, Class: clm.Ticket}, clm.Unsupported, "class"},
			{"no DN", r.Admin, core.NewObject{DN: `Shop`, Class: clm.Folder}, clm.Invalid, "name"},
			{"a name with a blank at its end", r.Admin, core.NewObject{DN: folder + `\a \b`, Class: clm.Folder}, clm.Invalid, "name"},
			{"a long name", r.Admin, core.NewObject{DN: folder + `\` + strings.Repeat("x", 256), Class: clm.Folder}, clm.Invalid, "length"},
			{"too deep", r.Admin, core.NewObject{DN: deep, Class: clm.Folder}, clm.Invalid, "depth"},
			{"no parent", r.Admin, core.NewObject{DN: folder + `\no\a`, Class: clm.Folder}, clm.NotFound, "parent"},
			{"the parent is the root's", r.Admin, core.NewObject{DN: `\VED`, Class: clm.Folder}, clm.NotFound, "parent"},
			{"the parent is not visible", user(t, r, "stranger"), core.NewObject{DN: folder + `\a`, Class: clm.Folder}, clm.NotFound, "parent"},
			{"a folder on a device", r.Admin, core.NewObject{DN: folder + `\host\a`, Class: clm.Folder}, clm.Unsupported, "place"},
			{"the place before the right", seer, core.NewObject{DN: folder + `\host\a`, Class: clm.Folder}, clm.Unsupported, "place"},
			{"no right", seer, core.NewObject{DN: folder + `\HOST`, Class: clm.Device}, clm.Denied, ""},
			{"it is there", r.Admin, core.NewObject{DN: folder + `\HOST`, Class: clm.Device, Own: wrong}, clm.Exists, ""},
			{"a value", r.Admin, core.NewObject{DN: folder + `\www`, Class: clm.ServerCertificate, Own: wrong}, clm.Invalid, "key-size"},
			{"what the edge has against it", r.Admin, core.NewObject{DN: folder + `\a`, Class: clm.Device, Refuse: clm.Fail(clm.Unsupported, "attribute", "")}, clm.Unsupported, "attribute"},
			{"a forged reference", r.Admin, core.NewObject{DN: folder + `\a`, Class: clm.Device, Own: []core.Edit{{Attr: "tpp:x", Values: []string{clm.Ref(objectID(t, r, folder))}}}}, clm.Invalid, "value"},
		} {
			if _, err := r.Create(ctx, c.who, c.n); !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
		}
		if n, err := r.Count(ctx, r.Admin, core.Search{Below: folder, Recursive: true}); err != nil || n != 1 {
			t.Errorf("got %d objects, %v", n, err)
		}
	})
}

// A user that is created is a user: it has one ID as object and principal, and is called
// like its object, also when that is renamed. It goes with its object.
func TestCreateUser(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		dn := string(core.IdentityDN) + `\carol`
		made, err := r.Create(ctx, r.Admin, core.NewObject{DN: dn, Class: clm.User, Own: []core.Edit{{Attr: clm.FullName, Values: []string{"Carol C"}}}})
		check(t, err)
		if id, err := r.PrincipalNamed(ctx, "carol"); err != nil || string(id) != string(made.ID) {
			t.Errorf("got %s, %v, want %s", id, err, made.ID)
		}
		if _, err := r.Create(ctx, r.Admin, core.NewObject{DN: string(core.IdentityDN) + `\CAROL`, Class: clm.Group}); !errors.Is(err, clm.Exists) {
			t.Errorf("got %v for a second one", err)
		}
		check(t, r.Rename(ctx, r.Admin, dn, string(core.IdentityDN)+`\caroline`))
		if id, err := r.PrincipalNamed(ctx, "caroline"); err != nil || string(id) != string(made.ID) {
			t.Errorf("got %s, %v after renaming", id, err)
		}
		check(t, r.DeleteObject(ctx, r.Admin, string(core.IdentityDN)+`\caroline`, false))
		if _, err := r.PrincipalNamed(ctx, "caroline"); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v after deleting", err)
		}
	})
}

// Values are replaced, added and removed; all edits or, when one makes no sense, none.
func TestEditObject(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		folder := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, folder+`\host`, clm.Device, map[clm.Attr][]string{"tpp:a": {"1", "2"}})
		put(t, r, folder+`\www`, clm.ServerCertificate, nil)
		many := make([]string, core.MaxValues)
		for n := range many {
			many[n] = fmt.Sprint("value ", n)
		}
		device, www := folder+`\host`, folder+`\www`
		for _, c := range []struct {
			name  string
			dn    string
			edit  core.Edit
			kind  clm.Kind
			field string
			want  []string // of the attribute
		}{
			{"replaced, without those that are there twice", device, core.Edit{Attr: "tpp:a", Values: []string{"x", "", "y", "x"}}, 0, "", []string{"x", "y"}},
			{"added", device, core.Edit{Attr: "tpp:a", Values: []string{"z"}, Mode: core.AddTo}, 0, "", []string{"x", "y", "z"}},
			{"added again", device, core.Edit{Attr: "tpp:a", Values: []string{"Z"}, Mode: core.AddTo}, clm.Exists, "value", []string{"x", "y", "z"}},
			{"removed in another case", device, core.Edit{Attr: "tpp:a", Values: []string{"Y"}, Mode: core.RemoveFrom}, 0, "", []string{"x", "z"}},
			{"removed again", device, core.Edit{Attr: "tpp:a", Values: []string{"y"}, Mode: core.RemoveFrom}, clm.NotFound, "value", []string{"x", "z"}},
			{"several where one may be", device, core.Edit{Attr: "tpp:a", Values: []string{"w"}, Mode: core.AddTo, Single: true}, clm.Invalid, "single", []string{"x", "z"}},
			{"cleared", device, core.Edit{Attr: "tpp:a"}, 0, "", nil},
			{"cleared again", device, core.Edit{Attr: "tpp:a"}, 0, "", nil},
			{"as many as there may be", device, core.Edit{Attr: "tpp:a", Values: many}, 0, "", many},
			{"one more", device, core.Edit{Attr: "tpp:a", Values: []string{"w"}, Mode: core.AddTo}, clm.Limited, "values", many},
			{"a reference", device, core.Edit{Attr: "tpp:b", Values: []string{strings.ToLower(folder)}, Reference: true}, 0, "", []string{folder}},
			{"a reference to nothing", device, core.Edit{Attr: "tpp:b", Values: []string{folder + `\no`}, Reference: true}, clm.Invalid, "reference", []string{folder}},
			{"no DN among references", device, core.Edit{Attr: "tpp:b", Values: []string{"4711"}, Reference: true}, 0, "", []string{"4711"}},
			{"an authority", www, core.Edit{Attr: clm.IssuedBy, Values: []string{core.DefaultCA}}, 0, "", []string{core.DefaultCA}},
			{"a folder for an authority", www, core.Edit{Attr: clm.IssuedBy, Values: []string{folder}}, clm.Invalid, "reference", []string{core.DefaultCA}},
			{"no DN for an authority", www, core.Edit{Attr: clm.IssuedBy, Values: []string{"x"}}, clm.Invalid, "reference", []string{core.DefaultCA}},
			{"a value that a rule cannot read", www, core.Edit{Attr: clm.ManagementType, Values: []string{"Sometimes"}}, clm.Invalid, "management-type", nil},
			{"a value in another spelling", www, core.Edit{Attr: clm.ManagementType, Values: []string{"provisioning"}}, 0, "", []string{"Provisioning"}},
		} {
			untouched := core.Edit{Attr: "tpp:other", Values: []string{c.name}}
			err := r.EditObject(ctx, r.Admin, c.dn, []core.Edit{untouched, c.edit}, nil)
			if !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
			own := ownOf(t, r, c.dn)
			if !slices.Equal(own[c.edit.Attr], c.want) {
				t.Errorf("%s: got %.100q, want %.100q", c.name, own[c.edit.Attr], c.want)
			}
			if done := slices.Equal(own["tpp:other"], untouched.Values); done != (err == nil) {
				t.Errorf("%s: of an edit that fails nothing stays: got %q", c.name, own["tpp:other"])
			}
		}
	})
}

// What a reference names is told by the name that it has now, and not at all when it is
// gone.
func TestReferencesFollow(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		folder := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, folder+`\host`, clm.Device, nil)
		put(t, r, folder+`\jump`, clm.JumpServer, nil)
		check(t, r.EditObject(ctx, r.Admin, folder+`\host`, []core.Edit{{Attr: "tpp:Jump", Values: []string{folder + `\jump`}, Reference: true}}, nil))
		check(t, r.Rename(ctx, r.Admin, folder+`\jump`, core.DefaultZone+`\leap`))
		if got := ownOf(t, r, folder+`\host`)["tpp:Jump"]; !slices.Equal(got, []string{core.DefaultZone + `\leap`}) {
			t.Errorf("got %q", got)
		}
		check(t, r.DeleteObject(ctx, r.Admin, core.DefaultZone+`\leap`, false))
		if got := ownOf(t, r, folder+`\host`)["tpp:Jump"]; got != nil {
			t.Errorf("got %q", got)
		}
	})
}

// Custom fields have values on any object, and only those that they take.
func TestEditChecksCustomFields(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		f, err := r.DefineField(ctx, r.Admin, "env", core.Field{Label: "env", Kind: clm.ListField, Classes: []string{string(clm.Device)}, Choices: []string{"test"}})
		check(t, err)
		put(t, r, core.DefaultZone+`\host`, clm.Device, nil)
		put(t, r, core.DefaultZone+`\www`, clm.ServerCertificate, nil)
		for _, c := range []struct {
			dn, value, field string
			kind             clm.Kind
		}{
			{`\host`, "test", "", 0},
			{`\host`, "best", "custom-field", clm.Invalid},
			{`\www`, "test", string(clm.FieldAttr(f.ID)), clm.Invalid},
		} {
			err := r.EditObject(ctx, r.Admin, core.DefaultZone+c.dn, []core.Edit{{Attr: clm.FieldAttr(f.ID), Values: []string{c.value}}}, nil)
			if !is(err, c.kind, c.field) {
				t.Errorf("%s %s: got %v", c.dn, c.value, err)
			}
		}
		// Nor does the field itself come to say nonsense.
		if err := r.EditObject(ctx, r.Admin, string(f.DN), []core.Edit{{Attr: clm.FieldValues}}, nil); !is(err, clm.Invalid, string(clm.FieldValues)) {
			t.Errorf("got %v", err)
		}
	})
}

// Who lets an application use a certificate, from either side, writes both: it takes the
// right to write the certificate and to bind the application. Nothing is half done.
func TestEditRelinks(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		certs, hosts := r.Folder(`\VED\Policy\Certs`, nil), r.Folder(`\VED\Policy\Hosts`, nil)
		for _, name := range []string{`\one`, `\two`} {
			put(t, r, certs+name, clm.ServerCertificate, nil)
		}
		put(t, r, hosts+`\host`, clm.Device, nil)
		app, other := hosts+`\host\app`, hosts+`\host\other`
		put(t, r, app, basic, nil)
		put(t, r, other, basic, nil)
		alice := user(t, r, "alice")
		for _, c := range []struct {
			name         string
			certs, hosts clm.Rights
			dn           string
			edit         core.Edit
			kind         clm.Kind
			field        string
			one, two     []string // the consumers of each, from then on
		}{
			{"no right for the certificate", clm.Read, clm.Write, app, core.Edit{Attr: clm.Bound, Values: []string{certs + `\one`}}, clm.Denied, "certificate", nil, nil},
			{"no right for the application", clm.Write, clm.Read, certs + `\one`, core.Edit{Attr: clm.Consumers, Values: []string{app}}, clm.Denied, "application", nil, nil},
			{"from the application", clm.Write, clm.Write, app, core.Edit{Attr: clm.Bound, Values: []string{certs + `\one`}}, 0, "", []string{app}, nil},
			{"again, now with less", clm.Read, clm.Write, app, core.Edit{Attr: clm.Bound, Values: []string{certs + `\one`}}, 0, "", []string{app}, nil},
			{"added again", clm.Write, clm.Write, certs + `\one`, core.Edit{Attr: clm.Consumers, Values: []string{app}, Mode: core.AddTo}, clm.Exists, "value", []string{app}, nil},
			{"from the certificate", clm.Write, clm.Associate, certs + `\one`, core.Edit{Attr: clm.Consumers, Values: []string{other}, Mode: core.AddTo}, 0, "", []string{app, other}, nil},
			{"two certificates", clm.Write, clm.Write, app, core.Edit{Attr: clm.Bound, Values: []string{certs + `\one`, certs + `\two`}}, clm.Invalid, "single", []string{app, other}, nil},
			{"a device", clm.Write, clm.Write, certs + `\one`, core.Edit{Attr: clm.Consumers, Values: []string{hosts + `\host`}}, clm.Invalid, "reference", []string{app, other}, nil},
			{"taken from the other certificate", clm.Write, clm.Write, certs + `\two`, core.Edit{Attr: clm.Consumers, Values: []string{app, app}}, 0, "", []string{other}, []string{app}},
			{"in the order that is given", clm.Write, clm.Write, certs + `\two`, core.Edit{Attr: clm.Consumers, Values: []string{other, app}}, 0, "", nil, []string{other, app}},
			{"removed without a right for it", clm.Write, clm.Read, certs + `\two`, core.Edit{Attr: clm.Consumers}, clm.Denied, "application", nil, []string{other, app}},
			{"what is not there", clm.Write, clm.Write, certs + `\one`, core.Edit{Attr: clm.Consumers, Values: []string{app}, Mode: core.RemoveFrom}, clm.NotFound, "value", nil, []string{other, app}},
			{"removed", clm.Write, clm.Write, certs + `\two`, core.Edit{Attr: clm.Consumers, Values: []string{other}, Mode: core.RemoveFrom}, 0, "", nil, []string{app}},
			{"given up", clm.Write, clm.Write, app, core.Edit{Attr: clm.Bound}, 0, "", nil, nil},
		} {
			give(t, r, certs, "alice", c.certs)
			give(t, r, hosts, "alice", c.hosts|clm.View)
			if err := r.EditObject(ctx, alice, c.dn, []core.Edit{c.edit}, nil); !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
			for dn, want := range map[string][]string{certs + `\one`: c.one, certs + `\two`: c.two} {
				v, err := r.View(ctx, r.Admin, dn)
				check(t, err)
				var got []string
				for _, consumer := range v.Consumers {
					got = append(got, string(consumer))
					app, err := r.View(ctx, r.Admin, string(consumer))
					if err != nil || string(app.Bound) != dn {
						t.Errorf("%s: %s names %s, %v", c.name, consumer, app.Bound, err)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %s: got %q, want %q", c.name, dn, got, want)
				}
			}
		}
	})
}

// Who may write a folder, or a certificate in it, does not rid it of those who have to say
// yes: that takes the right to manage policy.
func TestWorkflowsTakePolicyWrite(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		folder := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, folder+`\www`, clm.ServerCertificate, nil)
		put(t, r, folder+`\ask`, clm.Workflow, nil)
		alice := user(t, r, "alice")
		for rights, want := range map[clm.Rights]bool{clm.AllRights &^ clm.PolicyWrite: false, clm.PolicyWrite | clm.Create: true} {
			give(t, r, folder, "alice", rights|clm.View)
			for _, a := range []clm.Attr{clm.Workflows, clm.WorkflowBlocks} {
				e := []core.Edit{{Attr: a, Values: []string{folder + `\ask`}}}
				made := fmt.Sprintf(`%s\%s-%v`, folder, a, want)
				_, err := r.Create(ctx, alice, core.NewObject{DN: made, Class: clm.ServerCertificate, Own: e})
				for what, err := range map[string]error{
					"folder": r.EditObject(ctx, alice, folder, e, nil), "certificate": r.EditObject(ctx, alice, folder+`\www`, e, nil), "new certificate": err,
				} {
					if (err == nil) != want || err != nil && !errors.Is(err, clm.Denied) {
						t.Errorf("%s, %s with rights %#x: got %v", a, what, uint16(rights), err)
					}
				}
				check(t, r.EditObject(ctx, r.Admin, folder, []core.Edit{{Attr: a}}, nil))
				check(t, r.EditObject(ctx, r.Admin, folder+`\www`, []core.Edit{{Attr: a}}, nil))
			}
		}
	})
}

// Tickets are answered and taken back by calls of their own.
func TestTicketsAreNotEdited(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		dn := core.TicketsDN + `\7b0e8a52-9d5f-4d0f-8a37-0c5d1a0b2c3d`
		put(t, r, dn, clm.Ticket, nil)
		for name, err := range map[string]error{
			"edit":   r.EditObject(ctx, r.Admin, dn, []core.Edit{{Attr: clm.TicketState, Values: []string{"Approved"}}}, nil),
			"delete": r.DeleteObject(ctx, r.Admin, dn, false),
			"rename": r.Rename(ctx, r.Admin, dn, core.TicketsDN+`\x`),
			"mutate": r.Mutate(ctx, r.Admin, dn, clm.Folder, nil),
		} {
			if !is(err, clm.Unsupported, "object") {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// Entries of policy have a lock as a whole; one without values is gone, and what is not
// there can be removed.
func TestEditPolicy(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		folder := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, folder+`\www`, clm.ServerCertificate, nil)
		key := clm.PolicyKey{Class: clm.AnyCertificate, Attr: clm.DomainWhitelist}
		for _, c := range []struct {
			name   string
			edit   core.Edit
			locked bool
			kind   clm.Kind
			field  string
			want   clm.Rule
		}{
			{"removed from nothing", core.Edit{Values: []string{"a"}, Mode: core.RemoveFrom}, false, 0, "", clm.Rule{}},
			{"cleared", core.Edit{}, true, 0, "", clm.Rule{}},
			{"added to nothing", core.Edit{Values: []string{"a"}, Mode: core.AddTo}, true, 0, "", clm.Rule{Values: []string{"a"}, Locked: true}},
			{"added with another lock", core.Edit{Values: []string{"b"}, Mode: core.AddTo}, false, clm.Exists, "lock", clm.Rule{Values: []string{"a"}, Locked: true}},
			{"added", core.Edit{Values: []string{"b"}, Mode: core.AddTo}, true, 0, "", clm.Rule{Values: []string{"a", "b"}, Locked: true}},
			{"added again", core.Edit{Values: []string{"B"}, Mode: core.AddTo}, true, clm.Exists, "value", clm.Rule{Values: []string{"a", "b"}, Locked: true}},
			{"removed, which leaves the lock", core.Edit{Values: []string{"A", "c"}, Mode: core.RemoveFrom}, false, 0, "", clm.Rule{Values: []string{"b"}, Locked: true}},
			{"the same, unlocked", core.Edit{Values: []string{"b"}}, false, 0, "", clm.Rule{Values: []string{"b"}}},
			{"the last one removed", core.Edit{Values: []string{"b"}, Mode: core.RemoveFrom}, true, 0, "", clm.Rule{}},
		} {
			c.edit.Attr = key.Attr
			if err := r.EditPolicy(ctx, r.Admin, folder, key.Class, c.edit, c.locked); !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
			node, err := r.Object(ctx, r.Admin, folder)
			check(t, err)
			if got := node.Policy[key]; !slices.Equal(got.Values, c.want.Values) || got.Locked != c.want.Locked {
				t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
			}
		}
		if err := r.EditPolicy(ctx, r.Admin, folder+`\www`, key.Class, core.Edit{Attr: key.Attr}, false); !is(err, clm.Unsupported, "policy") {
			t.Errorf("got %v for a certificate", err)
		}
		authority := core.Edit{Attr: clm.IssuedBy, Values: []string{core.DefaultCA}}
		check(t, r.EditPolicy(ctx, r.Admin, folder, key.Class, authority, true))
		authority.Mode = core.RemoveFrom
		check(t, r.EditPolicy(ctx, r.Admin, folder, key.Class, authority, true))
		if node, err := r.Object(ctx, r.Admin, folder); err != nil || len(node.Policy) != 0 {
			t.Errorf("got %v, %v: a reference is removed by its DN", node.Policy, err)
		}
	})
}

// Who names a credential lets the server use it on a host of his choosing: only those
// who may read it can.
func TestCredentialsAreNamedByReaders(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		clerk := user(t, r, "clerk")
		device, credential := core.DefaultZone+`\web`, core.DefaultZone+`\login`
		for dn, class := range map[string]clm.Class{device: clm.Device, credential: clm.Credential.Kind("password")} {
			if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: class}); err != nil {
				t.Fatal(err)
			}
		}
		name := func() error {
			return r.EditObject(ctx, clerk, device, []core.Edit{{Attr: clm.CredentialOf, Values: []string{credential}}}, nil)
		}
		for _, c := range []struct {
			rights clm.Rights
			kind   error
		}{{clm.View, clm.Denied}, {clm.View | clm.Read, nil}} {
			for dn, rights := range map[string]clm.Rights{device: clm.View | clm.Read | clm.Write, credential: c.rights} {
				if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: map[string]clm.Class{device: clm.Device, credential: clm.Credential.Kind("password")}[dn], Rights: map[string]clm.Rights{"clerk": rights}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := name(); !errors.Is(err, c.kind) {
				t.Errorf("with %v: got %v, want %v", c.rights, err, c.kind)
			}
		}
	})
}
