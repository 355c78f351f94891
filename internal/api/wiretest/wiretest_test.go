package wiretest

import (
	"io"
	"net/http"
	"strings"
	"sync"
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

// TestTalk remembers strings and numbers, fills them in and sees through to the host's sections.
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

{"n":"#=number","s":"?=got","l":["?",true,null],"b":"from x","...":"..."}
-- request --
GET /{{got}}{{number}}
-- response --
201 ?ted
X-Path: /x1
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
		{"string for any number that is remembered", `"x"`, `"#=n"`},
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

// TestManyAtOnce sends a request several times and holds the lowest status against
// the first response, all others against the second.
func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	n := 0
	first := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 3 {
			return
		}
		w.WriteHeader(http.StatusConflict)
	})
	Talk(t, txtar.Parse([]byte("-- request --\nPOST /\n@times: 5\n-- response --\n200 OK\n-- response others --\n409 Conflict\n")), &Host{Handler: first})
	if n != 5 {
		t.Errorf("it was sent %d times, want 5", n)
	}
	c := &conversation{host: &Host{}}
	for _, status := range []int{200, 409} {
		c.got = append(c.got, &exchange{request: &request{}, status: status, phrase: http.StatusText(status)})
	}
	if c.response([]string{"others"}, "409 Conflict") == nil {
		t.Error("one of the others may be anything")
	}
}
