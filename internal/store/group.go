package store

import (
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// Folders may be known by another name than their place. What is said here of folders
// that are gone does not count.

// groupsThere are the names of folders that are there.
const groupsThere = "group_names g JOIN objects o ON o.id = g.folder"

// NameFolder gives the folder the name by which it is known; an empty one takes away what
// it had. It fails with ErrDuplicate when another folder has it, in whatever case.
func (tx *Tx) NameFolder(folder clm.ObjectID, name string) error {
	key := strings.ToLower(name)
	if _, err := tx.c.exec("DELETE FROM group_names WHERE folder = $1 OR name_key = $2 AND folder NOT IN (SELECT g.folder FROM "+groupsThere+")",
		string(folder), key); err != nil || name == "" {
		return err
	}
	if id, err := tx.FolderNamed(name); err == nil && id != folder {
		return ErrDuplicate
	}
	_, err := tx.c.exec("INSERT INTO group_names (name_key, name, folder) VALUES ($1, $2, $3)", key, name, string(folder))
	return err
}

// FolderNamed finds the folder that is known by the name, in any case. It fails with
// NotFound.
func (tx *Tx) FolderNamed(name string) (clm.ObjectID, error) {
	id, err := one(tx, scanOne[clm.ObjectID], "SELECT g.folder FROM "+groupsThere+" WHERE g.name_key = $1", strings.ToLower(name))
	return id, notFound(err)
}

// FolderNames are the names by which folders are known.
func (tx *Tx) FolderNames() (map[clm.ObjectID]string, error) {
	type named struct {
		folder clm.ObjectID
		name   string
	}
	list, err := all(tx, func(r row) (n named, err error) {
		err = r.Scan(&n.folder, &n.name)
		return n, err
	}, "SELECT g.folder, g.name FROM "+groupsThere)
	names := make(map[clm.ObjectID]string, len(list))
	for _, n := range list {
		names[n.folder] = n.name
	}
	return names, err
}
