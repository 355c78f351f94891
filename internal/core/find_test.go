package core_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// Each filter finds what it says and nothing else; values of one are
// alternatives, different ones must all hold. Counting says the same as listing,
// page by page.
func TestEveryFilter(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		begin := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
		end := begin.AddDate(1, 0, 0)
		created := sample(t, r, begin, end)
		yes, no := true, false
		for _, test := range []struct {
			name   string
			filter core.Filter
			want   string // the names' letters
		}{
			{"all", core.Filter{}, "abcdn"},
			{"country", core.Filter{Countries: []string{"us"}}, "ab"},
			{"one of two countries", core.Filter{Countries: []string{"DE", "US"}}, "abc"},
			{"province", core.Filter{Provinces: []string{"UTAH"}}, "a"},
			{"locality", core.Filter{Localities: []string{"lehi"}}, "a"},
			{"organization", core.Filter{Organizations: []string{"example, inc."}}, "ab"},
			{"part of an organization", core.Filter{Organizations: []string{"example"}}, ""},
			{"one of the units", core.Filter{Units: []string{"two"}}, "ab"},
			{"another of the units", core.Filter{Units: []string{"ONE"}}, "a"},
			{"no unit", core.Filter{Units: []string{"three"}}, ""},
			{"issuer", core.Filter{Issuers: []string{"cn=rsa ca, O=Example, Inc."}}, "a"},
			{"key algorithm", core.Filter{KeyAlgorithms: []string{"rsa"}}, "ad"},
			{"key size", core.Filter{KeySizes: []int{256, 4096}}, "bd"},
			{"key size above", core.Filter{KeySizeAbove: new(2048)}, "d"},
			{"key size below; what has no key is not meant", core.Filter{KeySizeBelow: new(2048)}, "bc"},
			{"key size between", core.Filter{KeySizeAbove: new(256), KeySizeBelow: new(4096)}, "ac"},
			{"key size below nothing", core.Filter{KeySizeBelow: new(0)}, ""},
			{"kind of key", core.Filter{Keys: []core.KeySizeOf{{Algorithm: clm.ECC, Size: 384}, {Algorithm: clm.RSA, Size: 256}}}, "c"},
			{"signature algorithm", core.Filter{SignatureAlgorithms: []string{"SHA256rsa"}}, "ad"},
			{"self-signed", core.Filter{SelfSigned: &yes}, "d"},
			{"not self-signed", core.Filter{SelfSigned: &no}, "abcn"},
			{"wildcard in the common name or a DNS name", core.Filter{Wildcard: &yes}, "bc"},
			{"class", core.Filter{Classes: []clm.Class{clm.DeviceCertificate, clm.UserCertificate}}, "cd"},
			{"disabled", core.Filter{Disabled: &yes}, "d"},
			{"not disabled", core.Filter{Disabled: &no}, "abcn"},
			{"a type of its own", core.Filter{ManagementTypes: []string{"provisioning"}}, "b"},
			{"no type is Enrollment; a locked one counts more than its own", core.Filter{ManagementTypes: []string{"Enrollment"}}, "an"},
			{"a type that the folder suggests or prescribes", core.Filter{ManagementTypes: []string{"Monitoring"}}, "cd"},
			{"e-mail", core.Filter{SANs: map[clm.Attr][]string{clm.SANEmail: {"A@example.com"}}}, "a"},
			{"address", core.Filter{SANs: map[clm.Attr][]string{clm.SANIP: {"192.0.2.1", "192.0.2.9"}}}, "a"},
			{"URI", core.Filter{SANs: map[clm.Attr][]string{clm.SANURI: {"https://example.com/a"}}}, "a"},
			{"UPN", core.Filter{SANs: map[clm.Attr][]string{clm.SANUPN: {"a@corp"}}}, "a"},
			{"two kinds of names", core.Filter{SANs: map[clm.Attr][]string{clm.SANUPN: {"a@corp"}, clm.SANDNS: {"b.example.com"}}}, ""},
			{"begins then", core.Filter{Begins: core.Span{At: []time.Time{begin}}}, "a"},
			{"begins later", core.Filter{Begins: core.Span{After: begin}}, "bcd"},
			{"begins earlier", core.Filter{Begins: core.Span{Before: begin.Add(time.Hour)}}, "a"},
			{"begins between", core.Filter{Begins: core.Span{After: begin, Before: begin.Add(2 * time.Hour)}}, "b"},
			{"ends at one of these", core.Filter{Ends: core.Span{At: []time.Time{end, end.AddDate(0, 0, 3)}}}, "ad"},
			{"ends later", core.Filter{Ends: core.Span{After: end}}, "bcd"},
			{"ends within days", core.Filter{Ends: core.Span{After: end, Before: end.AddDate(0, 0, 3)}}, "bc"},
			{"begins and ends", core.Filter{Begins: core.Span{After: begin}, Ends: core.Span{Before: end.AddDate(0, 0, 2)}}, "b"},
			{"ends in a tree", core.Filter{Trees: []string{`\VED\Policy\One`}, Ends: core.Span{After: end}}, "bc"},
			{"made then", core.Filter{Created: core.Span{At: []time.Time{created["b"]}}}, "b"},
			{"made later", core.Filter{Created: core.Span{After: created["b"]}}, "cdn"},
			{"made earlier", core.Filter{Created: core.Span{Before: created["b"]}}, "a"},
			{"made no earlier than a microsecond before", core.Filter{Created: core.Span{After: created["b"].Add(-time.Microsecond), Before: created["c"].Add(time.Microsecond)}}, "bc"},
			{"in error", core.Filter{InError: &yes}, "b"},
			{"not in error", core.Filter{InError: &no}, "acdn"},
			{"not in error, in a folder", core.Filter{InError: &no, Folders: []string{`\VED\Policy\One`}}, "ac"},
			{"awaits a yes", core.Filter{Gated: &yes}, "c"},
			{"awaits none", core.Filter{Gated: &no}, "abdn"},
			{"neither in error nor waiting", core.Filter{Gated: &no, InError: &no}, "adn"},
			{"stopped work shows its stage", core.Filter{Stages: []clm.Stage{clm.Submit}}, "b"},
			{"so does what awaits a yes", core.Filter{Stages: []clm.Stage{clm.Collect, clm.Activate}}, "c"},
			{"what nobody has begun does not", core.Filter{Stages: []clm.Stage{clm.CreateKey}}, ""},
			{"not begun", core.Filter{Stages: []clm.Stage{core.NotBegun}}, "n"},
			{"nothing", core.Filter{Nothing: true}, ""},
			{"all at once", core.Filter{Countries: []string{"US"}, Units: []string{"two"}, KeyAlgorithms: []string{"ECC"}, InError: &yes, Trees: []string{`\ved\policy`}, Ends: core.Span{After: end}}, "b"},
		} {
			t.Run(test.name, func(t *testing.T) {
				ctx := context.Background()
				counted, err := r.Find(ctx, r.Admin, test.filter)
				if err != nil || counted.Total != len(test.want) || len(counted.Found) != 0 {
					t.Errorf("counted %d, %v; want %d", counted.Total, err, len(test.want))
				}
				for _, limit := range []int{1, 2, 100} {
					var got []string
					for offset := 0; offset <= len(test.want); offset += limit {
						test.filter.Limit, test.filter.Offset = limit, offset
						page, err := r.Find(ctx, r.Admin, test.filter)
						if err != nil || page.Total != len(test.want) {
							t.Errorf("total %d, %v; want %d", page.Total, err, len(test.want))
						}
						for _, f := range page.Found {
							got = append(got, f.DN.Name())
						}
					}
					want := []string{}
					for _, letter := range test.want {
						want = append(want, string(letter))
					}
					slices.Sort(got)
					if diff := cmp.Diff(want, slices.AppendSeq([]string{}, slices.Values(got))); diff != "" {
						t.Errorf("limit %d (-want +got):\n%s", limit, diff)
					}
				}
			})
		}
	})
}

// sample makes certificates a to d that differ in everything, and n, which was
// never issued, and says when each was made.
func sample(t *testing.T, r *coretest.Rig, begin, end time.Time) map[string]time.Time {
	t.Helper()
	r.Folder(`\VED\Policy\One`, nil)
	r.Folder(`\VED\Policy\Suggests`, map[clm.Attr]clm.Rule{clm.ManagementType: {Values: []string{clm.Monitoring}}})
	r.Folder(`\VED\Policy\Locks`, map[clm.Attr]clm.Rule{clm.ManagementType: {Values: []string{clm.Enrollment}, Locked: true}})
	create := map[string]time.Time{}
	for i, c := range []struct {
		dn    clm.DN
		class clm.Class
		own   map[clm.Attr][]string
		facts *clm.Facts
		work  func(*clm.Work)
		gate  bool
	}{
		{dn: `\VED\Policy\One\a`, class: clm.ServerCertificate, facts: &clm.Facts{
			Names: clm.Names{CommonName: "a.example.com", Country: "US", Province: "Utah", Locality: "Lehi", Organization: "Example, Inc.", OrganizationalUnit: []string{"One", "Two"},
				DNS: []string{"a.example.com"}, Email: []string{"a@Example.com"}, IP: []string{"192.0.2.1"}, URI: []string{"https://example.com/A"}, UPN: []string{"A@corp"}},
			Issuer: "CN=RSA CA, O=Example, Inc.", KeyAlgorithm: clm.RSA, KeySize: 2048, SignatureAlgorithm: "sha256RSA"}},
		{dn: `\VED\Policy\One\b`, class: clm.ServerCertificate, own: map[clm.Attr][]string{clm.ManagementType: {clm.Provisioning}}, facts: &clm.Facts{
			Names:  clm.Names{CommonName: "*.example.com", Country: "US", Organization: "EXAMPLE, Inc.", OrganizationalUnit: []string{"Two"}, DNS: []string{"b.example.com"}},
			Issuer: "CN=ECC CA", KeyAlgorithm: clm.ECC, KeySize: 256, SignatureAlgorithm: "sha256ECDSA"},
			work: func(w *clm.Work) { w.Stage, w.Failure, w.Begun = clm.Submit, "refused", true }},
		{dn: `\VED\Policy\One\c`, class: clm.DeviceCertificate, own: map[clm.Attr][]string{clm.ManagementType: {clm.Monitoring}}, facts: &clm.Facts{
			Names:  clm.Names{CommonName: "c.example.com", Country: "DE", DNS: []string{"*.c.example.com"}},
			Issuer: "CN=ECC CA", KeyAlgorithm: clm.ECC, KeySize: 384, SignatureAlgorithm: "sha384ECDSA"},
			work: func(w *clm.Work) { w.Stage = clm.Collect }, gate: true},
		{dn: `\VED\Policy\Suggests\d`, class: clm.UserCertificate, own: map[clm.Attr][]string{clm.Off: {"1"}}, facts: &clm.Facts{
			Names:  clm.Names{CommonName: "d.example.com", Country: "FR"},
			Issuer: "CN=d.example.com", KeyAlgorithm: clm.RSA, KeySize: 4096, SignatureAlgorithm: "sha256RSA", SelfSigned: true}},
		{dn: `\VED\Policy\Locks\n`, class: clm.ServerCertificate, own: map[clm.Attr][]string{clm.ManagementType: {clm.Unassigned}}, work: func(*clm.Work) {}},
	} {
		r.Clock.Turn(2 * time.Second)
		if err := r.DB.Write(context.Background(), store.Entry{Actor: clm.System, Action: "sample"}, func(tx *store.Tx) error {
			folder, err := tx.Path(c.dn.Parent())
			if err != nil {
				return err
			}
			o := &clm.Object{DN: c.dn, Class: c.class, Own: c.own}
			if err := tx.AddObject(o, folder.Last().ID); err != nil {
				return err
			}
			create[c.dn.Name()] = time.UnixMicro(o.Created).UTC()
			v := clm.Version{Certificate: o.ID, NotBefore: begin.Add(time.Duration(i) * time.Hour), NotAfter: end.AddDate(0, 0, i)}
			if c.facts != nil {
				if err := errors.Join(tx.AddVersion(&v), tx.Activate(v, *c.facts, time.Time{})); err != nil {
					return err
				}
			}
			if c.work == nil {
				return nil
			}
			w := clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
			w.Subject, w.NotBefore = o.ID, clm.Never
			c.work(&w)
			if err := tx.AddWork(&w); err != nil || !c.gate {
				return err
			}
			return tx.AddGate(clm.Gate{ID: tx.NewObjectID(), Subject: o.ID, Work: w.ID, Stage: w.Stage, Open: true}, nil)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return create
}

// Who is no master finds what the rights on folders and on single certificates let
// them see, and counts no other.
func TestFindsWhatMayBeSeen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		begin := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
		sample(t, r, begin, begin.AddDate(1, 0, 0))
		if _, err := r.PutPrincipal(ctx, clm.System, core.PutPrincipal{Name: "viewer", Password: r.Password}); err != nil {
			t.Fatal(err)
		}
		viewer, err := r.Login(ctx, core.Login{Name: "viewer", Password: r.Password, Address: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		rights := func(dn string, class clm.Class, rights clm.Rights) {
			t.Helper()
			if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: class, Rights: map[string]clm.Rights{"viewer": rights}}); err != nil {
				t.Fatal(err)
			}
		}
		sees := func(what string, f core.Filter, want ...string) {
			t.Helper()
			for limit := range 4 {
				f.Limit = limit
				page, err := r.Find(ctx, viewer, f)
				var got []string
				for _, found := range page.Found {
					got = append(got, found.DN.Name())
				}
				slices.Sort(got)
				if page.Total != len(want) || len(got) != min(limit, len(want)) || limit == 3 && !slices.Equal(got, want) || err != nil {
					t.Errorf("%s, limit %d: got %v of %d, %v; want %v", what, limit, got, page.Total, err, want)
				}
			}
		}
		no := false
		sees("at first", core.Filter{})
		rights(`\VED\Policy\One`, clm.Folder, clm.View)
		sees("a folder", core.Filter{}, "a", "b", "c")
		rights(`\VED\Policy\One\b`, clm.ServerCertificate, 0)
		sees("but for one", core.Filter{}, "a", "c")
		rights(`\VED\Policy\Suggests\d`, clm.UserCertificate, clm.View)
		sees("and one elsewhere", core.Filter{}, "a", "c", "d")
		sees("and selected", core.Filter{Countries: []string{"US", "FR"}}, "a", "d")
		sees("and by time", core.Filter{Ends: core.Span{After: begin}}, "a", "c", "d")
		sees("and by number", core.Filter{CommonNames: []string{"*.example.com", "d.example.com"}}, "d")
		sees("and not in error", core.Filter{InError: &no, Countries: []string{"US"}}, "a")
	})
}

// What an estate is loaded with is what the certificates in it say: taken into
// the inventory anew, as those of an older release, they come to the same rows.
func TestEstateIsWhatItsCertificatesSay(t *testing.T) {
	t.Parallel()
	d := coretest.SQLite(t)
	ctx := context.Background()
	r := coretest.New(t, d, coretest.Options{Idle: true})
	r.Stop()
	if err := (coretest.Estate{Address: d.Address, Size: 300, Box: r.Box}).Fill(ctx); err != nil {
		t.Fatal(err)
	}
	look := func() (rows []string) {
		db, err := sql.Open("sqlite", d.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, query := range []string{
			"SELECT id || ' ' || cohort || ' ' || cn_key || ' ' || names || ' ' || name_key || ' ' || not_before || ' ' || not_after || ' ' || disabled FROM certificates ORDER BY id",
			"SELECT certificate || ' ' || kind || ' ' || value FROM sans ORDER BY 1",
			"SELECT kind || ' ' || key || ' ' || SUM(n) FROM tallies GROUP BY kind, key ORDER BY kind, key",
		} {
			found, err := db.Query(query)
			if err != nil {
				t.Fatal(err)
			}
			for found.Next() {
				var text string
				if err := found.Scan(&text); err != nil {
					t.Fatal(err)
				}
				rows = append(rows, text)
			}
			if err := errors.Join(found.Err(), found.Close()); err != nil {
				t.Fatal(err)
			}
		}
		return rows
	}
	loaded := look()
	db, err := sql.Open("sqlite", d.Address)
	if err != nil {
		t.Fatal(err)
	}
	for _, forget := range []string{
		"UPDATE certificates SET cohort = 0, cn_key = '', names = '', name_key = '', not_before = 0", "DELETE FROM sans", "DELETE FROM cohorts", "DELETE FROM tallies", "DELETE FROM shards",
	} {
		if _, err := db.Exec(forget); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	r.Start(coretest.Options{Idle: true})
	defer r.Stop()
	page, err := r.Find(ctx, r.Admin, core.Filter{Limit: 300})
	if err != nil || page.Total != 300 {
		t.Fatalf("found %d, %v", page.Total, err)
	}
	keys := 0
	for _, f := range page.Found {
		if f.Version == nil {
			continue
		}
		if _, err := r.Box.Open(f.Version.Sealed, fmt.Sprintf("version/%d", f.Version.ID)); err != nil {
			t.Errorf("the key of %s: %v", f.DN, err)
		}
		keys++
	}
	if keys < 250 {
		t.Errorf("%d have a key", keys)
	}
	r.Stop()
	if diff := cmp.Diff(loaded, look()); diff != "" {
		t.Errorf("(-loaded +described):\n%s", diff)
	}
}

// Zero bytes and what is not UTF-8, which not every database takes, may be looked for.
func TestOddTextIsNoFault(t *testing.T) {
	t.Parallel()
	const odd = "odd\x00\xff.example.com"
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		for name, f := range map[string]core.Filter{
			"thumbprint": {Thumbprints: []string{odd}}, "serial": {Serials: []string{odd, "1"}}, "common name": {CommonNames: []string{odd}},
			"one of two": {CommonNames: []string{odd, "none.example.com"}}, "alternative name": {SANs: map[clm.Attr][]string{clm.SANDNS: {odd, "x"}}},
			"organization": {Organizations: []string{odd}}, "issuer": {Issuers: []string{odd}}, "name": {Names: []string{odd}}, "stage": {Stages: []clm.Stage{odd}},
			"management": {ManagementTypes: []string{odd}}, "class": {Classes: []clm.Class{odd}}, "country": {Countries: []string{odd}},
		} {
			f.Limit = 10
			if _, err := r.Find(ctx, r.Admin, f); err != nil && !errors.Is(err, clm.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
