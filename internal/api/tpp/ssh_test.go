package tpp

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// Every way in which the use cases say that they fail has a status and a text, and a
// fault of ours tells the client nothing.
func TestSSHFailuresHaveTexts(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	a := Handler(rig.Core, Options{}).(*api)
	c := &call{Request: httptest.NewRequest("POST", "/vedsdk/sshcertificates/request", nil), route: sshRoutes[0]}
	text := func(err error) (int, string) {
		ans := a.sshFail(c, err)
		said := ans.body.(map[string]any)["Response"].(map[string]any)
		if said["Success"] != false || said["ErrorCode"] != ans.status || ans.phrase != said["ErrorMessage"] {
			t.Errorf("%v: got %v with %q", err, said, ans.phrase)
		}
		return ans.status, said["ErrorMessage"].(string)
	}
	for _, kind := range slices.Concat(core.SSHRequestKinds, core.SSHRetrieveKinds, core.SSHTemplateKinds, core.SSHKeyPairKinds) {
		field := map[clm.Kind]string{clm.Violation: "principal", clm.Unsupported: "template"}[kind]
		status, said := text(clm.About("the subject", clm.Fail(kind, field, "")))
		if isFault := kind == clm.Internal; isFault != (status == http.StatusInternalServerError) || strings.Contains(said, "{") {
			t.Errorf("%v: got %d %q", kind, status, said)
		}
	}
	if status, said := text(errors.New("hunter2")); status != 500 || said != internalText {
		t.Errorf("got %d %q", status, said)
	}
}

// No refusal stands behind one that fits all that it does.
func TestSSHRefusalsAreReached(t *testing.T) {
	for i, r := range sshRefusals {
		if slices.ContainsFunc(sshRefusals[:i], func(b sshRefusal) bool { return b.kind == r.kind && (b.field == "" || b.field == r.field) }) {
			t.Errorf("%q is never said", r.text)
		}
	}
}

// Extensions are read in every form in which clients send them.
func TestSSHExtensions(t *testing.T) {
	for text, want := range map[string]sshExtensions{
		`null`: {}, `""`: {}, `{}`: {}, `[]`: {},
		`{"permit-pty":"","a@b":"c:d","n":7}`: {"permit-pty": "", "a@b": "c:d", "n": "7"},
		`{"permit-pty":null}`:                 {"permit-pty": ""},
		`["permit-pty","a@b:c:d"]`:            {"permit-pty": "", "a@b": "c:d"},
		`"permit-pty"`:                        {"permit-pty": ""},
	} {
		var got struct{ Extensions sshExtensions }
		if err := json.Unmarshal([]byte(`{"Extensions":`+text+`}`), &got); err != nil || !maps.Equal(got.Extensions, want) {
			t.Errorf("%s: got %v, %v, want %v", text, got.Extensions, err, want)
		}
	}
	for _, text := range []string{`{"a":{}}`, `[{}]`} {
		var got struct{ Extensions sshExtensions }
		if err := json.Unmarshal([]byte(`{"Extensions":`+text+`}`), &got); err == nil {
			t.Errorf("%s: got %v, want it refused", text, got.Extensions)
		}
	}
}
