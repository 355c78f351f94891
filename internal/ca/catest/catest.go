// Package catest holds what every connector to a certification authority must
// be able to do: the promises of package ca, as tests.
package catest

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
)

// An Ability is something that most CAs have and some lack. What is not listed
// here every CA must be able to do.
type Ability string

// The abilities that a CA may lack.
const (
	ECDSAKeys  Ability = "certificates for ECDSA keys"
	EveryName  Ability = "subject, IP, e-mail, URI and UPN beside DNS names"
	OwnNames   Ability = "the names of the order in place of the CSR's"
	Validity   Ability = "the validity that was ordered"
	SameOrder  Ability = "telling that an order has come twice"
	Revocation Ability = "revocation"
)

// A Lack declares what the CA under test cannot do, and why: a gap that can be
// read, where a skipped test would hide it.
type Lack struct {
	Ability Ability
	Why     string
}

// Test runs the suite. connect is called for each test, and again where a test
// asks what is left after a crash; all that it returns must be connections to the
// same CA.
func Test(t *testing.T, connect func(*testing.T) ca.CA, lacks ...Lack) {
	s := suite{connect}
	for _, test := range []struct {
		name  string
		needs Ability // empty where there is no excuse
		run   func(suite, *testing.T)
	}{
		{"issues for an RSA key", "", suite.issuesRSA},
		{"issues for an ECDSA key", ECDSAKeys, suite.issuesECDSA},
		{"writes every kind of name", EveryName, suite.writesEveryName},
		{"takes the names from the order", OwnNames, suite.ignoresNamesOfCSR},
		{"keeps to the days ordered", Validity, suite.keepsDays},
		{"keeps to the end date ordered", Validity, suite.keepsEndDate},
		{"issues once for one key", SameOrder, suite.issuesOnce},
		{"issues anew for another key", "", suite.issuesAnew},
		{"needs no memory if it is local", "", suite.localNeedsNoMemory},
		{"revokes, and again", Revocation, suite.revokesTwice},
		{"refuses what is no CSR for good", "", suite.refusesGarbage},
		{"refuses an end date that has passed for good", Validity, suite.refusesPast},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, l := range lacks {
				if l.Ability == test.needs {
					t.Logf("this CA lacks %s: %s", l.Ability, l.Why)
					return
				}
			}
			test.run(s, t)
		})
	}
}

type suite struct{ connect func(*testing.T) ca.CA }

func (s suite) issuesRSA(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	checkIssued(t, o, issue(t, s.connect(t), o))
}

func (s suite) issuesECDSA(t *testing.T) {
	o := newOrder(t, ecdsaKey(t), hostNames)
	checkIssued(t, o, issue(t, s.connect(t), o))
}

func (s suite) writesEveryName(t *testing.T) {
	o := newOrder(t, ecdsaKey(t), everyName)
	checkIssued(t, o, issue(t, s.connect(t), o))
}

func (s suite) ignoresNamesOfCSR(t *testing.T) {
	o := newOrder(t, rsaKey(t), clm.Names{CommonName: "other.example.com", DNS: []string{"another.example.com"}})
	o.Names = hostNames
	checkIssued(t, o, issue(t, s.connect(t), o))
}

// What counts is the end: how far a CA lets certificates reach back is its own
// business.
func (s suite) keepsDays(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	o.Days = 17
	cert := checkIssued(t, o, issue(t, s.connect(t), o))
	want := o.At.AddDate(0, 0, o.Days)
	if gap := want.Sub(cert.NotAfter); gap < -time.Minute || gap > 2*time.Hour {
		t.Errorf("got the end %s, want about %s", cert.NotAfter, want)
	}
}

func (s suite) keepsEndDate(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	o.Days, o.EndDate = 5, o.At.AddDate(0, 0, 20).Truncate(time.Second)
	cert := checkIssued(t, o, issue(t, s.connect(t), o))
	if !cert.NotAfter.Equal(o.EndDate) {
		t.Errorf("got the end %s, want %s", cert.NotAfter, o.EndDate)
	}
}

func (s suite) issuesOnce(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	first := issue(t, s.connect(t), o)
	second := issue(t, s.connect(t), o) // as after a crash before the answer was written down
	if !bytes.Equal(first.Cert, second.Cert) {
		t.Errorf("got two certificates for one order, %s and %s", serial(t, first), serial(t, second))
	}
}

func (s suite) issuesAnew(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	first := issue(t, s.connect(t), o)
	o.Key += "/again"
	second := issue(t, s.connect(t), o)
	if serial(t, first) == serial(t, second) {
		t.Errorf("got serial number %s for two orders", serial(t, first))
	}
}

func (s suite) localNeedsNoMemory(t *testing.T) {
	c := s.connect(t)
	if _, ok := c.(ca.Local); !ok {
		return
	}
	o := newOrder(t, rsaKey(t), hostNames)
	submitted := issue(t, c, o)
	o.Ref = ""
	collected := collect(t, s.connect(t), o)
	if !bytes.Equal(submitted.Cert, collected.Cert) {
		t.Error("got another certificate from a CA that has not seen the order submitted")
	}
}

func (s suite) revokesTwice(t *testing.T) {
	c := s.connect(t)
	if _, isLocal := c.(ca.Local); isLocal {
		return // what is revoked is written down by whoever holds its key
	}
	issued := issue(t, c, newOrder(t, rsaKey(t), hostNames))
	for _, c := range []ca.CA{c, c, s.connect(t)} {
		if err := c.(ca.Revoker).Revoke(t.Context(), issued.Cert, clm.Superseded, "replaced"); err != nil {
			t.Fatalf("revoke: %v", err)
		}
	}
}

func (s suite) refusesGarbage(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	o.CSR = []byte("this is no signing request")
	checkRefused(t, s.connect(t), o)
}

func (s suite) refusesPast(t *testing.T) {
	o := newOrder(t, rsaKey(t), hostNames)
	o.EndDate = o.At.AddDate(0, -1, 0)
	checkRefused(t, s.connect(t), o)
}

func serial(t *testing.T, issued ca.Issued) string {
	return parse(t, issued.Cert).SerialNumber.Text(16)
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("parse certificate: %v", err)
	}
	return cert
}
