package bench

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Renewals end to end over HTTPS: P-256, answered with the new certificate.
func BenchmarkRenew(b *testing.B) {
	each(b, func(b *testing.B, s *server) {
		for _, connections := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
				s.renew(b, "ECDSA", connections)
			})
		}
	})
}

// The same, signed by the RSA CA that is the default for the clients' sake.
func BenchmarkRenewRSA(b *testing.B) {
	each(b, func(b *testing.B, s *server) { s.renew(b, "Default", 64) })
}

// renew renews certificates of its own on every connection, one after another.
func (s *server) renew(b *testing.B, authority string, connections int) {
	clients := make([]*client, connections)
	for i := range clients {
		clients[i] = s.connect(b)
		clients[i].place = s.enroll(b, clients[i], authority)
	}
	runtime.GC()
	crypto, commits := cryptoRate(), s.commitRate()
	var next atomic.Int64
	begun := time.Now()
	b.ResetTimer()
	b.SetParallelism(max(1, connections/runtime.GOMAXPROCS(0)))
	if connections == 1 {
		for b.Loop() {
			clients[0].renewOnce(b)
		}
	} else {
		b.RunParallel(func(pb *testing.PB) {
			c := clients[int(next.Add(1)-1)%connections]
			for pb.Next() {
				c.renewOnce(b)
			}
		})
	}
	b.StopTimer()
	perSecond := float64(b.N) / time.Since(begun).Seconds()
	b.ReportMetric(perSecond, "renewals/s")
	b.ReportMetric(200*perSecond/(crypto+cryptoRate()), "%-of-crypto")
	b.ReportMetric(200*perSecond/(commits+s.commitRate()), "%-of-commits")
	b.ReportMetric(s.memory(b), "MiB")
}

// How long it takes from the start of the program to its first answer.
func BenchmarkStart(b *testing.B) {
	each(b, func(b *testing.B, s *server) {
		for b.Loop() {
			s.stop()
			s.start(b)
		}
	})
}
