package all

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// support names the folders beside this one that are no connectors.
var support = []string{"all", "catest"}

// Whoever adds a connector's folder adds its line to the list.
func TestEveryFolderIsListed(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(support, e.Name()) {
			folders = append(folders, e.Name())
		}
	}
	listed := slices.Sorted(maps.Keys(Registry))
	if diff := cmp.Diff(folders, listed); diff != "" {
		t.Errorf("folders (-), list (+):\n%s", diff)
	}
}

// Forms and flags are made from the fields, so each needs a name and a label.
func TestConnectorsDescribeThemselves(t *testing.T) {
	for name, c := range Registry {
		if c.New == nil {
			t.Errorf("%s: no New", name)
		}
		seen := map[string]bool{}
		for _, f := range c.Fields {
			if f.Name == "" || f.Label == "" || seen[f.Name] {
				t.Errorf("%s: field %+v lacks a name or a label, or is there twice", name, f)
			}
			seen[f.Name] = true
		}
	}
}
