package core_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A chain that came without its upper end gets it from whoever brings it, for
// everything that stands below; then it is complete, and stays as it is.
func TestImportCompletesChains(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		root := foreignCA(t, "Root", nil)
		upper := foreignCA(t, "Upper", root)
		lower := foreignCA(t, "Lower", upper)
		leaf := func() *foreign { return foreignLeaf(t, "www.example.com", 0, lower) }
		first := take(t, r, core.Import{Name: "first", Certificate: bundle(leaf(), lower)})
		for _, c := range []struct {
			name        string
			chain, want []*foreign
		}{
			{"no more than before", []*foreign{lower}, []*foreign{lower}},
			{"one more", []*foreign{lower, upper}, []*foreign{lower, upper}},
			{"a gap", []*foreign{lower, root}, []*foreign{lower, upper, root}}, // where the gap is known
			{"all of it", []*foreign{lower, upper, root}, []*foreign{lower, upper, root}},
			{"less than before", []*foreign{lower}, []*foreign{lower, upper, root}},
		} {
			done := take(t, r, core.Import{Name: c.name, Certificate: bundle(append([]*foreign{leaf()}, c.chain...)...)})
			for _, dn := range []clm.DN{done.DN, first.DN, done.DN} { // the last time it may be remembered
				if got := inUse(t, r, dn); !isChain(got.Chain, c.want) {
					t.Errorf("%s: got a chain of %d above %s, want %d", c.name, len(got.Chain), dn.Name(), len(c.want))
				}
			}
		}
	})
}

// What has the right key, but another name or no right to issue, is not taken for
// the issuer.
func TestOnlyIssuersStandInChains(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ca := foreignCA(t, "Issuing", nil)
	noCA := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Issuing"}, BasicConstraintsValid: true}, nil)
	another := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Another"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, another, another, ca.key.Public(), ca.key)
	check(t, err)
	for name, leaf := range map[string]*foreign{
		"of no CA":        foreignLeaf(t, "www.example.com", 0, noCA),
		"of another name": foreignLeaf(t, "www.example.com", 0, &foreign{der, ca.key}),
	} {
		above := noCA
		if name == "of another name" {
			above = ca // whose key has signed it
		}
		done, err := r.Import(context.Background(), r.Admin, core.Import{Folder: core.DefaultZone, Name: name, Certificate: bundle(leaf, above)})
		check(t, err)
		if got := inUse(t, r, done.DN); len(got.Chain) != 0 {
			t.Errorf("%s: got a chain of %d, want none", name, len(got.Chain))
		}
	}
}
