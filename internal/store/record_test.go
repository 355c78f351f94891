package store_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// wholly is how a plan says that a table is read from end to end. The index of common
// names is followed until there are enough.
var wholly = regexp.MustCompile(`(?m)Seq Scan on (records|versions|certificates|sans|work) |^SCAN (r|v|k|s|n|u|w)\b.*$`)

// No search for records by something that few of them have reads a whole table, and no
// page in the order of common names does.
func TestRecordSearchesUseIndexes(t *testing.T) {
	t.Parallel()
	size := 10_000 // in a small table PostgreSQL reads everything sooner than a few by an index
	if testing.Short() {
		size = 1000
	}
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		n := estate(t, d, size)
		one := func(t store.RecordTerm) [][]store.RecordTerm { return [][]store.RecordTerm{{t}} }
		all := one(store.RecordTerm{})
		team := one(store.RecordTerm{Match: func(k *store.Cohort) bool {
			return k.Organization == "estate region 3" && strings.HasSuffix(k.Locality, " 0") && k.KeySize == 2048
		}})
		for name, f := range map[string]store.RecordFilter{
			"a version":        {All: one(store.RecordTerm{Versions: []clm.VersionID{4}})},
			"an order":         {All: one(store.RecordTerm{Orders: []clm.WorkID{4, 8}})},
			"a serial":         {All: one(store.RecordTerm{Serials: []string{"AB"}})},
			"a thumbprint":     {All: one(store.RecordTerm{Thumbprints: []string{"AB"}})},
			"a common name":    {All: one(store.RecordTerm{CommonName: "host-0000001.team0000.estate.example"})},
			"a SAN":            {All: one(store.RecordTerm{SAN: "www.host-0000001.team0000.estate.example"})},
			"pending":          {All: one(store.RecordTerm{State: store.PendingRecord})},
			"revoked":          {All: one(store.RecordTerm{State: store.RevokedRecord})},
			"pending, by them": {All: one(store.RecordTerm{State: store.PendingRecord}), Order: store.ByLastOrder, Descending: true},
			"a few places":     {All: team},
			"a page":           {All: all, Untold: true},
			"a page downwards": {All: all, Untold: true, Descending: true},
			"the next page":    {All: all, Untold: true, After: &store.RecordMark{CommonName: []byte("host-0000100"), Record: "00"}},
		} {
			f.Limit = 10
			n.look(func(tx *store.Tx) error {
				plans, err := tx.Explain(func(tx *store.Tx) error { _, _, err := tx.Records(f); return err })
				for query, plan := range plans {
					for _, scan := range wholly.FindAllString(plan, -1) {
						if !strings.Contains(scan, "records_cn") && !few.MatchString(scan) {
							t.Errorf("%s: %s in\n%s\n%s", name, scan, query, plan)
						}
					}
				}
				return err
			})
		}
	})
}

// The versions of an older release are found as those are that are written now, old ones
// and those without a certificate too.
func TestDescribeRecords(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		old, err := store.MigrateTo(ctx, d.Address, 6)
		if err != nil {
			t.Fatal(err)
		}
		const many = 700
		run := func(query string, args ...any) {
			t.Helper()
			if _, err := old.ExecContext(ctx, query, args...); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		run(`INSERT INTO objects (id, parent, dn, dn_key, class, own, policy, grants, created, revision) VALUES ('f', '', '\Shop', $1, 'folder', '', '', '', 1, 1)`, []byte(`\shop`))
		for i := range many {
			id, dn := fmt.Sprintf("c%03d", i), fmt.Sprintf(`\Shop\C%03d`, i)
			run("INSERT INTO objects (id, parent, dn, dn_key, class, own, policy, grants, created, revision) VALUES ($1, 'f', $2, $3, 'server-certificate', $4, '', '', 1, 1)",
				id, dn, []byte(strings.ToLower(dn)), fmt.Sprintf(`{"common-name":["Asked%d"]}`, i))
			cert, print := []byte{byte(i % 2)}, fmt.Sprintf("%04X", i)
			if i%7 == 0 {
				cert, print = nil, ""
			}
			run(`INSERT INTO versions (id, certificate, created, user_csr, authority, ref, cert, chain, thumbprint, serial, not_before, not_after)
				VALUES ($1, $2, $3, FALSE, '', '', $4, '', $5, '', 1, 2)`, 4*i+4, id, newYear.UnixMicro(), cert, print)
			run("INSERT INTO certificates (id, folder, disabled, current, cn_key, names, not_after) VALUES ($1, 'f', FALSE, 0, '', '', 0)", id)
		}
		old.Close()
		nodes := []node{open(t, d)}
		if nodes[0].IsShared() {
			nodes = append(nodes, open(t, d))
		}
		n := nodes[0]
		if err := n.Describe(ctx, func([]byte) (clm.Facts, error) { return clm.Facts{}, nil }); err != nil {
			t.Fatal(err)
		}
		n.finds("before the server is at work", store.RecordTerm{}, 0)
		for range 2 { // the second time there is nothing to be done
			var at sync.WaitGroup
			for _, n := range nodes {
				at.Go(func() {
					if err := n.DescribeRecords(ctx, func(cert []byte) (clm.Facts, error) {
						// Others write while certificates are read.
						err := n.Write(ctx, store.Entry{Action: "meanwhile"}, func(*store.Tx) error { return nil })
						return clm.Facts{Names: clm.Names{CommonName: fmt.Sprintf("Has%d", cert[0]), DNS: []string{"www.example.com"}}, IssuedBy: "CA"}, err
					}); err != nil {
						t.Error(err)
					}
				})
			}
			at.Wait()
		}
		for name, want := range map[string]struct {
			term store.RecordTerm
			n    int
		}{
			"all": {store.RecordTerm{}, many}, "asked for": {store.RecordTerm{CommonName: "asked14"}, 1}, "of another name": {store.RecordTerm{CommonName: "asked1"}, 0},
			"named": {store.RecordTerm{CommonName: "has1"}, 300}, "SAN": {store.RecordTerm{SAN: "www.example.com"}, 600},
			"issuer": {store.RecordTerm{Issuer: "ca"}, 600}, "rejected": {store.RecordTerm{State: store.RejectedRecord}, 100},
		} {
			n.look(func(tx *store.Tx) error {
				if _, total, err := tx.Records(store.RecordFilter{All: [][]store.RecordTerm{{want.term}}}); total != want.n || err != nil {
					t.Errorf("%s: got %d, %v; want %d", name, total, err, want.n)
				}
				return nil
			})
		}
	})
}

// What goes takes with it what it was found by.
func TestRecordsGoWithTheirPlaces(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := n.add(clm.ServerCertificate, `\www`)
		n.issue(o, clm.Version{Thumbprint: "AA", Cert: []byte{1}, NotAfter: newYear}, clm.Names{CommonName: "www", DNS: []string{"a", "b"}})
		n.issue(o, clm.Version{Thumbprint: "BB", Cert: []byte{2}, NotAfter: newYear}, clm.Names{CommonName: "www", DNS: []string{"a"}})
		rows := func(records, names int) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				for table, want := range map[string]int{"records": records, "record_names": names} {
					if got, err := tx.Rows(table); got != want || err != nil {
						t.Errorf("%s has %d rows, %v; want %d", table, got, err, want)
					}
				}
				return nil
			})
		}
		rows(2, 1)
		v := clm.Version{Certificate: o.ID}
		n.do("ask", func(tx *store.Tx) error { return tx.AddVersion(&v) })
		rows(3, 1)
		n.do("drop", func(tx *store.Tx) error { return tx.DropVersion(v.ID) })
		rows(2, 1)
		n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(o) })
		rows(0, 0)
	})
}

// How many there are of very many is counted anew after a while, of all others at once.
func TestRecordTotalsAreCurrent(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		for want := range 3 {
			n.look(func(tx *store.Tx) error {
				if _, total, err := tx.Records(store.RecordFilter{All: [][]store.RecordTerm{{{}}}}); total != want || err != nil {
					t.Errorf("got %d, %v; want %d", total, err, want)
				}
				return nil
			})
			o := n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\c%d`, want)))
			n.do("ask", func(tx *store.Tx) error { return tx.AddVersion(&clm.Version{Certificate: o.ID}) })
			n.turn(time.Microsecond)
		}
	})
}
