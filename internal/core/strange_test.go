package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/embedded"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// strangeCA hands out one and the same certificate, whatever was ordered.
type strangeCA struct {
	ca.CA
	cert []byte
}

func (c strangeCA) Collect(context.Context, ca.Order) (ca.Issued, error) {
	return ca.Issued{Cert: c.cert}, nil
}

// A certificate that was refused because it is for another key is shown nowhere.
func TestCertificateForAnotherKeyIsNotShown(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		strange := foreignLeaf(t, "www.example.com", 0, nil)
		r := coretest.New(t, d, coretest.Options{Connectors: ca.Registry{"strange": {Fields: embedded.Connector.Fields, New: func(s ca.Settings) (ca.CA, error) {
			made, err := embedded.Connector.New(s)
			return strangeCA{made, strange.der}, err
		}}}})
		ctx := context.Background()
		first := request(t, r, core.DefaultZone, "www.example.com")
		dn := string(first.Place.DN)
		put(t, r, `\VED\Policy\CAs\Strange`, clm.Authority, map[clm.Attr][]string{clm.Driver: {"strange"}, clm.Issuer: {core.ECDSAIssuer}})
		put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.IssuedBy: {`\VED\Policy\CAs\Strange`}})
		done, err := r.Renew(ctx, r.Admin, core.Renew{DN: dn})
		check(t, err)
		stopped, err := r.Wait(ctx, done.Work, patience)
		if err != nil || stopped.State != clm.Stopped || !strings.Contains(stopped.Failure, "another key") {
			t.Fatalf("got %+v, %v", stopped, err)
		}
		if got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{Version: done.Version}); !errors.Is(err, clm.NotIssued) {
			t.Errorf("got %x, %v; want %v", got.Version.Cert, err, clm.NotIssued)
		}
		past, err := r.History(ctx, r.Admin, done.ID, core.Pasts{})
		if err != nil || len(past) != 0 {
			t.Errorf("got %d in the history, %v", len(past), err)
		}
	})
}
