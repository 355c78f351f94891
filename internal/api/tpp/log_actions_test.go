package tpp

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryActionIsAnEvent wants a kind of event for each action that the use cases
// write into the audit log.
func TestEveryActionIsAnEvent(t *testing.T) {
	files, err := filepath.Glob("../../core/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	action := regexp.MustCompile(`Action:\s+"([^"/]+)`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range action.FindAllStringSubmatch(string(text), -1) {
			if _, ok := eventDefs[found[1]]; !ok && found[1] != "event" {
				t.Errorf("%s: %q has no kind of event", filepath.Base(name), found[1])
			}
		}
	}
	seen := map[int64]string{}
	for what, def := range eventDefs {
		if other := seen[def.number]; other != "" {
			t.Errorf("%q and %q have the number %d", what, other, def.number)
		}
		seen[def.number] = what
	}
}
