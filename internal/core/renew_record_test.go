package core_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// regenerate is what is asked for most: the same with another key.
func regenerate(v clm.Version) core.Renew {
	return core.Renew{Record: &core.RecordRef{ID: core.RecordID(v)}, Key: clm.KeyNew, Action: core.ActionRegenerate, Reason: "a test"}
}

// renewAs is a renewal with the key that is there.
func renewAs(v clm.Version) core.Renew {
	return core.Renew{Record: &core.RecordRef{ID: core.RecordID(v)}, Key: clm.KeySame, Action: core.ActionRenew}
}

// reissue is another certificate that ends when this one does.
func reissue(v clm.Version) core.Renew {
	return core.Renew{Record: &core.RecordRef{ID: core.RecordID(v)}, Key: clm.KeyNew, KeepEnd: true, Action: core.ActionReissue, Reason: "a test"}
}

// next carries a renewal out.
func next(t testing.TB, r *coretest.Rig, ask core.Renew) core.Issued {
	t.Helper()
	done, err := r.Renew(context.Background(), r.Admin, ask)
	if err != nil {
		t.Fatal(err)
	}
	return await(t, r, done)
}

// refused wants the renewal to be refused in this way.
func refused(t testing.TB, r *coretest.Rig, what string, ask core.Renew, kind clm.Kind, field string) {
	t.Helper()
	_, err := r.Renew(context.Background(), r.Admin, ask)
	if got := clm.AsError(err); err == nil || got.Kind != kind || got.Field != field {
		t.Errorf("%s: got %v, want %v %s", what, err, kind, field)
	}
}

// recordGuards are all reasons to refuse a renewal by record, in the order in which they
// are asked.
func recordGuards(fresh, used string, reader, stranger clm.Actor) []guard {
	give := func(csr string) func(*scene) {
		return func(s *scene) { s.renew.CSR = csr }
	}
	return []guard{
		{"not to be seen", func(s *scene) { s.who = stranger }, clm.NotFound, "", "only to be read"},
		{"only to be read", func(s *scene) { s.who = reader }, clm.Denied, "", "not to be seen"},
		{"only monitored", func(s *scene) { s.own[clm.ManagementType] = []string{clm.Monitoring} }, clm.Unmanaged, "", ""},
		{"busy", func(s *scene) {
			s.work = &clm.Work{Op: clm.Enroll, Stage: clm.Submit, Begun: true, NotBefore: clm.Never}
		}, clm.Busy, "", "being revoked"},
		{"being revoked", func(s *scene) { s.work = &clm.Work{Op: clm.Revoke, Stage: clm.RevokeAt, NotBefore: clm.Never} }, clm.Busy, "revocation", "busy"},
		{"disabled", func(s *scene) { s.own[clm.Off] = []string{"1"} }, clm.Disabled, "", ""},
		{"no authority", func(s *scene) { s.own[clm.IssuedBy] = []string{`\VED\Policy\Nowhere`} }, clm.Unsupported, "authority", ""},
		{"the signing request cannot be read", give("nonsense!"), clm.Invalid, "csr", "the key has served"},
		{"the key has served", give(used), clm.Violation, "", "the signing request cannot be read"},
		{"a signing request is refused", func(s *scene) {
			s.rules[clm.UserCSR] = locked("0")
			s.renew.CSR = orElse(s.renew.CSR, fresh)
		}, clm.NeedsCSR, "refused", ""},
		{"policy", func(s *scene) {
			s.rules[clm.Organization] = locked("Shop")
			s.renew.CSR = orElse(s.renew.CSR, fresh)
		}, clm.Violation, "", ""},
	}
}

// Of two reasons to refuse a renewal by record the one that is asked first is given, and
// nothing is changed.
func TestFirstRecordGuardAnswers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	names := clm.Names{CommonName: "www.example.com"}
	fresh, used := csrOf(t, names, newKey(t)), csrOf(t, names, newKey(t))
	if _, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, Name: "used", CSR: used}); err != nil {
		t.Fatal(err)
	}
	all := recordGuards(fresh, used, user(t, r, "reader"), user(t, r, "stranger"))
	for i, first := range all {
		for j, second := range all[i:] {
			if first.not == second.name {
				continue
			}
			t.Run(first.name+" and "+second.name, func(t *testing.T) {
				s := scene{rules: map[clm.Attr]clm.Rule{}, own: map[clm.Attr][]string{}, who: r.Admin}
				second.stands(&s)
				first.stands(&s)
				v := s.setRecord(t, r, fmt.Sprintf(`\VED\Policy\Scene %d-%d`, i, i+j))
				csr := s.renew.CSR
				s.renew = regenerate(v)
				s.renew.CSR = csr
				place := string(recordNamed(t, r, core.RecordID(v)).Path.Last().DN)
				before, err := r.Object(ctx, r.Admin, place)
				if err != nil {
					t.Fatal(err)
				}
				_, err = r.Renew(ctx, s.who, s.renew)
				if got := clm.AsError(err); err == nil || got.Kind != first.kind || got.Field != first.field {
					t.Errorf("got %v, want %v %s", err, first.kind, first.field)
				}
				if first.kind == clm.Busy {
					checkBusy(t, r, clm.AsError(err), first.name == "being revoked", v)
				}
				if after, err := r.Object(ctx, r.Admin, place); err != nil || !cmp.Equal(before, after) {
					t.Errorf("the place has changed: %v, %s", err, cmp.Diff(before, after))
				}
				if n, err := r.Versions(place); err != nil || n > 1 {
					t.Errorf("there are %d versions, %v", n, err)
				}
			})
		}
	}
}

// checkBusy wants the refusal to name the work that is in the way.
func checkBusy(t *testing.T, r *coretest.Rig, got *clm.Error, revocation bool, v clm.Version) {
	t.Helper()
	id, err := strconv.ParseInt(got.Value, 10, 64)
	if err != nil {
		t.Fatalf("the refusal names %q", got.Value)
	}
	if w := workOf(t, r, clm.WorkID(id)); w.Subject != v.Certificate || (w.Op == clm.Revoke) != revocation {
		t.Errorf("the refusal names %+v", w)
	}
}

// setRecord sets the scene in a folder of its own around a certificate that was issued
// elsewhere, and returns its version.
func (s *scene) setRecord(t testing.TB, r *coretest.Rig, folder string) clm.Version {
	t.Helper()
	ctx := context.Background()
	r.Folder(folder, nil)
	if _, err := r.Put(ctx, r.Admin, core.Put{DN: folder, Class: clm.Folder, Rights: map[string]clm.Rights{"reader": clm.View | clm.Read | clm.KeyRead}}); err != nil {
		t.Fatal(err)
	}
	leaf := foreignLeaf(t, "www.example.com", time.Hour, nil)
	done := take(t, r, core.Import{Folder: folder, Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
	r.Secret(leaf.keyPEM(t))
	v := inUse(t, r, done.DN).Version
	r.Folder(folder, s.rules)
	if _, err := r.Put(ctx, r.Admin, core.Put{DN: string(done.DN), Class: clm.ServerCertificate, Own: s.own}); err != nil {
		t.Fatal(err)
	}
	if s.work != nil {
		w := *s.work
		w.Lane, w.Subject, w.Version = clm.EnrollLane, v.Certificate, v.ID
		if w.Op == clm.Revoke {
			w.Lane = clm.RevokeLane(v.ID)
		}
		if err := r.DB.Write(ctx, store.Entry{Action: "set the scene"}, func(tx *store.Tx) error { return tx.AddWork(&w) }); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// Of fifty calls that come at once one is accepted; the others are told what is in the
// way, and there is one new version.
func TestOneOfManyRecordRenewals(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		const many = 50
		r := coretest.New(t, d, coretest.Options{})
		first := request(t, r, core.DefaultZone, "www.example.com")
		r.Stop()
		r.Start(coretest.Options{Idle: true})
		accepted, errs := make([]core.Accepted, many), make([]error, many)
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				accepted[i], errs[i] = r.Renew(context.Background(), r.Admin, regenerate(first.Version))
			})
		}
		wg.Wait()
		taken := core.Accepted{}
		for i, err := range errs {
			if err == nil && taken.Work != 0 {
				t.Error("two were accepted")
			}
			if err == nil {
				taken = accepted[i]
			}
		}
		for _, err := range errs {
			if err != nil && (!errors.Is(err, clm.Busy) || clm.AsError(err).Value != strconv.FormatInt(int64(taken.Work), 10)) {
				t.Errorf("got %v, want busy with %d", err, taken.Work)
			}
		}
		if n, err := r.Versions(string(first.Place.DN)); err != nil || n != 2 {
			t.Errorf("there are %d versions, %v", n, err)
		}
	})
}

// What is accepted and not begun when the process ends is carried out by the next one,
// once (REG-52).
func TestAcceptedRecordRenewalOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		o := coretest.Options{Connectors: f.Connectors()}
		r := coretest.New(t, d, o)
		r.AddFaulty(nil)
		first := request(t, r, coretest.FaultyZone, "www.example.com")
		asked, answer := f.Hold(t, "submit")
		done, err := r.Renew(context.Background(), r.Admin, regenerate(first.Version))
		if err != nil {
			t.Fatal(err)
		}
		<-asked
		go answer()
		r.Stop()
		r.Start(o)
		r.Clock.Turn(time.Hour) // whoever was at it does not come back
		second := await(t, r, done)
		if n, err := r.Versions(string(first.Place.DN)); err != nil || n != 2 || second.Version.ID != done.Version {
			t.Errorf("there are %d versions, the one in use is %d; %v", n, second.Version.ID, err)
		}
	})
}

// A new key is one that was never there, whatever policy would allow; the same one is kept
// where policy has nothing against it; and the end stays where that is wanted.
func TestKeysOfRecordRenewals(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		keeps := r.Folder(`\VED\Policy\Keeps`, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: locked("1"), clm.ReuseKeyWanted: locked("1")})
		forbids := r.Folder(`\VED\Policy\Forbids`, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: locked("0")})
		for _, folder := range []string{core.DefaultZone, keeps, forbids} {
			first := request(t, r, folder, "www.example.com")
			second := next(t, r, regenerate(first.Version))
			if bytes.Equal(first.Version.KeyHash, second.Version.KeyHash) {
				t.Errorf("%s: the old key was taken again", folder)
			}
			third := next(t, r, renewAs(second.Version))
			if same := bytes.Equal(second.Version.KeyHash, third.Version.KeyHash); same != (folder != forbids) {
				t.Errorf("%s: whether the key was kept: %v", folder, same)
			}
			r.Clock.Turn(time.Hour)
			fourth := next(t, r, reissue(third.Version))
			if bytes.Equal(third.Version.KeyHash, fourth.Version.KeyHash) || !fourth.Version.NotAfter.Equal(third.Version.NotAfter) {
				t.Errorf("%s: it ends %v, the one before %v", folder, fourth.Version.NotAfter, third.Version.NotAfter)
			}
			if n, err := r.Versions(string(first.Place.DN)); err != nil || n != 4 {
				t.Errorf("there are %d versions, %v", n, err)
			}
			var serials []string
			for _, v := range []clm.Version{first.Version, second.Version, third.Version, fourth.Version} {
				if rec := recordNamed(t, r, core.RecordID(v)); rec.State != core.RecordIssued || rec.IsCurrent() != (v.ID == fourth.Version.ID) {
					t.Errorf("record %s is %d", rec.ID, rec.State)
				}
				serials = append(serials, v.Serial)
			}
			if serials[0] == serials[1] || serials[1] == serials[2] || serials[2] == serials[3] {
				t.Errorf("the serial numbers are %v", serials)
			}
		}
	})
}

// A place whose requests come from outside keeps its key when it is renewed, and gets one
// of ours when it is to have another or policy is against the old one. A request that comes
// along must be for the same name, and its key must be new.
func TestRecordRenewalsWithRequestsFromOutside(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		names := clm.Names{CommonName: "www.example.com"}
		key := newKey(t)
		outside := func(folder string) core.Issued {
			done, err := r.Request(ctx, r.Admin, core.Request{Folder: folder, CSR: csrOf(t, names, key)})
			if err != nil {
				t.Fatal(err)
			}
			return await(t, r, done)
		}
		first := outside(core.DefaultZone)
		second := next(t, r, renewAs(first.Version))
		if !second.Version.UserCSR || !bytes.Equal(first.Version.KeyHash, second.Version.KeyHash) {
			t.Error("the renewal is for another key")
		}
		for what, csr := range map[string]string{
			"the key that is there": csrOf(t, names, key), "no request": "nonsense!",
		} {
			ask := regenerate(second.Version)
			ask.CSR = csr
			kind, field := clm.Violation, ""
			if what == "no request" {
				kind, field = clm.Invalid, "csr"
			}
			refused(t, r, what, ask, kind, field)
		}
		other := renewAs(second.Version)
		other.CSR = csrOf(t, clm.Names{CommonName: "shop.example.com"}, newKey(t))
		refused(t, r, "another name", other, clm.Invalid, "csr")
		fresh := newKey(t)
		mine := renewAs(second.Version)
		mine.CSR = csrOf(t, clm.Names{CommonName: "WWW.example.com"}, fresh)
		third := next(t, r, mine)
		if !bytes.Equal(third.Version.KeyHash, pki.PublicKeyHash(fresh.Public())) {
			t.Error("the certificate is not for the request's key")
		}
		fourth := next(t, r, regenerate(third.Version))
		if fourth.Version.UserCSR || fourth.Key == nil || bytes.Equal(third.Version.KeyHash, fourth.Version.KeyHash) {
			t.Error("no key was made here")
		}

		key = newKey(t)
		allows := r.Folder(`\VED\Policy\Allows`, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: locked("1")})
		ask := regenerate(outside(allows).Version)
		ask.CSR = csrOf(t, names, key)
		refused(t, r, "the old key where policy allows it", ask, clm.Violation, "")

		key = newKey(t)
		forbids := r.Folder(`\VED\Policy\Forbids`, map[clm.Attr]clm.Rule{clm.ReuseKeyAllowed: locked("0")})
		old := outside(forbids)
		if got := next(t, r, renewAs(old.Version)); got.Version.UserCSR || bytes.Equal(got.Version.KeyHash, old.Version.KeyHash) {
			t.Error("policy is against the old key, and it was taken again")
		}
		theirs := r.Folder(`\VED\Policy\Theirs`, map[clm.Attr]clm.Rule{clm.UserCSR: locked("1")})
		key = newKey(t)
		must := outside(theirs)
		refused(t, r, "a key of ours where policy wants theirs", regenerate(must.Version), clm.NeedsCSR, "required")
		if got := next(t, r, renewAs(must.Version)); !bytes.Equal(got.Version.KeyHash, must.Version.KeyHash) {
			t.Error("the renewal is for another key")
		}
	})
}

// What is made like an older record says what that one said, whatever the place has come
// to want since, and is in use then.
func TestOlderRecordsAreFollowed(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		done, err := r.Request(ctx, r.Admin, core.Request{
			Folder: core.DefaultZone, Names: clm.Names{CommonName: "www.example.com", Organization: "One", DNS: []string{"one.example.com"}}, KeyAlgorithm: clm.ECC, Curve: clm.P384,
		})
		if err != nil {
			t.Fatal(err)
		}
		first := await(t, r, done)
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: string(done.DN), Class: clm.ServerCertificate, Own: map[clm.Attr][]string{
			clm.Organization: {"Two"}, clm.SANDNS: {"two.example.com"}, clm.KeyAlgorithm: {clm.RSA}, clm.KeySize: {"3072"}, clm.Curve: nil,
		}}); err != nil {
			t.Fatal(err)
		}
		second := next(t, r, core.Renew{DN: string(done.DN)})
		third := next(t, r, regenerate(first.Version))
		if diff := cmp.Diff(said(t, first), said(t, third)); diff != "" {
			t.Errorf("first (-), third (+):\n%s", diff)
		}
		if cmp.Equal(said(t, first), said(t, second)) {
			t.Error("the second says the same")
		}
		if bytes.Equal(first.Version.KeyHash, third.Version.KeyHash) {
			t.Error("the old key was taken again")
		}
		if got := next(t, r, renewAs(second.Version)); cmp.Equal(said(t, third), said(t, got)) || bytes.Equal(got.Version.KeyHash, third.Version.KeyHash) {
			t.Error("what follows an older record has the key that is in use")
		}
	})
}

// said is what a certificate says of its holder and its key.
func said(t testing.TB, i core.Issued) any {
	t.Helper()
	cert, err := x509.ParseCertificate(i.Version.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return []any{pki.Identify(cert).Names, pki.SpecOf(cert.PublicKey)}
}

// Which records can be followed depends on what is to follow: anything that was ever issued
// by another, only what is in force by more of the same.
func TestWhichRecordsAreFollowed(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		all := map[string]func(clm.Version) core.Renew{"regenerate": regenerate, "renew": renewAs, "reissue": reissue}

		f.At(func(_ context.Context, c coretest.Call) error {
			if c.Name == "submit" {
				return clm.Permanent(errors.New("no"))
			}
			return nil
		})
		failed, err := r.Request(ctx, r.Admin, core.Request{Folder: coretest.FaultyZone, Names: clm.Names{CommonName: "failed.example.com"}, KeyAlgorithm: clm.ECC})
		if err != nil {
			t.Fatal(err)
		}
		if open, err := r.Wait(ctx, failed.Work, patience); err != nil || open.State != clm.Stopped {
			t.Fatalf("got %+v, %v", open, err)
		}
		if rec := recordNamed(t, r, failed.Record); rec.State != core.RecordFailed || rec.CommonName != "failed.example.com" {
			t.Errorf("got %+v", rec)
		}
		for name, ask := range all {
			refused(t, r, name+" what has failed", ask(recordNamed(t, r, failed.Record).Version), clm.Unsupported, "record")
		}
		f.At(nil)

		keyless := foreignLeaf(t, "keyless.example.com", time.Hour, nil)
		got := inUse(t, r, take(t, r, core.Import{Certificate: bundle(keyless)}).DN)
		refused(t, r, "renew without a key", renewAs(got.Version), clm.Unsupported, "record")
		refused(t, r, "reissue without a key", reissue(got.Version), clm.Unsupported, "record")
		next(t, r, regenerate(got.Version))

		expired := foreignLeaf(t, "expired.example.com", 10_000*time.Hour, nil)
		r.Secret(expired.keyPEM(t))
		got = inUse(t, r, take(t, r, core.Import{Certificate: bundle(expired), Key: expired.keyPEM(t)}).DN)
		refused(t, r, "reissue what has expired", reissue(got.Version), clm.Unsupported, "record")
		next(t, r, renewAs(got.Version))
		next(t, r, regenerate(got.Version))

		bad := request(t, r, core.DefaultZone, "revoked.example.com")
		if _, err := r.Revoke(ctx, r.Admin, core.Revoke{DN: string(bad.Place.DN), Reason: clm.Superseded}); err != nil {
			t.Fatal(err)
		}
		refused(t, r, "renew what is revoked", renewAs(bad.Version), clm.Unsupported, "record")
		refused(t, r, "reissue what is revoked", reissue(bad.Version), clm.Unsupported, "record")
		next(t, r, regenerate(bad.Version))
	})
}

// Work that has stopped is in nobody's way: it is ended, its record stays as failed, and
// what is asked for is begun.
func TestStoppedWorkIsEndedByRecord(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		first := request(t, r, coretest.FaultyZone, "www.example.com")
		f.At(func(_ context.Context, c coretest.Call) error {
			if c.Name == "submit" {
				return clm.Permanent(errors.New("no"))
			}
			return nil
		})
		failed, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.Place.DN)})
		if err != nil {
			t.Fatal(err)
		}
		if open, err := r.Wait(ctx, failed.Work, patience); err != nil || open.State != clm.Stopped {
			t.Fatalf("got %+v, %v", open, err)
		}
		if _, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.Place.DN)}); !errors.Is(err, clm.InError) {
			t.Errorf("got %v", err)
		}
		f.At(nil)
		second := next(t, r, regenerate(first.Version))
		if rec := recordNamed(t, r, failed.Record); rec.State != core.RecordFailed {
			t.Errorf("the record of what had stopped is %d", rec.State)
		}
		if second.Version.ID == failed.Version || open(t, r, first.Place.DN) != nil {
			t.Error("what had stopped was gone on with")
		}
		orders, err := r.Orders(ctx, r.Admin, []clm.WorkID{failed.Work})
		if err != nil || len(orders) != 1 || orders[0].State != core.OrderFailed {
			t.Errorf("got %+v, %v", orders, err)
		}
	})
}
