package catest

import (
	"crypto"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// patience is how long the suite waits for one certificate.
const patience = time.Minute

var (
	hostNames = clm.Names{CommonName: "www.example.com", DNS: []string{"www.example.com", "shop.example.com"}}

	everyName = clm.Names{
		CommonName: "www.example.com", Organization: "Grüne Gärten GmbH", OrganizationalUnit: []string{"Web", "Shop & Store"},
		Locality: "Gent", Province: "Oost-Vlaanderen", Country: "BE",
		DNS:   []string{"www.example.com", "*.example.com"},
		Email: []string{"web@example.com"}, IP: []string{"192.0.2.17", "2001:db8::17"},
		URI: []string{"spiffe://example.com/shop"}, UPN: []string{"wéb@example.com"},
	}
)

func rsaKey(t *testing.T) crypto.Signer {
	return newKey(t, pki.KeySpec{Algorithm: clm.RSA, Bits: 2048})
}

func ecdsaKey(t *testing.T) crypto.Signer {
	return newKey(t, pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
}

func newKey(t *testing.T, spec pki.KeySpec) crypto.Signer {
	t.Helper()
	key, err := pki.GenerateKey(spec)
	if err != nil {
		t.Fatalf("generate key: %v", err)
	}
	return key
}

// newOrder makes an order whose key no other order has, placed now.
func newOrder(t *testing.T, key crypto.Signer, names clm.Names) ca.Order {
	t.Helper()
	csr, err := pki.CreateCSR(names, key)
	if err != nil {
		t.Fatalf("create CSR: %v", err)
	}
	now := time.Now()
	return ca.Order{Key: t.Name() + now.Format(time.RFC3339Nano), At: now, CSR: csr, Names: names}
}

// issue submits and collects.
func issue(t *testing.T, c ca.CA, o ca.Order) ca.Issued {
	t.Helper()
	ref, err := c.Submit(t.Context(), o)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	if ref == "" {
		t.Error("got no name for the order")
	}
	o.Ref = ref
	return collect(t, c, o)
}

// collect asks for the certificate for as long as the CA says to come back.
func collect(t *testing.T, c ca.CA, o ca.Order) ca.Issued {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		issued, err := c.Collect(t.Context(), o)
		switch {
		case err != nil:
			t.Fatalf("collect: %v", err)
		case issued.Later.IsZero():
			return issued
		case issued.Cert != nil:
			t.Fatal("got a certificate and the advice to come back")
		case issued.Later.After(deadline):
			t.Fatalf("told to come back at %s; this suite waits for %s only", issued.Later, patience)
		}
		time.Sleep(time.Until(issued.Later))
	}
}
