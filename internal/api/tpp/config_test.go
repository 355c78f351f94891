package tpp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// TestConfigCodes lets no use case behind the Config calls fail in a way that has no
// code, and no code be without its name.
func TestConfigCodes(t *testing.T) {
	for name, kinds := range map[string][]clm.Kind{
		"Create": core.CreateKinds, "EditObject": core.EditKinds, "EditPolicy": core.EditPolicyKinds, "DeleteObject": core.DeleteKinds,
		"Rename": core.MoveKinds, "StartInstall": core.InstallKinds, "StartRenewal": append(slices.Clone(core.RenewKinds), clm.Denied),
	} {
		for _, kind := range kinds {
			if _, ok := configResults.code(kind); !ok && kind != clm.Internal {
				t.Errorf("%s: no code for %q", name, kind)
			}
		}
	}
	for _, rule := range configResults.rules {
		if configResults.names[rule.code] == "" {
			t.Errorf("the code %d has no name", rule.code)
		}
	}
}

// TestComputedAreSaidByTheServer makes sure that clients cannot write what is computed,
// unless it is a link of which both sides know.
func TestComputedAreSaidByTheServer(t *testing.T) {
	written := []string{"Consumers", "Certificate", "Driver Name", "Member", "Group Membership"}
	for name := range computed {
		def, ok := names.AttrNamed(name)
		if !ok || def.Name != name {
			t.Errorf("%s is not in the schema", name)
			continue
		}
		if !isSaid(def) && !slices.Contains(written, name) {
			t.Errorf("%s may be written, and is not shown", name)
		}
	}
}

// TestSchemaAttributes shows what each attribute is like, and none that only starts work.
func TestSchemaAttributes(t *testing.T) {
	var answer struct {
		AttributeDefinitions []struct {
			Name             string
			Property, Syntax int
		}
	}
	body, err := json.Marshal((&api{}).schemaAttributes(nil, nil).body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	want := map[string][2]int{"Retry Interval": {16, 5}, "Contact": {0, 5}, "Certificate Authority": {16, 7}, "Consumers": {0, 7}, "GUID": {24, 5}, "Password": {18, 5}}
	for _, a := range answer.AttributeDefinitions {
		if w, ok := want[a.Name]; ok && w != [2]int{a.Property, a.Syntax} {
			t.Errorf("%s: got property %d and syntax %d, want %v", a.Name, a.Property, a.Syntax, w)
		}
		delete(want, a.Name)
		if a.Name == "Work To Do" {
			t.Error("what starts work is shown")
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// TestWriteManyValues writes as many values as an attribute may have, and is refused
// clearly with one more, and with a body that is too large.
func TestWriteManyValues(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	r := newRightsRig(t, rig)
	r.give([2]func(clm.Rights) clm.Rights{nil, just}, "u", clm.Write)
	write := func(values []string) string {
		text, err := json.Marshal(map[string]any{"ObjectDN": `\VED\Policy\Shop\Sub`, "AttributeData": []any{map[string]any{"Name": "Metadata", "Value": values}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	values := make([]string, core.MaxValues+1)
	for n := range values {
		values[n] = fmt.Sprintf("local:{%032d}", n)
	}
	if got := r.call("Write", write(values[1:])); got != 1 {
		t.Errorf("got %d for %d values", got, core.MaxValues)
	}
	if got := r.call("Write", write(values)); got != 3 {
		t.Errorf("got %d for %d values", got, len(values))
	}
	req := httptest.NewRequest("POST", "/vedsdk/Config/Write", bytes.NewReader([]byte(write([]string{strings.Repeat("x", maxBody)}))))
	req.Header.Set("Authorization", "Bearer "+r.token)
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d for a large body", w.Code)
	}
}
