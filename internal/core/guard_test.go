package core_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// newKey makes an EC key.
func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := pki.GenerateKey(pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// csrOf makes a signing request as a client sends it.
func csrOf(t testing.TB, names clm.Names, key crypto.Signer) string {
	t.Helper()
	der, err := pki.CreateCSR(names, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// scene is a place that cannot be renewed, and the renewal that is tried.
type scene struct {
	rules map[clm.Attr]clm.Rule
	own   map[clm.Attr][]string
	work  *clm.Work
	who   clm.Actor
	renew core.Renew
}

// guard is one reason to refuse a renewal.
type guard struct {
	name   string
	stands func(*scene)
	kind   clm.Kind
	field  string
	not    string // another that cannot stand at the same time
}

// locked is a rule that binds.
func locked(values ...string) clm.Rule { return clm.Rule{Values: values, Locked: true} }

// guards are all reasons to refuse a renewal, in the order in which they are
// asked.
func guards(fresh, used string, reader clm.Actor) []guard {
	give := func(csr string) func(*scene) {
		return func(s *scene) { s.renew.CSR = csr }
	}
	return []guard{
		{"no right", func(s *scene) { s.who = reader }, clm.NotFound, "", ""},
		{"the edge objects", func(s *scene) {
			s.renew.Check = func(clm.Path, bool) error { return clm.Fail(clm.Unsupported, "format", "") }
		}, clm.Unsupported, "format", ""},
		{"only monitored", func(s *scene) { s.own[clm.ManagementType] = []string{clm.Monitoring} }, clm.Unmanaged, "", ""},
		{"busy", func(s *scene) { s.work = &clm.Work{Stage: clm.Submit, Begun: true, NotBefore: clm.Never} }, clm.Busy, "", "in error"},
		{"disabled", func(s *scene) { s.own[clm.Off] = []string{"1"} }, clm.Disabled, "", ""},
		{"in error", func(s *scene) { s.work = &clm.Work{Stage: clm.Submit, Begun: true, Failure: "refused"} }, clm.InError, "", "busy"},
		{"a signing request is refused", func(s *scene) {
			s.rules[clm.UserCSR] = locked("0")
			if s.renew.CSR == "" {
				s.renew.CSR = fresh
			}
		}, clm.NeedsCSR, "refused", ""},
		{"the signing request cannot be read", give("nonsense!"), clm.Invalid, "csr", "the key has served"},
		{"the key has served", give(used), clm.Violation, "", "the signing request cannot be read"},
		{"policy", func(s *scene) {
			s.rules[clm.Organization] = locked("Shop")
			s.own[clm.Organization] = nil
			s.renew.CSR = orElse(s.renew.CSR, fresh)
		}, clm.Violation, "", ""},
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Of two reasons to refuse a renewal the one that is asked first is given, whichever
// two they are; nothing is changed, and the refusal is in the audit log with its kind.
func TestFirstGuardAnswers(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	names := clm.Names{CommonName: "www.example.com"}
	fresh, used := csrOf(t, names, newKey(t)), csrOf(t, names, newKey(t))
	if _, err := r.Request(context.Background(), r.Admin, core.Request{Folder: core.DefaultZone, Name: "used", CSR: used}); err != nil {
		t.Fatal(err)
	}
	reader := user(t, r, "reader")
	all := guards(fresh, used, reader)
	for i, first := range all {
		for j, second := range all[i:] {
			if first.not == second.name {
				continue
			}
			t.Run(first.name+" and "+second.name, func(t *testing.T) {
				s := scene{rules: map[clm.Attr]clm.Rule{}, own: map[clm.Attr][]string{clm.CommonName: {"www.example.com"}}, who: r.Admin}
				second.stands(&s)
				first.stands(&s)
				s.renew.DN = s.set(t, r, fmt.Sprintf(`\VED\Policy\Scene %d-%d`, i, i+j))
				before, err := r.Object(context.Background(), r.Admin, s.renew.DN)
				if err != nil {
					t.Fatal(err)
				}
				_, err = r.Renew(context.Background(), s.who, s.renew)
				got := clm.AsError(err)
				if err == nil || got.Kind != first.kind || got.Field != first.field || got.Subject != s.renew.DN {
					t.Errorf("got %v, want %v %s about %s", err, first.kind, first.field, s.renew.DN)
				}
				if first.name == "the key has served" && !cmp.Equal(got.Breaches, []clm.Breach{{Rule: clm.RuleKeyReuse}}) {
					t.Errorf("got breaches %v, want key reuse alone", got.Breaches)
				}
				if after, err := r.Object(context.Background(), r.Admin, s.renew.DN); err != nil || !cmp.Equal(before, after) {
					t.Errorf("the place has changed: %v, %s", err, cmp.Diff(before, after))
				}
				checkRefusal(t, r, "renew", s.renew.DN, s.who.Name, first.kind)
			})
		}
	}
}

// set sets the scene in a folder of its own and returns the DN of its place.
func (s *scene) set(t testing.TB, r *coretest.Rig, folder string) string {
	t.Helper()
	ctx := context.Background()
	r.Folder(folder, s.rules)
	if _, err := r.Put(ctx, r.Admin, core.Put{DN: folder, Class: clm.Folder, Rights: map[string]clm.Rights{"reader": clm.Read | clm.KeyRead}}); err != nil {
		t.Fatal(err)
	}
	dn := folder + `\place`
	if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: clm.ServerCertificate, Own: s.own}); err != nil {
		t.Fatal(err)
	}
	if s.work == nil {
		return dn
	}
	o, err := r.Object(ctx, r.Admin, dn)
	if err == nil {
		w := *s.work
		w.Op, w.Lane, w.Subject = clm.Enroll, clm.EnrollLane, o.ID
		err = r.DB.Write(ctx, store.Entry{Action: "set the scene"}, func(tx *store.Tx) error { return tx.AddWork(&w) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return dn
}

// user makes a user who has no rights as yet.
func user(t testing.TB, r *coretest.Rig, name string) clm.Actor {
	t.Helper()
	ctx := context.Background()
	if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: name, Password: r.Password}); err != nil {
		t.Fatal(err)
	}
	who, err := r.Login(ctx, core.Login{Name: name, Password: r.Password})
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// entries lists the audit entries with the action.
func entries(t testing.TB, r *coretest.Rig, action string) (found []store.AuditEntry) {
	t.Helper()
	all, err := r.DB.Audit(context.Background(), 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Action == action {
			found = append(found, e)
		}
	}
	return found
}

// checkRefusal wants the last entry with the action to be this refusal.
func checkRefusal(t testing.TB, r *coretest.Rig, action, subject, who string, kind clm.Kind) {
	t.Helper()
	all := entries(t, r, action)
	if len(all) == 0 {
		t.Errorf("no %s is in the audit log", action)
		return
	}
	if e := all[len(all)-1]; e.Subject != subject || e.Actor != who || e.Outcome != kind.Error() {
		t.Errorf("got audit entry %+v, want %s's %s of %s to be refused as %q", e, who, action, subject, kind.Error())
	}
}

// Who may not write, or may not read keys, is told that there is nothing to renew.
func TestRenewNeedsBothRights(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	who := user(t, r, "jo")
	for _, test := range []struct {
		rights clm.Rights
		want   error
	}{
		{0, clm.NotFound}, {clm.View, clm.NotFound}, {clm.Write, clm.NotFound}, {clm.View | clm.KeyRead, clm.NotFound}, {clm.AllRights &^ clm.KeyRead, clm.NotFound}, {clm.Write | clm.KeyRead, nil},
	} {
		folder := fmt.Sprintf(`\VED\Policy\Rights %b`, test.rights)
		s := scene{own: map[clm.Attr][]string{clm.CommonName: {"www.example.com"}}}
		user(t, r, "reader")
		dn := s.set(t, r, folder)
		if _, err := r.Put(context.Background(), r.Admin, core.Put{DN: folder, Class: clm.Folder, Rights: map[string]clm.Rights{"jo": test.rights}}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Renew(context.Background(), who, core.Renew{DN: dn}); !errors.Is(err, test.want) {
			t.Errorf("with %b: got %v, want %v", test.rights, err, test.want)
		}
	}
}

// A disabled place is renewed where that is asked for, and is then enabled.
func TestReenable(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	user(t, r, "reader")
	s := scene{own: map[clm.Attr][]string{clm.CommonName: {"www.example.com"}, clm.Off: {"1"}, clm.KeyAlgorithm: {clm.ECC}}}
	done, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: s.set(t, r, `\VED\Policy\Off`), Reenable: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := await(t, r, done); got.Place.IsOff() {
		t.Error("the place is still disabled")
	}
}

// There is one gate of compliance: whatever a signing request breaks, a request, a
// renewal and the question how it would fare say the same.
func TestOneGate(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	for i, test := range []struct {
		name  string
		rules map[clm.Attr]clm.Rule
		names clm.Names
		want  []clm.Breach
	}{
		{"nothing", nil, clm.Names{CommonName: "www.example.com"}, nil},
		{"organization", map[clm.Attr]clm.Rule{clm.Organization: locked("Shop")}, clm.Names{CommonName: "www", Organization: "Other"}, []clm.Breach{{Rule: clm.RuleOrganization, Value: "Other"}}},
		{"organization left out", map[clm.Attr]clm.Rule{clm.Organization: locked("Shop")}, clm.Names{CommonName: "www"}, []clm.Breach{{Rule: clm.RuleOrganization}}},
		{"units", map[clm.Attr]clm.Rule{clm.OrganizationalUnit: locked("Web")}, clm.Names{CommonName: "www", OrganizationalUnit: []string{"Ops"}},
			[]clm.Breach{{Rule: clm.RuleUnitMissing, Value: "Web"}, {Rule: clm.RuleUnitForbidden, Value: "Ops"}}},
		{"whitelist", map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.com"}}}, clm.Names{CommonName: "www.example.org", DNS: []string{"a.example.com", "b.example.org"}},
			[]clm.Breach{{Rule: clm.RuleWhitelistCN, Value: "www.example.org"}, {Rule: clm.RuleWhitelistDNS, Value: "b.example.org"}}},
		{"wildcards", map[clm.Attr]clm.Rule{clm.ProhibitWildcard: {Values: []string{"1"}}}, clm.Names{CommonName: "*.example.com", DNS: []string{"*.example.com"}},
			[]clm.Breach{{Rule: clm.RuleWildcardCN, Value: "*.example.com"}, {Rule: clm.RuleWildcardDNS, Value: "*.example.com"}}},
		{"kinds of names", map[clm.Attr]clm.Rule{clm.ProhibitedSANs: {Values: []string{"IP", "Email"}}}, clm.Names{CommonName: "www", IP: []string{"192.0.2.1"}, Email: []string{"a@example.com"}},
			[]clm.Breach{{Rule: clm.RuleEmail}, {Rule: clm.RuleIP}}},
		{"algorithm", map[clm.Attr]clm.Rule{clm.KeyAlgorithm: locked("RSA"), clm.Country: locked("BE")}, clm.Names{CommonName: "www", Country: "NL"},
			[]clm.Breach{{Rule: clm.RuleCountry, Value: "NL"}, {Rule: clm.RuleKeyAlgorithm, Value: clm.ECC}}},
		{"curve", map[clm.Attr]clm.Rule{clm.Curve: locked("P384")}, clm.Names{CommonName: "www"}, []clm.Breach{{Rule: clm.RuleCurve, Value: clm.P256}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			folder := r.Folder(fmt.Sprintf(`\VED\Policy\Gate %d`, i), test.rules)
			place := folder + `\place`
			if _, err := r.Put(ctx, r.Admin, core.Put{DN: place, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.CommonName: {"www"}}}); err != nil {
				t.Fatal(err)
			}
			csr := csrOf(t, test.names, newKey(t))
			fares, err := r.Policy(ctx, r.Admin, folder, csr)
			if err != nil {
				t.Fatal(err)
			}
			_, renewed := r.Renew(ctx, r.Admin, core.Renew{DN: place, CSR: csr})
			_, requested := r.Request(ctx, r.Admin, core.Request{Folder: folder, Name: "place", CSR: csr})
			for way, got := range map[string][]clm.Breach{"policy": fares.Breaches, "renewal": breaches(t, renewed), "request": breaches(t, requested)} {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// breaches are those of a violation; none of no error.
func breaches(t testing.TB, err error) []clm.Breach {
	t.Helper()
	if err == nil {
		return nil
	}
	if !errors.Is(err, clm.Violation) {
		t.Errorf("got %v, want a violation", err)
	}
	return clm.AsError(err).Breaches
}

// What is made here obeys policy by itself where the request says nothing, and is
// refused where it says otherwise.
func TestServiceMadeRequestsObey(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	folder := r.Folder(`\VED\Policy\Strict`, map[clm.Attr]clm.Rule{
		clm.Organization: locked("Shop"), clm.OrganizationalUnit: locked("Web", "Mail"), clm.Country: locked("BE"), clm.KeyAlgorithm: locked("ECC"), clm.Curve: locked("P384"),
	})
	done, err := r.Request(context.Background(), r.Admin, core.Request{Folder: folder, Names: clm.Names{CommonName: "www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pki.ParseCSRDER(await(t, r, done).Version.CSR)
	if err != nil || csr.Names.Organization != "Shop" || len(csr.Names.OrganizationalUnit) != 2 || csr.Names.Country != "BE" || csr.Key.Curve != clm.P384 {
		t.Errorf("got %+v, %v", csr, err)
	}
	_, err = r.Request(context.Background(), r.Admin, core.Request{Folder: folder, Names: clm.Names{CommonName: "b.example.com", Organization: "Other"}, Curve: clm.P256})
	if diff := cmp.Diff([]clm.Breach{{Rule: clm.RuleCurve, Value: clm.P256}, {Rule: clm.RuleOrganization, Value: "Other"}}, breaches(t, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Policy locks the least size of a key: who asks for more gets more.
func TestLongerKeysThanPolicyAsks(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	folder := r.Folder(`\VED\Policy\Long`, map[clm.Attr]clm.Rule{clm.KeySize: locked("2048")})
	for _, test := range []struct{ asked, want int }{{0, 2048}, {3072, 3072}} {
		done, err := r.Request(context.Background(), r.Admin, core.Request{Folder: folder, Names: clm.Names{CommonName: fmt.Sprintf("www%d", test.asked)}, KeySize: test.asked})
		if err != nil {
			t.Fatal(err)
		}
		if csr, err := pki.ParseCSRDER(await(t, r, done).Version.CSR); err != nil || csr.Key.Bits != test.want {
			t.Errorf("asked for %d bits: got %v, %v; want %d", test.asked, csr.Key, err, test.want)
		}
	}
}

// A key that has served does not serve again, here or elsewhere, unless policy
// lets it.
func TestForeignKeysServeOnce(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		strict := r.Folder(`\VED\Policy\Strict`, nil)
		lax := r.Folder(`\VED\Policy\Lax`, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: {Values: []string{"1"}}})
		key := newKey(t)
		csr := csrOf(t, clm.Names{CommonName: "www.example.com"}, key)
		first, err := r.Request(ctx, r.Admin, core.Request{Folder: strict, CSR: csr})
		if err != nil {
			t.Fatal(err)
		}
		if got := await(t, r, first); got.Key != nil {
			t.Error("there is a key of a certificate whose key was made elsewhere")
		}
		for _, test := range []struct {
			name string
			try  func(csr string) error
			want []clm.Breach
		}{
			{"a renewal", func(csr string) error {
				_, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.DN), CSR: csr})
				return err
			}, []clm.Breach{{Rule: clm.RuleKeyReuse}}},
			{"a request elsewhere", func(csr string) error {
				_, err := r.Request(ctx, r.Admin, core.Request{Folder: strict, Name: "other", CSR: csr})
				return err
			}, []clm.Breach{{Rule: clm.RuleKeyReuse}}},
			{"a request where it may", func(csr string) error {
				_, err := r.Request(ctx, r.Admin, core.Request{Folder: lax, CSR: csr})
				return err
			}, nil},
		} {
			// Another request for the same key is another request with the same key.
			for _, csr := range []string{csr, csrOf(t, clm.Names{CommonName: "b.example.com"}, key)} {
				if diff := cmp.Diff(test.want, breaches(t, test.try(csr))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", test.name, diff)
				}
			}
		}
		if _, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.DN)}); !errors.Is(err, clm.NeedsCSR) || clm.AsError(err).Field != "origin" {
			t.Errorf("renewed without a signing request: got %v", err)
		}
		if _, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(first.DN), WithKey: true}); !errors.Is(err, clm.NoKey) {
			t.Errorf("its key: got %v, want NoKey", err)
		}
	})
}

// A renewal makes a new key unless policy allows the old one and wants it.
func TestRenewalKeepsTheKeyIfBothSaySo(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		for _, test := range []struct {
			allowed, wanted string
			same            bool
		}{{"0", "0", false}, {"1", "0", false}, {"0", "1", false}, {"1", "1", true}} {
			folder := r.Folder(`\VED\Policy\Reuse `+test.allowed+test.wanted, map[clm.Attr]clm.Rule{
				clm.ReuseKeyAllowed: {Values: []string{test.allowed}}, clm.ReuseKeyWanted: {Values: []string{test.wanted}},
			})
			first := request(t, r, folder, "www.example.com")
			done, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(first.Place.DN)})
			if err != nil {
				t.Fatal(err)
			}
			second := await(t, r, done)
			if same := string(first.Version.KeyHash) == string(second.Version.KeyHash); same != test.same || second.Key == nil {
				t.Errorf("allowed %s, wanted %s: the same key is %v, want %v", test.allowed, test.wanted, same, test.same)
			}
			if first.Version.Serial == second.Version.Serial {
				t.Error("the renewal has the old serial number")
			}
		}
	})
}

// A key that policy would not have made any more is not kept, whoever wants that.
func TestRenewalDoesNotKeepAKeyThatPolicyForbids(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		rules := map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: {Values: []string{"1"}}, clm.ReuseKeyWanted: {Values: []string{"1"}}}
		folder := r.Folder(`\VED\Policy\Stricter`, rules)
		first := request(t, r, folder, "www.example.com")
		rules[clm.KeyAlgorithm] = clm.Rule{Values: []string{"ECC"}, Locked: true}
		rules[clm.Curve] = clm.Rule{Values: []string{"P384"}, Locked: true}
		r.Folder(`\VED\Policy\Stricter`, rules)
		if _, err := r.Change(context.Background(), r.Admin, first.Place.ID, map[clm.Attr][]string{clm.KeyAlgorithm: {"ECC"}, clm.Curve: {"P384"}}); err != nil {
			t.Fatal(err)
		}
		done, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(first.Place.DN)})
		if err != nil {
			t.Fatal(err)
		}
		second := await(t, r, done)
		if key := pki.SpecOf(second.Key.Public()); key.Curve != "P384" {
			t.Errorf("the new certificate has a key of the kind %s", key)
		}
	})
}
