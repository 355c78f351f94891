package store

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
)

// ChangeClass gives the object another class, which the caller has put on it.
func (tx *Tx) ChangeClass(o *clm.Object, parent clm.ObjectID, was clm.Class) error {
	if _, err := tx.c.exec("UPDATE objects SET class = $1 WHERE id = $2", string(o.Class), string(o.ID)); err != nil {
		return err
	}
	if err := tx.SaveObject(o); err != nil {
		return err
	}
	if !was.IsNumerous() && o.Class.IsNumerous() {
		if err := tx.treeChanged(); err != nil {
			return err
		}
	}
	return tx.reseat(o, parent)
}

// reseat takes the certificate out of its cohort and puts it into the one that it
// belongs to now.
func (tx *Tx) reseat(o *clm.Object, parent clm.ObjectID) error {
	if !o.Class.Is(clm.CertificateBase) {
		return nil
	}
	was, at, err := tx.cohortOf(o.ID)
	if err != nil || at.cohort == 0 {
		return err
	}
	now := was
	now.Folder, now.Class = parent, o.Class
	cohort, err := tx.saveCohort(now)
	if err != nil {
		return err
	}
	tx.count(place{cohort: at.cohort}, -1)
	tx.count(place{cohort: cohort}, +1)
	_, err = tx.c.exec("UPDATE certificates SET cohort = $1, folder = $2, name_key = $3 WHERE id = $4", cohort, string(parent), nameKey(o), string(o.ID))
	return err
}

// MoveObject gives the object another DN, and everything below it, and says how many
// objects that were. It fails with ErrDuplicate when the DN is taken.
func (tx *Tx) MoveObject(o *clm.Object, to clm.DN, parent clm.ObjectID) (moved int, err error) {
	from, key := o.DN, o.DN.Key()
	o.DN, o.Revision = to, tx.db.ids.next(tx.Now)
	if _, err := tx.c.exec("UPDATE objects SET dn = $1, dn_key = $2, parent = $3, revision = $4 WHERE id = $5",
		string(to), []byte(to.Key()), string(parent), o.Revision, string(o.ID)); err != nil {
		return 0, tx.duplicate(err)
	}
	low, high := below(key)
	length := utf8.RuneCountInString(string(from))
	n, err := tx.c.exec(`UPDATE objects SET dn = CAST($1 AS TEXT) || substr(dn, $2), dn_key = `+tx.db.dialect.joined("$3", "substr(dn_key, $4)")+`, revision = $5
		WHERE dn_key > $6 AND dn_key < $7`,
		string(to), length+1, []byte(to.Key()), len(key)+1, tx.db.ids.next(tx.Now), low, high)
	if err != nil {
		return 0, tx.duplicate(err)
	}
	if _, err := tx.c.exec("UPDATE sweeps SET below = CAST($1 AS TEXT) || substr(below, $2) WHERE below = $3 OR substr(below, 1, $4) = $5",
		string(to), length+1, string(from), length+1, string(from)+`\`); err != nil {
		return 0, err
	}
	if err := tx.reseat(o, parent); err != nil {
		return 0, err
	}
	return int(n) + 1, tx.treeChanged()
}

// below are the keys between which those of all that is below the object are.
func below(key string) (low, high []byte) {
	return []byte(key + `\`), []byte(key + `]`) // the character that follows the backslash
}

// A Walk goes over the objects below one, in the order of their DNs.
type Walk struct {
	Below   clm.DN
	Direct  bool        // only directly below it
	Classes []clm.Class // of these; none: of all
	Derived bool        // or of classes that derive from these
	Has     string      // with this somewhere among their own values: ASCII letters, in lower case, and digits
}

// walkStep is how many objects are read at a time.
const walkStep = 1000

// Walk calls fn for each object until it returns false or fails.
func (tx *Tx) Walk(w Walk, fn func(*clm.Object) (bool, error)) error {
	where, args, err := tx.conditions(w)
	if err != nil {
		return err
	}
	at := len(args) + 1
	query := selectObject + " WHERE " + where + "o.dn_key > " + number(at) + " AND o.dn_key < " + number(at+1) + " ORDER BY o.dn_key LIMIT " + number(at+2)
	low, high := below(w.Below.Key())
	for {
		found, err := all(tx, scanObject, query, append(args[:len(args):len(args)], low, high, walkStep)...)
		if err != nil {
			return err
		}
		for _, o := range found {
			if !w.isOf(o.Class) {
				continue
			}
			if more, err := fn(o); err != nil || !more {
				return err
			}
		}
		if len(found) < walkStep {
			return nil
		}
		low = []byte(found[len(found)-1].DN.Key())
	}
}

// conditions are what the database can tell of what the walk is to meet, each with AND
// behind it.
func (tx *Tx) conditions(w Walk) (where string, args []any, err error) {
	if w.Direct {
		path, err := tx.Path(w.Below)
		if err != nil {
			return "", nil, err
		}
		args = append(args, string(path.Last().ID))
		where += "o.parent = " + number(len(args)) + " AND "
	}
	if len(w.Classes) > 0 && !w.Derived {
		var in []string
		for _, class := range w.Classes {
			args = append(args, string(class))
			in = append(in, number(len(args)))
		}
		where += "o.class IN (" + strings.Join(in, ", ") + ") AND "
	}
	if w.Has != "" {
		args = append(args, "%"+w.Has+"%")
		where += "LOWER(o.own) LIKE " + number(len(args)) + " AND "
	}
	return where, args, nil
}

// Classes are the classes of which there are objects, as far as they are or derive from the
// one. It takes a step in an index for each class that there is at all.
func (tx *Tx) Classes(of clm.Class) (found []clm.Class, err error) {
	for last := clm.Class(""); ; {
		next, err := one(tx, scanOne[*clm.Class], "SELECT MIN(class) FROM objects WHERE class > $1", string(last))
		if err != nil || next == nil {
			return found, err
		}
		if last = *next; last.Is(of) {
			found = append(found, last)
		}
	}
}

func (w Walk) isOf(class clm.Class) bool {
	if len(w.Classes) == 0 || slices.Contains(w.Classes, class) {
		return true
	}
	return w.Derived && slices.ContainsFunc(w.Classes, class.Is)
}

func number(n int) string { return "$" + strconv.Itoa(n) }

// ObjectByNumber finds an object by its number, with all that is above it. It fails
// with NotFound.
func (tx *Tx) ObjectByNumber(n int64) (clm.Path, error) {
	id, err := one(tx, scanOne[clm.ObjectID], "SELECT id FROM objects WHERE number = $1 AND number > 0", n)
	if err != nil {
		return nil, notFound(err)
	}
	return tx.PathByID(id)
}

// CheckNow lets somebody look at once whether relying parties see the revocation of the
// version, if that is still to be seen.
func (tx *Tx) CheckNow(v clm.VersionID) error {
	_, err := tx.c.exec("UPDATE checks SET due = $1 WHERE version = $2 AND due > $1", micros(tx.Now), int64(v))
	return err
}
