package all

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
)

// ours is how names of attributes begin that the vendor does not have.
const ours = "Certwright:"

// support names the folders beside this one that are no drivers.
var support = []string{"all", "deploytest", "look", "remote", "shelf"}

// several lists the folders with several drivers.
var several = map[string][]string{"file": {"jks", "pem", "pkcs#12"}}

// Whoever adds a driver's folder adds its line to the list.
func TestEveryFolderIsListed(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range entries {
		switch {
		case !e.IsDir() || slices.Contains(support, e.Name()):
		case several[e.Name()] != nil:
			kinds = append(kinds, several[e.Name()]...)
		default:
			kinds = append(kinds, e.Name())
		}
	}
	slices.Sort(kinds)
	if diff := cmp.Diff(kinds, slices.Sorted(maps.Keys(Registry))); diff != "" {
		t.Errorf("folders (-), list (+):\n%s", diff)
	}
}

// looks are the attributes of ours that all applications have, whatever puts certificates there.
var looks = []clm.Attr{clm.LookAt, clm.LookTime}

// Every driver has a class of applications, which has every attribute that the driver
// reads, and none of ours that it does not, and says of each what people call it.
func TestDriversDescribeThemselves(t *testing.T) {
	for kind, d := range Registry {
		at := slices.IndexFunc(names.Classes(), func(c *names.ClassDef) bool { return deploy.Kind(c.Class) == kind })
		if at < 0 || d.New == nil {
			t.Errorf("%s: there is no class of applications, or no New", kind)
			continue
		}
		class, seen := names.Classes()[at], map[clm.Attr]bool{}
		for _, f := range d.Fields {
			if f.Label == "" || seen[f.Attr] {
				t.Errorf("%s: field %+v lacks a label, or is there twice", kind, f)
			}
			seen[f.Attr] = true
			if !class.Has(names.AttrName(f.Attr)) {
				t.Errorf("%s: the class %s has no attribute %s", kind, class.Name, names.AttrName(f.Attr))
			}
		}
		for _, name := range class.AllAttrs() {
			a := names.Attr(name)
			if strings.HasPrefix(name, ours) && !seen[a] && !slices.Contains(looks, a) {
				t.Errorf("%s: the class %s has an attribute %s, which the driver does not read", kind, class.Name, name)
			}
		}
	}
}
