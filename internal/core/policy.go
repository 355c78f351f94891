package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Compliance is what a folder says about certificates in it, and how a signing
// request would fare, if there was one.
type Compliance struct {
	Policy   clm.Policy
	Demand   *clm.Demand // what the signing request asks for; nil without one
	Breaches []clm.Breach
}

// PolicyKinds are the ways in which Policy fails.
var PolicyKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound}

// Policy reads the policy of a folder for server certificates and judges the
// signing request, in any form that clients send it, by it. It changes nothing.
func (c *Core) Policy(ctx context.Context, who clm.Actor, folder, csrText string) (answer Compliance, err error) {
	csr, csrErr := parseCSR(csrText)
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, folder)
		if err != nil {
			return err
		}
		if path.Last().Class != clm.Folder || !rights.Has(clm.Read) {
			return clm.About(folder, clm.NotFound)
		}
		if csrErr != nil {
			return csrErr
		}
		answer = Compliance{Policy: path.PolicyFor(clm.ServerCertificate)}
		if answer.Policy.Authority, err = dereferredSetting(tx, answer.Policy.Authority); err != nil {
			return err
		}
		if csr == nil {
			return nil
		}
		demand := demandOfCSR(csr)
		if demand.KeyReused, err = tx.KeySeen(csr.KeyHash, ""); err != nil {
			return err
		}
		if demand.SubjectTaken, err = subjectTaken(tx, answer.Policy, demand.Names, ""); err != nil {
			return err
		}
		answer.Demand, answer.Breaches = &demand, answer.Policy.Judge(demand)
		return nil
	})
	return answer, err
}
