package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// Filter selects certificates. Values of one field are alternatives, fields must
// all match, an empty field matches everything. Texts match whole, in any case.
type Filter struct {
	Thumbprints   []string
	CommonNames   []string
	DNSNames      []string
	Serials       []string
	Names         []string  // of the objects
	Folders       []clm.DN  // directly in one of them
	Trees         []clm.DN  // anywhere below one of them
	ExpiresAfter  time.Time // later than
	ExpiresBefore time.Time // earlier than
	Disabled      *bool     //
	Visible       *Visible  // what the actor may see; nil: all
	Limit, Offset int
}

// Visible says which certificates an actor may see: those directly in the
// folders, but for the hidden ones, and the shown ones wherever they are.
type Visible struct {
	Folders       []clm.ObjectID
	Shown, Hidden []clm.ObjectID
}

// MaxVisible is how many folders and certificates a Visible may name.
const MaxVisible = 20000

// Hit is a certificate with its version in use, if it has one.
type Hit struct {
	Object  *clm.Object
	Version *clm.Version
}

// Find returns the part of what the filter selects that Limit and Offset ask
// for, in the order of the objects' IDs, and how many it selects in all.
func (tx *Tx) Find(f Filter) (hits []Hit, total int, err error) {
	from, args := f.query()
	if total, err = one(tx, scanOne[int], "SELECT COUNT(*)"+from, args...); err != nil || f.Limit == 0 {
		return nil, total, err
	}
	query := fmt.Sprintf("SELECT o.id, v.id"+from+" ORDER BY c.id LIMIT $%d OFFSET $%d", len(args)+1, len(args)+2)
	type ids struct {
		object  clm.ObjectID
		version *clm.VersionID
	}
	found, err := all(tx, func(r row) (i ids, err error) { return i, r.Scan(&i.object, &i.version) }, query, append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, err
	}
	objects, versions := map[clm.ObjectID]*clm.Object{}, map[clm.VersionID]*clm.Version{}
	for part := range slices.Chunk(found, hitsAtOnce) {
		var marks []string
		var objectIDs, versionIDs []any
		for n, i := range part {
			marks = append(marks, fmt.Sprintf("$%d", n+1))
			objectIDs = append(objectIDs, string(i.object))
			if i.version != nil {
				versionIDs = append(versionIDs, int64(*i.version))
			}
		}
		some, err := all(tx, scanObject, selectObject+" WHERE o.id IN ("+strings.Join(marks, ", ")+")", objectIDs...)
		if err != nil {
			return nil, 0, err
		}
		for _, o := range some {
			objects[o.ID] = o
		}
		if len(versionIDs) == 0 {
			continue
		}
		current, err := all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.id IN ("+strings.Join(marks[:len(versionIDs)], ", ")+")", versionIDs...)
		if err != nil {
			return nil, 0, err
		}
		for _, v := range current {
			versions[v.ID] = &v
		}
	}
	for _, i := range found {
		hit := Hit{Object: objects[i.object]}
		if i.version != nil {
			hit.Version = versions[*i.version]
		}
		hits = append(hits, hit)
	}
	return hits, total, nil
}

// hitsAtOnce is how many hits are read in one statement.
const hitsAtOnce = 200

// query is the filter as SQL, from FROM on.
func (f Filter) query() (string, []any) {
	var where []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	in := func(format string, values []string) {
		if len(values) > 0 {
			where = append(where, fmt.Sprintf(format, list(values, arg)))
		}
	}
	any := func(parts []string) {
		if len(parts) > 0 {
			where = append(where, "("+strings.Join(parts, " OR ")+")")
		}
	}
	in("v.thumbprint IN (%s)", each(f.Thumbprints, strings.ToUpper))
	in("v.serial IN (%s)", each(f.Serials, strings.ToUpper))
	in("c.cn_key IN (%s)", each(f.CommonNames, strings.ToLower))
	in("c.id IN (SELECT certificate FROM sans WHERE kind = '"+string(clm.SANDNS)+"' AND value IN (%s))", each(f.DNSNames, strings.ToLower))
	var parts []string
	for _, name := range f.Names {
		// A name is the end of a DN; the index cannot help, the other conditions must.
		key := []byte(`\` + strings.ToLower(name))
		parts = append(parts, fmt.Sprintf("SUBSTR(o.dn_key, LENGTH(o.dn_key) - %s) = %s", arg(len(key)-1), arg(key)))
	}
	any(parts)
	parts = nil
	for _, folder := range f.Folders {
		parts = append(parts, "c.folder = (SELECT id FROM objects WHERE dn_key = "+arg([]byte(folder.Key()))+")")
	}
	any(parts)
	parts = nil
	for _, tree := range f.Trees {
		// All that begins with the DN and a backslash, whose successor is "]".
		parts = append(parts, "o.dn_key >= "+arg([]byte(tree.Key()+`\`))+" AND o.dn_key < "+arg([]byte(tree.Key()+`]`)))
	}
	any(parts)
	if !f.ExpiresAfter.IsZero() {
		where = append(where, "c.not_after > "+arg(micros(f.ExpiresAfter)))
	}
	if !f.ExpiresBefore.IsZero() {
		where = append(where, "c.not_after > 0 AND c.not_after < "+arg(micros(f.ExpiresBefore)))
	}
	if f.Disabled != nil {
		where = append(where, "c.disabled = "+arg(*f.Disabled))
	}
	if f.Visible != nil {
		visible := []string{"1 = 0"}
		if v := f.Visible; len(v.Folders) > 0 {
			visible = append(visible, "c.folder IN ("+list(v.Folders, arg)+")"+butFor(v.Hidden, arg))
		}
		if v := f.Visible; len(v.Shown) > 0 {
			visible = append(visible, "c.id IN ("+list(v.Shown, arg)+")")
		}
		any(visible)
	}
	from := " FROM certificates c JOIN objects o ON o.id = c.id LEFT JOIN versions v ON v.id = c.current"
	if len(where) > 0 {
		from += " WHERE " + strings.Join(where, " AND ")
	}
	return from, args
}

func butFor(hidden []clm.ObjectID, arg func(any) string) string {
	if len(hidden) == 0 {
		return ""
	}
	return " AND c.id NOT IN (" + list(hidden, arg) + ")"
}

func list[T ~string](values []T, arg func(any) string) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = arg(string(v))
	}
	return strings.Join(marks, ", ")
}

func each(values []string, f func(string) string) []string {
	changed := make([]string, len(values))
	for i, v := range values {
		changed[i] = f(v)
	}
	return changed
}

// Folders lists every folder.
func (tx *Tx) Folders() ([]*clm.Object, error) {
	return all(tx, scanObject, selectObject+" WHERE o.class = $1 ORDER BY o.dn_key", string(clm.Folder))
}

// Children lists the objects directly below the one named.
func (tx *Tx) Children(of clm.ObjectID) ([]*clm.Object, error) {
	return all(tx, scanObject, selectObject+" WHERE o.parent = $1 ORDER BY o.dn_key", string(of))
}

// GrantedCertificates lists the certificates that carry rights of their own.
func (tx *Tx) GrantedCertificates() ([]*clm.Object, error) {
	return all(tx, scanObject, selectObject+" WHERE o.grants <> '' AND c.id IS NOT NULL")
}
