package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// Filter selects certificates. Values of one field are alternatives, fields must
// all match, an empty field matches everything. Texts match whole, in any case.
type Filter struct {
	Thumbprints []string
	Serials     []string
	Names       []string // of the objects
	CommonNames []string
	SANs        map[clm.Attr][]string // by kind: SANDNS and its like
	Begins      Span                  // of the certificates in use
	Ends        Span                  //
	Created     Span                  // of the objects
	Stages      []clm.Stage           // where open work shows that it stands; NotBegun is one of them
	InError     *bool                 // open work has stopped on an error
	Gated       *bool                 // open work stands before an undecided gate

	Seen       []int    // what came of looking where it should be in use: states of its round, zero for nothing
	Leaf       uint32   // something of this was said of it at one place
	Chain      uint32   // something of this was said of its chain at one place
	Versions   []uint16 // of TLS, of which one place speaks one
	NoLook     *bool    // its own attribute clm.NoLook is on
	NoValidate *bool    // its own attribute clm.NoValidate is on

	Folders []clm.DN           // directly in one of them
	Trees   []clm.DN           // anywhere below one of them
	Match   func(*Cohort) bool // nil: every cohort
	Visible *Visible           // what the actor may see; nil: all

	// Key names what is selected, Visible and all: those who ask again with the same
	// key for the page that follows get it at once. Empty: nothing is remembered.
	Key           string
	Limit, Offset int
}

// A Span is a part of time.
type Span struct {
	After  time.Time   // later than; zero for any
	Before time.Time   // earlier than; zero for any
	At     []time.Time // at one of these
}

// NotBegun is where work stands that nobody has begun.
const NotBegun clm.Stage = ""

// Visible says which certificates an actor may see: those directly in the
// folders, but for the hidden ones, and the shown ones wherever they are.
type Visible struct {
	Folders       map[clm.ObjectID]bool
	Shown, Hidden map[clm.ObjectID]bool
}

// Hit is a certificate with its version in use, if it has one.
type Hit struct {
	Object  *clm.Object
	Version *clm.Version
}

// Find returns the part of what the filter selects that Limit and Offset ask
// for, in the order of the objects' IDs, and how many it selects in all.
func (tx *Tx) Find(f Filter) (hits []Hit, total int, err error) {
	revision, err := tx.treeRevision()
	if err != nil {
		return nil, 0, err
	}
	if f.Key != "" {
		f.Key += strconv.FormatInt(revision, 36) // folders and rights may have changed
	}
	s, err := tx.selects(f)
	if err != nil {
		return nil, 0, err
	}
	if total, err = s.total(); err != nil || f.Limit == 0 || f.Offset >= total {
		return nil, total, err
	}
	f.Limit = min(f.Limit, total-f.Offset)
	near := tx.db.pages.near(f.Key, f.Offset, s.moved, tx.Now)
	found, err := s.page(near, f.Offset, f.Limit, total)
	if err != nil || len(found) == 0 {
		return nil, total, err
	}
	if end := f.Offset + len(found); end < total {
		tx.db.pages.remember(f.Key, mark{end, found[len(found)-1].id, s.moved, tx.Now})
	}
	hits, err = tx.hits(found)
	return hits, total, err
}

// hits reads the objects that were found, and their versions in use.
func (tx *Tx) hits(found []inventoried) ([]Hit, error) {
	ids, d := make([]clm.ObjectID, len(found)), tx.db.dialect
	for n, i := range found {
		ids[n] = i.id
	}
	some, err := all(tx, scanObject, selectObject+" WHERE o.id "+fmt.Sprintf(d.among, d.texts("$1")), toJSON(ids, len(ids)))
	if err != nil {
		return nil, err
	}
	objects, current := make(map[clm.ObjectID]*clm.Object, len(some)), []clm.VersionID{}
	for _, o := range some {
		objects[o.ID] = o
		if o.Current != 0 {
			current = append(current, o.Current)
		}
	}
	list, err := all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.id "+fmt.Sprintf(d.among, d.numbers("$1")), toJSON(current, 1))
	if err != nil {
		return nil, err
	}
	versions := make(map[clm.VersionID]*clm.Version, len(list))
	for n := range list {
		versions[list[n].ID] = &list[n]
	}
	hits := make([]Hit, 0, len(found))
	for _, i := range found {
		if o := objects[i.id]; o != nil {
			hits = append(hits, Hit{Object: o, Version: versions[o.Current]})
		}
	}
	return hits, nil
}

// CertificatesBelow lists certificates anywhere below the folder, in the order of
// their IDs, at most so many after the one named.
func (tx *Tx) CertificatesBelow(dn clm.DN, after clm.ObjectID, most int) ([]clm.ObjectID, error) {
	s, err := tx.selects(Filter{Trees: []clm.DN{dn}})
	if err != nil {
		return nil, err
	}
	total, err := s.total()
	if err != nil || total == 0 {
		return nil, err
	}
	found, err := s.page(mark{after: after}, 0, most, total)
	ids := make([]clm.ObjectID, 0, len(found))
	for _, i := range found {
		ids = append(ids, i.id)
	}
	return ids, err
}

func each(values []string, f func(string) string) []string {
	changed := make([]string, len(values))
	for i, v := range values {
		changed[i] = f(v)
	}
	return changed
}

// A FolderPath is a folder with all that is above it.
type FolderPath struct {
	clm.Path
	key string // of its DN
}

// Folders lists every folder, sorted by the keys of their DNs. They are shared
// and must not be changed.
func (tx *Tx) Folders() ([]FolderPath, error) {
	revision, err := tx.treeRevision()
	if err != nil {
		return nil, err
	}
	cache := &tx.db.tree
	cache.mu.Lock()
	known := cache.at(revision).folders
	cache.mu.Unlock()
	if known != nil {
		return known, nil
	}
	objects, err := all(tx, scanObject, "SELECT "+objectColumns+", 0 FROM objects o WHERE o.class = '"+string(clm.Folder)+"' ORDER BY o.dn_key")
	if err != nil {
		return nil, err
	}
	paths := map[string]clm.Path{}
	for _, o := range objects {
		above := paths[o.DN.Parent().Key()]
		if parent := o.DN.Parent(); above == nil && parent != "" { // what is above is no folder
			if above, err = tx.Path(parent); err != nil {
				return nil, err
			}
		}
		path := append(above[:len(above):len(above)], o)
		paths[o.DN.Key()] = path
		known = append(known, FolderPath{path, o.DN.Key()})
	}
	if tx.isOf(revision) {
		cache.mu.Lock()
		cache.at(revision).folders = known
		cache.mu.Unlock()
	}
	return known, nil
}

// Children lists the objects directly below the one named.
func (tx *Tx) Children(of clm.ObjectID) ([]*clm.Object, error) {
	return all(tx, scanObject, selectObject+" WHERE o.parent = $1 ORDER BY o.dn_key", string(of))
}

// GrantedCertificates lists the certificates that carry rights of their own.
func (tx *Tx) GrantedCertificates() ([]*clm.Object, error) {
	return all(tx, scanObject, selectObject+" WHERE o.grants <> '' AND c.id IS NOT NULL")
}
