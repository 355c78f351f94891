package store

import "github.com/certwright/certwright/internal/clm"

// HoldersOf lists objects that have values of their own for the attribute, which is that
// of a custom field, and those that say something about it for what is below them: in
// the order of their IDs, at most so many after the one named. No index knows, so all
// objects are looked through; the JSON in which values and rules are kept has the name
// of the attribute in quotes.
func (tx *Tx) HoldersOf(a clm.Attr, after clm.ObjectID, most int) ([]*clm.Object, error) {
	return all(tx, scanObject, selectObject+" WHERE o.id > $1 AND (o.own LIKE $2 OR o.policy LIKE $2) ORDER BY o.id LIMIT $3",
		string(after), `%"`+string(a)+`"%`, most)
}
