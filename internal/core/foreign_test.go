package core_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// foreign is a certificate that somebody else has issued, with its key.
type foreign struct {
	der []byte
	key crypto.Signer
}

// foreignCA makes a CA certificate below the one above; nil makes a root.
func foreignCA(t testing.TB, cn string, above *foreign) *foreign {
	t.Helper()
	return issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, above)
}

// foreignLeaf makes a server's certificate that is valid from so long ago.
func foreignLeaf(t testing.TB, cn string, ago time.Duration, above *foreign) *foreign {
	t.Helper()
	return issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: cn, Organization: []string{"Elsewhere"}}, DNSNames: []string{cn}, NotBefore: time.Now().Add(-ago),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, above)
}

func issue(t testing.TB, template *x509.Certificate, above *foreign) *foreign {
	t.Helper()
	f := &foreign{key: newKey(t)}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = template.NotBefore.AddDate(1, 0, 0)
	}
	issuer, signer := template, f.key
	if above != nil {
		if issuer, err = x509.ParseCertificate(above.der); err != nil {
			t.Fatal(err)
		}
		signer = above.key
	}
	if f.der, err = x509.CreateCertificate(rand.Reader, template, issuer, f.key.Public(), signer); err != nil {
		t.Fatal(err)
	}
	return f
}

// bundle is certificates as PEM, the first of them the one that counts.
func bundle(all ...*foreign) secret.Plain {
	var b bytes.Buffer
	for _, f := range all {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: f.der}) // into memory
	}
	return secret.NewPlain(b.Bytes())
}

func (f *foreign) keyPEM(t testing.TB) secret.Plain {
	t.Helper()
	der, err := pki.MarshalKey(f.key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.NewPlain(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// take imports into the default zone.
func take(t testing.TB, r *coretest.Rig, i core.Import) core.Imported {
	t.Helper()
	if i.Folder == "" {
		i.Folder = core.DefaultZone
	}
	done, err := r.Import(context.Background(), r.Admin, i)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// inUse is what a place hands out.
func inUse(t testing.TB, r *coretest.Rig, dn clm.DN) core.Issued {
	t.Helper()
	got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(dn), KeyIfAny: true})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// odd is a certificate with a key of a size that is not made here.
func odd(t testing.TB) *foreign {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1536)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "odd.example.com"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	return &foreign{der, key}
}

// cross is the certificate of a CA signed by another CA.
func cross(t testing.TB, ca, by *foreign) *foreign {
	t.Helper()
	cert, err := x509.ParseCertificate(ca.der)
	check(t, err)
	above, err := x509.ParseCertificate(by.der)
	check(t, err)
	der, err := x509.CreateCertificate(rand.Reader, cert, above, ca.key.Public(), by.key)
	check(t, err)
	return &foreign{der, ca.key}
}

func isChain(got [][]byte, want []*foreign) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i].der) {
			return false
		}
	}
	return true
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// give grants rights on an object.
func give(t testing.TB, r *coretest.Rig, dn, name string, rights clm.Rights) {
	t.Helper()
	node, err := r.Object(context.Background(), r.Admin, dn)
	check(t, err)
	_, err = r.Put(context.Background(), r.Admin, core.Put{DN: dn, Class: node.Class, Rights: map[string]clm.Rights{name: rights}})
	check(t, err)
}
