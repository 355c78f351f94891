package core_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A stock is records that differ in everything, by letters.
type stock struct {
	*coretest.Rig
	letters map[clm.VersionID]string
	of      map[string]clm.Version
	orders  map[string]clm.WorkID
}

// newStock makes the stock: a is the version before A, which has other names; b is
// watched; c is revoked; d is a user's; e and f are certificates of CAs; p is on its way,
// q has failed, r was rejected and s, which has no common name, cancelled, t is a signing request that nobody has
// asked to be signed, and u came when nobody wanted it any more.
func newStock(t *testing.T, r *coretest.Rig) *stock {
	t.Helper()
	s := &stock{Rig: r, letters: map[clm.VersionID]string{}, of: map[string]clm.Version{}, orders: map[string]clm.WorkID{}}
	r.Folder(`\VED\Policy\One`, nil)
	r.Folder(`\VED\Policy\One\Deep`, nil)
	r.Folder(`\VED\Policy\Two`, map[clm.Attr]clm.Rule{clm.ManagementType: {Values: []string{clm.Monitoring}}})
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "Root E", Organization: []string{"Trust"}}, IsCA: true, BasicConstraintsValid: true}
	e := issue(t, ca, nil)
	f := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Issuing F"}, IsCA: true, BasicConstraintsValid: true}, e)
	named := func(cn string, more func(*x509.Certificate)) *x509.Certificate {
		c := &x509.Certificate{Subject: pkix.Name{CommonName: cn}, DNSNames: []string{cn}}
		if more != nil {
			more(c)
		}
		return c
	}
	s.issued("a", `\VED\Policy\One\a`, clm.ServerCertificate, issue(t, named("old.example.com", nil), e))
	s.issued("A", `\VED\Policy\One\a`, clm.ServerCertificate, issue(t, named("www.example.com", func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "www.example.com", Organization: []string{"Example, Inc."}, OrganizationalUnit: []string{"One", "Two"}, Locality: []string{"Lehi"}, Province: []string{"Utah"}, Country: []string{"US"}}
		c.DNSNames, c.EmailAddresses, c.IPAddresses = []string{"www.example.com", "alt_1.example.com"}, []string{"a@Example.com"}, []net.IP{net.ParseIP("192.0.2.1")}
		c.NotAfter = time.Now().AddDate(2, 0, 0)
	}), f))
	s.issued("b", `\VED\Policy\Two\b`, clm.DeviceCertificate, issue(t, named("b.example.com", nil), f))
	s.issued("c", `\VED\Policy\One\Deep\c`, clm.CodeSigningCertificate, issue(t, named("Code C", func(c *x509.Certificate) { c.DNSNames = nil }), f))
	s.issued("d", `\VED\Policy\One\d`, clm.UserCertificate, issue(t, named("www.example.com", nil), e))
	s.issued("e", `\VED\Policy\Two\e`, clm.ServerCertificate, e)
	s.issued("f", `\VED\Policy\One\f`, clm.ServerCertificate, f)
	for _, letter := range []string{"p", "q", "r", "s", "t", "u"} {
		s.asked(letter, clm.DN(`\VED\Policy\One\`+letter))
	}
	s.write(func(tx *store.Tx) error {
		return tx.SaveRevocation(clm.Revocation{Version: s.of["c"].ID, Reason: clm.KeyCompromise, Requested: tx.Now, Accepted: tx.Now})
	})
	return s
}

func (s *stock) write(fn func(*store.Tx) error) {
	if err := s.DB.Write(context.Background(), store.Entry{Actor: clm.System, Action: "stock"}, fn); err != nil {
		panic(err)
	}
}

// place finds the place, or makes it.
func (s *stock) place(tx *store.Tx, dn clm.DN, class clm.Class, own map[clm.Attr][]string) (*clm.Object, error) {
	if path, err := tx.Path(dn); err == nil {
		return path.Last(), nil
	}
	folder, err := tx.Path(dn.Parent())
	if err != nil {
		return nil, err
	}
	o := &clm.Object{DN: dn, Class: class, Own: own}
	return o, tx.AddObject(o, folder.Last().ID)
}

// issued adds a certificate, which is in use from then on.
func (s *stock) issued(letter string, dn clm.DN, class clm.Class, made *foreign) {
	s.Clock.Turn(2 * time.Second)
	cert, err := x509.ParseCertificate(made.der)
	if err != nil {
		panic(err)
	}
	id, issuer := pki.Identify(cert), cert.Issuer.CommonName
	f := clm.Facts{Names: id.Names, Issuer: pki.FormatName(cert.RawIssuer), IssuedBy: issuer, KeyAlgorithm: clm.ECC, KeySize: 256, IsCA: cert.IsCA, SelfSigned: bytes.Equal(cert.RawSubject, cert.RawIssuer)}
	s.write(func(tx *store.Tx) error {
		o, err := s.place(tx, dn, class, nil)
		if err != nil {
			return err
		}
		v := clm.Version{Certificate: o.ID, Cert: made.der, Thumbprint: id.Thumbprint, Serial: id.Serial, NotBefore: id.NotBefore, NotAfter: id.NotAfter}
		if err := tx.AddVersion(&v); err != nil {
			return err
		}
		s.letters[v.ID], s.of[letter] = letter, v
		w := clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
		w.Subject, w.Version = o.ID, v.ID
		if err := tx.AddDoneWork(&w); err != nil {
			return err
		}
		s.orders[letter] = w.ID
		var at time.Time
		if letter == "A" {
			at = tx.Now.AddDate(0, 6, 0)
		}
		return tx.Activate(v, f, at)
	})
}

// asked adds a record that has no certificate.
func (s *stock) asked(letter string, dn clm.DN) {
	s.Clock.Turn(2 * time.Second)
	s.write(func(tx *store.Tx) error {
		cn := letter + ".new.example.com"
		own := map[clm.Attr][]string{clm.CommonName: {cn}, clm.SANDNS: {cn, "Alt." + cn}}
		if letter == "s" {
			delete(own, clm.CommonName)
		}
		o, err := s.place(tx, dn, clm.ServerCertificate, own)
		if err != nil {
			return err
		}
		v := clm.Version{Certificate: o.ID}
		if letter == "u" {
			v.Cert, v.Thumbprint, v.Serial, v.Orphaned = []byte("late"), "FEED", "0FEE", tx.Now
		}
		if err := tx.AddVersion(&v); err != nil {
			return err
		}
		if letter == "u" {
			if err := tx.SaveVersion(v); err != nil {
				return err
			}
		}
		s.letters[v.ID], s.of[letter] = letter, v
		if letter == "t" {
			return nil
		}
		w := clm.Begin(clm.Enroll, clm.Submit, tx.Now)
		w.Subject, w.Version, w.NotBefore = o.ID, v.ID, clm.Never
		w.Done = letter == "s" || letter == "u"
		if letter == "q" || letter == "r" {
			w.Failure = "no"
		}
		if err := tx.AddWork(&w); err != nil || letter != "r" {
			s.orders[letter] = w.ID
			return err
		}
		s.orders[letter] = w.ID
		return errors.Join(tx.AddDecision(store.Decision{Work: w.ID, Yes: true}), tx.AddDecision(store.Decision{Work: w.ID}))
	})
}

// found are the letters of the records that are found, in their order, page by page.
func (s *stock) found(t *testing.T, who clm.Actor, q core.RecordQuery, limit int) string {
	t.Helper()
	var got strings.Builder
	for offset, total := 0, 1; offset < total; offset += limit {
		q.Limit, q.Offset = limit, offset
		page, err := s.Records(context.Background(), who, q)
		if err != nil {
			t.Fatal(err)
		}
		total = page.Total
		for _, r := range page.Found {
			got.WriteString(s.letters[r.Version.ID])
		}
	}
	return got.String()
}

// Each condition finds what it says and nothing else, different ones must all hold, and
// pages fit together, whatever their size.
func TestEveryRecordCondition(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newStock(t, coretest.New(t, d, coretest.Options{Idle: true}))
		id := func(letter string) string { return core.RecordID(s.of[letter]) }
		for _, test := range []struct {
			name  string
			query core.RecordQuery
			want  string
		}{
			{"all", core.RecordQuery{}, "Aabcdefpqrstu"},
			{"ID", core.RecordQuery{IDs: []string{id("a")}}, "a"},
			{"ID in another case, and one that is none", core.RecordQuery{IDs: []string{strings.ToUpper(id("p")), "nonsense", "5f5641a7e74e187a7e3d5266"}}, "p"},
			{"no ID", core.RecordQuery{IDs: []string{}}, ""},
			{"order", core.RecordQuery{Orders: []clm.WorkID{s.orders["p"], s.orders["b"], 5}}, "bp"},
			{"common name", core.RecordQuery{CommonName: "WWW.example.com"}, "Ad"},
			{"common name of an older version", core.RecordQuery{CommonName: "old.example.com"}, "a"},
			{"common name that is asked for", core.RecordQuery{CommonName: "p.new.example.com"}, "p"},
			{"part of a common name", core.RecordQuery{CommonName: "www"}, ""},
			{"serial number", core.RecordQuery{Serial: s.of["A"].Serial}, "A"},
			{"serial number with colons", core.RecordQuery{Serial: colons(strings.ToLower(s.of["a"].Serial))}, "a"},
			{"serial number of what nobody wanted", core.RecordQuery{Serial: "0FEE", Statuses: []core.RecordStatus{core.StatusManaged}}, ""},
			{"no serial number", core.RecordQuery{Serial: "xyz"}, ""},
			{"no thumbprint", core.RecordQuery{Thumbprint: "AB\x00CD"}, ""},
			{"names with what no text has", core.RecordQuery{CommonName: "www\x00.example.com\xff", SAN: "www\x00\xff"}, ""},
			{"text with what no text has", core.RecordQuery{Text: "alt_1\x00"}, "A"},
			{"thumbprint", core.RecordQuery{Thumbprint: colons(strings.ToLower(s.of["d"].Thumbprint))}, "d"},
			{"DNS name", core.RecordQuery{SAN: "ALT_1.example.com"}, "A"},
			{"DNS name with something where the line is", core.RecordQuery{SAN: "alt-1.example.com"}, ""},
			{"DNS name of several", core.RecordQuery{SAN: "www.example.com"}, "Ad"},
			{"DNS name of an older version", core.RecordQuery{SAN: "old.example.com"}, "a"},
			{"DNS name that is asked for", core.RecordQuery{SAN: "alt.q.new.example.com"}, "q"},
			{"e-mail", core.RecordQuery{SAN: "a@example.COM"}, "A"},
			{"address", core.RecordQuery{SAN: "192.0.2.1"}, "A"},
			{"a common name is no alternative name", core.RecordQuery{SAN: "Code C"}, ""},
			{"issuer", core.RecordQuery{Issuer: "issuing f"}, "Abc"},
			{"issuer of itself", core.RecordQuery{Issuer: "Root E"}, "adef"},
			{"part of an issuer", core.RecordQuery{Issuer: "Root"}, ""},
			{"organization", core.RecordQuery{Organization: "example, inc."}, "A"},
			{"one of the units", core.RecordQuery{Unit: "TWO"}, "A"},
			{"part of a unit", core.RecordQuery{Unit: "Tw"}, ""},
			{"locality", core.RecordQuery{Locality: "LEHI"}, "A"},
			{"province", core.RecordQuery{Province: "utah"}, "A"},
			{"country", core.RecordQuery{Country: "us"}, "A"},
			{"group", core.RecordQuery{Group: "two"}, "be"},
			{"group without those below it", core.RecordQuery{Group: "One"}, "Aadfpqrstu"},
			{"group below another", core.RecordQuery{Group: "one/deep"}, "c"},
			{"no group", core.RecordQuery{Group: "Three"}, ""},
			{"servers", core.RecordQuery{Kinds: []core.RecordKind{core.ServerRecord}}, "Aapqrstu"},
			{"clients", core.RecordQuery{Kinds: []core.RecordKind{core.ClientRecord}}, "bd"},
			{"devices", core.RecordQuery{Kinds: []core.RecordKind{core.DeviceRecord}}, "b"},
			{"code", core.RecordQuery{Kinds: []core.RecordKind{core.CodeRecord}}, "c"},
			{"roots", core.RecordQuery{Kinds: []core.RecordKind{core.RootRecord}}, "e"},
			{"other CAs, and clients", core.RecordQuery{Kinds: []core.RecordKind{core.AboveRecord, core.ClientRecord}}, "bdf"},
			{"no kind", core.RecordQuery{Kinds: []core.RecordKind{}}, ""},
			{"pending", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusPending}}, "p"},
			{"managed", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusManaged}}, "Aadf"},
			{"monitored", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusMonitored}}, "be"},
			{"revoked", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusRevoked}}, "c"},
			{"failed", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusFailed}}, "q"},
			{"rejected", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusRejected}}, "rstu"},
			{"pending or monitored", core.RecordQuery{Statuses: []core.RecordStatus{core.StatusPending, core.StatusMonitored}}, "bep"},
			{"no status", core.RecordQuery{Statuses: []core.RecordStatus{}}, ""},
			{"renewed by itself", core.RecordQuery{AutoRenewed: true}, "A"},
			{"text in a name", core.RecordQuery{Text: "NEW.example"}, "pqrstu"},
			{"text with what stands for anything elsewhere", core.RecordQuery{Text: "%"}, ""},
			{"text in an alternative name", core.RecordQuery{Text: "alt_1"}, "A"},
			{"text in a serial number", core.RecordQuery{Text: s.of["A"].Serial[1:9]}, "A"},
			{"text in a serial number with colons", core.RecordQuery{Text: colons(s.of["d"].Serial)}, "d"},
			{"text in a thumbprint", core.RecordQuery{Text: s.of["f"].Thumbprint[3:20]}, "f"},
			{"text in an issuer", core.RecordQuery{Text: "suing f"}, "Abcf"},
			{"text in a group", core.RecordQuery{Text: "eep"}, "c"},
			{"two", core.RecordQuery{CommonName: "www.example.com", Kinds: []core.RecordKind{core.ServerRecord}}, "A"},
			{"two that do not go together", core.RecordQuery{CommonName: "www.example.com", Group: "Two"}, ""},
			{"many", core.RecordQuery{Serial: s.of["A"].Serial, Issuer: "Issuing F", CommonName: "www.example.com", SAN: "www.example.com", Kinds: []core.RecordKind{core.ServerRecord}}, "A"},
		} {
			t.Run(test.name, func(t *testing.T) {
				for _, limit := range []int{1, 2, 100} {
					if got := sortedLetters(s.found(t, s.Admin, test.query, limit)); got != test.want {
						t.Errorf("limit %d: got %q, want %q", limit, got, test.want)
					}
				}
			})
		}
	})
}

func colons(digits string) string {
	var pairs []string
	for pair := range slices.Chunk([]byte(digits), 2) {
		pairs = append(pairs, string(pair))
	}
	return strings.Join(pairs, ":")
}

func sortedLetters(s string) string {
	letters := strings.Split(s, "")
	slices.Sort(letters)
	return strings.Join(letters, "")
}

// What a record says of itself is what it is found by.
func TestRecordsSayWhatTheyAreFoundBy(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newStock(t, coretest.New(t, d, coretest.Options{Idle: true}))
		page, err := s.Records(context.Background(), s.Admin, core.RecordQuery{Limit: 100})
		check(t, err)
		for _, r := range page.Found {
			letter := s.letters[r.Version.ID]
			for name, q := range map[string]core.RecordQuery{
				"status": {Statuses: []core.RecordStatus{r.Status()}}, "kind": {Kinds: []core.RecordKind{r.Kind}},
				"group": {Group: r.Group}, "common name": {CommonName: r.CommonName}, "ID": {IDs: []string{r.ID}},
			} {
				if got := s.found(t, s.Admin, q, 100); !strings.Contains(got, letter) {
					t.Errorf("%s is not found by its %s", letter, name)
				}
			}
		}
		if len(page.Found) != 13 {
			t.Errorf("got %d", len(page.Found))
		}
	})
}

// The order is the one that is asked for, and among equals that of the IDs; pages follow
// one another in it in both directions.
func TestRecordOrders(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newStock(t, coretest.New(t, d, coretest.Options{Idle: true}))
		group := func(a, b *core.RecordView) int { return strings.Compare(a.Group, b.Group) }
		for _, test := range []struct {
			name  string
			query core.RecordQuery
			want  string
		}{
			{"common name", core.RecordQuery{Group: "one"}, "sfapqrtuAd"},
			{"ID", core.RecordQuery{Order: core.ByRecordID}, "aAbcdefpqrstu"},
			{"order", core.RecordQuery{Order: core.ByLastOrder, Statuses: []core.RecordStatus{core.StatusManaged}}, "aAdf"},
			{"end", core.RecordQuery{Order: core.ByEnd, CommonName: "www.example.com"}, "dA"},
			{"something else", core.RecordQuery{Compare: group, Statuses: []core.RecordStatus{core.StatusManaged, core.StatusMonitored, core.StatusRevoked}}, "aAdf" + "c" + "be"},
		} {
			for _, limit := range []int{1, 3, 100} {
				if got := s.found(t, s.Admin, test.query, limit); got != test.want {
					t.Errorf("%s, limit %d: got %s, want %s", test.name, limit, got, test.want)
				}
				if test.query.Compare != nil {
					continue
				}
				down := test.query
				down.Descending = true
				want := strings.Split(test.want, "")
				slices.Reverse(want)
				if got := s.found(t, s.Admin, down, limit); got != strings.Join(want, "") {
					t.Errorf("%s, downwards, limit %d: got %s", test.name, limit, got)
				}
			}
		}
	})
}

// Who may not read a place does not find its records, and does not count them either.
func TestRecordsThatMayBeRead(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newStock(t, coretest.New(t, d, coretest.Options{Idle: true}))
		ctx := context.Background()
		_, err := s.PutPrincipal(ctx, clm.System, core.PutPrincipal{Name: "reader", Password: s.Password})
		check(t, err)
		reader, err := s.Login(ctx, core.Login{Name: "reader", Password: s.Password, Address: "127.0.0.1"})
		check(t, err)
		sees := func(what string, q core.RecordQuery, want string) {
			t.Helper()
			for _, limit := range []int{1, 2, 100} {
				if got := sortedLetters(s.found(t, reader, q, limit)); got != want {
					t.Errorf("%s, limit %d: got %q, want %q", what, limit, got, want)
				}
			}
			page, err := s.Records(ctx, reader, q)
			if err != nil || page.Total != len(want) {
				t.Errorf("%s: counts %d, %v; want %d", what, page.Total, err, len(want))
			}
		}
		all := core.RecordQuery{}
		sees("at first", all, "")
		sees("by ID at first", core.RecordQuery{IDs: []string{core.RecordID(s.of["A"])}}, "")
		give(t, s.Rig, `\VED\Policy\One`, "reader", clm.View)
		sees("who may only see it", all, "")
		give(t, s.Rig, `\VED\Policy\One`, "reader", clm.View|clm.Read)
		sees("a folder", all, "Aacdfpqrstu")
		give(t, s.Rig, `\VED\Policy\One\a`, "reader", clm.View)
		sees("but for one", all, "cdfpqrstu")
		sees("but for one, by name", core.RecordQuery{CommonName: "www.example.com"}, "d")
		give(t, s.Rig, `\VED\Policy\Two\b`, "reader", clm.View|clm.Read|clm.Write)
		sees("and one elsewhere", all, "bcdfpqrstu")
		sees("and by what they are", core.RecordQuery{Kinds: []core.RecordKind{core.ClientRecord}}, "bd")
		sees("and by text", core.RecordQuery{Text: "example.com"}, "bdpqrstu")
		sees("and by group", core.RecordQuery{Group: "two"}, "b")
		page, err := s.Records(ctx, reader, core.RecordQuery{Kinds: []core.RecordKind{core.ClientRecord}, Limit: 10})
		check(t, err)
		for _, r := range page.Found {
			if mayWrite, want := r.Rights.Has(clm.Write), s.letters[r.Version.ID] == "b"; mayWrite != want {
				t.Errorf("%s may be written: %v", r.CommonName, mayWrite)
			}
		}
	})
}

// Who goes from page to page misses nothing and sees nothing twice, whatever comes and
// goes meanwhile before the page; be it by numbers or by the names of the pages.
func TestRecordPagesAreStable(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		s := &stock{Rig: r, letters: map[clm.VersionID]string{}, of: map[string]clm.Version{}, orders: map[string]clm.WorkID{}}
		r.Folder(`\VED\Policy\Many`, nil)
		add := func(name string) { s.asked(name, clm.DN(`\VED\Policy\Many\`+name)) }
		want := ""
		for n := range 9 {
			add(fmt.Sprintf("k%d", n))
			want += fmt.Sprintf("k%d", n)
		}
		ctx := context.Background()
		byNumber, byName, after := "", "", ""
		for offset := 0; offset < 9; offset += 2 {
			page, err := s.Records(ctx, s.Admin, core.RecordQuery{Limit: 2, Offset: offset})
			check(t, err)
			named, err := s.Records(ctx, s.Admin, core.RecordQuery{Limit: 2, After: after, Untold: true})
			check(t, err)
			for _, r := range page.Found {
				byNumber += s.letters[r.Version.ID]
			}
			for _, r := range named.Found {
				byName += s.letters[r.Version.ID]
			}
			if named.Total != -1 || (named.Next == "") != (offset == 8) {
				t.Errorf("at %d: total %d, next %q", offset, named.Total, named.Next)
			}
			after = named.Next
			add(fmt.Sprintf("a%d", offset))
			if offset == 4 {
				check(t, s.Remove(ctx, s.Admin, s.of["k1"].Certificate))
			}
		}
		if byNumber != want || byName != want {
			t.Errorf("got %s and %s, want %s", byNumber, byName, want)
		}
		if _, err := s.Records(ctx, s.Admin, core.RecordQuery{Limit: 2, After: "nonsense"}); !errors.Is(err, clm.Invalid) {
			t.Errorf("got %v for a page that is none", err)
		}
	})
}

// Who deletes page by page what is listed meets everything, and who asks for what stands
// behind the last one gets nothing.
func TestRecordPagesWhileDeleting(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		s := &stock{Rig: r, letters: map[clm.VersionID]string{}, of: map[string]clm.Version{}, orders: map[string]clm.WorkID{}}
		r.Folder(`\VED\Policy\Many`, nil)
		ctx, want, got := context.Background(), "", ""
		for _, letter := range strings.Split("abcdef", "") {
			s.asked(letter, clm.DN(`\VED\Policy\Many\`+letter))
			want += letter
		}
		for offset := 0; offset <= len(want); offset += 2 {
			page, err := s.Records(ctx, s.Admin, core.RecordQuery{Limit: 2, Offset: offset})
			check(t, err)
			for _, r := range page.Found {
				got += s.letters[r.Version.ID]
				check(t, s.Remove(ctx, s.Admin, r.Version.Certificate))
			}
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// What an older release has written is taken among the records while the server is at
// work already.
func TestRunDescribesRecords(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newStock(t, coretest.New(t, d, coretest.Options{Idle: true}))
		s.Stop()
		for _, forgotten := range []string{"DELETE FROM records", "DELETE FROM record_facts", "DELETE FROM record_names", "UPDATE counters SET value = 0 WHERE name = 'records'"} {
			check(t, d.Exec(forgotten))
		}
		s.Start(coretest.Options{Idle: true}) // with Setup
		if got := s.found(t, s.Admin, core.RecordQuery{}, 100); got != "" {
			t.Errorf("%s are found before the server is at work", got)
		}
		s.Stop()
		s.Start(coretest.Options{})
		eventually(t, "all are found", func() bool { return len(s.found(t, s.Admin, core.RecordQuery{}, 100)) == len(s.letters) })
		for want, q := range map[string]core.RecordQuery{"A": {SAN: "alt_1.example.com"}, "Abc": {Issuer: "issuing f"}, "a": {SAN: "old.example.com"}, "c": {Statuses: []core.RecordStatus{core.StatusRevoked}}} {
			if got := sortedLetters(s.found(t, s.Admin, q, 100)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// What happens to a certificate shows in what its records are found by.
func TestRecordsFollowTheirCertificates(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		count := func(what string, q core.RecordQuery, want int) {
			t.Helper()
			if page, err := r.Records(ctx, r.Admin, q); err != nil || page.Total != want {
				t.Errorf("%s: got %d, %v; want %d", what, page.Total, err, want)
			}
		}
		first := request(t, r, core.DefaultZone, "www.example.com")
		managed := []core.RecordStatus{core.StatusManaged}
		count("issued", core.RecordQuery{CommonName: "www.example.com", SAN: "www.example.com", Statuses: managed, Issuer: "nobody"}, 0)
		count("issued", core.RecordQuery{CommonName: "www.example.com", SAN: "www.example.com", Statuses: managed}, 1)
		done, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.Place.DN)})
		check(t, err)
		await(t, r, done)
		count("renewed", core.RecordQuery{CommonName: "www.example.com", Statuses: managed}, 2)
		r.Folder(`\VED\Policy\Elsewhere`, nil)
		check(t, r.Rename(ctx, r.Admin, string(first.Place.DN), `\VED\Policy\Elsewhere\www`))
		count("moved", core.RecordQuery{Group: "elsewhere"}, 2)
		check(t, r.Remove(ctx, r.Admin, first.Place.ID))
		count("removed", core.RecordQuery{}, 0)
	})
}
