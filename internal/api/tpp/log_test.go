package tpp

import "testing"

// The numbers of events stay apart, and each has a name.
func TestEventsAreToldApart(t *testing.T) {
	seen := map[int64]string{otherEvent.number: "other"}
	for what, def := range eventDefs {
		if def.name == "" || seen[def.number] != "" || def.number <= 0 || def.number > 0xffff {
			t.Errorf("%s: %+v; the number is that of %q", what, def, seen[def.number])
		}
		seen[def.number] = what
	}
}
