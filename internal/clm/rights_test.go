package clm

import (
	"testing"

	"pgregory.net/rapid"
)

// grants are the entries on one object.
type grants map[PrincipalID]Rights

// granted is a path of folders with these entries, the root first.
func granted(entries ...grants) (p Path) {
	dn := RootDN
	for _, g := range entries {
		p = append(p, &Object{DN: dn, Class: Folder, Grants: g})
		dn = dn.Child("a")
	}
	return p
}

// Rights flow down the tree: a nearer entry of a principal replaces its higher
// ones, the user's hides groups that stand higher, groups add up.
func TestRights(t *testing.T) {
	const me, team, staff, other = "me", "team", "staff", "other"
	for _, test := range []struct {
		name string
		path Path
		want Rights
	}{
		{"nothing granted, nothing allowed", granted(nil, nil), 0},
		{"an entry for somebody else", granted(nil, grants{other: AllRights}), 0},
		{"an entry on the object", granted(nil, nil, grants{me: Rename}), Rename},
		{"an entry further up", granted(grants{me: Rename}, nil, nil), Rename},
		{"a nearer entry replaces", granted(grants{me: Rename | Delete}, nil, grants{me: Associate}), Associate},
		{"an empty entry cancels", granted(grants{me: AllRights}, grants{me: 0}, nil), 0},
		{"and is replaced in turn", granted(grants{me: Rename}, grants{me: 0}, grants{me: Delete}), Delete},

		{"groups add up", granted(grants{team: Rename}, grants{staff: Delete}), Rename | Delete},
		{"a nearer entry replaces a group's too", granted(grants{team: Rename, staff: Delete}, grants{team: Associate}), Associate | Delete},
		{"an empty entry cancels one group", granted(grants{team: Rename, staff: Delete}, grants{team: 0}), Delete},
		{"the user's entry hides a higher group", granted(grants{team: Rename}, grants{me: Delete}), Delete},
		{"the user's entry adds to a group at its level", granted(nil, grants{me: Delete, team: Rename}), Delete | Rename},
		{"the user's entry adds to a group below", granted(grants{me: Delete}, grants{team: Rename}), Delete | Rename},
		{"of two groups only the higher is hidden", granted(grants{staff: Associate}, grants{me: Delete}, grants{team: Rename}), Delete | Rename},
		{"an empty entry of the user hides higher groups", granted(grants{team: AllRights}, grants{me: 0}), 0},
		{"a group's entry cannot take from the user", granted(grants{me: Delete}, grants{team: 0}), Delete},
		{"one level of the user's entry hides several groups above", granted(grants{team: Rename, staff: Delete}, nil, grants{me: Associate}), Associate},
		{"a nearer entry of the user brings no hidden group back", granted(grants{team: Rename}, grants{me: Delete}, grants{me: Associate}), Associate},
		{"two groups at the user's level add up", granted(nil, grants{me: Delete, team: Rename, staff: Associate}), Delete | Rename | Associate},
		{"a group's empty entry below hides what it gave above", granted(grants{team: AllRights, staff: Rename}, grants{team: 0}), Rename},
		{"what groups imply counts", granted(grants{team: Write}, grants{staff: Create}), Write | Read | View | Create},
		{"a hidden group with an entry below as well", granted(grants{team: AllRights}, grants{me: Delete}, grants{team: Rename}), Delete | Rename},

		{"read brings view", granted(grants{me: Read}), Read | View},
		{"write brings read", granted(grants{me: Write}), Write | Read | View},
		{"create brings view", granted(grants{me: Create}), Create | View},
		{"manage policy brings read and write", granted(grants{me: PolicyWrite}), PolicyWrite | Write | Read | View},
		{"reading keys brings nothing", granted(grants{me: KeyRead}), KeyRead},
		{"delete, revoke and managing permissions bring nothing", granted(grants{me: Delete | RevokeRight | ManagePermissions}), Delete | RevokeRight | ManagePermissions},
		{"implied rights go with the entry that brought them", granted(grants{me: Write}, grants{me: View}), View},
	} {
		t.Run(test.name, func(t *testing.T) {
			who := Actor{ID: me, Groups: []PrincipalID{team, staff}}
			if got := test.path.Rights(who); got != test.want {
				t.Errorf("got %b, want %b", got, test.want)
			}
			who.Auditor = true
			if got := test.path.Rights(who); got != test.want|View|Read {
				t.Errorf("an auditor has %b, want to read besides", got)
			}
			who.Master = true
			if got := test.path.Rights(who); got != AllRights {
				t.Errorf("a master has %b, want all", got)
			}
		})
	}
}

// However entries are spread, nobody has a right that no entry and no implication
// gives, and an entry on the object for the user is always had.
func TestRightsComeFromEntries(t *testing.T) {
	principals := []PrincipalID{"me", "team", "staff"}
	rapid.Check(t, func(t *rapid.T) {
		var path Path
		var ever Rights
		for range rapid.IntRange(1, 5).Draw(t, "depth") {
			o := &Object{Class: Folder, Grants: grants{}}
			for _, id := range principals {
				if rapid.Bool().Draw(t, "has an entry") {
					o.Grants[id] = Rights(rapid.IntRange(0, int(AllRights)).Draw(t, "rights"))
					ever |= o.Grants[id]
				}
			}
			path = append(path, o)
		}
		got := path.Rights(Actor{ID: "me", Groups: principals[1:]})
		if !ever.closed().Has(got) {
			t.Fatalf("got %b, all entries together give %b", got, ever.closed())
		}
		if !got.Has(path.Last().Grants["me"]) || got != got.closed() {
			t.Fatalf("got %b", got)
		}
	})
}
