package core

import (
	"context"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Limits of signing requests that are handed in before they are used.
const (
	UploadedLife = 24 * time.Hour // so long they are kept
	MaxUploaded  = 1_000          // of one principal at a time: the oldest go
)

// An Uploaded is a signing request that was handed in for a request to come.
type Uploaded struct {
	ID  string
	CSR *pki.CSR
}

// UploadRequestKinds are the ways in which UploadRequest fails. Of Invalid, Field is
// "csr".
var UploadRequestKinds = []clm.Kind{clm.Internal, clm.Invalid}

// UploadRequest keeps a signing request, in any form in which clients send it, for the
// actor to name it later. What is older than UploadedLife goes, whoever has handed it in.
func (c *Core) UploadRequest(ctx context.Context, who clm.Actor, csr string) (up Uploaded, err error) {
	up.CSR, err = parseCSR(csr)
	if err == nil && up.CSR == nil {
		err = clm.Fail(clm.Invalid, "csr", "")
	}
	if err != nil {
		return up, err
	}
	name := up.CSR.Names.CommonName
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "upload request", Subject: name}, func(tx *store.Tx) error {
		if _, err := tx.DropUploadedRequests(tx.Now.Add(-UploadedLife)); err != nil {
			return err
		}
		r := store.UploadedRequest{Principal: who.ID, CSR: up.CSR.DER}
		if err := tx.AddUploadedRequest(&r); err != nil {
			return err
		}
		up.ID = r.ID
		tx.About(name, r.ID)
		return tx.KeepUploadedRequests(who.ID, MaxUploaded)
	})
	return up, err
}

// UploadedRequest is the signing request, PEM, that the actor has handed in under the ID.
// It fails with NotFound where there is none or where somebody else has.
func (c *Core) UploadedRequest(ctx context.Context, who clm.Actor, id string) (csr string, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		r, err := tx.UploadedRequest(strings.ToLower(strings.TrimSpace(id)))
		if err == nil && (r.Principal != who.ID || !tx.Now.Before(r.Created.Add(UploadedLife))) {
			err = clm.NotFound
		}
		csr = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.CSR}))
		return clm.About(id, err)
	})
	if err != nil {
		return "", err
	}
	return csr, nil
}

// sweepUploaded forgets signing requests that nobody has used in their time.
func (c *Core) sweepUploaded(ctx context.Context) error {
	any := false
	err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		any, err = tx.HasUploadedRequests(tx.Now.Add(-UploadedLife))
		return err
	})
	if err != nil || !any {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: sweeper, Action: "forget requests"}, func(tx *store.Tx) error {
		n, err := tx.DropUploadedRequests(tx.Now.Add(-UploadedLife))
		tx.About("", strconv.FormatInt(n, 10)+" signing requests that were handed in and not used")
		return err
	})
}

// sweeper is the actor who forgets what was kept for a time.
var sweeper = clm.Actor{Name: "what was kept for a time", Master: true}
