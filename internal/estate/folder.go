package estate

import (
	"context"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type folder struct {
	thing
	group *string // the name by which it is known as a group of certificates; empty: its place
	named place   // where that stands
}

var folderKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"workflows", clm.Workflows, dnText, manyValues},
	{"blockedWorkflows", clm.WorkflowBlocks, dnText, manyValues},
	{"engines", clm.Engines, name, manyValues},
}

func readFolder(v value) (folder, error) {
	f := folder{thing: newThing(v)}
	err := f.read(v, merged(merged(f.keys(folderKeys), f.policyKeys()), keys{"dn": to(&f.dn, dnOrPolicy), "groupName": f.readGroupName}))
	if err == nil && f.dn == "" {
		err = f.fail("has no dn")
	}
	return f, err
}

// A slip is an attribute whose name is nearly that of another. Unless it is a
// custom field, it is a mistake.
type slip struct {
	reference
	near string
}

// days is the number that an attribute holds; zero where it holds none.
func days(values []string) int {
	if len(values) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(values[0]) // it was read as a number
	return n
}

func (a *applying) folders(ctx context.Context) error {
	for _, f := range a.file.folders {
		if err := a.folder(ctx, f.place, f.dn); err != nil {
			return err
		}
	}
	return nil
}

// folder brings a folder to what the file says of it, if it says anything, and
// those above it before. Outside of the folders with policy there are none to be made.
func (a *applying) folder(ctx context.Context, at place, dn clm.DN) error {
	class, isSaid := a.classes[dn.Key()]
	isOther := isSaid && class != clm.Folder
	isElsewhere := dn.Key() != clm.PolicyDN.Key() && !dn.IsBelow(clm.PolicyDN)
	if isElsewhere || a.done[dn.Key()] || isOther {
		return nil
	}
	a.done[dn.Key()] = true
	f := a.declared[dn.Key()]
	if f != nil {
		at = f.place
	}
	if dn != clm.PolicyDN {
		if err := a.folder(ctx, at, dn.Parent()); err != nil {
			return err
		}
	}
	if f != nil {
		return a.object(ctx, &f.thing, clm.Folder)
	}
	return a.put(ctx, at, core.Put{DN: string(dn), Class: clm.Folder})
}
