package wiretest

import "testing"

// A body that is remembered can be described afterwards, whatever is in it.
func TestRemembersBodies(t *testing.T) {
	t.Parallel()
	vars := map[string]string{}
	if err := (&exchange{body: []byte("\x00\xff")}).compareBody("?=file", vars); err != nil || vars["file"] != "AP8=" {
		t.Errorf("got %v, remembered %q", err, vars["file"])
	}
}
