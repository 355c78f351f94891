package clm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// rules writes policy entries down in little space.
type rules map[PolicyKey]Rule

func locked(values ...string) Rule    { return Rule{values, true} }
func suggested(values ...string) Rule { return Rule{Values: values} }

// tree is a path: \VED, \VED\Policy, \VED\Policy\Shop with these rules, and in it an
// object of the class with its own values.
func tree(class Class, own map[Attr][]string, ved, policy, shop rules) Path {
	return Path{
		{DN: RootDN, Class: Root, Policy: ved},
		{DN: PolicyDN, Class: Folder, Policy: policy},
		{DN: shopDN, Class: Folder, Policy: shop},
		{DN: shopDN.Child("www"), Class: class, Own: own},
	}
}

const shopDN = PolicyDN + `\Shop`

// What holds for an object is the highest lock, or else its own value, or else
// the nearest suggestion.
func TestValue(t *testing.T) {
	onAll, onServer, onBase := PolicyKey{AnyCertificate, Organization}, PolicyKey{ServerCertificate, Organization}, PolicyKey{CertificateBase, Organization}
	own := map[Attr][]string{Organization: {"own"}}
	for _, test := range []struct {
		name string
		path Path
		want Setting
	}{
		{"nobody says anything", tree(ServerCertificate, nil, nil, nil, nil), Setting{}},
		{"its own value", tree(ServerCertificate, own, nil, nil, nil), Setting{Values: []string{"own"}}},
		{"a suggestion", tree(ServerCertificate, nil, nil, rules{onAll: suggested("policy")}, nil),
			Setting{Values: []string{"policy"}, From: PolicyDN}},
		{"the nearest suggestion", tree(ServerCertificate, nil, rules{onAll: suggested("ved")}, rules{onAll: suggested("policy")}, rules{onAll: suggested("shop")}),
			Setting{Values: []string{"shop"}, From: shopDN}},
		{"its own value beats a suggestion", tree(ServerCertificate, own, nil, nil, rules{onAll: suggested("shop")}), Setting{Values: []string{"own"}}},
		{"a lock beats its own value", tree(ServerCertificate, own, nil, rules{onAll: locked("policy")}, nil),
			Setting{Values: []string{"policy"}, From: PolicyDN, Locked: true}},
		{"unlocked, its own value is seen again", tree(ServerCertificate, own, nil, rules{onAll: suggested("policy")}, nil), Setting{Values: []string{"own"}}},
		{"the highest lock", tree(ServerCertificate, own, rules{onAll: locked("ved")}, nil, rules{onAll: locked("shop")}),
			Setting{Values: []string{"ved"}, From: RootDN, Locked: true}},
		{"a lock beats a nearer suggestion", tree(ServerCertificate, nil, nil, rules{onAll: locked("policy")}, rules{onAll: suggested("shop")}),
			Setting{Values: []string{"policy"}, From: PolicyDN, Locked: true}},
		{"a lock beats a higher suggestion", tree(ServerCertificate, nil, rules{onAll: suggested("ved")}, nil, rules{onAll: locked("shop")}),
			Setting{Values: []string{"shop"}, From: shopDN, Locked: true}},
		{"an entry without values says nothing", tree(ServerCertificate, nil, nil, rules{onAll: suggested("policy")}, rules{onAll: locked()}),
			Setting{Values: []string{"policy"}, From: PolicyDN}},
		{"no values of its own are no value", tree(ServerCertificate, map[Attr][]string{Organization: {}}, nil, nil, rules{onAll: suggested("shop")}),
			Setting{Values: []string{"shop"}, From: shopDN}},
		{"whole from one place", tree(ServerCertificate, nil, nil, rules{onAll: suggested("a", "b")}, rules{onAll: suggested("c")}),
			Setting{Values: []string{"c"}, From: shopDN}},

		{"an entry for the class itself", tree(ServerCertificate, nil, nil, nil, rules{onServer: suggested("server")}),
			Setting{Values: []string{"server"}, From: shopDN}},
		{"an entry for a class further up", tree(ServerCertificate, nil, nil, nil, rules{onBase: suggested("base")}),
			Setting{Values: []string{"base"}, From: shopDN}},
		{"an entry for a class further down", tree(AnyCertificate, nil, nil, nil, rules{onServer: suggested("server")}), Setting{}},
		{"an entry for a sibling class", tree(UserCertificate, nil, nil, nil, rules{onServer: suggested("server")}), Setting{}},
		{"an entry for a class that is unknown", tree("tpp:X", nil, nil, nil, rules{{"tpp:X", Organization}: suggested("x"), onAll: locked("all")}),
			Setting{Values: []string{"x"}, From: shopDN}},
		{"the most derived class on one folder", tree(ServerCertificate, nil, nil, nil, rules{onAll: suggested("all"), onServer: suggested("server"), onBase: suggested("base")}),
			Setting{Values: []string{"server"}, From: shopDN}},
		{"the most derived class even where a base class is locked", tree(ServerCertificate, own, nil, nil, rules{onAll: locked("all"), onServer: suggested("server")}),
			Setting{Values: []string{"own"}}},
		{"a lock for a base class beats a nearer suggestion for the class", tree(ServerCertificate, nil, nil, rules{onBase: locked("base")}, rules{onServer: suggested("server")}),
			Setting{Values: []string{"base"}, From: PolicyDN, Locked: true}},
		{"an entry for another attribute", tree(ServerCertificate, nil, nil, nil, rules{{AnyCertificate, Country}: locked("BE")}), Setting{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.path.Value(Organization)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			folder, o := test.path[:len(test.path)-1], test.path.Last()
			if diff := cmp.Diff(test.want, folder.ValueFor(o.Class, Organization, o.Own[Organization]...)); diff != "" {
				t.Errorf("of a new object with the same values (-want +got):\n%s", diff)
			}
		})
	}
}

// Whether an object is disabled no folder says, not even with a lock.
func TestDisabledIsNeverInherited(t *testing.T) {
	path := tree(ServerCertificate, nil, nil, rules{{AnyCertificate, Off}: locked("1")}, nil)
	if got := path.Value(Off); got.IsOn() || got.Locked {
		t.Errorf("got %+v from a folder, want nothing", got)
	}
	path.Last().Own = map[Attr][]string{Off: {"1"}}
	if !path.Value(Off).IsOn() {
		t.Error("its own value is lost")
	}
}

// A folder's entries are for what is below it, not for the folder.
func TestFolderIsNotItsOwnPolicy(t *testing.T) {
	path := tree(ServerCertificate, nil, nil, rules{{Folder, Contact}: suggested("policy")}, rules{{Folder, Contact}: locked("shop")})[:3]
	if diff := cmp.Diff(Setting{Values: []string{"policy"}, From: PolicyDN}, path.Value(Contact)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An empty path has no values, and nothing to say them of.
func TestEmptyPath(t *testing.T) {
	if got := (Path)(nil).Value(Contact); got.Values != nil || (Path)(nil).Last() != nil {
		t.Errorf("got %+v", got)
	}
}

// However rules are spread: a lock is told as one and comes from the highest
// folder that locks; without locks the own value holds if there is one.
func TestLocksHoldWhatever(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := PolicyKey{AnyCertificate, Organization}
		var path Path
		var highest DN
		for i := range rapid.IntRange(0, 6).Draw(t, "depth") {
			o := &Object{DN: DN(`\VED`).Child(string(rune('a' + i))), Class: Folder, Policy: rules{}}
			switch rapid.SampledFrom([]string{"nothing", "suggestion", "lock"}).Draw(t, "says") {
			case "suggestion":
				o.Policy[key] = suggested(string(o.DN))
			case "lock":
				o.Policy[key] = locked(string(o.DN))
				if highest == "" {
					highest = o.DN
				}
			}
			path = append(path, o)
		}
		leaf := &Object{DN: `\VED\leaf`, Class: DeviceCertificate}
		if rapid.Bool().Draw(t, "own") {
			leaf.Own = map[Attr][]string{Organization: {"own"}}
		}
		got := append(path, leaf).Value(Organization)
		if got.Locked != (highest != "") || got.Locked && (got.From != highest || got.First() != string(highest)) {
			t.Fatalf("got %+v, want the lock of %q", got, highest)
		}
		if !got.Locked && leaf.Own != nil && got.First() != "own" {
			t.Fatalf("got %+v, want its own value", got)
		}
	})
}

// Folders hold folders, certificates and authorities; certificates hold nothing.
func TestMayHold(t *testing.T) {
	for _, test := range []struct {
		in, child Class
		want      bool
	}{
		{Root, Folder, true},
		{Root, ServerCertificate, false},
		{Folder, Folder, true},
		{Folder, ServerCertificate, true},
		{Folder, AnyCertificate, true},
		{Folder, CertificateBase, false},
		{Folder, Authority, true},
		{Folder, Root, false},
		{Folder, "tpp:X", false},
		{ServerCertificate, Folder, false},
		{Authority, Folder, false},
	} {
		if got := test.in.MayHold(test.child); got != test.want {
			t.Errorf("%s in %s: got %v, want %v", test.child, test.in, got, test.want)
		}
	}
}
