package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// agrees fails the test when the tallies say something else than the tables.
func (n node) agrees() {
	n.t.Helper()
	n.look(func(tx *store.Tx) error {
		differences, err := tx.CountedAnew()
		for _, d := range differences {
			n.t.Errorf("tally %v %v says %v, there are %v", d[0], d[1], d[2], d[3])
		}
		return err
	})
}

// Whatever is done in whatever order, and whatever of it comes to nothing, the
// tallies say what there is; a search without further conditions agrees, on every node.
func TestTalliesAgree(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		nodes := []node{open(t, d)}
		if nodes[0].IsShared() {
			nodes = append(nodes, open(t, d))
		}
		n := nodes[0]
		for _, dn := range []clm.DN{`\A`, `\B`} {
			n.add(clm.Folder, dn)
		}
		r := rand.New(rand.NewPCG(1, 2))
		var places []*clm.Object
		enough := errors.New("enough")
		for step := range 150 {
			n := nodes[r.IntN(len(nodes))]
			fails := r.IntN(4) == 0
			var added *clm.Object
			gone := -1
			err := n.Write(context.Background(), store.Entry{Action: "step"}, func(tx *store.Tx) error {
				added, gone = nil, -1
				for range 1 + r.IntN(3) {
					var o clm.Object
					at := 0
					if len(places) > 0 {
						at = r.IntN(len(places))
						o = *places[at]
					}
					var err error
					switch kind := r.IntN(5); {
					case len(places) == 0 || kind == 0:
						added = &clm.Object{Class: clm.ServerCertificate, DN: clm.DN(fmt.Sprintf(`\%c\c%d-%d`, 'A'+r.IntN(2), step, r.Int64()))}
						err = put(tx, added)
					case kind == 1:
						o.Own = map[clm.Attr][]string{clm.Off: {fmt.Sprint(r.IntN(2))}, clm.ManagementType: []string{clm.Monitoring}[:r.IntN(2)]}
						err = tx.SaveObject(&o)
					case kind == 2 && gone < 0:
						gone, err = at, tx.DeleteObject(&o)
					case gone < 0:
						v := clm.Version{Certificate: o.ID, NotBefore: newYear.AddDate(0, 0, r.IntN(3)), NotAfter: newYear.AddDate(1, 0, r.IntN(3))}
						err = errors.Join(tx.AddVersion(&v), tx.Activate(v, clm.Facts{Names: clm.Names{Organization: fmt.Sprint(r.IntN(2))}}, time.Time{}))
					}
					if err != nil {
						return err
					}
				}
				if fails {
					return enough
				}
				return nil
			})
			if err != nil {
				if !errors.Is(err, enough) {
					t.Fatal(err)
				}
				continue
			}
			if gone >= 0 {
				places = slices.Delete(places, gone, gone+1)
			}
			if added != nil {
				places = nil // one write may have added several
				n.look(func(tx *store.Tx) error {
					hits, _, err := tx.Find(store.Filter{Limit: 1000})
					for _, h := range hits {
						places = append(places, h.Object)
					}
					return err
				})
			}
		}
		n.agrees()
		for _, n := range nodes {
			n.look(func(tx *store.Tx) error {
				hits, total, err := tx.Find(store.Filter{Limit: 1000})
				if len(hits) != total || total != len(places) {
					t.Errorf("total %d, found %d; want %d", total, len(hits), len(places))
				}
				return err
			})
		}
	})
}

// Many processes that have come and gone leave their counts to one that starts;
// those that live go on.
func TestShardsAreMerged(t *testing.T) {
	t.Parallel()
	d := coretest.EmptyPostgres(t)
	lives := open(t, d)
	for i := range store.MaxShards + 2 {
		n := open(t, d)
		n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\c%d`, i)))
		n.Close()
		lives.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\d%d`, i)))
		want := 2*i + 2
		lives.look(func(tx *store.Tx) error {
			if _, total, err := tx.Find(store.Filter{}); total != want || err != nil {
				t.Fatalf("got %d, %v; want %d", total, err, want)
			}
			return nil
		})
	}
	lives.agrees()
}

// A deleted object leaves nothing behind; one that holds others stays.
func TestDeleteObject(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		folder, o := n.add(clm.Folder, `\Shop`), n.add(clm.ServerCertificate, `\Shop\www`)
		v := n.issue(o, clm.Version{Thumbprint: "AA", Cert: []byte{1}, NotAfter: newYear}, clm.Names{CommonName: "www", DNS: []string{"www"}})
		w := clm.Begin(clm.Enroll, clm.Submit, n.Now())
		w.Subject, w.Version = o.ID, v.ID
		n.do("work", func(tx *store.Tx) error {
			err := tx.AddWork(&w)
			return errors.Join(err, tx.AddGate(clm.Gate{ID: "ticket", Subject: o.ID, Work: w.ID, Stage: clm.Submit, Open: true}, nil))
		})
		err := n.Write(context.Background(), store.Entry{}, func(tx *store.Tx) error { return tx.DeleteObject(folder) })
		if !errors.Is(err, store.ErrNotEmpty) || !n.exists(`\Shop`) {
			t.Errorf("got %v for a folder that is not empty", err)
		}
		moved, end := n.Watch(w.ID)
		defer end()
		<-moved // that it was written
		n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(o) })
		receive(t, "word of the work", moved)
		if n.exists(`\Shop\www`) || !n.exists(`\Shop`) {
			t.Error("the certificate is there, or the folder is not")
		}
		n.look(func(tx *store.Tx) error {
			if versions, err := tx.Versions(o.ID); len(versions) != 0 || err != nil {
				t.Errorf("got %d versions, %v", len(versions), err)
			}
			if _, err := tx.Work(w.ID); !errors.Is(err, clm.NotFound) {
				t.Errorf("got %v for its work", err)
			}
			if gates, err := tx.Gates(w.ID); len(gates) != 0 || err != nil {
				t.Errorf("got %d gates, %v", len(gates), err)
			}
			_, total, err := tx.Find(store.Filter{})
			if total != 0 {
				t.Errorf("%d certificates are found", total)
			}
			return err
		})
		err = n.Write(context.Background(), store.Entry{}, func(tx *store.Tx) error { return tx.SaveWork(w) })
		if !errors.Is(err, store.ErrStale) {
			t.Errorf("a worker that comes late got %v, want ErrStale", err)
		}
		n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(folder) })
		if n.exists(`\Shop`) {
			t.Error("the folder is there")
		}
		n.add(clm.ServerCertificate, `\www`)
		n.agrees()
	})
}

// A key can be put in the place of another, and taken away.
func TestReplaceKey(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		v := clm.Version{Certificate: "a", Sealed: []byte{1}}
		n.do("add", func(tx *store.Tx) error { return tx.AddVersion(&v) })
		for _, want := range [][]byte{{2}, nil, {3}} {
			n.do("replace", func(tx *store.Tx) error { return tx.ReplaceKey(v.ID, want) })
			n.look(func(tx *store.Tx) error {
				got, err := tx.Version(v.ID)
				if string(got.Sealed) != string(want) {
					t.Errorf("got %v, want %v", got.Sealed, want)
				}
				return err
			})
		}
	})
}

// Certificates below a folder come in the order of their IDs, in parts, without
// those beside it.
func TestCertificatesBelow(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		stock(n)
		var got []clm.ObjectID
		for after := clm.ObjectID(""); ; {
			var part []clm.ObjectID
			n.look(func(tx *store.Tx) (err error) { part, err = tx.CertificatesBelow(`\shop`, after, 2); return err })
			if len(part) == 0 {
				break
			}
			got, after = append(got, part...), part[len(part)-1]
		}
		n.look(func(tx *store.Tx) error {
			hits, _, err := tx.Find(store.Filter{Trees: []clm.DN{`\Shop`}, Limit: 10})
			if diff := cmp.Diff(ids(hits), got); diff != "" || len(got) != 3 {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return err
		})
	})
}

// A database of the first release is taken into the inventory, in several parts.
func TestDescribe(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		old, err := store.MigrateTo(ctx, d.Address, 1)
		if err != nil {
			t.Fatal(err)
		}
		const many = 600
		run := func(query string, args ...any) {
			t.Helper()
			if _, err := old.ExecContext(ctx, query, args...); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		created := newYear.AddDate(-1, 0, 0).UnixMicro()
		object := "INSERT INTO objects (id, parent, dn, dn_key, class, own, policy, grants, created, revision) VALUES ($1, $2, $3, $4, $5, $6, '', '', $7, 1)"
		run(object, "f", "", `\Shop`, []byte(`\shop`), "folder", "", created)
		for i := range many {
			id, dn := fmt.Sprintf("c%03d", i), fmt.Sprintf(`\Shop\C%03d`, i)
			own := ""
			if i%10 == 0 {
				own = `{"disabled":["1"],"management-type":["Monitoring"]}`
			}
			run(object, id, "f", dn, []byte(strings.ToLower(dn)), "server-certificate", own, created)
			current := 0
			if i%3 > 0 {
				current = i + 1
				run(`INSERT INTO versions (id, certificate, created, user_csr, authority, ref, cert, chain, thumbprint, serial, not_before, not_after)
					VALUES ($1, $2, 0, FALSE, '', '', $3, '', $4, '', $5, $6)`, current, id, []byte{byte(i % 3)}, fmt.Sprintf("%02X", i), newYear.UnixMicro(), newYear.AddDate(1, 0, 0).UnixMicro())
			}
			run("INSERT INTO certificates (id, folder, disabled, current, cn_key, names, not_after) VALUES ($1, 'f', $2, $3, $4, 'old', $5)",
				id, i%10 == 0, current, map[bool]string{true: "www"}[current > 0], map[bool]int64{true: newYear.AddDate(1, 0, 0).UnixMicro()}[current > 0])
		}
		old.Close()
		n := open(t, d)
		for range 2 { // the second time there is nothing to be done
			if err := n.Describe(ctx, func(cert []byte) (clm.Facts, error) {
				if cert[0] == 2 {
					return clm.Facts{}, errors.New("it cannot be read")
				}
				return clm.Facts{Names: clm.Names{CommonName: "www", Organization: "Shop", DNS: []string{"www.example.com"}}, KeySize: 256}, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		n.agrees()
		n.look(func(tx *store.Tx) error { // nobody has said yet when any of them is to be renewed
			s, any, err := tx.NextSweep()
			if rows, err := tx.Rows("sweeps"); !any || s.Below != clm.RootDN || s.After != "" || rows != 1 || err != nil {
				t.Errorf("got sweep %+v, %d in all, %v", s, rows, err)
			}
			return err
		})
		for name, test := range map[string]struct {
			filter store.Filter
			want   int
		}{
			"all":        {store.Filter{}, many},
			"by name":    {store.Filter{Names: []string{"c007"}}, 1},
			"by DNS":     {store.Filter{SANs: dnsNames("www.example.com")}, many / 3},
			"by cohort":  {store.Filter{Match: func(k *store.Cohort) bool { return k.Organization == "shop" && k.KeySize == 256 }}, many / 3},
			"by folder":  {store.Filter{Folders: []clm.DN{`\Shop`}, Match: func(k *store.Cohort) bool { return k.Disabled && k.Management == "monitoring" }}, many / 10},
			"by start":   {store.Filter{Begins: store.Span{At: []time.Time{newYear}}}, many * 2 / 3},
			"by end":     {store.Filter{Ends: store.Span{After: newYear}}, many * 2 / 3},
			"by print":   {store.Filter{Thumbprints: []string{"01"}}, 1},
			"by newness": {store.Filter{Created: store.Span{After: newYear}}, 0},
		} {
			n.look(func(tx *store.Tx) error {
				if _, total, err := tx.Find(test.filter); total != test.want || err != nil {
					t.Errorf("%s: got %d, %v; want %d", name, total, err, test.want)
				}
				return nil
			})
		}
	})
}

// estate opens a database with many certificates.
func estate(t *testing.T, d coretest.Database, size int) node {
	t.Helper()
	open(t, d).Close()
	if err := (coretest.Estate{Address: d.Address, Size: size}).Fill(context.Background()); err != nil {
		t.Fatal(err)
	}
	return open(t, d)
}

// reading is how a database says that it looks at every row of a table, or of an
// index; few are the indexes that hold folders and open work only.
var (
	reading = regexp.MustCompile(`(?m)Seq Scan on (certificates|objects|versions|sans|work) |^SCAN (c|o|v|w|u|g|certificates|objects|versions|sans|work|tickets)\b.*$`)
	few     = regexp.MustCompile(`(objects_folders|objects_granted|work_stopped|work_stage|work_installs|tickets_open)$`)
)

// No search, count or page reads a whole table; what makes it so is looked up in
// the plans of all statements, for one example of each way.
func TestSearchesUseIndexes(t *testing.T) {
	t.Parallel()
	size := 15_000
	if testing.Short() {
		size = 1000
	}
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		n := estate(t, d, size)
		n.agrees()
		n.pagesAreRight(size)
		yes, no, now := true, false, n.Now()
		for name, filter := range map[string]store.Filter{
			"everything":        {},
			"a deep page":       {Offset: size / 2, Key: "a"},
			"a thumbprint":      {Thumbprints: []string{"AB"}},
			"thumbprints":       {Thumbprints: []string{"AB", "CD"}},
			"a serial":          {Serials: []string{"AB"}},
			"a name":            {Names: []string{"host-0000001.team0000.estate.example"}},
			"a common name":     {CommonNames: []string{"host-0000001.team0000.estate.example", "x"}},
			"a DNS name":        {SANs: dnsNames("www.host-0000001.team0000.estate.example")},
			"an address":        {SANs: map[clm.Attr][]string{clm.SANIP: {"10.0.0.1", "10.0.0.2"}}},
			"an early end":      {Ends: store.Span{Before: now}},
			"a narrow end":      {Ends: store.Span{After: now, Before: now.Add(time.Hour)}},
			"a wide end":        {Ends: store.Span{After: now}},
			"an exact end":      {Ends: store.Span{At: []time.Time{now, now.Add(time.Hour)}}},
			"a start":           {Begins: store.Span{After: now.AddDate(0, 0, -10)}},
			"a start and end":   {Begins: store.Span{After: now.AddDate(0, 0, -10)}, Ends: store.Span{Before: now.AddDate(0, 6, 0)}},
			"young":             {Created: store.Span{After: now.AddDate(0, 0, -10)}},
			"old":               {Created: store.Span{Before: now.AddDate(0, 0, -100)}},
			"made just then":    {Created: store.Span{At: []time.Time{now}}},
			"one team":          {Folders: []clm.DN{`\VED\Policy\Estate\Region 1\Site 00\Team 0001`}},
			"a region":          {Trees: []clm.DN{`\VED\Policy\Estate\Region 1`}},
			"a region, deep":    {Trees: []clm.DN{`\VED\Policy\Estate\Region 1`}, Offset: size / 20, Key: "b"},
			"a region's ends":   {Trees: []clm.DN{`\VED\Policy\Estate\Region 1`}, Ends: store.Span{After: now, Before: now.AddDate(0, 1, 0)}},
			"a team's ends":     {Folders: []clm.DN{`\VED\Policy\Estate\Region 1\Site 00\Team 0001`}, Ends: store.Span{After: now}},
			"a common property": {Match: func(k *store.Cohort) bool { return k.KeyAlgorithm == "rsa" }},
			"a rare property":   {Match: func(k *store.Cohort) bool { return k.Disabled && k.Wildcard }},
			"in error":          {InError: &yes},
			"not in error":      {InError: &no},
			"awaiting a yes":    {Gated: &yes},
			"not awaiting":      {Gated: &no, Match: func(k *store.Cohort) bool { return k.KeyAlgorithm == "rsa" }},
			"at a stage":        {Stages: []clm.Stage{clm.Submit}},
			"not begun":         {Stages: []clm.Stage{store.NotBegun}},
			"being installed":   {Stages: []clm.Stage{clm.Place}},
		} {
			filter.Limit = 100
			n.explained(name, func(tx *store.Tx) error { _, _, err := tx.Find(filter); return err })
		}
		n.explained("due", func(tx *store.Tx) error { _, err := tx.DueRenewals(now, 10); return err })
		n.explained("named alike", func(tx *store.Tx) error { _, err := tx.CertificatesNamed("x", "y", 10); return err })
		n.explained("below", func(tx *store.Tx) error {
			_, err := tx.CertificatesBelow(`\VED\Policy\Estate\Region 2`, "", 10)
			return err
		})
	})
}

// pagesAreRight fails the test when searches of many certificates find others than
// a look at each of them does, or pages do not fit together, wherever they begin
// and however they are reached.
func (n node) pagesAreRight(size int) {
	n.t.Helper()
	var everything []store.Hit
	now, r := n.Now(), rand.New(rand.NewPCG(3, 4))
	below := func(h store.Hit, dn clm.DN) bool { return h.Object.DN.IsBelow(dn) }
	ends := func(h store.Hit, from, until time.Time) bool {
		return h.Version != nil && h.Version.NotAfter.After(from) && h.Version.NotAfter.Before(until)
	}
	region, site, team := clm.DN(`\VED\Policy\Estate\Region 3`), clm.DN(`\VED\Policy\Estate\Region 3\Site 00`), clm.DN(`\VED\Policy\Estate\Region 3\Site 00\Team 0003`)
	late := clm.DN(fmt.Sprintf(`\Late %d`, r.Int64()))
	n.add(clm.Folder, late)
	for i := range 30 { // together at the end of the list
		n.add(clm.ServerCertificate, late.Child(fmt.Sprint(i)))
	}
	n.look(func(tx *store.Tx) (err error) {
		everything, _, err = tx.Find(store.Filter{Limit: size + 30})
		return err
	})
	for name, test := range map[string]struct {
		filter store.Filter
		is     func(store.Hit) bool
	}{
		"everything":       {store.Filter{}, func(store.Hit) bool { return true }},
		"a region":         {store.Filter{Trees: []clm.DN{region}}, func(h store.Hit) bool { return below(h, region) }},
		"all but a region": {store.Filter{Match: func(k *store.Cohort) bool { return !strings.HasSuffix(k.Organization, "3") }}, func(h store.Hit) bool { return !below(h, region) || h.Version == nil }},
		"a site":           {store.Filter{Trees: []clm.DN{site}}, func(h store.Hit) bool { return below(h, site) }},
		"a team":           {store.Filter{Folders: []clm.DN{team}}, func(h store.Hit) bool { return below(h, team) }},
		"the latest":       {store.Filter{Trees: []clm.DN{late}}, func(h store.Hit) bool { return below(h, late) }},
		"a month":          {store.Filter{Ends: store.Span{After: now, Before: now.AddDate(0, 1, 0)}}, func(h store.Hit) bool { return ends(h, now, now.AddDate(0, 1, 0)) }},
		"a hundred days":   {store.Filter{Ends: store.Span{After: now, Before: now.AddDate(0, 0, 100)}}, func(h store.Hit) bool { return ends(h, now, now.AddDate(0, 0, 100)) }},
		"a region's month": {store.Filter{Trees: []clm.DN{region}, Ends: store.Span{After: now, Before: now.AddDate(0, 1, 0)}}, func(h store.Hit) bool { return below(h, region) && ends(h, now, now.AddDate(0, 1, 0)) }},
		"a team's future":  {store.Filter{Folders: []clm.DN{team}, Ends: store.Span{After: now}}, func(h store.Hit) bool { return below(h, team) && ends(h, now, now.AddDate(9, 0, 0)) }},
		"the older half":   {store.Filter{Created: store.Span{Before: now.AddDate(-1, -6, 0)}}, func(h store.Hit) bool { return time.UnixMicro(h.Object.Created).Before(now.AddDate(-1, -6, 0)) }},
		"a region's recent": {store.Filter{Trees: []clm.DN{region}, Created: store.Span{After: now.AddDate(0, -2, 0)}}, func(h store.Hit) bool {
			return below(h, region) && time.UnixMicro(h.Object.Created).After(now.AddDate(0, -2, 0))
		}},
	} {
		var want []clm.ObjectID
		for _, h := range everything {
			if test.is(h) {
				want = append(want, h.Object.ID)
			}
		}
		for try := range 12 {
			f := test.filter
			f.Key, f.Limit, f.Offset = []string{"", name}[try%2], 1+r.IntN(150), r.IntN(len(want)+10)
			if try%3 == 2 {
				f.Offset = max(0, len(want)-f.Limit-try) // the end
			}
			for range 2 { // the second time with what was remembered
				n.look(func(tx *store.Tx) error {
					page, total, err := tx.Find(f)
					got := ids(page)
					if part := want[min(f.Offset, len(want)):min(f.Offset+f.Limit, len(want))]; total != len(want) || !slices.Equal(got, part) {
						n.t.Errorf("%s, limit %d, offset %d: total %d, want %d; %d hits, want %d", name, f.Limit, f.Offset, total, len(want), len(got), len(part))
					}
					return err
				})
				f.Offset += f.Limit
			}
		}
	}
}

// explained fails the test when a statement of the search reads a whole table.
func (n node) explained(name string, search func(*store.Tx) error) {
	n.t.Helper()
	n.look(func(tx *store.Tx) error {
		plans, err := tx.Explain(search)
		for query, plan := range plans {
			if scans := slices.DeleteFunc(reading.FindAllString(plan, -1), few.MatchString); len(scans) > 0 {
				n.t.Errorf("%s: %v in\n%s\n%s", name, scans, query, plan)
			}
		}
		return err
	})
}
