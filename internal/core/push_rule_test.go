package core

import (
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
)

// failed compares a failure with a kind and a field, both empty for none.
func failed(t *testing.T, err error, kind clm.Kind, field, value string) {
	t.Helper()
	got := clm.AsError(err)
	switch {
	case got == nil && kind == clm.Internal:
	case got == nil, got.Kind != kind, got.Field != field, got.Value != value:
		t.Errorf("got %v, want %v %q %q", err, kind, field, value)
	}
}

// TestCertificateMayBePushed has a row for each rule, and one for each two that could
// both have answered.
func TestCertificateMayBePushed(t *testing.T) {
	type facts struct {
		class       clm.Class
		management  string
		off         bool
		open        *Open
		certificate []byte
	}
	good := facts{clm.ServerCertificate, clm.Provisioning, false, nil, []byte("certificate")}
	with := func(change func(*facts)) facts {
		f := good
		change(&f)
		return f
	}
	at := func(stage clm.Stage, state clm.State) *Open {
		return &Open{Work: clm.Work{Op: clm.Enroll, Stage: stage}, State: state}
	}
	for _, c := range []struct {
		name  string
		facts facts
		kind  clm.Kind
		field string
		value string
	}{
		{"a server's", good, 0, "", ""},
		{"a device's", with(func(f *facts) { f.class = clm.DeviceCertificate }), 0, "", ""},
		{"any", with(func(f *facts) { f.class = clm.AnyCertificate }), 0, "", ""},
		{"a user's", with(func(f *facts) { f.class = clm.UserCertificate }), clm.Unsupported, "type", string(clm.UserCertificate)},
		{"for signing code", with(func(f *facts) { f.class = clm.CodeSigningCertificate }), clm.Unsupported, "type", string(clm.CodeSigningCertificate)},
		{"of a kind without rules", with(func(f *facts) { f.class = clm.AnyCertificate.Kind("timestamping") }), clm.Unsupported, "type", "certificate/timestamping"},
		{"that is only enrolled", with(func(f *facts) { f.management = clm.Enrollment }), clm.Unsupported, "type", string(clm.ServerCertificate)},
		{"of no management type", with(func(f *facts) { f.management = "" }), clm.Unsupported, "type", string(clm.ServerCertificate)},
		{"disabled and only monitored", with(func(f *facts) { f.management, f.off = clm.Monitoring, true }), clm.Unsupported, "type", string(clm.ServerCertificate)},
		{"disabled", with(func(f *facts) { f.off = true }), clm.Disabled, "", ""},
		{"disabled and in error", with(func(f *facts) { f.off, f.open = true, at(clm.Submit, clm.Stopped) }), clm.Disabled, "", ""},
		{"in error", with(func(f *facts) { f.open = at(clm.Submit, clm.Stopped) }), clm.InError, "", ""},
		{"queued", with(func(f *facts) { f.open = at(clm.CreateKey, clm.Queued) }), clm.Busy, "queued", ""},
		{"waiting for a yes before it begins", with(func(f *facts) {
			f.open = at(clm.CreateKey, clm.Gated)
			f.open.Gates = []clm.Gate{{Point: clm.Start}}
		}), clm.Busy, "queued", ""},
		{"waiting for a yes at the CA", with(func(f *facts) {
			f.open = at(clm.Submit, clm.Gated)
			f.open.Gates = []clm.Gate{{Point: clm.Submit}}
		}), clm.Busy, "", "submit"},
		{"under way", with(func(f *facts) { f.open = at(clm.Collect, clm.Processing) }), clm.Busy, "", "collect"},
		{"under way for the first time", with(func(f *facts) { f.open, f.certificate = at(clm.Collect, clm.Processing), nil }), clm.Busy, "", "collect"},
		{"without a certificate", with(func(f *facts) { f.certificate = nil }), clm.NotIssued, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			place := &clm.Object{Class: c.facts.class, Own: map[clm.Attr][]string{}}
			set(place.Own, clm.ManagementType, c.facts.management)
			if c.facts.off {
				set(place.Own, clm.Off, "1")
			}
			o := origin{path: clm.Path{place}, open: c.facts.open, version: clm.Version{Cert: c.facts.certificate}}
			failed(t, o.may(), c.kind, c.field, c.value)
		})
	}
}

// TestApplicationMayGetIt has a row for each rule, in their order: what is wrong with an
// application comes on top of all that follows.
func TestApplicationMayGetIt(t *testing.T) {
	from := origin{path: clm.Path{{ID: "this", DN: `\VED\Policy\www`}}, hasKey: true}
	at := func(stage clm.Stage, state clm.State) *Open {
		return &Open{Work: clm.Work{Op: clm.Install, Stage: stage}, State: state}
	}
	type facts struct {
		consumer
		off, keyless bool
	}
	good := facts{consumer: consumer{
		path: clm.Path{{ID: "app", Class: clm.ApplicationClass("pem"), Own: map[clm.Attr][]string{}}}, rights: clm.Read | clm.Write | clm.Associate,
		uses: "this", driver: deploy.Driver{WantsKey: true}, driven: true,
	}}
	with := func(changes ...func(*facts)) facts {
		f := good
		for _, change := range changes {
			change(&f)
		}
		return f
	}
	var (
		unseen    = func(f *facts) { f.rights &^= clm.Read }
		device    = func(f *facts) { f.path = clm.Path{{ID: "app", Class: clm.Device, Own: map[clm.Attr][]string{}}} }
		unwritten = func(f *facts) { f.rights &^= clm.Write }
		unbound   = func(f *facts) { f.rights &^= clm.Associate }
		undriven  = func(f *facts) { f.driven, f.driver = false, deploy.Driver{} }
		free      = func(f *facts) { f.uses = "" }
		taken     = func(f *facts) { f.uses, f.shown = "other", `\VED\Policy\other` }
		off       = func(f *facts) { f.off = true }
		stopped   = func(f *facts) { f.open = at(clm.Verify, clm.Stopped) }
		working   = func(f *facts) { f.open = at(clm.Inspect, clm.Processing) }
		keyless   = func(f *facts) { f.keyless = true }
		queued    = func(f *facts) { f.open = at(clm.Place, clm.Queued) }
	)
	for _, c := range []struct {
		name  string
		facts facts
		kind  clm.Kind
		field string
		value string
	}{
		{"it may", good, 0, "", ""},
		{"it may be seen only", with(unseen, device), clm.Denied, "application/read", ""},
		{"it is a device", with(device, unwritten), clm.Unsupported, "application", string(clm.Device)},
		{"it may not be written", with(unwritten, undriven), clm.Denied, "application", ""},
		{"it may not be associated", with(unbound, undriven), clm.Denied, "application", ""},
		{"nothing is installed there", with(undriven, free), clm.Unsupported, "driver", ""},
		{"it uses nothing", with(free, off), clm.NotFound, "bound", `\VED\Policy\www`},
		{"it uses another", with(taken, off), clm.Exists, "bound", `\VED\Policy\other`},
		{"it is disabled", with(off, stopped), clm.Disabled, "application", ""},
		{"it is in error", with(stopped, keyless), clm.InError, "application", ""},
		{"another is being installed", with(working, keyless), clm.Busy, "application", "inspect"},
		{"it needs a key that is not held", with(queued, keyless), clm.NoKey, "application", ""},
		{"it is queued", with(queued), clm.Busy, "application/queued", ""},
		{"it needs no key", with(keyless, func(f *facts) { f.driver.WantsKey = false }), 0, "", ""},
		{"it is only looked at", with(func(f *facts) { f.open = at(clm.Verify, clm.Processing) }), 0, "", ""},
		{"it waits for a yes before the look", with(func(f *facts) { f.open = at(clm.Verify, clm.Gated) }), 0, "", ""},
		{"it waits for a yes before anything", with(func(f *facts) { f.open = at(clm.Place, clm.Gated) }), clm.Busy, "application", "place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, o := c.facts.consumer, from
			app := *a.path.Last()
			if app.Own = map[clm.Attr][]string{}; c.facts.off {
				set(app.Own, clm.Off, "1")
			}
			a.path, o.hasKey = clm.Path{&app}, !c.facts.keyless
			err := a.mayBePushed()
			if err == nil {
				err = a.isReady(o)
			}
			failed(t, err, c.kind, c.field, c.value)
		})
	}
}
