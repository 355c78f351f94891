package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/certwright/certwright/internal/clm"
)

// treeCache keeps everything in the tree but what is numerous, and the principals,
// as of one revision of the tree. A revision is never used twice, so what a
// transaction that came to nothing put here is never found again. What lies here
// is shared and must not be changed.
type treeCache struct {
	mu         sync.Mutex
	revision   int64
	objects    map[string]*clm.Object // by key of the DN
	byID       map[clm.ObjectID]*clm.Object
	folders    []FolderPath
	principals map[clm.PrincipalID]*Principal
}

// at returns the cache, emptied if it is of another revision.
func (t *treeCache) at(revision int64) *treeCache {
	if t.revision != revision {
		t.revision, t.objects, t.byID, t.folders, t.principals = revision, map[string]*clm.Object{}, map[clm.ObjectID]*clm.Object{}, nil, nil
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

// PathByID is Path for an object known by its GUID. What has not the form of one is
// NotFound: PostgreSQL would not even look for a text with zero bytes.
func (tx *Tx) PathByID(id clm.ObjectID) (clm.Path, error) {
	if !clm.IsObjectID(string(id)) {
		return nil, clm.NotFound
	}
	revision, err := tx.treeRevision()
	if err != nil {
		return nil, err
	}
	o := tx.db.tree.known(revision, func(t *treeCache) *clm.Object { return t.byID[id] })
	if o == nil {
		o, err = one(tx, scanObject, selectObject+" WHERE o.id = $1", string(id))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, clm.NotFound
		}
		if err != nil {
			return nil, err
		}
		tx.remember(revision, o)
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
	key := dn.Key()
	if o := tx.db.tree.known(revision, func(t *treeCache) *clm.Object { return t.objects[key] }); o != nil {
		return o, nil
	}
	o, err := one(tx, scanObject, selectObject+" WHERE o.dn_key = $1", []byte(key))
	if err == nil {
		tx.remember(revision, o)
	}
	return o, err
}

// known is what lies in the cache, as of the revision; nil where it does not.
func (t *treeCache) known(revision int64, get func(*treeCache) *clm.Object) *clm.Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return get(t.at(revision))
}

// remember keeps the object in the cache, unless it is one of many.
func (tx *Tx) remember(revision int64, o *clm.Object) {
	if o.Class.IsNumerous() || !tx.isOf(revision) {
		return
	}
	cache := &tx.db.tree
	cache.mu.Lock()
	defer cache.mu.Unlock()
	cache.at(revision).objects[o.DN.Key()], cache.at(revision).byID[o.ID] = o, o
}

const objectColumns = "o.id, o.number, o.dn, o.class, o.own, o.policy, o.grants, o.created, o.revision"

const selectObject = "SELECT " + objectColumns + ", COALESCE(c.current, 0) FROM objects o LEFT JOIN certificates c ON c.id = o.id"

func scanObject(r row) (*clm.Object, error) {
	var o clm.Object
	var own, policy, grants string
	if err := r.Scan(&o.ID, &o.Number, &o.DN, &o.Class, &own, &policy, &grants, &o.Created, &o.Revision, &o.Current); err != nil {
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
	var err error
	if o.Number, err = tx.newNumber(); err != nil {
		return err
	}
	own, policy, grants := columns(o)
	_, err = tx.c.exec(`INSERT INTO objects (id, number, parent, dn, dn_key, class, own, policy, grants, created, revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		string(o.ID), o.Number, string(parent), string(o.DN), []byte(o.DN.Key()), string(o.Class), own, policy, grants, o.Created, o.Revision)
	if err != nil {
		return tx.duplicate(err)
	}
	switch {
	case !o.Class.IsNumerous():
		return tx.treeChanged()
	case !o.Class.Is(clm.CertificateBase):
		return nil
	}
	cohort, err := tx.saveCohort(NewCohort(o, parent))
	if err != nil {
		return err
	}
	tx.count(place{cohort: cohort, created: o.Created}, +1)
	_, err = tx.c.exec("INSERT INTO certificates (id, folder, disabled, current, cn_key, names, not_after, cohort, name_key) VALUES ($1, $2, $3, 0, '', '', 0, $4, $5)",
		string(o.ID), string(parent), isOff(o), cohort, nameKey(o))
	return err
}

// nameKey is the form in which names of certificates are looked up.
func nameKey(o *clm.Object) string { return strings.ToLower(o.DN.Name()) }

// SaveObject writes the object's own values, policy and grants.
func (tx *Tx) SaveObject(o *clm.Object) error {
	o.Revision = tx.db.ids.next(tx.Now)
	own, policy, grants := columns(o)
	if _, err := tx.c.exec("UPDATE objects SET own = $1, policy = $2, grants = $3, revision = $4 WHERE id = $5",
		own, policy, grants, o.Revision, string(o.ID)); err != nil {
		return err
	}
	switch {
	case !o.Class.IsNumerous():
		return tx.treeChanged()
	case !o.Class.Is(clm.CertificateBase):
		return nil
	}
	was, at, err := tx.cohortOf(o.ID)
	if err != nil || at.cohort == 0 {
		return err
	}
	now := was.managed(o)
	if now.Disabled == was.Disabled && now.Management == was.Management {
		return nil
	}
	cohort, err := tx.saveCohort(now)
	if err != nil {
		return err
	}
	tx.count(place{cohort: at.cohort}, -1)
	tx.count(place{cohort: cohort}, +1)
	_, err = tx.c.exec("UPDATE certificates SET disabled = $1, cohort = $2 WHERE id = $3", now.Disabled, cohort, string(o.ID))
	return err
}

func isOff(o *clm.Object) bool { return clm.Certificate{Object: *o}.IsOff() }

// Lock makes sure that no other transaction changes the object before this one has
// ended. It fails with ErrLocked when another one has it: who writes must not wait.
func (tx *Tx) Lock(id clm.ObjectID) error {
	_, err := all(tx, scanOne[string], "SELECT id FROM objects WHERE id = $1 "+tx.db.dialect.lockNow, string(id))
	if tx.db.dialect.locked(err) {
		return ErrLocked
	}
	return err
}

// ErrNotEmpty says that there are objects below the one that was to be deleted.
var ErrNotEmpty = errors.New("there are objects below it")

// DeleteObject removes the object and all that is its own: of a certificate its
// versions with their keys, and its works with their gates. What is under way for
// it comes to nothing, but that a CA is still asked to revoke, and an order that is not
// wanted any more followed up: these works stay, with their versions, whose keys go. What
// issuers of ours have issued to it stays in their books. It fails with ErrNotEmpty when there is
// anything below it.
func (tx *Tx) DeleteObject(o *clm.Object) error {
	below, err := all(tx, scanOne[int], "SELECT 1 FROM objects WHERE parent = $1 LIMIT 1", string(o.ID))
	if err != nil {
		return err
	}
	if len(below) > 0 {
		return ErrNotEmpty
	}
	open, err := all(tx, scanOne[clm.WorkID], "SELECT id FROM work WHERE subject = $1 AND done = FALSE AND NOT "+outlives, string(o.ID))
	if err != nil {
		return err
	}
	for _, id := range open {
		tx.moved(clm.Work{ID: id, Done: true})
	}
	if o.Class.Is(clm.CertificateBase) {
		_, at, err := tx.cohortOf(o.ID)
		if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
		if at.cohort != 0 {
			at.created = o.Created
			tx.count(at, -1)
		}
	}
	if err := tx.enterIssued(o.ID); err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM decisions WHERE work IN (SELECT id FROM work WHERE subject = $1 AND NOT " + outlives + ")",
		"DELETE FROM work WHERE subject = $1 AND NOT " + outlives,
		"INSERT INTO past_keys (key_hash) SELECT DISTINCT key_hash FROM versions WHERE certificate = $1 AND cert IS NOT NULL AND key_hash IS NOT NULL ON CONFLICT (key_hash) DO NOTHING",
		"DELETE FROM revocations WHERE version IN (SELECT id FROM versions WHERE certificate = $1 AND " + unworked + ")",
		"DELETE FROM checks WHERE version IN (SELECT id FROM versions WHERE certificate = $1 AND " + unworked + ")",
		"DELETE FROM records WHERE id IN (SELECT id FROM versions WHERE certificate = $1)",
		"DELETE FROM record_names WHERE certificate = $1",
		"DELETE FROM versions WHERE certificate = $1 AND " + unworked,
		"UPDATE versions SET sealed = NULL WHERE certificate = $1 AND sealed IS NOT NULL",
		"DELETE FROM sans WHERE certificate = $1",
		"DELETE FROM subjects WHERE certificate = $1",
		"DELETE FROM certificates WHERE id = $1",
		"DELETE FROM ticket_approvers WHERE ticket = $1 OR ticket IN (SELECT id FROM tickets WHERE subject = $1)",
		"DELETE FROM objects WHERE id IN (SELECT id FROM tickets WHERE subject = $1)",
		"DELETE FROM tickets WHERE subject = $1 OR id = $1",
		"DELETE FROM objects WHERE id = $1",
	} {
		if _, err := tx.c.exec(query, string(o.ID)); err != nil {
			return err
		}
	}
	if o.Class.IsNumerous() {
		return nil
	}
	return tx.treeChanged()
}

// Which works outlive their subject, and which versions of it are about to have none. A
// revocation or a hold that somebody has still to say yes to does not.
const (
	outlives = "(done = FALSE AND op IN ('revoke', 'hold', 'release', 'abandon') AND NOT EXISTS (SELECT 1 FROM tickets WHERE tickets.work = work.id AND tickets.open = TRUE))"
	unworked = "id NOT IN (SELECT version FROM work WHERE subject = $1)"
)

// duplicate turns the database's refusal of a row that is there into ErrDuplicate.
func (tx *Tx) duplicate(err error) error {
	if tx.c.lost == nil && tx.db.dialect.duplicate(err) {
		return ErrDuplicate
	}
	return err
}
