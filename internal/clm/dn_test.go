package clm

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ParseDN forgives what clients are careless with and refuses what cannot name an object.
func TestParseDN(t *testing.T) {
	long, deep := strings.Repeat("é", MaxNameLength), strings.Repeat(`\a`, MaxDepth)
	for _, test := range []struct {
		name, in string
		want     DN // empty: Invalid
	}{
		{"as it should be", `\VED\Policy\Shop\www`, `\VED\Policy\Shop\www`},
		{"the root", `\VED`, RootDN},
		{"casing is kept", `\ved\POLICY\Shop`, `\ved\POLICY\Shop`},
		{"trailing backslash", `\VED\Policy\`, PolicyDN},
		{"doubled backslashes", `\\VED\\Policy\\\Shop`, `\VED\Policy\Shop`},
		{"blanks around it", " \t\\VED\\Policy\r\n", PolicyDN},
		{"blanks within a name", `\VED\Policy\Web shop`, `\VED\Policy\Web shop`},
		{"other scripts", `\VED\Policy\Läden\店`, `\VED\Policy\Läden\店`},
		{"signs that mean something elsewhere", `\VED\Policy\*.example.com/a,b="c"'%_`, `\VED\Policy\*.example.com/a,b="c"'%_`},
		{"a name of the longest length", `\VED\` + long, DN(`\VED\` + long)},
		{"the greatest depth", deep, DN(deep)},

		{"nothing", "", ""},
		{"blanks only", "  ", ""},
		{"backslashes only", `\\\`, ""},
		{"not absolute", `VED\Policy`, ""},
		{"slashes", `/VED/Policy`, ""},
		{"a name that is a blank", `\VED\ \Shop`, ""},
		{"a name that begins with a blank", `\VED\ Policy`, ""},
		{"a name that ends with a blank", `\VED\Policy \Shop`, ""},
		{"a line break in a name", "\\VED\\Pol\nicy", ""},
		{"a zero in a name", "\\VED\\Pol\x00icy", ""},
		{"not UTF-8", "\\VED\\Pol\xfficy", ""},
		{"a name that is too long", `\VED\` + long + "e", ""},
		{"too deep", deep + `\a`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseDN(test.in)
			if got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			if (test.want == "") != errors.Is(err, Invalid) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// The parts of a DN are found by its backslashes.
func TestPartsOfDN(t *testing.T) {
	for _, test := range []struct {
		dn     DN
		name   string
		parent DN
		above  []DN
	}{
		{`\VED`, "VED", "", nil},
		{`\VED\Policy`, "Policy", `\VED`, []DN{`\VED`}},
		{`\VED\Policy\Shop\www`, "www", `\VED\Policy\Shop`, []DN{`\VED`, `\VED\Policy`, `\VED\Policy\Shop`}},
	} {
		if got := test.dn.Name(); got != test.name {
			t.Errorf("name of %s: got %q, want %q", test.dn, got, test.name)
		}
		if got := test.dn.Parent(); got != test.parent {
			t.Errorf("parent of %s: got %q, want %q", test.dn, got, test.parent)
		}
		if diff := cmp.Diff(test.above, test.dn.Ancestors()); diff != "" {
			t.Errorf("ancestors of %s (-want +got):\n%s", test.dn, diff)
		}
		if test.parent != "" && test.parent.Child(test.name) != test.dn {
			t.Errorf("%s is not the child %s of %s", test.dn, test.name, test.parent)
		}
	}
}

// Below means below in the tree, in any case, and not beginning with the same letters.
func TestIsBelow(t *testing.T) {
	for _, test := range []struct {
		dn, folder DN
		want       bool
	}{
		{`\VED\Policy\Shop\www`, `\VED\Policy\Shop`, true},
		{`\VED\Policy\Shop\a\b\c`, `\VED\Policy\Shop`, true},
		{`\ved\policy\SHOP\www`, `\VED\Policy\Shop`, true},
		{`\VED\Policy\Shop`, `\VED\Policy\Shop`, false},
		{`\VED\Policy\Shop2\www`, `\VED\Policy\Shop`, false},
		{`\VED\Policy`, `\VED\Policy\Shop`, false},
	} {
		if got := test.dn.IsBelow(test.folder); got != test.want {
			t.Errorf("%s below %s: got %v, want %v", test.dn, test.folder, got, test.want)
		}
	}
}

// What ParseDN has accepted it accepts again as it is; its ancestors, parent and
// name put together are the DN.
func FuzzParseDN(f *testing.F) {
	for _, s := range []string{`\VED\Policy`, ` \VED\\Policy\ `, `\`, "", `\VED\İ\ſ`, "\\a\u0085\\b", `\VED\Policy\*.example.com`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dn, err := ParseDN(s)
		if err != nil {
			if !errors.Is(err, Invalid) {
				t.Fatalf("got %v, want Invalid", err)
			}
			return
		}
		if again, err := ParseDN(string(dn)); err != nil || again != dn {
			t.Fatalf("got %q, %v; then %q", dn, err, again)
		}
		if got := DN(dn.Key()).Key(); got != dn.Key() {
			t.Errorf("the key of the key %q is %q", dn.Key(), got)
		}
		if dn.Parent().Child(dn.Name()) != dn || CheckName(dn.Name()) != nil {
			t.Errorf("%q is not %q in %q", dn, dn.Name(), dn.Parent())
		}
		above := dn.Ancestors()
		if len(above) >= MaxDepth || len(above) != strings.Count(string(dn), `\`)-1 {
			t.Errorf("%q has %d ancestors", dn, len(above))
		}
		for _, a := range above {
			if !dn.IsBelow(a) || a.IsBelow(dn) {
				t.Errorf("%q is not below %q", dn, a)
			}
		}
	})
}
