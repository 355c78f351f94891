package wirehost

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A List says how many rows there are in a list of what a call answers and does.
type List struct {
	Folder, Prefix string
	Rows           int
}

// WantConversations wants a file for each row of the lists, with a first line that says
// what the row claims.
func WantConversations(t *testing.T, lists []List) {
	t.Helper()
	for _, list := range lists {
		for n := range list.Rows {
			wantConversation(t, filepath.Join("testdata", list.Folder, fmt.Sprintf("%s-%02d.txtar", list.Prefix, n+1)))
		}
	}
}

func wantConversation(t *testing.T, name string) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Error(err)
		return
	}
	if claim, _, _ := strings.Cut(string(archive.Comment), "\n"); strings.TrimSpace(claim) == "" {
		t.Errorf("%s does not say what it claims", name)
	}
	if !slices.ContainsFunc(archive.Files, func(f txtar.File) bool { return f.Name == "response" }) {
		t.Errorf("%s expects nothing", name)
	}
}
