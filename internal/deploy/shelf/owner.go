package shelf

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// rules are what the settings say of owners and modes. Empty ones say nothing.
type rules struct {
	owner   remote.Owner
	keyMode fs.FileMode
}

// The modes that the settings may have.
var (
	userModes  = []string{"0400", "0600"}
	groupModes = []string{"0000", "0040", "0060"}
)

func readRules(s deploy.Settings) (rules, error) {
	if !s.IsOn(clm.OwnerRules, false) {
		return rules{}, nil
	}
	ofUser, err := readMode(s, clm.FileUserMode, userModes, "0600")
	if err != nil {
		return rules{}, err
	}
	ofGroup, err := readMode(s, clm.FileGroupMode, groupModes, "0000")
	if err != nil {
		return rules{}, err
	}
	owner := remote.Owner{User: s.Value(clm.FileUser, ""), Group: s.Value(clm.FileGroup, "")}
	return rules{owner, ofUser | ofGroup}, nil
}

func readMode(s deploy.Settings, a clm.Attr, allowed []string, usual string) (fs.FileMode, error) {
	text := s.Value(a, usual)
	mode, err := strconv.ParseUint(text, 8, 16)
	if err != nil || !slices.Contains(allowed, text) {
		return 0, fmt.Errorf("%s: %q is not one of %s", labelOf(a), text, strings.Join(allowed, ", "))
	}
	return fs.FileMode(mode), nil
}

// of is whose a file is that was not there.
func (r rules) of(f File) remote.Owner {
	usual := fs.FileMode(0o644)
	if f.Key {
		usual = 0o600
	}
	return r.over(f, remote.Owner{User: f.Owner.User, Group: f.Owner.Group, Mode: cmp.Or(f.Owner.Mode, usual)})
}

// over is whose a file is that the settings are not asked for.
func (r rules) over(f File, o remote.Owner) remote.Owner {
	o.User, o.Group = cmp.Or(r.owner.User, o.User), cmp.Or(r.owner.Group, o.Group)
	if f.Key {
		o.Mode = cmp.Or(r.keyMode, o.Mode)
	}
	return o
}

// closed is the owner of a key in the open directories of the shelf. Where others
// may read it, but cannot come to where it lies, it belongs to those who can.
func (v visit) closed(ctx context.Context, f File, o remote.Owner) (remote.Owner, error) {
	place := f.Path
	for range 40 { // as many links as Linux follows
		for dir := path.Dir(place); o.Mode&others != 0; dir = path.Dir(dir) {
			door, err := v.Owner(ctx, dir)
			if err != nil {
				return o, err
			}
			if door.Mode&0o001 == 0 {
				o = behind(door, o.Mode)
			}
			if dir == "/" {
				break
			}
		}
		_, target, err := v.leads(ctx, place, f.Name)
		if err != nil || target == "" || o.Mode&others == 0 {
			return o, err
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(place), target)
		}
		place = path.Clean(target)
	}
	return o, nil
}

const others fs.FileMode = 0o007

// behind is the owner of a file that others may use, where a directory keeps out all
// but its own user and perhaps its group.
func behind(door remote.Owner, mode fs.FileMode) remote.Owner {
	o := remote.Owner{User: door.User, Group: door.Group, Mode: mode & 0o700}
	if door.Mode&0o010 != 0 {
		o.Mode |= mode & others << 3
	}
	return o
}
