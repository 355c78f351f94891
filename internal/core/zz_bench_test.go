package core_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

func BenchmarkZZ(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		for _, n := range []int{1, 64} {
			b.Run(fmt.Sprint(name, n), func(b *testing.B) {
				d := coretest.SQLite(b)
				if name == "postgres" {
					d = coretest.Postgres(b)
				}
				r := coretest.New(b, d, coretest.Options{})
				r.Box.Watch = nil
				ctx := context.Background()
				dns := make([]string, n)
				for i := range dns {
					done, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, Names: clm.Names{CommonName: fmt.Sprintf("h%d.example.com", i)}, KeyAlgorithm: clm.ECC, Authority: core.ECDSACA})
					if err != nil {
						b.Fatal(err)
					}
					dns[i] = string(await(b, r, done).Place.DN)
				}
				var next atomic.Int64
				b.SetParallelism((n + 1) / 2)
				b.ResetTimer()
				one := func(dn string) {
					done, err := r.Renew(ctx, r.Admin, core.Renew{DN: dn})
					if err != nil {
						b.Fatal(err)
					}
					r.Wait(ctx, done.Work, patience)
					if _, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: dn}); err != nil {
						b.Fatal(err)
					}
				}
				if n == 1 {
					for b.Loop() {
						one(dns[0])
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						dn := dns[int(next.Add(1)-1)%n]
						for pb.Next() {
							one(dn)
						}
					})
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ren/s")
			})
		}
	}
}
