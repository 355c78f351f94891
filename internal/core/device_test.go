package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

var basic = clm.ApplicationClass("basic")

// onWeb is a request for a certificate that applications of the names on the
// device web are to use.
func onWeb(cn string, apps ...string) core.Request {
	wish := core.DeviceWish{Folder: core.DefaultZone, Name: "web", Own: map[clm.Attr][]string{clm.Host: {"192.0.2.7"}}}
	for _, app := range apps {
		wish.Applications = append(wish.Applications, core.ApplicationWish{Name: app, Class: basic, Own: map[clm.Attr][]string{clm.ListenPort: {"443"}}})
	}
	return core.Request{Folder: core.DefaultZone, Names: clm.Names{CommonName: cn}, KeyAlgorithm: clm.ECC, Devices: []core.DeviceWish{wish}}
}

// Devices and applications are made and bound; asking again changes nothing, and
// what comes new goes last.
func TestRequestBindsApplications(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		for _, apps := range [][]string{{"shop", "blog"}, {"shop", "blog"}, {"wiki", "blog"}} {
			done, err := r.Request(ctx, r.Admin, onWeb("www.example.com", apps...))
			if err != nil {
				t.Fatal(err)
			}
			if len(done.Devices) != 1 || done.Devices[0].DN != core.DefaultZone+`\web` || len(done.Devices[0].Applications) != 2 {
				t.Errorf("got %+v", done.Devices)
			}
		}
		node, err := r.Object(ctx, r.Admin, core.DefaultZone+`\www.example.com`)
		if err != nil {
			t.Fatal(err)
		}
		details, err := r.Details(ctx, r.Admin, node.ID)
		if err != nil {
			t.Fatal(err)
		}
		web := clm.DN(core.DefaultZone + `\web`)
		if want := []clm.DN{web.Child("shop"), web.Child("blog"), web.Child("wiki")}; !slices.Equal(details.Consumers, want) {
			t.Errorf("got consumers %v, want %v", details.Consumers, want)
		}
		app, err := r.Object(ctx, r.Admin, string(web.Child("wiki")))
		if err != nil || app.Class != basic || !slices.Equal(app.Own[clm.Bound], []string{string(node.ID)}) {
			t.Errorf("got %+v, %v", app, err)
		}
	})
}

// What cannot be bound leaves nothing behind: no certificate, no device.
func TestRequestBindsAllOrNothing(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	if _, err := r.Request(ctx, r.Admin, onWeb("first.example.com", "shop")); err != nil {
		t.Fatal(err)
	}
	elsewhere := onWeb("second.example.com", "blog", "shop")
	abstract := onWeb("second.example.com", "blog")
	abstract.Devices[0].Applications[0].Class = clm.Application
	nowhere := onWeb("second.example.com", "blog")
	nowhere.Devices[0].Folder = `\VED\Policy\Nowhere`
	onCertificate := onWeb("second.example.com", "blog")
	onCertificate.Devices[0].Name = "first.example.com"
	for _, c := range []struct {
		name  string
		r     core.Request
		kind  clm.Kind
		field string
	}{
		{"an application that uses another certificate", elsewhere, clm.Exists, "bound"},
		{"an application without a driver", abstract, clm.Unsupported, "class"},
		{"a folder that is not there", nowhere, clm.NotFound, ""},
		{"a certificate in the device's place", onCertificate, clm.Exists, "class"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Request(ctx, r.Admin, c.r)
			if e := clm.AsError(err); err == nil || e.Kind != c.kind || e.Field != c.field {
				t.Errorf("got %v, want %v %q", err, c.kind, c.field)
			}
			for _, gone := range []string{`\second.example.com`, `\web\blog`} {
				if _, err := r.Object(ctx, r.Admin, core.DefaultZone+gone); !errors.Is(err, clm.NotFound) {
					t.Errorf("%s is there: %v", gone, err)
				}
			}
		})
	}
}

// costCentre defines a text field and environment a list, for certificates.
func fields(t *testing.T, r *coretest.Rig) {
	t.Helper()
	for name, own := range map[string]map[clm.Attr][]string{
		"Cost Centre": {clm.FieldPattern: {"[0-9]{4}"}, clm.FieldSingle: {"1"}},
		"Environment": {clm.FieldKind: {clm.ListField}, clm.FieldValues: {"Test", "Production"}},
		"Rack":        {clm.FieldClasses: {string(clm.Device)}},
	} {
		if own[clm.FieldClasses] == nil {
			own[clm.FieldClasses] = []string{string(clm.AnyCertificate)}
		}
		if _, err := r.Put(context.Background(), r.Admin, core.Put{DN: core.FieldsDN + `\` + name, Class: clm.CustomField, Own: own}); err != nil {
			t.Fatal(err)
		}
	}
}

// Custom fields of a request are kept and told; what they cannot be is refused.
func TestRequestSetsCustomFields(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		fields(t, r)
		ctx := context.Background()
		ask := func(values ...core.FieldValues) error {
			_, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, Names: clm.Names{CommonName: "www.example.com"}, Fields: values})
			return err
		}
		if err := ask(core.FieldValues{Name: "cost centre", Values: []string{"4711"}}, core.FieldValues{Name: "Environment", Values: []string{"Test", "Production"}}); err != nil {
			t.Fatal(err)
		}
		got, err := r.Fields(ctx, r.Admin, core.DefaultZone+`\www.example.com`, false)
		if err != nil || len(got) != 2 || got[0].Label != "Cost Centre" || got[0].Values[0] != "4711" || len(got[1].Values) != 2 {
			t.Errorf("got %+v, %v", got, err)
		}
		locked := got[0].ID
		for _, c := range []struct {
			name string
			v    core.FieldValues
			kind clm.Kind
		}{
			{"no such field", core.FieldValues{Name: "Floor"}, clm.Unsupported},
			{"a field of devices", core.FieldValues{Name: "Rack"}, clm.Unsupported},
			{"against the pattern", core.FieldValues{Name: "Cost Centre", Values: []string{"x4711"}}, clm.Invalid},
			{"two values for one", core.FieldValues{Name: "Cost Centre", Values: []string{"4711", "4712"}}, clm.Invalid},
			{"not in the list", core.FieldValues{Name: "Environment", Values: []string{"Staging"}}, clm.Invalid},
		} {
			if err := ask(c.v); !errors.Is(err, c.kind) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.kind)
			}
		}
		r.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.FieldAttr(locked): {Values: []string{"1000"}, Locked: true}})
		if err := ask(core.FieldValues{Name: "Cost Centre", Values: []string{"4711"}}); !errors.Is(err, clm.Denied) {
			t.Errorf("locked: got %v, want %v", err, clm.Denied)
		}
		if err := ask(core.FieldValues{Name: "Cost Centre", Values: []string{"1000"}}, core.FieldValues{Name: "Environment"}); err != nil {
			t.Errorf("the value that policy says: %v", err)
		}
	})
}

// A signing request that is handed in without being acted upon is used when the
// certificate is renewed, and no second time.
func TestHeldSigningRequestIsUsed(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		done, err := r.Request(ctx, r.Admin, core.Request{
			Folder: core.DefaultZone, CSR: csrOf(t, clm.Names{CommonName: "held.example.com"}, newKey(t)), Hold: true,
		})
		if err != nil || done.Work != 0 {
			t.Fatalf("got %+v, %v; want nothing begun", done, err)
		}
		renewed, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(done.DN)})
		if err != nil {
			t.Fatal(err)
		}
		if got := await(t, r, renewed); !got.Version.UserCSR {
			t.Error("the certificate is not of the signing request")
		}
		if _, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(done.DN)}); !errors.Is(err, clm.NeedsCSR) {
			t.Errorf("got %v, want %v", err, clm.NeedsCSR)
		}
	})
}

// Where subjects are to be unique the second that asks for one is refused, before
// the first is issued as well as after, and whatever has it from before counts.
func TestUniqueSubjects(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		request(t, r, core.DefaultZone, "old.example.com")
		zone := r.Folder(`\VED\Policy\Unique`, map[clm.Attr]clm.Rule{clm.UniqueSubject: {Values: []string{"1"}}})
		ask := func(name, cn, unit string) error {
			_, err := r.Request(ctx, r.Admin, core.Request{Folder: zone, Name: name, Names: clm.Names{CommonName: cn, OrganizationalUnit: []string{unit}}, KeyAlgorithm: clm.ECC})
			return err
		}
		if err := ask("old", "OLD.example.com", ""); !errors.Is(err, clm.Violation) {
			t.Errorf("of a certificate elsewhere: got %v, want %v", err, clm.Violation)
		}
		if err := ask("one", "new.example.com", "IT"); err != nil {
			t.Fatal(err)
		}
		if err := ask("two", "new.example.com", "IT"); !errors.Is(err, clm.Violation) {
			t.Errorf("of one that was asked for: got %v, want %v", err, clm.Violation)
		}
		if err := ask("one", "new.example.com", "IT"); err != nil {
			t.Errorf("its own again: %v", err)
		}
		if err := ask("two", "new.example.com", "Shop"); err != nil {
			t.Errorf("another subject with the same common name: %v", err)
		}
		says, err := r.Policy(ctx, r.Admin, zone, csrOf(t, clm.Names{CommonName: "old.example.com"}, newKey(t)))
		if err != nil || len(says.Breaches) != 1 || says.Breaches[0].Rule != clm.RuleSubject {
			t.Errorf("got %+v, %v", says.Breaches, err)
		}
	})
}

// An application uses one certificate at a time, and both know of it.
func TestBind(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		app := core.DefaultZone + `\web\shop`
		for dn, class := range map[string]clm.Class{core.DefaultZone + `\web`: clm.Device, core.DefaultZone + `\one`: clm.ServerCertificate, core.DefaultZone + `\two`: clm.ServerCertificate} {
			if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: class}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: app, Class: basic}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			name        string
			certificate string
			changes     bool
			one, two    int // how many applications use them
		}{
			{"the first", `\one`, true, 1, 0}, {"the first again", `\one`, false, 1, 0}, {"the second", `\two`, true, 0, 1},
			{"none", "", true, 0, 0}, {"none again", "", false, 0, 0},
		} {
			dn, uses := "", ""
			if step.certificate != "" {
				dn = core.DefaultZone + step.certificate
				node, err := r.Object(ctx, r.Admin, dn)
				if err != nil {
					t.Fatal(err)
				}
				uses = string(node.ID)
			}
			changed, err := r.Bind(ctx, r.Admin, app, dn)
			if err != nil || changed != step.changes {
				t.Errorf("%s: got %v, %v; want %v", step.name, changed, err, step.changes)
			}
			node, err := r.Object(ctx, r.Admin, app)
			if err != nil || (clm.Setting{Values: node.Own[clm.Bound]}).First() != uses {
				t.Errorf("%s: got it use %q, %v; want %q", step.name, node.Own[clm.Bound], err, uses)
			}
			for name, want := range map[string]int{`\one`: step.one, `\two`: step.two} {
				cert, err := r.Object(ctx, r.Admin, core.DefaultZone+name)
				if err != nil || len(cert.Own[clm.Consumers]) != want {
					t.Errorf("%s: %s is used by %q, %v; want %d", step.name, name, cert.Own[clm.Consumers], err, want)
				}
			}
		}
		for _, c := range []struct {
			name, app, certificate string
			who                    clm.Actor
			kind                   clm.Kind
		}{
			{"no application", core.DefaultZone + `\web`, core.DefaultZone + `\one`, r.Admin, clm.NotFound},
			{"no certificate", app, core.DefaultZone + `\web`, r.Admin, clm.NotFound},
			{"nothing there", app, core.DefaultZone + `\three`, r.Admin, clm.NotFound},
			{"a stranger", app, core.DefaultZone + `\one`, user(t, r, "stranger"), clm.NotFound},
		} {
			if changed, err := r.Bind(ctx, c.who, c.app, c.certificate); !errors.Is(err, c.kind) || changed {
				t.Errorf("%s: got %v, %v; want %v", c.name, changed, err, c.kind)
			}
		}
	})
}

// Nothing is told of devices, applications and certificates that the actor may not
// see, and none of them is used.
func TestRequestTellsNothingOfWhatIsHidden(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		alice := user(t, r, "alice")
		give(t, r, core.DefaultZone, "alice", clm.AllRights)
		const notToBeSeen = clm.KeyRead
		ask := func(who clm.Actor, cn, device, app string, class clm.Class) error {
			want := onWeb(cn, app)
			want.Devices[0].Name, want.Devices[0].Applications[0].Class = device, class
			_, err := r.Request(ctx, who, want)
			return err
		}
		check(t, ask(r.Admin, "first.example.com", "web", "shop", basic))
		check(t, ask(r.Admin, "first.example.com", "hidden", "shop", basic))
		check(t, ask(r.Admin, "first.example.com", "web", "hidden", basic))
		check(t, ask(r.Admin, "second.example.com", "web", "unbound", basic))
		first := core.DefaultZone + `\first.example.com`
		give(t, r, first, "alice", notToBeSeen)
		give(t, r, core.DefaultZone+`\hidden`, "alice", notToBeSeen)
		give(t, r, core.DefaultZone+`\web\hidden`, "alice", notToBeSeen)
		give(t, r, core.DefaultZone+`\web\unbound`, "alice", clm.View)
		for _, c := range []struct {
			name, device, app string
			class             clm.Class
			want              clm.Error
		}{
			{"a device", "hidden", "shop", basic, clm.Error{Kind: clm.NotFound, Subject: core.DefaultZone}},
			{"something in a device's place", "first.example.com", "shop", basic, clm.Error{Kind: clm.NotFound, Subject: core.DefaultZone}},
			{"an application", "web", "hidden", basic, clm.Error{Kind: clm.NotFound, Subject: core.DefaultZone + `\web`}},
			{"an application of another class", "web", "hidden", clm.ApplicationClass("apache"), clm.Error{Kind: clm.NotFound, Subject: core.DefaultZone + `\web`}},
			{"another certificate", "web", "shop", basic, clm.Error{Kind: clm.Exists, Subject: core.DefaultZone + `\web\shop`, Field: "bound"}},
			{"another certificate of an application that is not hers", "web", "unbound", basic, clm.Error{Kind: clm.Denied, Subject: core.DefaultZone + `\web\unbound`, Field: "application"}},
		} {
			got := clm.AsError(ask(alice, "mine.example.com", c.device, c.app, c.class))
			if got == nil || got.Kind != c.want.Kind || got.Subject != c.want.Subject || got.Field != c.want.Field || got.Value != "" {
				t.Errorf("%s: got %v, want %v", c.name, got, &c.want)
			}
		}
		give(t, r, first, "alice", clm.Read)
		details, err := r.Details(ctx, alice, objectID(t, r, first))
		if want := []clm.DN{core.DefaultZone + `\web\shop`}; err != nil || !slices.Equal(details.Consumers, want) {
			t.Errorf("got consumers %v, %v; want those that are seen", details.Consumers, err)
		}
	})
}

// An application is taken from another certificate by those alone who may write
// that one.
func TestTakingAnApplicationAwayNeedsRights(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	if _, err := r.Request(ctx, r.Admin, onWeb("first.example.com", "shop")); err != nil {
		t.Fatal(err)
	}
	first, mine, app := core.DefaultZone+`\first.example.com`, core.DefaultZone+`\mine`, core.DefaultZone+`\web\shop`
	put(t, r, mine, clm.ServerCertificate, nil)
	alice := user(t, r, "alice")
	give(t, r, core.DefaultZone, "alice", clm.AllRights)
	for _, c := range []struct {
		rights clm.Rights // on the other certificate
		value  string     // what is told of it
	}{{clm.KeyRead, ""}, {clm.Read, first}} {
		give(t, r, first, "alice", c.rights)
		for _, wanted := range []string{mine, ""} {
			changed, err := r.Bind(ctx, alice, app, wanted)
			if e := clm.AsError(err); e == nil || e.Kind != clm.Denied || e.Field != "bound" || e.Value != c.value || changed {
				t.Errorf("got %v, %v; want it denied about %q", changed, err, c.value)
			}
		}
	}
	give(t, r, first, "alice", clm.Write)
	if changed, err := r.Bind(ctx, alice, app, mine); err != nil || !changed {
		t.Errorf("got %v, %v from one who may write both", changed, err)
	}
}

// The values of custom fields are for those who may read the object.
func TestFieldsAreForReaders(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	fields(t, r)
	ctx := context.Background()
	_, err := r.Request(ctx, r.Admin, core.Request{
		Folder: core.DefaultZone, Names: clm.Names{CommonName: "www.example.com"}, Fields: []core.FieldValues{{Name: "Cost Centre", Values: []string{"4711"}}},
	})
	check(t, err)
	viewer, reader, nobody := user(t, r, "viewer"), user(t, r, "reader"), user(t, r, "nobody")
	give(t, r, core.DefaultZone, "viewer", clm.View)
	give(t, r, core.DefaultZone, "reader", clm.Read)
	for _, c := range []struct {
		who  clm.Actor
		want int
		err  error
	}{{viewer, 0, clm.Denied}, {reader, 1, nil}, {nobody, 0, clm.NotFound}} {
		got, err := r.Fields(ctx, c.who, core.DefaultZone+`\www.example.com`, false)
		if len(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %v; want %d", c.who.Name, got, err, c.want)
		}
	}
}
