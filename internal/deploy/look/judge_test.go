package look

import (
	"testing"
	"time"
)

// TestJudge has a case for each thing that can be said.
func TestJudge(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	root, ca := newCA(t)
	leaf := issue(t, &ca, "www.example", always)
	renewed := issue(t, &ca, "www.example", always)
	below := issue(t, &root, "direct.example", always)
	deep := issue(t, &ca, "Lower", always)
	low := issue(t, &deep, "low.example", always)
	self := issue(t, nil, "self.example", always)
	expired := issue(t, &ca, "www.example", [2]time.Time{now.Add(-2 * day), now.Add(-day)})
	expiring := issue(t, &ca, "www.example", [2]time.Time{now.Add(-day), now.Add(5 * day)})
	future := issue(t, &ca, "www.example", [2]time.Time{now.Add(day), now.Add(90 * day)})
	oldCA := issue(t, &root, "Old", [2]time.Time{now.Add(-2 * day), now.Add(-day)})
	underOld := issue(t, &oldCA, "www.example", always)
	youngCA := issue(t, &root, "Young", [2]time.Time{now.Add(-2 * day), now.Add(5 * day)})
	underYoung := issue(t, &youngCA, "www.example", always)
	impostor := issue(t, &root, "Intermediate", always)             // the name, another key
	renewedCA := issueFor(t, &root, "Intermediate", always, ca.key) // the key, another certificate

	chain := func(certs ...issued) [][]byte {
		var all [][]byte
		for _, c := range certs {
			all = append(all, c.Raw)
		}
		return all
	}
	wanted := func(l issued) Expected {
		return Expected{Cert: l.Raw, Chain: l.chain, Name: l.Subject.CommonName, Soon: 10 * day}
	}

	for _, c := range []struct {
		name  string
		shown [][]byte
		want  Expected
		chain ChainVerdict
		leaf  LeafVerdict
	}{
		{"as expected", chain(leaf, ca), wanted(leaf), ChainFine, LeafFine},
		{"with the root", chain(leaf, ca, root), wanted(leaf), ChainFine, LeafFine},
		{"in disorder", chain(low, ca, root, deep), wanted(low), ChainFine, LeafFine},
		{"with more than there is to it", chain(leaf, ca, oldCA), wanted(leaf), ChainFine, LeafFine},
		{"directly below the root", chain(below), wanted(below), ChainFine, LeafFine},
		{"self-signed", chain(self), wanted(self), ChainFine, LeafFine},
		{"nobody expects anything", chain(leaf, ca), Expected{}, ChainFine, LeafFine},
		{"nothing", nil, wanted(leaf), 0, LeafAbsent},
		{"nothing that is a certificate", [][]byte{{1}}, wanted(leaf), 0, LeafAbsent},
		{"nonsense below a certificate", [][]byte{{1}, leaf.Raw}, wanted(leaf), 0, LeafAbsent},
		{"nonsense above the leaf", [][]byte{leaf.Raw, {1}, ca.Raw}, wanted(leaf), ChainInvalid, LeafFine},
		{"no chain", chain(leaf), wanted(leaf), ChainAbsent, LeafFine},
		{"no chain, which nobody expects", chain(leaf), Expected{}, ChainAbsent, LeafFine},
		{"something that is no part of the chain", chain(leaf, oldCA), wanted(leaf), ChainAbsent, LeafFine},
		{"a gap", chain(low, deep), wanted(low), ChainIncomplete, LeafFine},
		{"a gap that nobody knows of", chain(low, deep), Expected{}, ChainFine, LeafFine},
		{"the former certificate", chain(leaf, ca), wanted(renewed), ChainOfOther, LeafOther},
		{"the former certificate alone", chain(leaf), wanted(renewed), ChainOfOther | ChainAbsent, LeafOther},
		{"another's certificate", chain(self), wanted(leaf), ChainOfOther, LeafOther | LeafWrongName},
		{"an expired certificate", chain(expired, ca), wanted(expired), ChainFine, LeafExpired},
		{"an expiring certificate", chain(expiring, ca), wanted(expiring), ChainFine, LeafExpiring},
		{"a certificate of the future", chain(future, ca), wanted(future), ChainFine, LeafNotYetValid},
		{"the wrong name", chain(leaf, ca), Expected{Cert: leaf.Raw, Chain: leaf.chain, Name: "ftp.example"}, ChainFine, LeafWrongName},
		{"an address that is not in it", chain(leaf, ca), Expected{Name: "10.0.0.1"}, ChainFine, LeafWrongName},
		{"an expired issuer", chain(underOld, oldCA), wanted(underOld), ChainInvalid, LeafFine},
		{"an expiring issuer", chain(underYoung, youngCA), wanted(underYoung), ChainExpiring, LeafFine},
		{"an impostor", chain(leaf, impostor), wanted(leaf), ChainInvalid | ChainOther, LeafFine},
		{"an impostor beside the issuer", chain(leaf, impostor, ca), wanted(leaf), ChainFine, LeafFine},
		{"another certificate of the issuer", chain(leaf, renewedCA), wanted(leaf), ChainOther, LeafFine},
		{"an issuer that is no CA", chain(issue(t, &self, "www.example", always), self), Expected{}, ChainInvalid, LeafFine},
	} {
		got := Judge(Seen{Chain: c.shown}, c.want, now)
		if got.Chain != c.chain || got.Leaf != c.leaf {
			t.Errorf("%s: got chain %#x, leaf %#x; want %#x, %#x", c.name, got.Chain, got.Leaf, c.chain, c.leaf)
		}
	}
}
