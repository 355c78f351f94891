package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

const (
	revoked = 10_000 // certificates that are revoked in one go
	callers = 8      // connections on which they are
)

// Revocations over HTTPS, on eight connections, where so many have been revoked by
// the same issuer before. Afterwards: how long it takes until all lists name them, and
// how many times as long as where nothing had been revoked, which is the limit.
func BenchmarkRevoke(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			s := newServer(b, name)
			defer s.remove()
			var limit time.Duration
			for _, before := range []int{0, 100_000} {
				s.preload(b, before)
				b.Run(fmt.Sprintf("before=%d", before), func(b *testing.B) {
					listed := s.revoke(b)
					if before == 0 {
						limit = listed
					}
					b.ReportMetric(listed.Seconds(), "s-until-listed")
					b.ReportMetric(limit.Seconds(), "s-at-before=0")
					b.ReportMetric(listed.Seconds()/limit.Seconds(), "times-before=0")
				})
			}
		})
	}
}

// preload writes into the ledger that the ECDSA issuer has revoked so many
// certificates, in the parts of its list in which others are revoked later.
func (s *server) preload(b *testing.B, n int) {
	if n == 0 {
		return
	}
	s.stop()
	address := s.database
	if address == "" {
		address = filepath.Join(s.dir, "certwright.db")
	}
	ctx := context.Background()
	db, err := store.Open(ctx, address, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	for first := 0; first < n; first += batch {
		err := db.Write(ctx, store.Entry{Actor: clm.System, Action: "preload"}, func(tx *store.Tx) error {
			issuers, err := tx.Issuers()
			for _, i := range issuers {
				for k := first; err == nil && i.Name == "ecdsa" && k < first+batch; k++ {
					serial := make([]byte, 16)
					rand.Read(serial)
					err = tx.Enlist(store.LedgerEntry{
						Issuer: i.Fingerprint, Serial: fmt.Sprintf("%X", serial), Shard: clm.VersionID(4 * k).Shard(), NotAfter: tx.Now.AddDate(0, 3, 0), Revoked: tx.Now, Reason: clm.Superseded,
					})
				}
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	db.Close()
	s.start(b)
}

// revoke revokes certificates and says how long it takes after that until lists name
// them all.
func (s *server) revoke(b *testing.B) time.Duration {
	certs := s.issue(b, "ECDSA", revoked, 64)
	bodies := make([][]byte, len(certs))
	for i, cert := range certs {
		bodies[i] = fmt.Appendf(nil, `{"Thumbprint":"%X","Reason":4}`, sha1.Sum(cert.Raw))
	}
	runtime.GC()
	commits := s.commitRate()
	b.ResetTimer()
	begun := time.Now()
	share(b, s, revoked, callers, func(c *client, i int) {
		if answer := c.send(b, "/vedsdk/Certificates/Revoke", bodies[i]); !bytes.Contains(answer, []byte(`"Success":true`)) {
			b.Errorf("not revoked: %s", answer)
		}
	})
	perSecond := revoked / time.Since(begun).Seconds()
	b.ReportMetric(perSecond, "revocations/s")
	b.ReportMetric(200*perSecond/(commits+s.commitRate()), "%-of-commits")
	begun = time.Now()
	s.awaitLists(b, certs)
	return time.Since(begun)
}

// awaitLists waits until the list that each certificate names does name it.
func (s *server) awaitLists(b *testing.B, certs []*x509.Certificate) {
	left := map[string][]*x509.Certificate{}
	for _, cert := range certs {
		left[cert.CRLDistributionPoints[0]] = append(left[cert.CRLDistributionPoints[0]], cert)
	}
	for address, those := range left {
		for deadline := time.Now().Add(time.Minute); !listed(b, address, those); {
			if time.Now().After(deadline) {
				b.Fatalf("%s does not name all", address)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func listed(b *testing.B, address string, certs []*x509.Certificate) bool {
	list, err := x509.ParseRevocationList(get(b, address))
	if err != nil {
		b.Fatal(err)
	}
	named := map[string]bool{}
	for _, e := range list.RevokedCertificateEntries {
		named[e.SerialNumber.String()] = true
	}
	for _, cert := range certs {
		if !named[cert.SerialNumber.String()] {
			return false
		}
	}
	return true
}

func get(b *testing.B, address string) []byte {
	response, err := http.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %v", address, response.Status, err)
	}
	return data
}

// What relying parties get: parts of lists, and OCSP answers about certificates that
// nobody has asked about yet and about such that somebody has. Beside them stands
// what a page costs that is not signed and not looked up.
func BenchmarkRelying(b *testing.B) {
	each(b, func(b *testing.B, s *server) {
		for _, authority := range []string{"ECDSA", "Default"} {
			certs := s.issue(b, authority, 2000, 64)
			base := certs[0].OCSPServer[0]
			issuer := s.issuerOf(b, certs[0])
			questions := make([]string, len(certs))
			for i, cert := range certs {
				der, err := pki.AskStatus(cert, issuer)
				if err != nil {
					b.Fatal(err)
				}
				questions[i] = base + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(der))
			}
			b.Run(authority+"/limit", func(b *testing.B) { measureGets(b, certs[0].IssuingCertificateURL) })
			b.Run(authority+"/crl", func(b *testing.B) { measureGets(b, []string{certs[0].CRLDistributionPoints[0]}) })
			b.Run(authority+"/ocsp-first", func(b *testing.B) { once(b, questions) })
			b.Run(authority+"/ocsp-again", func(b *testing.B) { measureGets(b, questions) })
		}
	})
}

func (s *server) issuerOf(b *testing.B, cert *x509.Certificate) *x509.Certificate {
	issuer, err := x509.ParseCertificate(get(b, cert.IssuingCertificateURL[0]))
	if err != nil {
		b.Fatal(err)
	}
	return issuer
}

// relying is a client that keeps its connections.
var relying = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}

// ask gets what is at the address and throws it away.
func ask(b *testing.B, address string) {
	response, err := relying.Get(address)
	if err != nil {
		b.Error(err)
		return
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Errorf("%s: %s %v", address, response.Status, err)
	}
}

// measureGets gets the addresses one after the other, on eight connections.
func measureGets(b *testing.B, addresses []string) {
	var next atomic.Int64
	b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
	begun := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ask(b, addresses[int(next.Add(1))%len(addresses)])
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "answers/s")
}

// once gets each of the addresses once.
func once(b *testing.B, addresses []string) {
	var next atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range callers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(addresses); i = int(next.Add(1)) - 1 {
				ask(b, addresses[i])
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(len(addresses))/time.Since(begun).Seconds(), "answers/s")
}
