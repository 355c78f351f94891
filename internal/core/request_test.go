package core_test

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// A request with a value that looks like a reference is refused, wherever the value
// stands, and nothing is written: it would tell the DN of what nobody has named.
func TestRequestForgesNoReference(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r, ctx := coretest.New(t, d, coretest.Options{Idle: true}), context.Background()
		o, err := r.Object(ctx, r.Admin, core.DefaultCA)
		check(t, err)
		ref := clm.Ref(o.ID)
		key, err := pki.GenerateKey(pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
		check(t, err)
		csr, err := pki.CreateCSR(clm.Names{CommonName: "www.example.com", OrganizationalUnit: []string{ref}}, key)
		check(t, err)
		names := clm.Names{CommonName: "www.example.com"}
		for what, asked := range map[string]core.Request{
			"an own value":             {Names: names, Own: map[clm.Attr][]string{clm.Origin: {ref}}},
			"one value of several":     {Names: names, Own: map[clm.Attr][]string{clm.Contact: {"one", ref}}},
			"the common name":          {Name: "www", Names: clm.Names{CommonName: ref}},
			"a name of the request":    {CSR: base64.StdEncoding.EncodeToString(csr)},
			"the authority, unnamed":   {Names: names, Authority: ref},
			"what only some CA knows":  {Names: names, Own: map[clm.Attr][]string{"tpp:Notes": {ref}}},
			"the organizational units": {Names: clm.Names{CommonName: "www.example.com", OrganizationalUnit: []string{"IT", ref}}},
		} {
			asked.Folder = core.DefaultZone
			if _, err := r.Request(ctx, r.Admin, asked); !errors.Is(err, clm.Invalid) {
				t.Errorf("%s: got %v", what, err)
			}
			for _, name := range []string{"www", "www.example.com"} {
				if _, err := r.Object(ctx, r.Admin, at(name)); !errors.Is(err, clm.NotFound) {
					t.Errorf("%s: there is something: %v", what, err)
				}
			}
		}
	})
}
