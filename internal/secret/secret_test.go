package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// The text that must not be seen anywhere, and what gives it away when its bytes
// are printed in another way.
const theSecret = "hunter2!hunter2!"

var traces = []string{
	theSecret, "hunter2", "104 117 110 116", "68756e746572", "68756E746572", "0x68, 0x75", "0x68 0x75", "68 75 6e", "68 75 6E",
	"aHVudGVyMiFodW50ZXIyIQ", `\x68\x75`, "150 165 156", "1101000 1110101",
}

func isLeaked(text string) bool {
	for _, trace := range traces {
		if strings.Contains(text, trace) {
			return true
		}
	}
	return false
}

// A holder has secrets in all the places that printers walk through.
type holder struct {
	Open   Plain
	Ref    *Plain
	List   []Plain
	Map    map[string]Plain
	Any    any
	hidden Plain
	inner  struct{ deep []Plain }
}

func newHolder() *holder {
	p := NewString(theSecret)
	h := &holder{Open: p, Ref: &p, List: []Plain{p}, Map: map[string]Plain{"k": p}, Any: p, hidden: p}
	h.inner.deep = []Plain{p}
	return h
}

// Whatever the verb and the flags, and wherever the secret stands, it is not printed.
func TestNoVerbPrintsASecret(t *testing.T) {
	p := NewString(theSecret)
	h := newHolder()
	for _, flags := range []string{"", "+", "#", " ", "0", "-", "30", "-30", ".3", "+#", "# "} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			format := "%" + flags + string(verb)
			for _, value := range []any{p, &p, h, *h, []Plain{p}, []any{p}, map[string]Plain{"k": p}, h.inner, struct{ p Plain }{p}} {
				if got := fmt.Sprintf(format, value); isLeaked(got) {
					t.Errorf("%s of %T: %s", format, value, got)
				}
			}
			// Of these three fmt asks no method; %w is for errors only.
			if got := fmt.Sprintf(format, p); !strings.ContainsRune("Tpw", verb) && got != mask {
				t.Errorf("%s: got %q, want %q", format, got, mask)
			}
		}
	}
}

// An element has secrets where XML can have text.
type element struct {
	Child Plain
	Attr  Plain `xml:"attr,attr"`
}

// However a secret is marshalled, only the mask is.
func TestNothingMarshalsASecret(t *testing.T) {
	h := newHolder()
	asText := func(b []byte, err error) (string, error) { return string(b), err }
	for name, marshal := range map[string]func() (string, error){
		"JSON":          func() (string, error) { return asText(json.Marshal(h)) },
		"JSON, alone":   func() (string, error) { return asText(json.Marshal(h.Open)) },
		"JSON, map key": func() (string, error) { return asText(json.Marshal(map[string]any{"a": h.Ref})) },
		"YAML":          func() (string, error) { return asText(yaml.Marshal(h)) },
		"XML":           func() (string, error) { return asText(xml.Marshal(element{h.Open, h.Open})) },
		"gob": func() (string, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(struct{ P Plain }{h.Open})
			return b.String(), err
		},
		"text":   func() (string, error) { return asText(h.Open.MarshalText()) },
		"binary": func() (string, error) { return asText(h.Open.MarshalBinary()) },
		"HTML": func() (string, error) {
			var b strings.Builder
			page := template.Must(template.New("").Parse(`<p title="{{.Open}}">{{.Open}} {{.List}}</p><script>x={{.Open}}</script>`))
			err := page.Execute(&b, h)
			return b.String(), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := marshal()
			if err != nil {
				t.Fatal(err)
			}
			if isLeaked(got) || !strings.Contains(got, "[secret]") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// A secret that gets into a log line is not in it.
func TestNoLogShowsASecret(t *testing.T) {
	var b bytes.Buffer
	if got := NewString(theSecret).LogValue().String(); got != mask {
		t.Errorf("got %q, want %q", got, mask)
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for name, handler := range map[string]slog.Handler{"text": slog.NewTextHandler(&b, options), "JSON": slog.NewJSONHandler(&b, options)} {
		b.Reset()
		h := newHolder()
		slog.New(handler).With("with", h.Open).Info("said", "p", h.Open, "ref", h.Ref, "holder", h, "value", *h,
			slog.Group("g", "p", h.List, "e", fmt.Errorf("password %v of %s", h.Open, h.Ref)))
		if got := b.String(); isLeaked(got) || !strings.Contains(got, "[secret]") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// An error that was made of a secret does not tell it, nor does a comparison in a test.
func TestNoErrorTellsASecret(t *testing.T) {
	p := NewString(theSecret)
	err := errors.Join(fmt.Errorf("login with %s", p), fmt.Errorf("login with %#v", &p))
	if isLeaked(err.Error()) {
		t.Error(err)
	}
	if diff := cmp.Diff(struct{ P Plain }{p}, struct{ P Plain }{NewString("x")}); diff == "" || isLeaked(diff) {
		t.Errorf("got %s", diff)
	}
}

// The secret itself is had in exactly one way, and the empty one is empty.
func TestRevealEqualIsEmpty(t *testing.T) {
	p, q, zero := NewString(theSecret), NewPlain([]byte(theSecret)), Plain{}
	if string(p.Reveal()) != theSecret {
		t.Errorf("got %q, want %q", p.Reveal(), theSecret)
	}
	for name, c := range map[string]struct{ got, want bool }{
		"equal":                  {p.Equal(q), true},
		"not equal":              {p.Equal(NewString("hunter3!hunter3!")), false},
		"other length":           {p.Equal(NewString("hunter2")), false},
		"empty ones are equal":   {zero.Equal(NewString("")), true},
		"zero is empty":          {zero.IsEmpty(), true},
		"no bytes is empty":      {NewPlain([]byte{}).IsEmpty(), true},
		"a secret is not empty":  {p.IsEmpty(), false},
		"empty is not something": {zero.Equal(p), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

// Requests and configuration decode straight into a secret.
func TestDecodingIntoASecret(t *testing.T) {
	var fromJSON, fromYAML struct {
		Password Plain  `json:"Password" yaml:"password"`
		Absent   Plain  `json:"Absent"`
		Ref      *Plain `json:"Ref" yaml:"ref"`
	}
	if err := json.Unmarshal([]byte(`{"Password":"h\u0075nter2!hunter2!","Ref":"hunter2!hunter2!"}`), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte("password: hunter2!hunter2!\nref: hunter2!hunter2!\n"), &fromYAML); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Plain{fromJSON.Password, *fromJSON.Ref, fromYAML.Password, *fromYAML.Ref} {
		if string(p.Reveal()) != theSecret {
			t.Errorf("got %q, want %q", p.Reveal(), theSecret)
		}
	}
	if !fromJSON.Absent.IsEmpty() {
		t.Error("a secret that was not sent is not empty")
	}
	p := NewString("old")
	if err := json.Unmarshal([]byte("null"), &p); err != nil || !p.IsEmpty() {
		t.Errorf("null: got %q, %v, want the empty secret", p.Reveal(), err)
	}
}

// A decoded secret does not change with the buffer that it came from.
func TestDecodedSecretIsACopy(t *testing.T) {
	buffer := []byte(theSecret)
	var p Plain
	if err := p.UnmarshalText(buffer); err != nil {
		t.Fatal(err)
	}
	clear(buffer)
	if string(p.Reveal()) != theSecret {
		t.Errorf("got %q, want %q", p.Reveal(), theSecret)
	}
}

// What is not a string is refused without being repeated.
func TestDecodingErrorsKeepQuiet(t *testing.T) {
	for _, bad := range []string{`104117110`, `["hunter2!hunter2!"]`, `{"hunter2":1}`, `true`} {
		var p Plain
		err := json.Unmarshal([]byte(bad), &p)
		if err == nil || isLeaked(err.Error()) || strings.Contains(err.Error(), "104117110") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}
