package core

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A Group is a folder as those see it who know groups of certificates rather than a tree:
// every folder below the root of policy is one.
type Group struct {
	Name   string
	Path   clm.Path // ends at the folder
	Rights clm.Rights
}

// Limits of groups.
const (
	MaxGroups   = 1000 // that are listed at a time
	MaxAssigned = 1000 // certificates that come into a group at a time
)

// The groups that every installation has. They are made when somebody first names them.
const (
	DefaultGroup = "Default"
	GatewayGroup = "Certificate-Gateway"
)

// groupRoot is the folder below which folders are groups.
const groupRoot = clm.PolicyDN

// GroupNames knows the names of all groups.
type GroupNames struct {
	own   map[clm.ObjectID]string
	taken map[string]bool // those names in lower case
}

// GroupNames reads the names of all groups.
func (c *Core) GroupNames(ctx context.Context) (names GroupNames, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		names, err = groupNames(tx)
		return err
	})
	return names, err
}

func groupNames(tx *store.Tx) (names GroupNames, err error) {
	given, err := tx.FolderNames()
	names.own, names.taken = given, make(map[string]bool, len(given))
	if err != nil || len(given) == 0 {
		return names, err
	}
	folders, err := tx.Folders()
	top := map[string]clm.ObjectID{} // see topmost
	for _, f := range folders {
		if o := f.Last(); len(f.Path) == topDepth && o.DN.IsBelow(groupRoot) {
			top[strings.ToLower(o.DN.Name())] = o.ID
		}
	}
	for id, name := range given {
		name = strings.ToLower(name)
		if has, ok := top[name]; ok && has != id {
			delete(given, id)
		} else {
			names.taken[name] = true
		}
	}
	return names, err
}

// topDepth is the length of the path of a folder directly below the root.
const topDepth = 3

// topmost finds the folder of the name directly below the root. Nothing else goes by that
// name, whatever it was given: who makes a group in another one takes no name from those
// who make them there. It fails with NotFound.
func topmost(tx *store.Tx, name string) (clm.Path, error) {
	if clm.CheckName(name) != nil {
		return nil, clm.NotFound
	}
	path, err := tx.Path(groupRoot.Child(name))
	if err == nil && path.Last().Class != clm.Folder {
		err = clm.NotFound
	}
	return path, err
}

// Of is the name of the group that the path ends in: the one that the folder was given,
// or else its place below the root, with slashes. A place that reads like the name that
// another folder was given is told whole. Outside all groups it is empty.
func (n GroupNames) Of(path clm.Path) string {
	for _, o := range slices.Backward(path) {
		if o.Class != clm.Folder || !o.DN.IsBelow(groupRoot) {
			continue
		}
		if name := n.own[o.ID]; name != "" {
			return name
		}
		name := strings.ReplaceAll(string(o.DN[len(groupRoot)+1:]), `\`, "/")
		if n.taken[strings.ToLower(name)] {
			return string(o.DN)
		}
		return name
	}
	return ""
}

// group makes a group of the folder at the end of the path.
func (n GroupNames) group(path clm.Path, who clm.Actor) Group {
	return Group{Name: n.Of(path), Path: path, Rights: path.Rights(who)}
}

// Group finds the group with the name, in any case, whose certificates the actor may
// read. It fails with NotFound of the Field "group".
func (c *Core) Group(ctx context.Context, who clm.Actor, name string) (g Group, err error) {
	if err := c.makeBuiltIn(ctx, who, name); err != nil {
		return g, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		g, err = findGroup(tx, who, name)
		return err
	})
	return g, err
}

// findGroup is Group in a transaction.
func findGroup(tx *store.Tx, who clm.Actor, name string) (g Group, err error) {
	path, err := folderOf(tx, name)
	if err == nil && !path.Rights(who).Has(clm.Read) {
		err = clm.NotFound
	}
	if errors.Is(err, clm.NotFound) {
		return g, noGroup(name)
	}
	if err != nil {
		return g, err
	}
	names, err := groupNames(tx)
	return names.group(path, who), err
}

func noGroup(name string) error { return clm.About(name, clm.Fail(clm.NotFound, "group", name)) }

// folderOf finds the folder that is the group with the name. It fails with NotFound.
func folderOf(tx *store.Tx, name string) (clm.Path, error) {
	if path, err := topmost(tx, name); !errors.Is(err, clm.NotFound) {
		return path, err
	}
	id, err := tx.FolderNamed(name)
	if err == nil {
		return tx.PathByID(id)
	}
	names, unread := groupNames(tx)
	if !errors.Is(err, clm.NotFound) || unread != nil {
		return nil, errors.Join(err, unread)
	}
	isMeant := func(path clm.Path) bool {
		return path.Last().Class == clm.Folder && strings.EqualFold(names.Of(path), name)
	}
	for _, text := range []string{string(groupRoot) + `\` + strings.ReplaceAll(name, "/", `\`), string(groupRoot) + `\` + name, name} {
		dn, err := clm.ParseDN(text)
		if err != nil {
			continue
		}
		path, err := tx.Path(dn)
		if err == nil && isMeant(path) {
			return path, nil
		}
		if err != nil && !errors.Is(err, clm.NotFound) {
			return nil, err
		}
	}
	if !strings.Contains(name, "/") {
		return nil, clm.NotFound
	}
	folders, err := tx.Folders() // some folder may have a slash in its name
	for _, f := range folders {
		if isMeant(f.Path) {
			return f.Path, nil
		}
	}
	return nil, orElse(err, clm.NotFound)
}

// isBuiltIn reports whether every installation has the group, and how its name is written.
func isBuiltIn(name string) (written string, ok bool) {
	for _, known := range []string{DefaultGroup, GatewayGroup} {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}

// isBuiltInPlace reports whether the folder is such a group.
func isBuiltInPlace(dn clm.DN) bool {
	_, ok := isBuiltIn(dn.Name())
	return ok && dn.Parent().Key() == groupRoot.Key()
}

// makeBuiltIn makes the group if it is one that every installation has, and is missing.
// Whoever names it first makes it, with or without the right to.
func (c *Core) makeBuiltIn(ctx context.Context, who clm.Actor, name string) error {
	written, ok := isBuiltIn(name)
	if !ok {
		return nil
	}
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		_, err := topmost(tx, written)
		return err
	})
	if !errors.Is(err, clm.NotFound) {
		return err
	}
	who.Master = true
	_, err = c.Put(ctx, who, Put{DN: string(groupRoot.Child(written)), Class: clm.Folder})
	return err
}

// Groups lists the groups whose certificates the actor may read, in the order of the tree:
// at most so many after the place that the last call has returned, or from the start. next
// is empty where there are no more.
func (c *Core) Groups(ctx context.Context, who clm.Actor, after clm.DN, most int) (groups []Group, next clm.DN, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		groups, next = nil, ""
		names, err := groupNames(tx)
		if err != nil {
			return err
		}
		folders, err := tx.Folders()
		for _, f := range folders {
			dn := f.Last().DN
			if !dn.IsBelow(groupRoot) || dn.Key() <= after.Key() || !f.Rights(who).Has(clm.Read) {
				continue
			}
			if len(groups) == min(most, MaxGroups) {
				next = groups[len(groups)-1].Path.Last().DN
				break
			}
			groups = append(groups, names.group(f.Path, who))
		}
		return err
	})
	return groups, next, err
}

// GroupingKinds are the ways in which calls that change groups fail. NotFound and Exists, of
// the Field "group"; Denied: the actor may only read there ("read-only"), may make no
// groups beside the topmost ones ("root"), or may not say what holds for them ("policy");
// Invalid about "name", or about a value of policy; Unsupported: it is one that every
// installation has ("built-in"), or there is something in it ("below").
var GroupingKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Exists, clm.Unsupported}

// NameGroup gives the folder a name of its own as a group; an empty one takes it away.
func (c *Core) NameGroup(ctx context.Context, who clm.Actor, folder, name string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "name group", Subject: folder, Detail: name}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, folder)
		switch {
		case err != nil:
			return err
		case path.Last().Class != clm.Folder || !path.Last().DN.IsBelow(groupRoot):
			return noGroup(folder)
		case !rights.Has(clm.Write):
			return clm.About(folder, clm.Fail(clm.Denied, "read-only", ""))
		}
		tx.About(string(path.Last().DN), name)
		return clm.About(folder, nameGroup(tx, path.Last(), name))
	})
}

// nameGroup writes the name down unless another group has it. Those that every
// installation has go by their own names, and nothing else does.
func nameGroup(tx *store.Tx, folder *clm.Object, name string) error {
	if name != "" {
		if clm.CheckName(name) != nil {
			return clm.Fail(clm.Invalid, "name", name)
		}
		if isBuiltInPlace(folder.DN) && !strings.EqualFold(name, folder.DN.Name()) {
			return clm.Fail(clm.Unsupported, "built-in", folder.DN.Name())
		}
		if _, ok := isBuiltIn(name); ok && !isBuiltInPlace(folder.DN) {
			return clm.Fail(clm.Exists, "group", name)
		}
		if has, err := folderOf(tx, name); err == nil && has.Last().ID != folder.ID {
			return clm.Fail(clm.Exists, "group", name)
		} else if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
	}
	return tx.NameFolder(folder.ID, name)
}
