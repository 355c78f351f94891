package core_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// eventually waits until it is so, looking again and again.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// request asks for an EC certificate for the name and waits until it is issued.
func request(t testing.TB, r *coretest.Rig, folder, cn string) core.Issued {
	t.Helper()
	done, err := r.Request(context.Background(), r.Admin, core.Request{
		Folder: folder, Names: clm.Names{CommonName: cn}, KeyAlgorithm: clm.ECC,
	})
	if err != nil {
		t.Fatal(err)
	}
	return await(t, r, done)
}

// await waits until the work has ended and checks that key and certificate fit.
func await(t testing.TB, r *coretest.Rig, done core.Accepted) core.Issued {
	t.Helper()
	open, err := r.Wait(context.Background(), done.Work, patience)
	if err != nil || open.State != clm.Finished {
		t.Fatalf("got work %+v, %v; want it finished", open, err)
	}
	got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(done.DN), KeyIfAny: true})
	if err != nil {
		t.Fatal(err)
	}
	fits(t, got)
	return got
}

func fits(t testing.TB, got core.Issued) {
	t.Helper()
	cert, err := x509.ParseCertificate(got.Version.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if got.Key != nil && !pki.Matches(cert, got.Key) {
		t.Errorf("key and certificate of %s do not match", got.Place.DN)
	}
	if len(got.Chain) != 2 {
		t.Errorf("got a chain of %d, want issuing CA and root", len(got.Chain))
	}
}

// A request leads to a certificate, a renewal to another with another key.
func TestRequestThenRenew(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		first := request(t, r, core.DefaultZone, "www.example.com")
		done, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(first.Place.DN)})
		if err != nil {
			t.Fatal(err)
		}
		second := await(t, r, done)
		if string(first.Version.KeyHash) == string(second.Version.KeyHash) {
			t.Error("the renewal has the old key")
		}
		if first.Version.Serial == second.Version.Serial {
			t.Error("the renewal has the old serial number")
		}
	})
}

// Of many renewals at once of one certificate one is accepted.
func TestOneOfManyRenewals(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		dn := string(request(t, r, core.DefaultZone, "www.example.com").Place.DN)
		r.Stop()
		r.Start(coretest.Options{Idle: true})
		const many = 50
		var mu sync.Mutex
		accepted, busy := 0, 0
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				_, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: dn})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					accepted++
				case errors.Is(err, clm.Busy):
					busy++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if accepted != 1 || busy != many-1 {
			t.Errorf("got %d accepted and %d busy, want 1 and %d", accepted, busy, many-1)
		}
	})
}

// Clients that ask for one name in folders of their own get keys of their own.
func TestSameNameInManyFolders(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		const many = 100
		var mu sync.Mutex
		keys, serials := map[string]bool{}, map[string]bool{}
		var all sync.WaitGroup
		for i := range many {
			folder := fmt.Sprintf(`\VED\Policy\Team %d`, i)
			if _, err := r.Put(context.Background(), r.Admin, core.Put{DN: folder, Class: clm.Folder}); err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				got := request(t, r, folder, "shared.example.com")
				mu.Lock()
				defer mu.Unlock()
				keys[string(got.Version.KeyHash)] = true
				serials[got.Version.Serial] = true
			})
		}
		all.Wait()
		if len(keys) != many || len(serials) != many {
			t.Errorf("got %d keys and %d serial numbers, want %d", len(keys), len(serials), many)
		}
	})
}
