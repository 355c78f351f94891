package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// finds says how many records the term selects.
func (n node) finds(what string, t store.RecordTerm, want int) {
	n.t.Helper()
	n.look(func(tx *store.Tx) error {
		if _, total, err := tx.Records(store.RecordFilter{All: [][]store.RecordTerm{{t}}}); err != nil || total != want {
			n.t.Errorf("%s: got %d, %v; want %d", what, total, err, want)
		}
		return nil
	})
}

// Names that a database does not keep as they are, or not in an index, are kept all the
// same, as far as it can, and found.
func TestRecordsOfUnwieldyNames(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		long := "" // and not to be made much shorter
		for i := range 200 {
			long += fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i)}))
		}
		o := &clm.Object{DN: `\asked`, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{
			clm.CommonName: {"a\x00sked" + long}, clm.SANDNS: {"san\x00" + long},
		}}
		n.do("add", func(tx *store.Tx) error { return put(tx, o) })
		n.do("ask", func(tx *store.Tx) error { return tx.AddVersion(&clm.Version{Certificate: o.ID}) })
		n.issue(n.add(clm.ServerCertificate, `\has`), clm.Version{Thumbprint: "AA", Cert: []byte{1}, NotAfter: newYear},
			clm.Names{CommonName: "h\x00as", DNS: []string{"www\x00.example"}, Organization: "Shop"})
		for name, search := range map[string]struct {
			term store.RecordTerm
			want int
		}{
			"common name":                         {store.RecordTerm{CommonName: "Asked" + long}, 1},
			"common name with the same beginning": {store.RecordTerm{CommonName: "asked" + long[1:]}, 0},
			"one that goes on":                    {store.RecordTerm{CommonName: "asked" + long + "x"}, 0},
			"SAN":                                 {store.RecordTerm{SAN: "san" + long}, 1},
			"SAN that goes on":                    {store.RecordTerm{SAN: "san" + long + "x"}, 0},
			"as they were asked for":              {store.RecordTerm{CommonName: "a\x00sked" + long, SAN: "san\x00" + long}, 1},
			"issued":                              {store.RecordTerm{CommonName: "h\x00as", SAN: "www\x00.example"}, 1},
			"text":                                {store.RecordTerm{Text: "\x00www.exam"}, 1},
			"no UTF-8":                            {store.RecordTerm{CommonName: "\xff", SAN: "\xff", Text: "\xff", Unit: "\xff"}, 0},
		} {
			n.finds(name, search.term, search.want)
		}
	})
}

// Words of clients are kept whatever is in them.
func TestWordsOfClientsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o, words := n.add(clm.ServerCertificate, `\www`), "no\x00t \xff"
		n.do("write", func(tx *store.Tx) error {
			w := clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
			w.Subject, w.Reason, w.Actor = o.ID, words, words
			return errors.Join(tx.AddVersion(&clm.Version{Certificate: o.ID, External: words}), tx.AddWork(&w),
				tx.AddDecision(store.Decision{Work: w.ID, Actor: words, Said: words, Gate: words}))
		})
		n.look(func(tx *store.Tx) error {
			found, err := tx.VersionsByExternal(words)
			if err != nil || len(found) != 1 || found[0].External != "not \uFFFD" {
				t.Errorf("got %+v, %v", found, err)
			}
			return nil
		})
		n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(o) })
		n.look(func(tx *store.Tx) error {
			if rows, err := tx.Rows("decisions"); rows != 0 || err != nil {
				t.Errorf("%d decisions are left, %v", rows, err)
			}
			return nil
		})
	})
}

// What comes into use after all is in the inventory of records again.
func TestActivateShowsTheRecord(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := n.add(clm.ServerCertificate, `\www`)
		names := clm.Names{CommonName: "www", DNS: []string{"www"}}
		n.issue(o, clm.Version{Thumbprint: "AA", Cert: []byte{1}, NotAfter: newYear}, names)
		for i, names := range []clm.Names{names, {CommonName: "another"}} { // as before, and not
			v := clm.Version{Certificate: o.ID}
			n.do("ask", func(tx *store.Tx) error { return tx.AddVersion(&v) })
			n.do("hide", func(tx *store.Tx) error { return tx.HideVersion(v.ID) })
			n.finds("hidden", store.RecordTerm{}, 1+i)
			v.Thumbprint, v.Cert, v.NotAfter = fmt.Sprintf("B%d", i), []byte{byte(2 + i)}, newYear
			n.do("issue", func(tx *store.Tx) error {
				return errors.Join(tx.SaveVersion(v), tx.Activate(v, clm.Facts{Names: names}, time.Time{}))
			})
			n.finds("in use", store.RecordTerm{}, 2+i)
			n.look(func(tx *store.Tx) error {
				if v, err := tx.Version(v.ID); err != nil || !v.Removed.IsZero() {
					t.Errorf("it is removed since %v, %v", v.Removed, err)
				}
				return nil
			})
		}
	})
}

// Searches that differ only in where one text ends and the next begins are not taken for
// one another.
func TestAlikeSearchesHaveTurnsOfTheirOwn(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		for cn, names := range map[string]clm.Names{"z": {Organization: "a b", Locality: "c"}, "y": {Organization: "a b", Locality: "c"}, "c": {Organization: "a", Locality: "b c"}, "d": {Organization: "a", Locality: "b c"}} {
			names.CommonName = cn
			n.issue(n.add(clm.ServerCertificate, clm.DN(`\`+cn)), clm.Version{Thumbprint: cn, Cert: []byte(cn), NotAfter: newYear}, names)
		}
		n.look(func(tx *store.Tx) error {
			var got []string
			for _, f := range []store.RecordFilter{
				{All: [][]store.RecordTerm{{{Organization: "a b", Locality: "c"}}}, Limit: 1},
				{All: [][]store.RecordTerm{{{Organization: "a", Locality: "b c"}}}, Limit: 1, Offset: 1},
			} {
				hits, _, err := tx.Records(f)
				if err != nil {
					return err
				}
				for _, h := range hits {
					got = append(got, string(h.CommonName))
				}
			}
			if !slices.Equal(got, []string{"y", "d"}) {
				t.Errorf("got %q", got)
			}
			return nil
		})
	})
}

// Few searches that look at very many records are carried out at a time; others wait as
// long as they want to, and what costs little does not wait.
func TestCostlySearchesWait(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := n.add(clm.ServerCertificate, `\www`)
		n.issue(o, clm.Version{Thumbprint: "AA", Cert: []byte{1}, NotAfter: newYear}, clm.Names{CommonName: "www"})
		ctx, cancel := context.WithCancel(context.Background())
		all := [][]store.RecordTerm{{{}}}
		costly := store.RecordFilter{All: all, Order: store.ByEndOf, Limit: 1, Untold: true}
		inside, leave, ended := make(chan bool, 8), make(chan bool), make(chan error, 8)
		search := func(ctx context.Context) {
			ended <- n.Search(ctx, func(tx *store.Tx) error {
				if _, _, err := tx.Records(costly); err != nil {
					return err
				}
				inside <- true
				<-leave
				return nil
			})
		}
		for range store.MaxCostly {
			go search(context.Background())
			receive(t, "a search that is carried out", inside)
		}
		go search(ctx)
		for name, f := range map[string]store.RecordFilter{
			"in the order of the index": {All: all, Limit: 1, Untold: true},
			"one of few":                {All: [][]store.RecordTerm{{{CommonName: "www"}}}, Order: store.ByEndOf, Limit: 1},
		} {
			if err := n.Search(ctx, func(tx *store.Tx) error { _, _, err := tx.Records(f); return err }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		go search(context.Background())
		leave <- true
		receive(t, "the one that waited", inside)
		close(leave)
		for range store.MaxCostly + 1 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

// API keys of an older release live on as new ones do.
func TestOldAPIKeysAreProlonged(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		old, err := store.MigrateTo(ctx, d.Address, 6)
		if err != nil {
			t.Fatal(err)
		}
		for id, application := range map[string]string{"key": "", "grant": "vcert-sdk"} {
			if _, err := old.ExecContext(ctx, `INSERT INTO sessions (id, principal, application, scope, issued, until, access_hash, access_issued, access_until, ended)
				VALUES ($1, 'jo', $2, '', 0, 0, $3, 0, 0, FALSE)`, id, application, []byte(id)); err != nil {
				t.Fatal(err)
			}
		}
		old.Close()
		open(t, d).look(func(tx *store.Tx) error {
			for id, want := range map[string]time.Duration{"key": 10 * time.Minute, "grant": 0} {
				if s, err := tx.SessionByAccess([]byte(id)); err != nil || s.Idle != want {
					t.Errorf("%s: got %v, %v; want %v", id, s.Idle, err, want)
				}
			}
			return nil
		})
	})
}

// What a principal has handed in goes with it.
func TestUploadedRequestsGoWithTheirPrincipals(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		jo, al := &store.Principal{Name: "jo"}, &store.Principal{Name: "al"}
		n.do("add", func(tx *store.Tx) error { return errors.Join(tx.SavePrincipal(jo), tx.SavePrincipal(al)) })
		var jos, als store.UploadedRequest
		n.do("hand in", func(tx *store.Tx) error {
			jos, als = store.UploadedRequest{Principal: jo.ID, CSR: []byte{1}}, store.UploadedRequest{Principal: al.ID, CSR: []byte{1}}
			return errors.Join(tx.AddUploadedRequest(&jos), tx.AddUploadedRequest(&als))
		})
		n.do("drop", func(tx *store.Tx) error { return tx.DropPrincipal(jo.ID) })
		n.look(func(tx *store.Tx) error {
			if _, err := tx.UploadedRequest(jos.ID); !errors.Is(err, clm.NotFound) {
				t.Errorf("what has gone: got %v, want %v", err, clm.NotFound)
			}
			_, err := tx.UploadedRequest(als.ID)
			return err
		})
	})
}
