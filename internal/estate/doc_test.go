package estate

import (
	"os"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/api/names"
)

func document(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/estate.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exampleText is the example of the documentation, as it stands there.
func exampleText(t testing.TB) string {
	t.Helper()
	_, after, found := strings.Cut(document(t), "```yaml\n")
	text, _, closed := strings.Cut(after, "```\n")
	if !found || !closed {
		t.Fatal("docs/estate.md has no example")
	}
	return text
}

// TestDocumentNamesEverything keeps the documentation complete: every section,
// key, right and attribute stands in its tables, and every section in its example.
func TestDocumentNamesEverything(t *testing.T) {
	text, example := document(t), exampleText(t)
	_, common, _ := strings.Cut(text, "\n## Keys\n")
	common, _, _ = strings.Cut(common, "\n### ")
	for _, section := range knownKeys(t, "{%: 1}") {
		if !strings.Contains(text, "\n### "+section+"\n") || !strings.Contains("\n"+example, "\n"+section+":\n") {
			t.Errorf("there is no chapter %s, or no such section in the example", section)
			continue
		}
		item := "{%: 1}"
		if section != "server" {
			item = "[" + item + "]"
		}
		_, chapter, _ := strings.Cut(text, "\n### "+section+"\n")
		chapter, _, _ = strings.Cut(chapter, "\n### ")
		for _, key := range knownKeys(t, "{"+section+": "+item+"}") {
			if !strings.Contains(common+chapter, "`"+key+"`") {
				t.Errorf("the chapter %s does not have the key %s", section, key)
			}
		}
	}
	for what, inner := range map[string]string{"an application on a device": "{devices: [{applications: [{%: 1}]}]}", "a rehearsal": "{certificates: [{rehearsal: {%: 1}}]}"} {
		for _, key := range knownKeys(t, inner) {
			if !strings.Contains(text, "`"+key+"`") {
				t.Errorf("there is no key %s of %s", key, what)
			}
		}
	}
	for _, s := range scenes {
		if !strings.Contains(text, "`"+string(s.Scene)+"`") {
			t.Errorf("there is no state %s", s.Scene)
		}
	}
	for attr := range attributes {
		if name := names.AttrName(attr); !strings.Contains(text, "`"+name+"`") {
			t.Errorf("there is no attribute %s", name)
		}
	}
	for _, r := range groupRights {
		if !strings.Contains(text, "`"+r.name+"`") {
			t.Errorf("there is no right %s", r.name)
		}
	}
	for _, f := range names.Functions {
		if !strings.Contains(text, "`"+f+"`") {
			t.Errorf("there is no function %s", f)
		}
	}
	for _, r := range rightNames {
		if !strings.Contains(text, "`"+r.name+"`") {
			t.Errorf("there is no right %s", r.name)
		}
	}
}

// TestSmallerExamples loads every example beside the complete one.
func TestSmallerExamples(t *testing.T) {
	for _, part := range strings.Split(document(t), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "```\n")
		load(t, text)
	}
}

// knownKeys are the keys that an error names when % stands for an unknown one.
func knownKeys(t testing.TB, text string) []string {
	t.Helper()
	_, err := Load([]byte(strings.ReplaceAll(text, "%", "something-unknown")))
	if err == nil {
		t.Fatal("an unknown key is not refused")
	}
	_, list, found := strings.Cut(err.Error(), "known are ")
	if !found {
		t.Fatalf("got %v, want it to list the known keys", err)
	}
	list, _, _ = strings.Cut(list, " (")
	return strings.Split(list, ", ")
}
