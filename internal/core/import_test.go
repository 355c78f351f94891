package core_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// What is imported is handed out again with its chain and key, is found by its
// names, and says what the next certificate will say.
func TestImportedIsHandedOut(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		root := foreignCA(t, "Foreign Root", nil)
		leaf := foreignLeaf(t, "www.example.com", time.Hour, root)
		r.Secret(leaf.keyPEM(t))
		done := take(t, r, core.Import{Certificate: bundle(leaf, root), Key: leaf.keyPEM(t)})
		got := inUse(t, r, done.DN)
		if !bytes.Equal(got.Version.Cert, leaf.der) || got.Version.ID != done.Version || got.Version.UserCSR {
			t.Errorf("got version %d, want the imported %d", got.Version.ID, done.Version)
		}
		if len(got.Chain) != 1 || !bytes.Equal(got.Chain[0], root.der) {
			t.Errorf("got a chain of %d, want the root", len(got.Chain))
		}
		if got.Key == nil || !done.HasKey || !bytes.Equal(pki.PublicKeyHash(got.Key.Public()), got.Version.KeyHash) {
			t.Error("the key is not what was imported")
		}
		if got.Place.Class != clm.ServerCertificate || done.DN.Name() != "www.example.com" {
			t.Errorf("got %s %s", got.Place.Class, done.DN)
		}
		page, err := r.Find(context.Background(), r.Admin, core.Filter{SANs: map[clm.Attr][]string{clm.SANDNS: {"WWW.example.com"}}, Limit: 10})
		if err != nil || page.Total != 1 || page.Found[0].ID != done.ID {
			t.Errorf("found %+v, %v; want the place", page, err)
		}
		next, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(done.DN)})
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(await(t, r, next).Version.Cert)
		if err != nil {
			t.Fatal(err)
		}
		if cert.Subject.Organization[0] != "Elsewhere" || pki.SpecOf(cert.PublicKey).Curve != clm.P256 {
			t.Errorf("the renewal is for %s and a key of %s", cert.Subject, pki.SpecOf(cert.PublicKey))
		}
	})
}

// Importing the same again changes nothing, however often and at once, but that a
// key is added that was missing.
func TestImportAgainIsHarmless(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		leaf := foreignLeaf(t, "www.example.com", time.Hour, nil)
		const many = 10
		var all sync.WaitGroup
		for range many {
			all.Go(func() { take(t, r, core.Import{Certificate: bundle(leaf)}) })
		}
		all.Wait()
		first := take(t, r, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		again := take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(leaf), Key: leaf.keyPEM(t), Reconcile: true})
		if first != again || !first.HasKey {
			t.Errorf("got %+v, then %+v", first, again)
		}
		if got := versionsOf(t, r, first.ID); len(got) != 1 {
			t.Errorf("got %d versions, want one", len(got))
		}
		if got := inUse(t, r, first.DN); got.Key == nil {
			t.Error("the key was not added")
		}
		page, err := r.Find(context.Background(), r.Admin, core.Filter{Limit: 10})
		if err != nil || page.Total != 1 {
			t.Errorf("got %d places, %v; want one", page.Total, err)
		}
	})
}

// Which certificate of a place is in use after an import: the one that came last
// or, to reconcile, the one that is valid from the latest day. The others are
// history, and no certificate comes twice.
func TestImportReplacesOrReconciles(t *testing.T) {
	t.Parallel()
	old, young := foreignLeaf(t, "www.example.com", 48*time.Hour, nil), foreignLeaf(t, "www.example.com", time.Hour, nil)
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		for _, c := range []struct {
			name      string
			first     []*foreign
			then      *foreign
			reconcile bool
			inUse     *foreign
			past      []*foreign // the newest first
		}{
			{"an older one replaces a younger", []*foreign{young}, old, false, old, []*foreign{young}},
			{"a younger one replaces an older", []*foreign{old}, young, false, young, []*foreign{old}},
			{"an older one is reconciled into history", []*foreign{young}, old, true, young, []*foreign{old}},
			{"a younger one is reconciled into use", []*foreign{old}, young, true, young, []*foreign{old}},
			{"one that is history comes into use again", []*foreign{young, old}, young, false, young, []*foreign{old}},
			{"one that is history stays so if it is older", []*foreign{old, young}, old, true, young, []*foreign{old}},
			{"one that is younger does not stay history", []*foreign{young, old}, young, true, young, []*foreign{old}},
		} {
			i := core.Import{Name: c.name}
			for _, f := range c.first {
				i.Certificate = bundle(f)
				take(t, r, i)
			}
			i.Certificate, i.Reconcile = bundle(c.then), c.reconcile
			done := take(t, r, i)
			if got := inUse(t, r, done.DN); !bytes.Equal(got.Version.Cert, c.inUse.der) {
				t.Errorf("%s: the wrong one is in use", c.name)
			}
			past, err := r.History(context.Background(), r.Admin, done.ID, core.Pasts{})
			if err != nil || len(past) != len(c.past) {
				t.Fatalf("%s: got a history of %d, %v", c.name, len(past), err)
			}
			for n, f := range c.past {
				if !bytes.Equal(past[n].Cert, f.der) {
					t.Errorf("%s: the wrong one is history", c.name)
				}
			}
			check(t, r.Remove(context.Background(), r.Admin, done.ID))
		}
	})
}

// To reconcile, a certificate must not stand at another place, as far as the actor
// can see; otherwise it may.
func TestReconcileTakesNoneThatStandsElsewhere(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		hidden, mine := r.Folder(`\VED\Policy\Hidden`, nil), r.Folder(`\VED\Policy\Mine`, nil)
		alice := user(t, r, "alice")
		give(t, r, mine, "alice", clm.AllRights)
		leaf := foreignLeaf(t, "www.example.com", time.Hour, nil)
		there := take(t, r, core.Import{Folder: hidden, Certificate: bundle(leaf)})
		again := core.Import{Folder: mine, Certificate: bundle(leaf), Reconcile: true}
		_, err := r.Import(ctx, r.Admin, again)
		if e := clm.AsError(err); e == nil || e.Kind != clm.Exists || e.Field != "certificate" || e.Value != string(there.DN) {
			t.Errorf("got %v, want that it exists at %s", err, there.DN)
		}
		if _, err := r.Import(ctx, alice, again); err != nil {
			t.Errorf("got %v from one who cannot see the other", err)
		}
		again.Name, again.Reconcile = "another", false
		take(t, r, again)
	})
}

// A place whose name is made up is called by the certificate; a name that is taken,
// by whatever it may be, gets a number.
func TestImportMakesUpNames(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	folder := r.Folder(`\VED\Policy\Names`, nil)
	r.Folder(`\VED\Policy\Names\www.example.com`, nil)
	one, two := foreignLeaf(t, "www.example.com", time.Hour, nil), foreignLeaf(t, "www.example.com", time.Hour, nil)
	onlySAN := issue(t, &x509.Certificate{DNSNames: []string{"san.example.com", "b.example.com"}}, nil)
	nameless := issue(t, &x509.Certificate{Subject: pkix.Name{Organization: []string{"Elsewhere"}}}, nil)
	backslash := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: `DOMAIN\host`}, DNSNames: []string{"host.example.com"}}, nil)
	cert, err := x509.ParseCertificate(nameless.der)
	check(t, err)
	for _, c := range []struct {
		name string
		cert *foreign
		want string
	}{
		{"taken by a folder", one, "www.example.com - 1"},
		{"taken twice", two, "www.example.com - 2"},
		{"taken by this very certificate", one, "www.example.com - 1"},
		{"no common name", onlySAN, "san.example.com"},
		{"no name at all", nameless, pki.Serial(cert)},
		{"a common name that cannot be a name", backslash, "host.example.com"},
	} {
		if done := take(t, r, core.Import{Folder: folder, Certificate: bundle(c.cert)}); done.DN.Name() != c.want {
			t.Errorf("%s: got %s, want %s", c.name, done.DN.Name(), c.want)
		}
	}
}

// What is no certificate, does not fit, is against policy or lacks a right is
// refused, and nothing is left behind.
func TestImportIsRefused(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		folder := r.Folder(`\VED\Policy\Strict`, map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.com"}}})
		r.Folder(`\VED\Policy\Strict\folder`, nil)
		leaf, other := foreignLeaf(t, "www.example.com", time.Hour, nil), foreignLeaf(t, "www.example.org", time.Hour, nil)
		taken := take(t, r, core.Import{Folder: folder, Name: "taken", Certificate: bundle(leaf)})
		viewer, almost, half := user(t, r, "viewer"), user(t, r, "almost"), user(t, r, "half")
		give(t, r, folder, "viewer", clm.View)
		give(t, r, folder, "almost", clm.AllRights&^clm.KeyWrite)
		give(t, r, folder, "half", clm.AllRights)
		give(t, r, string(taken.DN), "half", clm.View)
		nobody := user(t, r, "nobody")
		for _, c := range []struct {
			name  string
			who   clm.Actor
			i     core.Import
			kind  clm.Kind
			field string
		}{
			{"no folder", r.Admin, core.Import{Folder: `\VED\Policy\Nowhere`}, clm.NotFound, ""},
			{"no DN", r.Admin, core.Import{Folder: `Nowhere`}, clm.Invalid, "dn"},
			{"not a folder", r.Admin, core.Import{Folder: string(taken.DN)}, clm.NotFound, ""},
			{"folder not to be seen", nobody, core.Import{Certificate: secret.NewString("nonsense")}, clm.NotFound, ""},
			{"only to be seen", viewer, core.Import{Certificate: secret.NewString("nonsense")}, clm.Denied, ""},
			{"no right to write keys", almost, core.Import{}, clm.Denied, ""},
			{"no right to the place", half, core.Import{Name: "taken"}, clm.Denied, ""},
			{"no certificate", r.Admin, core.Import{Certificate: secret.NewString("nonsense")}, clm.Invalid, "certificate"},
			{"no key", r.Admin, core.Import{Key: secret.NewString("nonsense")}, clm.Invalid, "private-key"},
			{"another's key", r.Admin, core.Import{Key: other.keyPEM(t)}, clm.Invalid, "key-mismatch"},
			{"against policy", r.Admin, core.Import{Certificate: bundle(other)}, clm.Violation, ""},
			{"a name that cannot be", r.Admin, core.Import{Name: `a\b`}, clm.Invalid, "name"},
			{"a name of something else", r.Admin, core.Import{Name: "folder"}, clm.Exists, "class"},
		} {
			if c.i.Folder == "" {
				c.i.Folder = folder
			}
			if c.i.Certificate.IsEmpty() {
				c.i.Certificate = bundle(leaf)
			}
			_, err := r.Import(context.Background(), c.who, c.i)
			if e := clm.AsError(err); e == nil || e.Kind != c.kind || e.Field != c.field {
				t.Errorf("%s: got %v, want %v %q", c.name, err, c.kind, c.field)
			}
		}
		page, err := r.Find(context.Background(), r.Admin, core.Filter{Limit: 10})
		if err != nil || page.Total != 1 {
			t.Errorf("got %d places, %v; want the one that was there", page.Total, err)
		}
	})
}

// Whoever may import cannot change what stands above other people's certificates:
// neither by leaving something out of a chain, nor by adding what has signed
// nothing in it, nor by tying it into a circle.
func TestImportCannotBendChains(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		root := foreignCA(t, "Root", nil)
		middle := foreignCA(t, "Issuing", root)
		victim := take(t, r, core.Import{Name: "victim", Certificate: bundle(foreignLeaf(t, "victim.example.com", 0, middle), middle, root)})
		evil := foreignCA(t, "Root", nil) // which has the name alone
		leaf := func() *foreign { return foreignLeaf(t, "www.example.com", 0, middle) }
		for _, c := range []struct {
			name  string
			chain []*foreign
			want  []*foreign
		}{
			{"without the root", []*foreign{middle}, []*foreign{middle, root}},
			{"with another root", []*foreign{middle, evil}, []*foreign{middle, root}},
			{"with strangers", []*foreign{evil}, nil},
			{"none", nil, nil},
		} {
			all := append([]*foreign{leaf()}, c.chain...)
			got := inUse(t, r, take(t, r, core.Import{Name: c.name, Certificate: bundle(all...)}).DN)
			if !isChain(got.Chain, c.want) {
				t.Errorf("%s: got a chain of %d, want %d", c.name, len(got.Chain), len(c.want))
			}
		}
		other := foreignCA(t, "Other", nil)
		crossed := cross(t, root, other) // the root below the other
		back := cross(t, other, root)    // and the other below the root
		below := foreignLeaf(t, "circle.example.com", 0, root)
		there := take(t, r, core.Import{Name: "there", Certificate: bundle(below, crossed, back)})
		backAgain := take(t, r, core.Import{Name: "back", Certificate: bundle(foreignLeaf(t, "circle.example.com", 0, other), back, crossed)})
		if !isChain(inUse(t, r, there.DN).Chain, []*foreign{crossed, back}) || !isChain(inUse(t, r, backAgain.DN).Chain, []*foreign{back}) {
			t.Error("got other chains than up to where they would go round in a circle")
		}
		if got := inUse(t, r, victim.DN); !isChain(got.Chain, []*foreign{middle, root}) {
			t.Errorf("got a chain of %d above the other certificate", len(got.Chain))
		}
	})
}

// A certificate that had expired before it came in is not renewed by itself, one
// that is about to expire is.
func TestImportOfExpiredIsNotRenewed(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		old, soon := foreignLeaf(t, "old.example.com", 2*365*clm.Day, nil), foreignLeaf(t, "soon.example.com", 364*clm.Day, nil)
		expired := take(t, r, core.Import{Certificate: bundle(old), Key: old.keyPEM(t)})
		due(t, r, 0)
		r.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.RenewalWindow: {Values: []string{"20"}}}) // has everything reconsidered
		due(t, r, 0)
		take(t, r, core.Import{Certificate: bundle(soon), Key: soon.keyPEM(t)})
		due(t, r, 1)
		if _, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(expired.DN)}); err != nil {
			t.Errorf("renewed by somebody: %v", err)
		}
	})
}

// A certificate with a key of a size that is not made here comes in all the same,
// and is renewed with the next size that is.
func TestImportOfUnusualKey(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	done := take(t, r, core.Import{Certificate: bundle(odd(t))})
	renewal, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(done.DN)})
	if err != nil {
		t.Fatal(err)
	}
	if got := await(t, r, renewal); pki.SpecOf(got.Key.Public()).Bits != 2048 {
		t.Errorf("got a key of %d bits, want 2048", pki.SpecOf(got.Key.Public()).Bits)
	}
}

// Nothing that a stranger sends is opened, and what others send waits for its turn.
func TestImportOpensFilesInTurn(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	nobody, viewer := user(t, r, "nobody"), user(t, r, "viewer")
	give(t, r, core.DefaultZone, "viewer", clm.View|clm.Read)
	i := core.Import{Folder: core.DefaultZone, Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))}
	free := r.Occupy()
	for _, c := range []struct {
		who  clm.Actor
		want clm.Kind
	}{{nobody, clm.NotFound}, {viewer, clm.Denied}} {
		if _, err := r.Import(context.Background(), c.who, i); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.who.Name, err, c.want)
		}
	}
	if got := entries(t, r, "import"); len(got) != 2 {
		t.Errorf("got %d audit entries of those who were refused, want 2", len(got))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Import(ctx, r.Admin, i); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v while it is nobody's turn", err)
	}
	free()
	take(t, r, i)
}

// Further values are kept as rules read them; what was said about renewal counts
// for a certificate that had expired, too, however often it is said.
func TestImportReadsItsValues(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	expired := foreignLeaf(t, "old.example.com", 2*365*clm.Day, nil)
	i := core.Import{Certificate: bundle(expired), Key: expired.keyPEM(t), Own: map[clm.Attr][]string{
		clm.ValidityDays: {" 30 "}, clm.NoAutoRenewal: {"No"}, clm.Contact: {"one", "", "one"},
	}}
	for range 2 {
		got := own(t, r, take(t, r, i).ID)
		for a, want := range map[clm.Attr]string{clm.ValidityDays: "30", clm.NoAutoRenewal: "0", clm.Contact: "one"} {
			if !slices.Equal(got[a], []string{want}) {
				t.Errorf("%s: got %q, want %q", a, got[a], want)
			}
		}
	}
}

// A certificate whose key comes later is renewed by itself from then on.
func TestKeyThatComesLaterIsUsed(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		leaf := foreignLeaf(t, "www.example.com", 364*clm.Day, nil)
		take(t, r, core.Import{Certificate: bundle(leaf)})
		due(t, r, 0)
		done := take(t, r, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		if v := inUse(t, r, done.DN).Version; v.UserCSR {
			t.Error("its requests come from outside")
		}
		due(t, r, 1)
	})
}

// What comes into use by an import is not replaced by what was ordered before it;
// an import that changes nothing of what is in use ends nothing.
func TestImportEndsOpenWork(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		asked, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, Names: clm.Names{CommonName: "www.example.com"}, KeyAlgorithm: clm.ECC})
		check(t, err)
		leaf, old := foreignLeaf(t, "www.example.com", 0, nil), foreignLeaf(t, "www.example.com", clm.Day, nil)
		isOpen := func(when string, want bool) {
			t.Helper()
			w, err := r.OpenWork(string(asked.DN))
			if err != nil || (w != nil) != want {
				t.Errorf("%s: got work %+v, %v; want any: %v", when, w, err, want)
			}
		}
		take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		isOpen("after the import", false)
		if got := inUse(t, r, asked.DN); !bytes.Equal(got.Version.Cert, leaf.der) {
			t.Error("what was imported is not in use")
		}
		_, err = r.Renew(ctx, r.Admin, core.Renew{DN: string(asked.DN)})
		check(t, err)
		take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(leaf)})
		isOpen("after the same again", true)
		take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(old), Reconcile: true})
		isOpen("after one that went to history", true)
		take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(old)})
		isOpen("after another one", false)
		place := objectID(t, r, string(asked.DN))
		if got := versionsOf(t, r, place); len(got) != 4 {
			t.Errorf("got %d versions, want 4", len(got))
		}
	})
}

// A certificate of ours that comes back alone has its chain, and can be revoked.
func TestImportKnowsOwnIssuers(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		own := request(t, r, core.DefaultZone, "www.example.com")
		leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Version.Cert})
		done := take(t, r, core.Import{Name: "back", Certificate: secret.NewPlain(leaf)})
		got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: string(done.DN)})
		if err != nil || len(got.Chain) != len(own.Chain) {
			t.Errorf("got a chain of %d, %v; want that of the issuer, of %d", len(got.Chain), err, len(own.Chain))
		}
		if revoked, err := r.Revoke(ctx, r.Admin, core.Revoke{DN: string(done.DN)}); err != nil || revoked.Work != 0 {
			t.Errorf("got %+v, %v; want it revoked at once", revoked, err)
		}
	})
}
