package clm

import (
	"fmt"
	"slices"
	"time"
)

// A Certificate is a place in the tree that holds one certificate after another.
type Certificate struct{ Object }

// IsOff reports whether processing of the certificate is disabled.
func (c Certificate) IsOff() bool { return len(c.Own[Off]) > 0 && c.Own[Off][0] == "1" }

// A VersionID names a version. It is a multiple of four, so that the numbers after
// it can name the version's parts, and small enough for clients that keep it in 32
// bits. It says nothing of when the version was made.
type VersionID int64

// shardSize is how many version numbers share a part of a revocation list. Every
// fourth is a version, so that no part names more than a quarter as many certificates.
const shardSize = 4096

// Shard is the part of its issuer's revocation list in which the version is named
// once it is revoked. However many certificates there are, a part stays small.
func (id VersionID) Shard() int64 { return int64(id) / shardSize }

// A Version is one of the certificates that a place holds over time. It exists
// from the moment it is asked for; each of its parts is empty until learnt.
type Version struct {
	ID          VersionID
	Certificate ObjectID
	Created     time.Time
	UserCSR     bool      // the signing request came from outside, and so did the key
	Sealed      []byte    // the private key, PKCS #8, sealed for this version; empty when it is not held here
	CSR         []byte    // PKCS #10, DER
	KeyHash     []byte    // SHA-256 over the SubjectPublicKeyInfo
	Authority   ObjectID  // where it was ordered
	Ref         string    // the CA's name for the order
	Cert        []byte    // X.509, DER
	Chain       []byte    // which chain stands above Cert: the fingerprint of the issuer's certificate
	Thumbprint  string    // SHA-1 over Cert, upper-case hex
	Serial      string    // upper-case hex, whole octets
	NotBefore   time.Time // of Cert
	NotAfter    time.Time // of Cert
	Orphaned    time.Time // when Cert came although nobody wanted it any more; zero for nearly all
	Record      string    // its ID in the system that it came from; empty for nearly all
	External    string    // the name that whoever asked for it has for the request; empty for nearly all
	KeyWish     KeyWish   // whose key it is to have, where it is made here
	Ends        time.Time // the end that was asked for this one version; zero: what its place says
	Removed     time.Time // when its record was taken out of the inventory; zero for nearly all
}

// A KeyWish says whose key a version is to have.
type KeyWish string

// The wishes for keys.
const (
	KeyByPolicy KeyWish = ""     // that of the version in use where policy allows it and the place wants it, or else a new one
	KeyNew      KeyWish = "new"  // a new one, whatever policy would allow
	KeySame     KeyWish = "same" // that of the version in use, if it is held here and policy allows it, or else a new one
)

// Facts are what the inventory knows of a certificate, beside what stands in its Version.
type Facts struct {
	Names
	Issuer             string // the whole name, in the form in which people search for it
	IssuedBy           string // the common name of the issuer
	KeyAlgorithm       string // RSA or ECC
	KeySize            int    // in bits; of a key on a curve, that of the curve
	SignatureAlgorithm string // sha256RSA, for one
	SelfSigned         bool
	IsCA               bool // it may stand above others
}

// An Op is what a work is to achieve.
type Op string

// The operations that have a plan.
const (
	Enroll  Op = "enroll"  // lead to a new version
	Install Op = "install" // put the version in use where an application uses it
	Revoke  Op = "revoke"  // have the CA revoke a version
	Hold    Op = "hold"    // have the CA put a version on hold
	Release Op = "release" // have the CA take a version off hold
	Abandon Op = "abandon" // see what becomes of an order that nobody wants any more
	Undo    Op = "undo"    // put back what an installation has switched that was ended
)

// IsRevocation reports whether the operation is about whether a version is revoked. Those
// works have the lane of its revocation, so that one of them is under way at a time.
func (o Op) IsRevocation() bool { return o == Revoke || o == Hold || o == Release }

// IsAtHost reports whether the operation is carried out at a host, where there is one at
// an application at a time.
func (o Op) IsAtHost() bool { return o == Install || o == Undo }

// A Stage is a step of a plan: the only program counter.
type Stage string

// The stages of all plans.
const (
	CreateKey Stage = "create-key"
	CreateCSR Stage = "create-csr"
	Submit    Stage = "submit"
	Collect   Stage = "collect"
	Activate  Stage = "activate"
	Disown    Stage = "disown"
	RevokeAt  Stage = "revoke"

	Place     Stage = "place"
	Inspect   Stage = "inspect"
	Configure Stage = "configure"
	Reload    Stage = "reload"
	Verify    Stage = "verify"
	Settle    Stage = "settle"

	Restore Stage = "restore"

	End Stage = "end"
)

// The points at which a workflow may stop a work, beside the stages themselves.
const (
	Start    Stage = "start"    // before the first stage that leads to a new version
	Approval Stage = "approval" // before the CA is asked for the certificate that was ordered
)

// Points are the points that a work is at before it does its stage. userCSR: it leads
// to a version whose signing request came from outside.
func (w Work) Points(userCSR bool) []Stage {
	first := CreateKey
	if userCSR {
		first = Submit
	}
	switch {
	case w.Op == Abandon || w.Op == Undo:
		return nil // nobody wants it any more
	case w.Op == Enroll && w.Stage == first:
		return []Stage{Start, w.Stage}
	case w.Op == Enroll && w.Stage == Collect:
		return []Stage{Approval, w.Stage}
	}
	return []Stage{w.Stage}
}

// A Lane separates works of one object that do not disturb one another. In each
// lane of an object at most one work is open.
type Lane string

// The lanes that a subject has once.
const (
	EnrollLane  Lane = "enroll"  // of a certificate: everything that leads to a new version
	InstallLane Lane = "install" // of an application
	UndoLane    Lane = "undo"    // of an application: what is to be put back there
)

// RevokeLane is the lane of the revocation of one version.
func RevokeLane(v VersionID) Lane { return Lane(fmt.Sprintf("revoke/%d", v)) }

// AbandonLane is the lane of a version that was ordered and is not wanted any more.
func AbandonLane(v VersionID) Lane { return Lane(fmt.Sprintf("abandon/%d", v)) }

// A WorkID names a work. It grows with time.
type WorkID int64

// Work is the state machine's state and the queue entry in one row.
type Work struct {
	ID        WorkID
	Op        Op
	Subject   ObjectID
	Lane      Lane
	Version   VersionID
	Stage     Stage     // what is to be done next
	Attempt   int       // failed tries of this stage
	Since     time.Time // when this stage began
	NotBefore time.Time // leave it alone until then
	Begun     bool      // somebody has claimed it at least once
	Epoch     int64     // bumped by every claim and every reset: the fence
	Note      string    // the last failure that will be tried again by itself
	Failure   string    // why it stopped, until retried or reset
	Overlaid  bool      // a request was laid on top of the failure
	Done      bool
	Created   time.Time // when it was accepted
	Actor     string    // who asked for it, for audit entries
	Reason    string    // why, in the asker's words
	Host      ObjectID  // the device that is reached for its sake; empty for all that is not at a host
	Together  WorkID    // the first of the works that succeed together or not at all; zero: it stands for itself
	Memo      string    // what was there before an installation; empty: nothing was changed, or it is there again
	Action    string    // what whoever asked for it calls it; empty: what its operation is called
}

// IsBefore reports whether the work has still to do the stage of its plan, or stages
// before it.
func (w Work) IsBefore(stage Stage) bool {
	plan := plans[w.Op]
	return slices.Index(plan, w.Stage) < slices.Index(plan, stage)
}

// State sums up a work for those who ask how it stands.
type State uint8

// The states of a work.
const (
	Queued     State = iota // nobody has begun
	Processing              // some stage is under way, or will be tried again
	Gated                   // it stands before an undecided gate
	AwaitsCSR               // it cannot go on without a signing request from outside
	Stopped                 // it has failed and waits for somebody to retry or reset it
	Finished
)

// State says how the work stands. gated: it stands before an undecided gate.
func (w Work) State(gated bool) State {
	switch {
	case w.Done:
		return Finished
	case w.Failure != "":
		return Stopped
	case gated:
		return Gated
	case w.Stage == CreateCSR && w.NotBefore.Equal(Never):
		return AwaitsCSR
	case !w.Begun:
		return Queued
	}
	return Processing
}

// Unreached is the note of a work that has stopped because nobody could be reached: it
// is begun anew by itself.
const Unreached = "unreached"

// Never is a NotBefore that is never reached: the work waits for something other than time.
var Never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Key names what the work is doing to whoever might be asked to do it twice: the
// same across crashes, fresh after a restart, which makes a new version.
func (w Work) Key() string { return fmt.Sprintf("%d/%s", w.Version, w.Op) }

// A Gate is a yes that must be given before a work goes on. Work that stands before
// an open gate is passed over. The object of the same ID, a ticket, says what is
// asked, who is asked, and what they have said.
type Gate struct {
	ID      ObjectID
	Subject ObjectID  // whose work it is
	Work    WorkID    // zero: it waits for a work
	Stage   Stage     // where the work stands before it
	Point   Stage     // which of the points of that stage it is
	Name    string    // what asks: the ID of a workflow, or a name that an edge has for it
	Open    bool      // it is not decided
	Since   time.Time // from then on the yes is good
	Until   time.Time // so long the yes is good; zero: for ever
}

// Holds reports whether the work may not pass the gate yet.
func (g Gate) Holds(now time.Time) bool { return g.Open || g.Since.After(now) }
