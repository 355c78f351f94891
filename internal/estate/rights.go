package estate

import (
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// rightNames are the rights as estate files spell them, in the order in which
// they are shown.
var rightNames = []struct {
	name  string
	right clm.Rights
}{
	{"view", clm.View}, {"read", clm.Read}, {"write", clm.Write}, {"create", clm.Create}, {"delete", clm.Delete},
	{"rename", clm.Rename}, {"associate", clm.Associate}, {"revoke", clm.RevokeRight},
	{"private-key-read", clm.KeyRead}, {"private-key-write", clm.KeyWrite},
	{"manage-policy", clm.PolicyWrite}, {"manage-permissions", clm.ManagePermissions}, {"all", clm.AllRights},
}

// groupRights are the words of those who give rights on groups of certificates: to read,
// or to read and write.
var groupRights = []struct {
	name   string
	rights clm.Rights
}{
	{"R", clm.View | clm.Read},
	{"RW", clm.View | clm.Read | clm.Write | clm.Create | clm.Delete | clm.Associate},
}

func (t *thing) readGrant(v value) error {
	var who *reference
	var rights *clm.Rights
	err := v.object(keys{"to": maybeReference(&who, name), "allow": maybe(&rights, readRights)})
	switch {
	case err != nil:
		return err
	case who == nil || rights == nil:
		return v.fail("must have both to and allow")
	}
	for known := range t.rights {
		if strings.EqualFold(known, who.name) {
			return v.fail("%q has rights here already", short(who.name))
		}
	}
	t.rights[who.name] = *rights
	t.people = append(t.people, *who)
	return nil
}

func readRights(v value) (sum clm.Rights, err error) {
	words := make([]string, 0, len(rightNames))
	for _, r := range rightNames {
		words = append(words, r.name)
	}
	for _, r := range groupRights {
		words = append(words, r.name)
	}
	err = v.items(MaxEntries, func(v value) error {
		word, err := one(words...)(v)
		for _, r := range rightNames {
			if r.name == word {
				sum |= r.right
			}
		}
		for _, r := range groupRights {
			if r.name == word {
				sum |= r.rights
			}
		}
		return err
	})
	return sum, err
}
