package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// recordQuestions are what clients ask of the records of an inventory of the size, of
// which some are given.
func recordQuestions(size int, some []core.RecordView) []struct {
	name  string
	query func(n int) core.RecordQuery
} {
	any := func() core.RecordView { return some[rand.IntN(len(some))] }
	server := []core.RecordKind{core.ServerRecord}
	type question = struct {
		name  string
		query func(n int) core.RecordQuery
	}
	return []question{
		{"id", func(int) core.RecordQuery { return core.RecordQuery{IDs: []string{any().ID}, Limit: 10} }},
		{"serial", func(int) core.RecordQuery {
			return core.RecordQuery{Serial: any().Version.Serial, Kinds: server, Limit: 10}
		}},
		{"common-name", func(int) core.RecordQuery {
			return core.RecordQuery{CommonName: any().CommonName, Kinds: server, Limit: 100}
		}},
		{"san", func(int) core.RecordQuery { return core.RecordQuery{SAN: any().CommonName, Kinds: server, Limit: 10} }},
		{"pending", func(int) core.RecordQuery {
			return core.RecordQuery{Statuses: []core.RecordStatus{core.StatusPending}, Order: core.ByLastOrder, Descending: true, Limit: 10}
		}},
		{"group", func(int) core.RecordQuery { return core.RecordQuery{Group: any().Group, Order: core.ByEnd, Limit: 10} }},
		{"list", func(int) core.RecordQuery { return core.RecordQuery{Limit: 100, Untold: true} }},
		{"page", func(n int) core.RecordQuery {
			return core.RecordQuery{Kinds: server, Limit: 100, Offset: n * 100 % size}
		}},
		{"jump", func(int) core.RecordQuery {
			return core.RecordQuery{Kinds: server, Limit: 100, Offset: rand.IntN(size)}
		}},
		// None of these is asked twice, so that each is counted anew.
		{"count-all", func(n int) core.RecordQuery {
			return core.RecordQuery{Kinds: server, Statuses: []core.RecordStatus{core.StatusManaged, core.RecordStatus(200 + n%50)}, Limit: 10}
		}},
		{"by-end-of-all", func(int) core.RecordQuery { return core.RecordQuery{Kinds: server, Order: core.ByEnd, Limit: 10} }},
		{"free-text", func(int) core.RecordQuery { return core.RecordQuery{Text: any().CommonName[5:12], Limit: 10} }},
	}
}

// Searches for records in the process, on an inventory of each size, one after another.
func BenchmarkRecords(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		for _, size := range sizes(b) {
			b.Run(fmt.Sprintf("%s/certificates=%d", name, size), func(b *testing.B) {
				d := coretest.EmptySQLite(b)
				if name == "postgres" {
					d = coretest.EmptyPostgres(b)
				}
				address := d.Address
				if err := (coretest.Estate{Address: address, Size: size}).Fill(context.Background()); err != nil {
					b.Fatal(err)
				}
				db, err := store.Open(context.Background(), address, store.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				c := core.New(core.Config{DB: db})
				who := clm.Actor{Name: "bench", Master: true}
				page, err := c.Records(context.Background(), who, core.RecordQuery{Limit: 1000, Untold: true, Order: core.ByCommonName, Statuses: []core.RecordStatus{core.StatusManaged}})
				if err != nil || len(page.Found) == 0 {
					b.Fatalf("%d records, %v", len(page.Found), err)
				}
				for _, q := range recordQuestions(size, page.Found) {
					b.Run(q.name, func(b *testing.B) { measureRecords(b, c, who, q.query) })
				}
			})
		}
	}
}

func measureRecords(b *testing.B, c *core.Core, who clm.Actor, query func(n int) core.RecordQuery) {
	var took []time.Duration
	n := 0
	for b.Loop() {
		begun := time.Now()
		if _, err := c.Records(context.Background(), who, query(n)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
		n++
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
}
