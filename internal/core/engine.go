package core

import (
	"context"
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// EnginesDN is where the engines stand.
const EnginesDN = `\VED\Engines`

// Engine is a process that carries work out, as it is registered.
type Engine struct {
	clm.Object
	Modules []string // what it does, by the names of its parts
}

// Ready reports whether the server can do anything at all.
func (c *Core) Ready(ctx context.Context) error { return c.db.Ready(ctx) }

// Engines lists the engines that the actor may see, by name.
func (c *Core) Engines(ctx context.Context, who clm.Actor) (list []Engine, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		root, err := tx.Path(clm.DN(EnginesDN))
		if errors.Is(err, clm.NotFound) {
			return nil
		}
		if err == nil {
			list, err = enginesBelow(tx, who, root)
		}
		return err
	})
	return list, err
}

// EngineStatus lists the engines with their modules. It fails with NotFound, also when
// the actor may not read what they stand below.
func (c *Core) EngineStatus(ctx context.Context, who clm.Actor) (list []Engine, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		root, rights, err := find(tx, who, EnginesDN)
		if err != nil {
			return err
		}
		if !rights.Has(clm.Read) {
			return clm.About(EnginesDN, clm.NotFound)
		}
		if list, err = enginesBelow(tx, who, root); err != nil {
			return err
		}
		for i, e := range list {
			modules, err := tx.Children(e.ID)
			if err != nil {
				return err
			}
			for _, m := range modules {
				if m.Class.Is(clm.Module) {
					list[i].Modules = append(list[i].Modules, m.DN.Name())
				}
			}
		}
		return nil
	})
	return list, err
}

func enginesBelow(tx *store.Tx, who clm.Actor, root clm.Path) (list []Engine, err error) {
	objects, err := tx.Children(root.Last().ID)
	for _, o := range objects {
		if o.Class == clm.Engine && append(root[:len(root):len(root)], o).Rights(who).Has(clm.View) {
			list = append(list, Engine{Object: *o})
		}
	}
	return list, err
}

// FolderEngines lists the engines that carry out work below a folder: those that are
// assigned to it or, where there are none, to the nearest folder above it; none where
// any engine may. It fails with NotFound and Denied, and with Unsupported when the
// object is no folder.
func (c *Core) FolderEngines(ctx context.Context, who clm.Actor, id clm.ObjectID) (list []Engine, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		path, err := assignable(tx, who, id, clm.Read)
		if err != nil {
			return err
		}
		for _, folder := range slices.Backward(path) {
			for _, engine := range folder.Own[clm.Engines] {
				found, rights, err := findByID(tx, who, clm.ObjectID(engine))
				if err == nil && rights.Has(clm.View) {
					list = append(list, Engine{Object: *found.Last()})
				} else if err != nil && !errors.Is(err, clm.NotFound) {
					return err
				}
			}
			if len(folder.Own[clm.Engines]) > 0 {
				return nil
			}
		}
		return nil
	})
	return list, err
}

// EngineFolders lists the folders to which the engine itself is assigned, as far as the
// actor may see them, by their DNs. It fails with NotFound and Denied.
func (c *Core) EngineFolders(ctx context.Context, who clm.Actor, id clm.ObjectID) (list []clm.Object, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		path, rights, err := engineAt(tx, who, id)
		if err != nil {
			return err
		}
		if !rights.Has(clm.Read) {
			return clm.About(string(path.Last().DN), clm.Denied)
		}
		folders, err := tx.Folders()
		for _, folder := range folders {
			if slices.Contains(folder.Last().Own[clm.Engines], string(id)) && folder.Rights(who).Has(clm.View) {
				list = append(list, *folder.Last())
			}
		}
		return err
	})
	return list, err
}

// engineAt finds an engine. It fails with NotFound, whose Field is "engine".
func engineAt(tx *store.Tx, who clm.Actor, id clm.ObjectID) (clm.Path, clm.Rights, error) {
	path, rights, err := findByID(tx, who, id)
	if errors.Is(err, clm.NotFound) || err == nil && path.Last().Class != clm.Engine {
		return nil, 0, clm.Fail(clm.NotFound, "engine", string(id))
	}
	return path, rights, err
}

// assignable finds a folder with which the actor may do what needs the right.
func assignable(tx *store.Tx, who clm.Actor, id clm.ObjectID, need clm.Rights) (clm.Path, error) {
	path, rights, err := findByID(tx, who, id)
	switch {
	case err != nil:
		return nil, err
	case path.Last().Class != clm.Folder:
		return nil, clm.About(string(path.Last().DN), clm.Fail(clm.Unsupported, "class", string(path.Last().Class)))
	case !rights.Has(need):
		return nil, clm.About(string(path.Last().DN), clm.Denied)
	}
	return path, nil
}

// Assignment says how the engines of a folder change.
type Assignment struct {
	Folder  clm.ObjectID
	Engines []clm.ObjectID // of Add and Remove those that come or go; otherwise those that it has from now on
	Add     bool
	Remove  bool
}

// AssignEngines changes the engines of a folder and reports whether that made a
// difference. It fails with NotFound, whose Field is "engine" where one is not there,
// with Denied, and with Unsupported when the object is no folder.
func (c *Core) AssignEngines(ctx context.Context, who clm.Actor, a Assignment) (changed bool, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "assign engines", Subject: string(a.Folder)}, func(tx *store.Tx) error {
		path, err := assignable(tx, who, a.Folder, clm.PolicyWrite)
		if err != nil {
			return err
		}
		o := cloned(path.Last())
		var named []string
		for _, id := range a.Engines {
			if _, _, err := engineAt(tx, who, id); err != nil && !a.Remove {
				return err
			}
			named = append(named, string(id))
		}
		wanted := named
		if a.Add {
			wanted = append(slices.Clone(o.Own[clm.Engines]), named...)
		} else if a.Remove {
			wanted = slices.DeleteFunc(slices.Clone(o.Own[clm.Engines]), func(id string) bool { return slices.Contains(named, id) })
		}
		changes := Put{Own: map[clm.Attr][]string{clm.Engines: distinct(wanted)}}.diffOwn(o)
		tx.About(string(o.DN), describe(changes))
		if changed = len(changes) > 0; !changed {
			return nil
		}
		return tx.SaveObject(o)
	})
	return changed, err
}
