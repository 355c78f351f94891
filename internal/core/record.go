package core

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A RecordRef names a record, one version of a certificate: by its ID, or else by the
// common name and the serial number of the certificate. A serial number alone is enough
// for what signs code.
type RecordRef struct {
	ID         string
	CommonName string // in any case; of a certificate that has none, the whole name of its subject
	Serial     string // hex, in any case and with any separators
	IDAlone    bool   // where there is an ID the others are not looked at; otherwise they must be those of the record
}

// String is the reference for entries.
func (r RecordRef) String() string {
	if r.ID != "" {
		return r.ID
	}
	return strings.TrimSpace(r.CommonName + " " + r.Serial)
}

// A RecordState is how far a record has come. Whether its certificate has expired or is
// revoked is said beside.
type RecordState uint8

// The states of a record.
const (
	RecordPending  RecordState = iota // its certificate is on its way
	RecordIssued                      // there is a certificate
	RecordFailed                      // there was to be one
	RecordRejected                    // somebody has said no, or what was under way was ended
)

// A Record is a version of a certificate with what is known about it.
type Record struct {
	ID         string // 24 hex digits, or what it was in the system that it came from
	UUID       string // another name of it, which never changes either
	State      RecordState
	Path       clm.Path   // ends at its place
	Rights     clm.Rights // those of the actor
	Version    clm.Version
	CommonName string         // of the certificate, or while there is none that of its place
	Revocation clm.Revocation // of the version
	Orders     []clm.Work     // about the version, the oldest first
}

// IsCurrent reports whether the record is the version in use of its place.
func (r Record) IsCurrent() bool { return r.Path.Last().Current == r.Version.ID }

// RecordID is the ID of the version's record: that which it had in the system that it
// came from, or else the second in which it was made and its number, which is what looks
// like the IDs that clients know.
func RecordID(v clm.Version) string { return clm.RecordID(v) }

// RecordUUID is another name of the version's record, a UUID of version 8 (RFC 9562,
// section 5.8), which says no more than the ID.
func RecordUUID(v clm.Version) string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:], uint32(v.Created.Unix()))
	n := uint64(v.ID) * recordSpread
	binary.BigEndian.PutUint16(b[4:], uint16(n>>48))
	b[6], b[7] = 0x80, byte(n>>40)
	binary.BigEndian.PutUint64(b[8:], n<<24>>24)
	b[8], b[9] = 0x80, 0
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// recordGather undoes what recordSpread does to the numbers of versions, modulo 2⁶⁴.
const (
	recordSpread        = clm.RecordSpread
	recordGather uint64 = 0xF1DE83E19937733D
)

// recordKey is the ID of a record as it is compared.
func recordKey(id string) string { return strings.ToLower(strings.TrimSpace(id)) }

// recordBytes are the octets of the ID of a record. ok: it is one.
func recordBytes(id string) (octets []byte, ok bool) {
	octets, err := hex.DecodeString(id)
	return octets, err == nil && len(octets) == 12
}

// record makes sure that the version, or the new one where it is zero, can have the ID that
// the certificate brings.
func (r Import) record(tx *store.Tx, known clm.Version) error {
	id := recordKey(r.Record)
	if id == "" {
		return nil
	}
	if _, ok := recordBytes(id); !ok {
		return clm.Fail(clm.Invalid, "record", r.Record)
	}
	v, err := versionOfRecord(tx, id)
	switch {
	case errors.Is(err, clm.NotFound) && known.ID == 0, err == nil && v.ID == known.ID:
		return nil
	case err == nil, errors.Is(err, clm.NotFound):
		return clm.Fail(clm.Exists, "record", r.Record)
	}
	return err
}

// versionOfRecord finds the version whose record has the ID. It fails with NotFound.
func versionOfRecord(tx *store.Tx, id string) (clm.Version, error) {
	id = recordKey(id)
	digits, ok := recordBytes(id)
	if !ok {
		return clm.Version{}, clm.NotFound
	}
	v, err := tx.Version(clm.VersionID(binary.BigEndian.Uint64(digits[4:]) * recordGather))
	switch {
	case err == nil && RecordID(v) == id:
		return v, nil
	case err != nil && !errors.Is(err, clm.NotFound):
		return v, err
	}
	return tx.VersionByRecord(id)
}

// versionOfUUID finds the version whose record has the UUID. It fails with NotFound.
func versionOfUUID(tx *store.Tx, id string) (clm.Version, error) {
	digits, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(id), "-", ""))
	if err != nil || len(digits) != 16 {
		return clm.Version{}, clm.NotFound
	}
	n := uint64(binary.BigEndian.Uint16(digits[4:]))<<48 | uint64(digits[7])<<40 | binary.BigEndian.Uint64(digits[8:])<<24>>24
	v, err := tx.Version(clm.VersionID(n * recordGather))
	if err == nil && !strings.EqualFold(RecordUUID(v), strings.TrimSpace(id)) {
		err = clm.NotFound
	}
	return v, err
}

// serialText is a serial number as versions have it: upper-case hex of whole octets.
// ok: it is one.
func serialText(s string) (text string, ok bool) {
	s = strings.NewReplacer(":", "", " ", "", "-", "").Replace(strings.TrimSpace(s))
	s = strings.TrimPrefix(strings.ToLower(s), "0x")
	n, ok := new(big.Int).SetString(s, 16)
	if !ok || n.Sign() < 0 {
		return "", false
	}
	return strings.ToUpper(hex.EncodeToString(n.Bytes())), true
}

// isCalled reports whether the name is that of the record's certificate, in any case: its
// common name or, where it has none, the whole name of its subject.
func (r Record) isCalled(name string) bool {
	if r.CommonName != "" || len(r.Version.Cert) == 0 {
		return strings.EqualFold(name, r.CommonName)
	}
	cert, err := x509.ParseCertificate(r.Version.Cert)
	return err == nil && strings.EqualFold(name, pki.FormatName(cert.RawSubject))
}

// findRecord finds the record as far as the actor may read it. It fails with NotFound,
// and with Invalid about "record" where the reference is not enough or fits several, of
// which Value is then the number.
func findRecord(tx *store.Tx, who clm.Actor, ref RecordRef) (rec Record, err error) {
	serial, hasSerial := serialText(ref.Serial)
	if ref.ID != "" {
		v, err := versionOfRecord(tx, ref.ID)
		if err != nil {
			return rec, clm.About(ref.ID, err)
		}
		if rec, err = recordOf(tx, who, v); err != nil {
			return rec, clm.About(ref.ID, err)
		}
		if !ref.IDAlone && (ref.CommonName != "" && !rec.isCalled(ref.CommonName) || ref.Serial != "" && (!hasSerial || len(v.Cert) == 0 || serial != v.Serial)) {
			return Record{}, clm.About(ref.ID, clm.NotFound)
		}
		return rec, nil
	}
	if ref.Serial == "" {
		return rec, clm.Fail(clm.Invalid, "record", "")
	}
	var fit []Record
	if hasSerial {
		versions, err := tx.VersionsBySerial(serial)
		if err != nil {
			return rec, err
		}
		for _, v := range versions {
			r, err := recordOf(tx, who, v)
			if err != nil && !errors.Is(err, clm.NotFound) {
				return rec, err
			}
			signsCode := ref.CommonName == "" && err == nil && r.Path.Last().Class == clm.CodeSigningCertificate
			if err == nil && (signsCode || ref.CommonName != "" && r.isCalled(ref.CommonName)) {
				fit = append(fit, r)
			}
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return rec, clm.Fail(clm.Invalid, "record", strconv.Itoa(len(fit)))
	case ref.CommonName == "":
		return rec, clm.Fail(clm.Invalid, "record", "")
	}
	return rec, clm.About(ref.String(), clm.NotFound)
}

// recordOf is the record of the version. It fails with NotFound where the actor may not
// read it.
func recordOf(tx *store.Tx, who clm.Actor, v clm.Version) (rec Record, err error) {
	path, rights, err := findByID(tx, who, v.Certificate)
	if err == nil && (!isCertificate(path) || !rights.Has(clm.Read) || !v.Removed.IsZero()) {
		err = clm.NotFound
	}
	if err != nil {
		return rec, err
	}
	rec = Record{ID: RecordID(v), UUID: RecordUUID(v), Path: path, Rights: rights, Version: v, CommonName: pki.CommonName(v.Cert)}
	if len(v.Cert) == 0 {
		rec.CommonName = path.Value(clm.CommonName).First()
	}
	if rec.Orders, err = tx.Orders(v.ID); err != nil {
		return rec, err
	}
	if rec.Revocation, err = tx.Revocation(v.ID); err != nil {
		return rec, err
	}
	rec.State, err = rec.state(tx)
	return rec, err
}

// state says how far the record has come.
func (r Record) state(tx *store.Tx) (RecordState, error) {
	if r.Version.Thumbprint != "" && r.Version.Orphaned.IsZero() {
		return RecordIssued, nil
	}
	state := RecordRejected // it was ended, and its work is gone
	for _, w := range r.Orders {
		if w.Op != clm.Enroll {
			continue
		}
		switch how, err := outcomeOf(tx, w); {
		case err != nil:
			return state, err
		case how == OrderOpen:
			return RecordPending, nil
		case how == OrderFailed:
			state = RecordFailed
		default:
			state = RecordRejected
		}
	}
	return state, nil
}

// RecordKinds are the ways in which Record fails; see findRecord.
var RecordKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound}

// Record finds a record that the actor may read. Of Invalid, Field is "record": the
// reference is not enough or, where Value is a number, fits so many.
func (c *Core) Record(ctx context.Context, who clm.Actor, ref RecordRef) (rec Record, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		rec, err = findRecord(tx, who, ref)
		return err
	})
	return rec, err
}

// RecordByUUID finds the record with the UUID. It fails with NotFound.
func (c *Core) RecordByUUID(ctx context.Context, who clm.Actor, id string) (rec Record, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		v, err := versionOfUUID(tx, id)
		if err == nil {
			rec, err = recordOf(tx, who, v)
		}
		return clm.About(id, err)
	})
	return rec, err
}

// IsExpired reports whether there is a certificate that is not valid any more.
func (r Record) IsExpired(now time.Time) bool {
	return r.State == RecordIssued && r.Version.NotAfter.Before(now)
}
