package core_test

import (
	"context"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// A signing request that was handed in is there for who has handed it in, for its time and
// no longer, and the oldest goes for one too many.
func TestUploadedRequests(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		key, err := pki.GenerateKey(pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
		if err != nil {
			t.Fatal(err)
		}
		der, err := pki.CreateCSR(clm.Names{CommonName: "www.example.com"}, key)
		if err != nil {
			t.Fatal(err)
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
		up, err := r.UploadRequest(ctx, r.Admin, text)
		if err != nil || up.ID == "" || up.CSR.Names.CommonName != "www.example.com" {
			t.Fatalf("got %+v, %v", up, err)
		}
		if got, err := r.UploadedRequest(ctx, r.Admin, " "+up.ID); err != nil || got != text {
			t.Errorf("got %q, %v", got, err)
		}
		other := r.Admin
		other.ID = "somebody else"
		if _, err := r.UploadedRequest(ctx, other, up.ID); !errors.Is(err, clm.NotFound) {
			t.Errorf("somebody else gets %v", err)
		}
		if _, err := r.UploadRequest(ctx, r.Admin, ""); !errors.Is(err, clm.Invalid) {
			t.Errorf("nothing: %v", err)
		}
		for range core.MaxUploaded - 1 {
			if _, err := r.UploadRequest(ctx, r.Admin, text); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.UploadedRequest(ctx, r.Admin, up.ID); err != nil {
			t.Errorf("as many as may be are there: %v", err)
		}
		last, err := r.UploadRequest(ctx, r.Admin, text)
		if err != nil {
			t.Fatalf("one more than may be: %v", err)
		}
		if _, err := r.UploadedRequest(ctx, r.Admin, up.ID); !errors.Is(err, clm.NotFound) {
			t.Errorf("the oldest is there still: %v", err)
		}
		up = last
		if _, err := r.UploadedRequest(ctx, r.Admin, up.ID); err != nil {
			t.Errorf("the newest: %v", err)
		}
		r.Clock.Turn(core.UploadedLife)
		if _, err := r.UploadedRequest(ctx, r.Admin, up.ID); !errors.Is(err, clm.NotFound) {
			t.Errorf("after its time it is there still: %v", err)
		}
	})
}
