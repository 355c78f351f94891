package core

import (
	"context"
	"errors"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// WorkModule is the part of an engine that carries work out. Its settings, and those of
// the engine and of the root of engines for it, hold for what calls do that reach it.
const WorkModule = "Certificate Manager"

// modules are the parts of every engine, with their classes.
var modules = map[string]clm.Class{
	WorkModule:               clm.Module.Kind("certificatemanager"),
	"Certificate Revocation": clm.Module.Kind("certificaterevocation"),
}

// Register sees to it that this process stands among the engines, with its parts.
func (c *Core) Register(ctx context.Context, name string) error {
	engine := clm.DN(EnginesDN).Child(name)
	puts := []Put{{DN: string(engine), Class: clm.Engine}}
	for _, module := range sorted(modules) {
		puts = append(puts, Put{DN: string(engine.Child(module)), Class: modules[module]})
	}
	for _, p := range puts {
		made, err := c.putBelow(ctx, p)
		if err != nil {
			return err
		}
		if made.DN.Name() == WorkModule {
			c.module = made.ID
		}
	}
	return nil
}

// putBelow is Put that makes no folders above.
func (c *Core) putBelow(ctx context.Context, p Put) (Node, error) {
	node, err := c.Object(ctx, clm.System, p.DN)
	if !errors.Is(err, clm.NotFound) {
		return node, err
	}
	return c.Create(ctx, clm.System, NewObject{DN: p.DN, Class: p.Class})
}

// defaultWait is what the settings say of how long calls wait that say nothing of it:
// those of this engine's module, or else of the whole installation; in seconds.
func (c *Core) defaultWait(tx *store.Tx) (string, error) {
	if c.module != "" {
		path, err := tx.PathByID(c.module)
		switch {
		case err == nil:
			if s := path.Value(clm.WaitSetting).First(); s != "" {
				return s, nil
			}
		case !errors.Is(err, clm.NotFound):
			return "", err
		}
	}
	root, err := tx.Path(clm.RootDN)
	if err != nil {
		return "", err
	}
	return root.Value(clm.WaitSetting).First(), nil
}
