package look

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// ChainVerdict is a set of what can be said of a chain.
type ChainVerdict uint32

// What can be said of a chain.
const (
	ChainFine       ChainVerdict = 1 << 1 // nothing else is said
	ChainAbsent     ChainVerdict = 1 << 2 // nothing is shown above a leaf that has an issuer
	ChainInvalid    ChainVerdict = 1 << 3 // a certificate is not signed by what bears its issuer's name, or is not valid now, or is no CA's
	ChainExpiring   ChainVerdict = 1 << 4 // a certificate above the leaf will soon expire
	ChainIncomplete ChainVerdict = 1 << 5 // something is missing between the leaf and the root
	ChainOther      ChainVerdict = 1 << 7 // it is not the chain that is expected
	ChainOfOther    ChainVerdict = 1 << 9 // it is the chain of another leaf than the one that is expected
)

// LeafVerdict is a set of what can be said of the certificate of a service.
type LeafVerdict uint32

// What can be said of a leaf.
const (
	LeafFine        LeafVerdict = 1 << 1 // nothing else is said
	LeafAbsent      LeafVerdict = 1 << 2 // nothing is shown, or nothing that is a certificate
	LeafOther       LeafVerdict = 1 << 3 // it is not the one that is expected
	LeafExpired     LeafVerdict = 1 << 4
	LeafExpiring    LeafVerdict = 1 << 5 // it will soon expire
	LeafNotYetValid LeafVerdict = 1 << 6
	LeafWrongName   LeafVerdict = 1 << 7 // it does not bear the name of the service
)

// Expected is what a service should show. Nothing is held against a service for
// what is left empty.
type Expected struct {
	Cert  []byte        // DER
	Chain [][]byte      // DER, as in pki.Bundle
	Name  string        // that the certificate should bear: a host name or an IP address
	Soon  time.Duration // how long before its expiry a certificate is said to be expiring
}

// Judgement is what is to be said of what a service has shown. Each of the sets has
// something in it; only where there is no leaf, nothing is said of the chain.
type Judgement struct {
	Chain ChainVerdict
	Leaf  LeafVerdict
}

// Judge compares what was seen with what is expected, at a time. No store of trusted
// roots is asked: a root may be left out, and is known for one when it is expected.
// Of a chain that nobody expects, the last certificate passes for one that stands
// below a root.
func Judge(seen Seen, want Expected, now time.Time) Judgement {
	var shown []*x509.Certificate
	unreadable := false
	for _, der := range seen.Chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			unreadable = true
			continue
		}
		shown = append(shown, cert)
	}
	if len(shown) == 0 || !bytes.Equal(shown[0].Raw, seen.Chain[0]) {
		return Judgement{Leaf: LeafAbsent}
	}
	j := Judgement{Leaf: judgeLeaf(shown[0], want, now), Chain: judgeChain(shown, want, now)}
	if unreadable {
		j.Chain |= ChainInvalid
	}
	if j.Leaf == 0 {
		j.Leaf = LeafFine
	}
	if j.Chain == 0 {
		j.Chain = ChainFine
	}
	return j
}

func judgeLeaf(leaf *x509.Certificate, want Expected, now time.Time) LeafVerdict {
	var said LeafVerdict
	if want.Cert != nil && !bytes.Equal(leaf.Raw, want.Cert) {
		said |= LeafOther
	}
	switch {
	case now.After(leaf.NotAfter):
		said |= LeafExpired
	case now.Before(leaf.NotBefore):
		said |= LeafNotYetValid
	case now.Add(want.Soon).After(leaf.NotAfter):
		said |= LeafExpiring
	}
	if want.Name != "" && leaf.VerifyHostname(want.Name) != nil {
		said |= LeafWrongName
	}
	return said
}

// judgeChain climbs from the leaf from issuer to issuer, in whatever order they are
// shown.
func judgeChain(shown []*x509.Certificate, want Expected, now time.Time) ChainVerdict {
	var said ChainVerdict
	if want.Cert != nil && !bytes.Equal(shown[0].Raw, want.Cert) {
		said |= ChainOfOther
	}
	at, rest := shown[0], shown[1:]
	for !isRoot(at) {
		issuer, isSigner := issuerOf(at, rest)
		if issuer == nil {
			return said | missing(at, at == shown[0], said&ChainOther != 0, want)
		}
		if !isSigner || now.After(issuer.NotAfter) || now.Before(issuer.NotBefore) {
			said |= ChainInvalid
		}
		if now.Add(want.Soon).After(issuer.NotAfter) && !now.After(issuer.NotAfter) {
			said |= ChainExpiring
		}
		if len(want.Chain) > 0 && !has(want.Chain, issuer.Raw) {
			said |= ChainOther
		}
		at, rest = issuer, slices.DeleteFunc(slices.Clone(rest), func(c *x509.Certificate) bool { return c == issuer })
	}
	return said
}

// issuerOf finds the issuer of a certificate among others: one that has signed it,
// or else one that bears the name of one that should have.
func issuerOf(cert *x509.Certificate, others []*x509.Certificate) (issuer *x509.Certificate, isSigner bool) {
	for _, other := range others {
		if !bytes.Equal(cert.RawIssuer, other.RawSubject) {
			continue
		}
		if cert.CheckSignatureFrom(other) == nil {
			return other, true
		}
		if issuer == nil {
			issuer = other
		}
	}
	return issuer, false
}

// missing says what it means that the issuer of a certificate is not shown.
func missing(cert *x509.Certificate, isLeaf, isOther bool, want Expected) ChainVerdict {
	for _, der := range want.Chain {
		one, err := x509.ParseCertificate(der)
		if err == nil && isRoot(one) && cert.CheckSignatureFrom(one) == nil {
			return 0
		}
	}
	switch {
	case isLeaf:
		return ChainAbsent
	case len(want.Chain) > 0 && !isOther:
		return ChainIncomplete
	}
	return 0
}

func has(chain [][]byte, der []byte) bool {
	return slices.ContainsFunc(chain, func(one []byte) bool { return bytes.Equal(one, der) })
}
