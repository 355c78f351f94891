// Package bench measures what a renewal costs, beside what it cannot cost less
// than on the same machine in the same run: its cryptography, and a commit that
// survives a power failure. Nothing here is asserted; `make bench` prints it.
package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"math/big"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the drivers that the bare commits are made with
	_ "modernc.org/sqlite"

	"github.com/certwright/certwright/internal/coretest"
)

func TestMain(m *testing.M) {
	os.Setenv("CERTWRIGHT_BENCH", "1") // a PostgreSQL that really writes
	code := coretest.Main(m)
	stopServers()
	os.Exit(code)
}

// limitTime is how long a limit is measured each time. What a shared machine can do
// changes by the minute, so the limit is taken just before and just after whatever
// is held against it.
const limitTime = 2 * time.Second

// cryptoRate is how many certificates a second all cores make when they do
// nothing else: key, signing request, its check, signature, parsing. All P-256.
func cryptoRate() float64 {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Limit CA"}, NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return rate(runtime.GOMAXPROCS(0), func() { cryptoOnly(template, caKey) })
}

func cryptoOnly(issuer *x509.Certificate, caKey *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "www.example.com"}, DNSNames: []string{"www.example.com"}}, key)
	if err != nil {
		panic(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil || csr.CheckSignature() != nil {
		panic("a bad signing request")
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: csr.Subject, DNSNames: csr.DNSNames, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, issuer, csr.PublicKey, caKey)
	if err != nil {
		panic(err)
	}
	if _, err := x509.ParseCertificate(cert); err != nil {
		panic(err)
	}
}

// rate is how often a second so many goroutines do it.
func rate(goroutines int, do func()) float64 {
	var count atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for range goroutines {
		wg.Go(func() {
			for time.Since(begun) < limitTime {
				do()
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(count.Load()) / time.Since(begun).Seconds()
}

// commits is how many single rows a second a database commits durably, one after
// another: what a program that shares no commits could reach.
func commits(driver, address string) float64 {
	db, err := sql.Open(driver, address)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("DROP TABLE IF EXISTS limits"); err != nil {
		panic(err)
	}
	if _, err := db.Exec("CREATE TABLE limits (id BIGINT PRIMARY KEY, text TEXT)"); err != nil {
		panic(err)
	}
	insert, err := db.Prepare("INSERT INTO limits (id, text) VALUES ($1, $2)")
	if err != nil {
		panic(err)
	}
	id, text := 0, strings.Repeat("x", 200)
	return rate(1, func() {
		id++
		if _, err := insert.Exec(id, text); err != nil {
			panic(err)
		}
	})
}

// The limit of all cores doing nothing but cryptography.
func BenchmarkLimitCrypto(b *testing.B) {
	for b.Loop() {
	}
	b.ReportMetric(cryptoRate(), "certs/s")
}

// The limit of one durable commit after another.
func BenchmarkLimitCommits(b *testing.B) {
	each(b, func(b *testing.B, s *server) {
		for b.Loop() {
		}
		b.ReportMetric(s.commitRate(), "commits/s")
	})
}
