package store

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A Table is rows to be loaded into a table.
type Table struct {
	Name    string
	Columns string // separated by commas
	Rows    [][]any
}

// A Holding is a certificate with all that is its own, whose ID and times are
// settled already. The last version is the one in use; Facts are what it says.
type Holding struct {
	Object   *clm.Object
	Folder   clm.ObjectID
	Versions []clm.Version
	Facts    clm.Facts
	RenewAt  time.Time
	Work     *clm.Work // the last; nil: there was none
}

// Bulk turns certificates into the rows that AddObject, AddVersion, Activate and
// AddWork would write for them. Whoever sets up a database with a million
// certificates loads them as fast as that database can, while nobody else has it.
type Bulk struct {
	objects, certificates, sans, versions, cohorts, work, records, facts [][]any

	known, knownFacts map[int64]bool
	tx                Tx // counts
}

// Add adds a certificate.
func (b *Bulk) Add(h Holding) {
	o := h.Object
	own, policy, grants := columns(o)
	number := o.Number
	if number == 0 && len(h.Versions) > 0 {
		number = int64(h.Versions[0].ID) // no other object is known by it
	}
	b.objects = append(b.objects, []any{string(o.ID), number, string(h.Folder), string(o.DN), []byte(o.DN.Key()), string(o.Class), own, policy, grants, o.Created, o.Revision})
	k, print, cn, at := NewCohort(o, h.Folder), "", "", place{created: o.Created}
	var current clm.Version
	for _, v := range h.Versions {
		current = v
		b.versions = append(b.versions, []any{int64(v.ID), string(o.ID), micros(v.Created), v.UserCSR, v.Sealed, v.CSR, v.KeyHash, string(v.Authority), v.Ref,
			v.Cert, hex.EncodeToString(v.Chain), v.Thumbprint, v.Serial, micros(v.NotBefore), micros(v.NotAfter)})
	}
	if current.ID != 0 {
		k, print, cn = k.Holding(h.Facts), printOf(h.Facts), strings.ToLower(h.Facts.CommonName)
		at.notBefore, at.notAfter = micros(current.NotBefore), micros(current.NotAfter)
		seen := map[san]bool{}
		for _, s := range sansOf(h.Facts.Names) {
			if !seen[s] {
				b.sans = append(b.sans, []any{s.kind, s.value, string(o.ID)})
			}
			seen[s] = true
		}
	}
	b.addRecords(h)
	row := k.Row()
	at.cohort = row[0].(int64)
	if !b.known[at.cohort] {
		if b.known == nil {
			b.known = map[int64]bool{}
		}
		b.known[at.cohort] = true
		b.cohorts = append(b.cohorts, row)
	}
	b.tx.count(at, +1)
	b.certificates = append(b.certificates, []any{string(o.ID), string(h.Folder), k.Disabled, int64(current.ID), cn, print, at.notAfter, at.cohort, nameKey(o), at.notBefore, micros(h.RenewAt)})
	if w := h.Work; w != nil {
		b.work = append(b.work, []any{int64(w.ID), string(w.Op), string(o.ID), string(w.Lane), int64(w.Version), string(w.Stage), int64(w.Attempt), micros(w.Since), micros(w.NotBefore),
			w.Begun, w.Epoch, w.Note, w.Failure, w.Overlaid, w.Done, micros(w.Created), w.Actor, w.Reason, string(w.Host), int64(w.Together), w.Memo, w.Action, false})
	}
}

// addRecords adds what the versions are searched by; all of them are taken to say what the
// last one does.
func (b *Bulk) addRecords(h Holding) {
	for _, v := range h.Versions {
		b.records = append(b.records, issuedRow(v, h.Facts).row())
	}
	if row := factsRow(h.Facts); len(h.Versions) > 0 && !b.knownFacts[row[0].(int64)] {
		if b.knownFacts == nil {
			b.knownFacts = map[int64]bool{}
		}
		b.knownFacts[row[0].(int64)] = true
		b.facts = append(b.facts, row)
	}
}

// Take returns the rows that have been gathered since it was last called.
func (b *Bulk) Take() []Table {
	tables := []Table{
		{"objects", "id, number, parent, dn, dn_key, class, own, policy, grants, created, revision", b.objects},
		{"certificates", "id, folder, disabled, current, cn_key, names, not_after, cohort, name_key, not_before, renew_at", b.certificates},
		{"sans", "kind, value, certificate", b.sans},
		{"versions", "id, certificate, created, user_csr, sealed, csr, key_hash, authority, ref, cert, chain, thumbprint, serial, not_before, not_after", b.versions},
		{"cohorts", CohortColumns, b.cohorts},
		{"work", workColumns + ", held", b.work},
		{"records", recordColumns, b.records},
		{"record_facts", factsColumns, b.facts},
	}
	b.objects, b.certificates, b.sans, b.versions, b.cohorts, b.work, b.records, b.facts = nil, nil, nil, nil, nil, nil, nil, nil
	return tables
}

// Tallies returns the rows that count all that was added. They are loaded last.
func (b *Bulk) Tallies() []Table {
	shard, revision := onlyOne+1+rand.Int64N(maxShard), time.Since(idEpoch).Milliseconds()<<22
	var tallies [][]any
	for k, n := range b.tx.counted {
		tallies = append(tallies, []any{string(k.kind), shard, k.key, n, revision})
	}
	return []Table{{"tallies", "kind, shard, key, n, revision", tallies}, {"shards", "id, revision", [][]any{{shard, revision}}}}
}
