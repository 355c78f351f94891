package core

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Limits of searches for records.
const (
	MaxRecords  = 1000 // of a page
	MaxCompared = 2000 // that are sorted by something that no index and no column knows
)

// A RecordKind says what the certificate of a record is for.
type RecordKind uint8

// The kinds of records.
const (
	ServerRecord RecordKind = iota
	ClientRecord            // of a device or a user
	CodeRecord              // it signs code
	RootRecord              // a CA certificate that signs itself
	AboveRecord             // another CA certificate
	DeviceRecord            // of a device: for searches alone, such a record is a ClientRecord
)

// A RecordStatus is how a record stands for those who look for it.
type RecordStatus uint8

// What the status of a record is.
const (
	StatusPending   RecordStatus = iota
	StatusManaged                // there is a certificate, expired or not
	StatusMonitored              // and it is only watched
	StatusRevoked
	StatusFailed
	StatusRejected
)

// A RecordView is a record as it is listed.
type RecordView struct {
	Record
	Group     string
	Managed   bool // more is done than to watch it
	Kind      RecordKind
	HasKey    bool     // its private key is held here
	IsOrdered bool     // there is a template that it was ordered by, or would be
	Vendors   []string // who issues by that template, in all names; none: nobody has said
	Chain     [][]byte // what stands above its certificate, DER, as far as it is known
	Now       time.Time
}

// Status is how the record stands.
func (r RecordView) Status() RecordStatus {
	switch {
	case r.State == RecordPending:
		return StatusPending
	case r.State == RecordFailed:
		return StatusFailed
	case r.State == RecordRejected:
		return StatusRejected
	case r.Revocation.IsDone():
		return StatusRevoked
	case !r.Managed:
		return StatusMonitored
	}
	return StatusManaged
}

// RecordQuery selects records. All that it says must hold; what it does not say may be
// anything. Texts match whole and in any case, but for Text.
type RecordQuery struct {
	IDs         []string // nil: any
	Orders      []clm.WorkID
	CommonName  string
	Serial      string // hex with any separators
	Thumbprint  string // SHA-1, hex with any separators
	SAN         string // one of its alternative names
	Issuer      string // the common name of the issuer
	Group       string
	Text        string // somewhere in a name, the serial number, the thumbprint, the group or the issuer's name
	AutoRenewed bool   // only those that will be renewed by themselves

	Organization, Unit, Locality, Province, Country string // of the certificate's subject

	Kinds    []RecordKind   // nil: any
	Statuses []RecordStatus // nil: any

	// Order is what they are sorted by unless Compare says; among equals the order is that
	// of their IDs. The order of common names is as fast however many there are.
	Order      store.RecordOrder
	Compare    func(a, b *RecordView) int
	Descending bool

	Limit, Offset int    // at most MaxRecords
	After         string // the Next of the page before, in place of an Offset; only in the order of common names
	Untold        bool   // nobody wants to know how many there are in all
}

// The orders of records.
const (
	ByCommonName = store.ByCommonName
	ByRecordID   = store.ByRecordID
	ByBegin      = store.ByBegin
	ByEnd        = store.ByEndOf
	ByLastOrder  = store.ByLastOrder
)

// A RecordPage is a part of what a query selects.
type RecordPage struct {
	Found []RecordView
	Total int    // how many there are in all, or -1 where nobody wants to know
	Next  string // names the end of the page in the order of common names; empty where nothing can follow
}

// RecordsKinds are the ways in which Records fails. Of Limited, Field is "order" and Value
// how many records are too many to be compared; of Invalid, Field is "after".
var RecordsKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.Limited}

// Records lists records that the actor may read. Who asks for page after page in the order
// of common names misses nothing and sees nothing twice.
func (c *Core) Records(ctx context.Context, who clm.Actor, q RecordQuery) (page RecordPage, err error) {
	f := store.RecordFilter{Order: q.Order, Descending: q.Descending, Limit: min(max(q.Limit, 0), MaxRecords), Offset: max(q.Offset, 0), Untold: q.Untold}
	if f.After, err = readTurn(q.After); err != nil {
		return page, err
	}
	err = c.db.Search(ctx, func(tx *store.Tx) error {
		page = RecordPage{}
		s, err := newRecordSearch(tx, who)
		if err == nil {
			f.All, err = s.terms(q)
		}
		if err != nil {
			return err
		}
		f.Visible = s.readable
		if q.Compare != nil {
			return s.compared(q, f, &page)
		}
		hits, total, err := tx.Records(f)
		if err != nil {
			return err
		}
		page.Total = total
		if n := len(hits); n > 0 && n == f.Limit && f.Order == store.ByCommonName {
			page.Next = writeTurn(hits[n-1].RecordMark)
		}
		page.Found, err = s.views(hits)
		return err
	})
	return page, err
}

// A recordSearch is what all records of a search have in common.
type recordSearch struct {
	tx       *store.Tx
	who      clm.Actor
	folders  []store.FolderPath
	names    GroupNames
	readable *store.Visible
	known    map[clm.ObjectID]*clm.Object // the templates that have been looked at
}

func newRecordSearch(tx *store.Tx, who clm.Actor) (s *recordSearch, err error) {
	s = &recordSearch{tx: tx, who: who, known: map[clm.ObjectID]*clm.Object{}}
	if s.folders, err = tx.Folders(); err != nil {
		return s, err
	}
	if s.names, err = groupNames(tx); err != nil {
		return s, err
	}
	s.readable, err = visibleWith(tx, who, s.folders, clm.View|clm.Read)
	return s, err
}

// compared sorts all that is selected and takes the page from it.
func (s *recordSearch) compared(q RecordQuery, f store.RecordFilter, page *RecordPage) error {
	limit, offset := f.Limit, f.Offset
	f.Order, f.Descending, f.Limit, f.Offset, f.Untold = store.ByRecordID, false, MaxCompared, 0, false
	hits, total, err := s.tx.Records(f)
	if err != nil {
		return err
	}
	if total > MaxCompared {
		return clm.Fail(clm.Limited, "order", strconv.Itoa(MaxCompared))
	}
	all, err := s.views(hits)
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b RecordView) int {
		if q.Descending {
			return q.Compare(&b, &a)
		}
		return q.Compare(&a, &b)
	})
	page.Total = total
	if offset < len(all) {
		page.Found = all[offset:min(offset+limit, len(all))]
	}
	return nil
}

// views are the records that were found. What cannot be read after all is left out.
func (s *recordSearch) views(hits []store.RecordHit) (found []RecordView, err error) {
	for _, h := range hits {
		v, err := s.tx.Version(h.ID)
		if err == nil {
			var r Record
			if r, err = recordOf(s.tx, s.who, v); err == nil {
				var view RecordView
				view, err = s.view(r)
				found = append(found, view)
			}
		}
		if err != nil && !errors.Is(err, clm.NotFound) {
			return nil, err
		}
	}
	return found, nil
}

// view adds to the record what lists say of it.
func (s *recordSearch) view(r Record) (RecordView, error) {
	v := RecordView{Record: r, Group: s.names.Of(r.Path[:len(r.Path)-1]), Managed: isManaged(r.Path.Management()), Kind: kindOfClass(r.Path.Last().Class), Now: s.tx.Now}
	if r.State == RecordIssued {
		if f, err := readFacts(r.Version.Cert); err == nil && f.IsCA {
			v.Kind = AboveRecord
			if f.SelfSigned {
				v.Kind = RootRecord
			}
		}
		holder, _, err := keyHolder(s.tx, r.Path.Last(), r.Version)
		if err != nil {
			return v, err
		}
		v.HasKey = len(holder.Sealed) > 0
		if v.Chain, err = s.tx.Chain(r.Version.Chain); err != nil && !errors.Is(err, clm.NotFound) {
			return v, err
		}
	}
	template, err := s.template(r)
	if err == nil && template != nil {
		v.IsOrdered, v.Vendors = true, template.Own[clm.AuthorityVendor]
	}
	return v, err
}

// template is the one that the record was ordered by, or else would be; nil where there is
// none.
func (s *recordSearch) template(r Record) (*clm.Object, error) {
	id := r.Version.Authority
	if id == "" && (r.State == RecordPending || r.IsCurrent()) {
		id = clm.ObjectID(r.Path.Value(clm.IssuedBy).First())
	}
	if template, ok := s.known[id]; ok {
		return template, nil
	}
	path, err := s.tx.PathByID(id)
	if err != nil && !errors.Is(err, clm.NotFound) {
		return nil, err
	}
	s.known[id] = path.Last()
	return path.Last(), nil
}

// isManaged reports whether more is done about certificates of the management type than to
// watch them.
func isManaged(management string) bool {
	return !strings.EqualFold(management, clm.Monitoring) && !strings.EqualFold(management, clm.Unassigned)
}

// kindOfClass is what certificates of places of the class are for.
func kindOfClass(class clm.Class) RecordKind {
	switch {
	case class.Is(clm.CodeSigningCertificate):
		return CodeRecord
	case class.Is(clm.DeviceCertificate), class.Is(clm.UserCertificate):
		return ClientRecord
	}
	return ServerRecord
}

// terms is the query as the store carries it out.
func (s *recordSearch) terms(q RecordQuery) (all [][]store.RecordTerm, err error) {
	one := store.RecordTerm{
		Orders: q.Orders, CommonName: q.CommonName, SAN: q.SAN, Renewed: q.AutoRenewed, Issuer: q.Issuer,
		Organization: q.Organization, Unit: q.Unit, Locality: q.Locality, Province: q.Province, Country: q.Country,
	}
	if q.IDs != nil {
		one.Versions = []clm.VersionID{}
		for _, id := range q.IDs {
			v, err := versionOfRecord(s.tx, id)
			if errors.Is(err, clm.NotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			one.Versions = append(one.Versions, v.ID)
		}
	}
	if q.Serial != "" {
		one.Serials = []string{}
		if text, ok := serialText(q.Serial); ok {
			one.Serials = append(one.Serials, text)
		}
	}
	if q.Thumbprint != "" {
		one.Thumbprints = []string{}
		if digits := bareHex(q.Thumbprint); isHex(digits) {
			one.Thumbprints = append(one.Thumbprints, digits)
		}
	}
	if q.Group != "" {
		one.Match = s.inGroups(func(name string) bool { return strings.EqualFold(name, q.Group) })
	}
	all = append(all, []store.RecordTerm{one})
	if q.Kinds != nil {
		all = append(all, kindTerms(q.Kinds))
	}
	if q.Statuses != nil {
		all = append(all, s.statusTerms(q.Statuses))
	}
	if q.Text != "" {
		all = append(all, s.textTerms(q.Text))
	}
	return all, nil
}

// bareHex is hex without what may stand between its digits.
func bareHex(s string) string {
	return strings.NewReplacer(":", "", " ", "", "-", "").Replace(s)
}

func kindTerms(kinds []RecordKind) (terms []store.RecordTerm) {
	for _, kind := range kinds {
		t := store.RecordTerm{Leaf: true, Match: func(k *store.Cohort) bool { return kindOfClass(k.Class) == kind }}
		switch kind {
		case RootRecord:
			t = store.RecordTerm{Root: true}
		case AboveRecord:
			t = store.RecordTerm{CA: true}
		case DeviceRecord:
			t.Match = func(k *store.Cohort) bool { return k.Class.Is(clm.DeviceCertificate) }
		}
		terms = append(terms, t)
	}
	return terms
}

// statusTerms says what each status is made of.
func (s *recordSearch) statusTerms(statuses []RecordStatus) (terms []store.RecordTerm) {
	management := managements(s.folders)
	for _, status := range statuses {
		t := store.RecordTerm{State: map[RecordStatus]store.RecordState{
			StatusPending: store.PendingRecord, StatusManaged: store.ValidRecord, StatusMonitored: store.ValidRecord,
			StatusRevoked: store.RevokedRecord, StatusFailed: store.FailedRecord, StatusRejected: store.RejectedRecord,
		}[status]}
		if t.State == store.ValidRecord {
			t.Match = func(k *store.Cohort) bool { return isManaged(management(k)) == (status == StatusManaged) }
		}
		terms = append(terms, t)
	}
	return terms
}

// textTerms says where a text may stand.
func (s *recordSearch) textTerms(text string) []store.RecordTerm {
	terms := []store.RecordTerm{{Text: text}, {Issued: text}, {Match: s.inGroups(func(name string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(text))
	})}}
	if digits := bareHex(text); digits != text && isHex(digits) {
		terms = append(terms, store.RecordTerm{Text: digits})
	}
	return terms
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// inGroups finds the cohorts of groups by their names.
func (s *recordSearch) inGroups(is func(name string) bool) func(*store.Cohort) bool {
	of := map[clm.ObjectID]bool{}
	for _, f := range s.folders {
		if is(s.names.Of(f.Path)) {
			of[f.Last().ID] = true
		}
	}
	return func(k *store.Cohort) bool { return of[k.Folder] }
}

// writeTurn is the end of a page as text.
func writeTurn(m store.RecordMark) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte(m.Record+"\x00"), m.CommonName...))
}

// readTurn reads what writeTurn has written; nothing gives nil.
func readTurn(text string) (*store.RecordMark, error) {
	if text == "" {
		return nil, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	record, name, ok := strings.Cut(string(plain), "\x00")
	if err != nil || !ok || !isHex(record) {
		return nil, clm.Fail(clm.Invalid, "after", "")
	}
	return &store.RecordMark{CommonName: []byte(name), Record: record}, nil
}
