package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"sync"

	"github.com/certwright/certwright/internal/clm"
)

// treeCache keeps everything in the tree but certificates, and the principals,
// as of one revision of the tree. A revision is never used twice, so what a
// transaction that came to nothing put here is never found again. What lies here
// is shared and must not be changed.
type treeCache struct {
	mu         sync.Mutex
	revision   int64
	objects    map[string]*clm.Object // by key of the DN
	principals map[clm.PrincipalID]*Principal
}

// at returns the cache, emptied if it is of another revision.
func (t *treeCache) at(revision int64) *treeCache {
	if t.revision != revision {
		t.revision, t.objects, t.principals = revision, map[string]*clm.Object{}, nil
	}
	return t
}

// treeRevision is the revision of the tree that this transaction sees. A read must
// ask for it in its own snapshot, which may be older or newer than the last
// commit that this node knows of; a write on a database of one node need not.
func (tx *Tx) treeRevision() (int64, error) {
	switch known := tx.db.revision.Load(); {
	case tx.tree != 0:
	case known != 0 && tx.writes && tx.c.tree != 0: // another write of the same transaction has changed it
		tx.tree = tx.c.tree
	case known != 0 && (tx.writes || tx.glances):
		tx.tree = known
	default:
		revision, err := tx.committedTree()
		if err != nil {
			return 0, err
		}
		tx.tree = revision
	}
	return tx.tree, nil
}

func (tx *Tx) committedTree() (int64, error) {
	revision, err := one(tx, scanOne[int64], "SELECT value FROM counters WHERE name = 'tree'")
	return revision + 1, err // so that it is never zero
}

// isOf reports whether what was just read is of the revision, so that it may be
// remembered as that. Statements that share no snapshot may have met another.
func (tx *Tx) isOf(revision int64) bool {
	if !tx.glances {
		return true
	}
	now, err := tx.committedTree()
	return err == nil && now == revision
}

// treeChanged gives the tree a new revision.
func (tx *Tx) treeChanged() error {
	next := tx.db.ids.next(tx.Now)
	tx.tree, tx.c.tree, tx.newTree = next+1, next+1, true
	_, err := tx.c.exec("UPDATE counters SET value = $1 WHERE name = 'tree'", next)
	return err
}

// Path finds the object with the DN and all that is above it. It fails with
// NotFound. The objects of the path are shared and must not be changed.
func (tx *Tx) Path(dn clm.DN) (clm.Path, error) {
	above := dn.Ancestors()
	path := make(clm.Path, 0, len(above)+1)
	for _, a := range append(above, dn) {
		o, err := tx.object(a)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, clm.About(string(dn), clm.NotFound)
		}
		if err != nil {
			return nil, err
		}
		path = append(path, o)
	}
	return path, nil
}

// PathByID is Path for an object known by its GUID.
func (tx *Tx) PathByID(id clm.ObjectID) (clm.Path, error) {
	o, err := one(tx, scanObject, selectObject+" WHERE o.id = $1", string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, clm.NotFound
	}
	if err != nil {
		return nil, err
	}
	var path clm.Path
	if parent := o.DN.Parent(); parent != "" {
		if path, err = tx.Path(parent); err != nil {
			return nil, err
		}
	}
	return append(path, o), nil
}

func (tx *Tx) object(dn clm.DN) (*clm.Object, error) {
	revision, err := tx.treeRevision()
	if err != nil {
		return nil, err
	}
	key, cache := dn.Key(), &tx.db.tree
	cache.mu.Lock()
	o, ok := cache.at(revision).objects[key]
	cache.mu.Unlock()
	if ok {
		return o, nil
	}
	o, err = one(tx, scanObject, selectObject+" WHERE o.dn_key = $1", []byte(key))
	if err == nil && !o.Class.Is(clm.CertificateBase) && tx.isOf(revision) {
		cache.mu.Lock()
		cache.at(revision).objects[key] = o
		cache.mu.Unlock()
	}
	return o, err
}

const selectObject = "SELECT o.id, o.dn, o.class, o.own, o.policy, o.grants, o.created, o.revision, COALESCE(c.current, 0) FROM objects o LEFT JOIN certificates c ON c.id = o.id"

func scanObject(r row) (*clm.Object, error) {
	var o clm.Object
	var own, policy, grants string
	if err := r.Scan(&o.ID, &o.DN, &o.Class, &own, &policy, &grants, &o.Created, &o.Revision, &o.Current); err != nil {
		return nil, err
	}
	var err error
	if o.Own, err = fromJSON[map[clm.Attr][]string](own); err != nil {
		return nil, err
	}
	if o.Grants, err = fromJSON[map[clm.PrincipalID]clm.Rights](grants); err != nil {
		return nil, err
	}
	entries, err := fromJSON[[]policyEntry](policy)
	if len(entries) > 0 {
		o.Policy = make(map[clm.PolicyKey]clm.Rule, len(entries))
	}
	for _, e := range entries {
		o.Policy[clm.PolicyKey{Class: e.Class, Attr: e.Attr}] = clm.Rule{Values: e.Values, Locked: e.Locked}
	}
	return &o, err
}

// policyEntry is a rule as it is stored.
type policyEntry struct {
	Class  clm.Class `json:"class"`
	Attr   clm.Attr  `json:"attr"`
	Values []string  `json:"values"`
	Locked bool      `json:"locked,omitempty"`
}

func fromJSON[T any](text string) (v T, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &v)
	}
	return v, err
}

// toJSON is the empty text for what is empty.
func toJSON(v any, length int) string {
	if length == 0 {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps and lists of texts can always be written
	}
	return string(text)
}

func columns(o *clm.Object) (own, policy, grants string) {
	entries := make([]policyEntry, 0, len(o.Policy))
	for key, rule := range o.Policy {
		entries = append(entries, policyEntry{key.Class, key.Attr, rule.Values, rule.Locked})
	}
	return toJSON(o.Own, len(o.Own)), toJSON(entries, len(entries)), toJSON(o.Grants, len(o.Grants))
}

// AddObject adds the object below the one that its DN names as its parent, and
// gives it its ID and times. It fails with ErrDuplicate when the DN is taken. A
// certificate gets its place in the inventory.
func (tx *Tx) AddObject(o *clm.Object, parent clm.ObjectID) error {
	if o.ID == "" {
		o.ID = tx.NewObjectID()
	}
	o.Created, o.Revision = micros(tx.Now), tx.db.ids.next(tx.Now)
	own, policy, grants := columns(o)
	_, err := tx.c.exec(`INSERT INTO objects (id, parent, dn, dn_key, class, own, policy, grants, created, revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(o.ID), string(parent), string(o.DN), []byte(o.DN.Key()), string(o.Class), own, policy, grants, o.Created, o.Revision)
	if err != nil {
		return tx.duplicate(err)
	}
	if !o.Class.Is(clm.CertificateBase) {
		return tx.treeChanged()
	}
	_, err = tx.c.exec("INSERT INTO certificates (id, folder, disabled, current, cn_key, names, not_after) VALUES ($1, $2, $3, 0, '', '', 0)",
		string(o.ID), string(parent), isOff(o))
	return err
}

// SaveObject writes the object's own values, policy and grants.
func (tx *Tx) SaveObject(o *clm.Object) error {
	o.Revision = tx.db.ids.next(tx.Now)
	own, policy, grants := columns(o)
	if _, err := tx.c.exec("UPDATE objects SET own = $1, policy = $2, grants = $3, revision = $4 WHERE id = $5",
		own, policy, grants, o.Revision, string(o.ID)); err != nil {
		return err
	}
	if !o.Class.Is(clm.CertificateBase) {
		return tx.treeChanged()
	}
	_, err := tx.c.exec("UPDATE certificates SET disabled = $1 WHERE id = $2 AND disabled <> $1", isOff(o), string(o.ID))
	return err
}

func isOff(o *clm.Object) bool { return clm.Certificate{Object: *o}.IsOff() }

// duplicate turns the database's refusal of a row that is there into ErrDuplicate.
func (tx *Tx) duplicate(err error) error {
	if tx.c.lost == nil && tx.db.dialect.duplicate(err) {
		return ErrDuplicate
	}
	return err
}
