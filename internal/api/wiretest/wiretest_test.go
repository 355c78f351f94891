package wiretest

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// echo answers with what it was sent.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("X-Path", r.URL.EscapedPath())
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
})

// TestTalk remembers strings, fills them in and sees through to the host's sections.
func TestTalk(t *testing.T) {
	h := &Host{Handler: echo, Vars: map[string]string{"a": "x"}}
	h.Do = func(_ *testing.T, section, text string) { h.Vars[section] = strings.TrimSpace(text) }
	Talk(t, txtar.Parse([]byte(`
-- b --
from {{a}}
-- request --
POST /p%2fq
X-Y: z

{"s":"{{a}}","n":1,"l":["q",true,null],"more":{},"b":"{{b}}"}
-- response --
201 Created
Content-Type: application/json
X-Path: /p%2fq
X-None: -

{"n":"#","s":"?=got","l":["?",true,null],"b":"from x","...":"..."}
-- request --
GET /{{got}}
-- response --
201 ?ted
X-Path: /x
`)), h)
}

// TestDifferencesAreSeen has a row for everything in which an answer may differ.
func TestDifferencesAreSeen(t *testing.T) {
	got := func() *exchange {
		return &exchange{status: 400, phrase: "Certificate does not exist.", header: http.Header{"A": {"b"}}, body: []byte(`{"Error":"x","N":1,"L":["a"]}`)}
	}
	same := "400 Certificate does not exist.\nA: b\n\n" + `{"Error":"x","N":1,"L":["a"]}`
	if err := got().compare(same, nil); err != nil {
		t.Fatalf("the same differs: %v", err)
	}
	for _, c := range []struct{ name, from, to string }{
		{"status", "400", "404"},
		{"phrase", "exist.", "exist"},
		{"standard phrase", "Certificate does not exist.", "Bad Request"},
		{"header", "A: b", "A: c"},
		{"header that must not be there", "A: b", "A: -"},
		{"case of a member", `"Error"`, `"error"`},
		{"string", `"x"`, `"y"`},
		{"number for a string", `"x"`, `1`},
		{"string for a number", `1`, `"1"`},
		{"string that must be another", `"x"`, `"!=x"`},
		{"string for any number", `"x"`, `"#"`},
		{"number for any string", `1`, `"?"`},
		{"member too many", `"N":1,`, ``},
		{"member too few", `"N":1,`, `"N":1,"M":1,`},
		{"longer list", `["a"]`, `["a","b"]`},
		{"no body", "\n\n" + `{"Error":"x","N":1,"L":["a"]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := strings.Replace(same, c.from, c.to, 1)
			if other == same {
				t.Fatal("nothing was changed")
			}
			if err := got().compare(other, nil); err == nil {
				t.Error("the difference was not seen")
			}
		})
	}
}

// TestOutline shows lines, blocks, their headers, and line ends that are not CRLF.
func TestOutline(t *testing.T) {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")})
	file := "friendlyName: y\r\n\r\n" + strings.ReplaceAll(string(key), "\n", "\r\n") + "end\n" + string(key)
	want := "friendlyName: y\n.\nRSA PRIVATE KEY\n  Proc-Type: 4,ENCRYPTED\nend (no CRLF)\nRSA PRIVATE KEY (no CRLF)\n  Proc-Type: 4,?"
	if err := compareOutline(want, Outline([]byte(file))); err != nil {
		t.Error(err)
	}
	vars := map[string]string{"file": base64.StdEncoding.EncodeToString([]byte(file))}
	Talk(t, txtar.Parse([]byte("-- outline file --\n"+want+"\n")), &Host{Handler: echo, Vars: vars})
}
