// Package wiretest holds conversations with a dialect that are kept as files.
// Each file is a txtar archive: what the server must hold, then requests, each
// with the response that it must get, as they go over the wire. The files are the
// dialect's tests, and the examples in its documentation.
//
//	Renewing needs a name.
//	-- setup --
//	folder \VED\Policy\Shop
//	token token alice certificate:manage
//	-- request --
//	POST /vedsdk/Certificates/Renew
//	Authorization: Bearer {{token}}
//
//	{}
//	-- response --
//	400 Missing CertificateDN.
//
//	{"Error": "Missing CertificateDN.", "Success": false}
//
// A request is a line with method and target, headers, and after an empty line
// the body. A body that is given gets a Content-Type of application/json unless
// the headers say otherwise. Three headers are for the conversation itself:
// "@until: 200" repeats the request until it gets that status, "@client: x" shows
// the client certificate that Host calls x, and "@times: 50" sends the request so
// often at once: the response then is that with the lowest status, and a section
// "response others" follows, which each of the others must be.
//
// A response begins with its status and reason phrase, then headers that must be
// there (a header with the value "-" must not), then its body: JSON is compared
// by its meaning, with the exact names of its members; anything else as it is.
// In it "?" stands for any string, "?=name" for any string that is remembered as
// name, "!=x" for any string but x, "#" for any number, "#=name" for any that is
// remembered, a member "..." for further members, and ? alone for any body that is
// not empty, and ?=name alone for any that is remembered, in base64, as name; in the phrase and in headers ? stands for any run of characters.
// {{name}} is replaced by what was remembered, in requests and responses;
// {{name|query}} escapes it for a query or a form.
//
// A section named outline followed by a remembered name describes a file in
// base64, or in PEM, a line for each thing in it. PEM is what is assumed; another format and
// its passwords may follow, the key's last: see Outline.
//
//	-- outline data jks Store-Pass-123 Key-Pass-1234 --
//	alias shop
//	PRIVATE KEY of www.example.com
//	CERTIFICATE www.example.com
//
// A section named note is a remark. Sections with other names are given to the
// host, in their place.
package wiretest

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A Host is a server to talk with.
type Host struct {
	Handler http.Handler
	Vars    map[string]string          // what is remembered from the start, for {{name}}
	Clients map[string]tls.Certificate // client certificates, for @client

	Certificates []tls.Certificate // what the server shows; none: one of its own

	// Do carries out a section that is none of this package's own. What it puts into
	// Vars may be used from then on.
	Do func(t *testing.T, section, text string)
}

// Run holds the conversation of every file in dir and the folders below it, each
// with a host of its own.
func Run(t *testing.T, dir string, host func(*testing.T) *Host) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob(filepath.Join(dir, "*", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, deeper...)
	if len(files) == 0 {
		t.Fatalf("no conversations in %s", dir)
	}
	for _, file := range files {
		name, err := filepath.Rel(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			Talk(t, archive, host(t))
		})
	}
}

// Talk holds one conversation. It stops at the first answer that is not as it
// should be.
func Talk(t *testing.T, archive *txtar.Archive, h *Host) {
	t.Helper()
	if h.Vars == nil {
		h.Vars = map[string]string{}
	}
	server := httptest.NewUnstartedServer(h.Handler)
	server.TLS = &tls.Config{Certificates: h.Certificates, ClientAuth: tls.RequestClientCert} // whom to trust is the handler's business
	server.StartTLS()
	defer server.Close()
	c := &conversation{host: h, server: server}
	for n, section := range archive.Files {
		if err := c.section(t, section.Name, string(section.Data)); err != nil {
			t.Fatalf("section %d, %s: %v", n+1, section.Name, err)
		}
	}
}

// conversation is one under way.
type conversation struct {
	host   *Host
	server *httptest.Server
	got    []*exchange // the last request and its answers that have not been looked at
}

func (c *conversation) section(t *testing.T, name, text string) error {
	t.Helper()
	words := strings.Fields(name)
	if len(words) == 0 {
		return fmt.Errorf("a section without a name")
	}
	switch words[0] {
	case "request":
		r, err := parseRequest(c.fill(text))
		if err != nil {
			return err
		}
		c.got, err = c.send(r)
		return err
	case "note":
		return nil
	case "response":
		return c.response(words[1:], c.fill(text))
	case "outline":
		if len(words) < 2 {
			return fmt.Errorf("an outline needs the name of what it describes")
		}
		data := c.host.Vars[words[1]]
		file, err := base64.StdEncoding.DecodeString(data)
		if strings.HasPrefix(data, "-----BEGIN ") {
			file, err = []byte(data), nil
		}
		if err != nil {
			return err
		}
		got, err := Outline(file, words[2:]...)
		if err != nil {
			return err
		}
		return compareOutline(c.fill(text), got)
	}
	if c.host.Do == nil {
		return fmt.Errorf("nobody knows what to do with it")
	}
	c.host.Do(t, name, c.fill(text))
	return nil
}

// response holds the first of the answers against what it must be, or with the
// word "others" all that are left.
func (c *conversation) response(words []string, want string) error {
	n := 1
	if len(words) > 0 {
		n = len(c.got)
	}
	if len(c.got) < n || n == 0 {
		return fmt.Errorf("there was no request before this response")
	}
	for _, got := range c.got[:n] {
		if err := got.compare(want, c.host.Vars); err != nil {
			return fmt.Errorf("%w\nto %s it was:\n%s", err, got.request.line(), got)
		}
	}
	c.got = c.got[n:]
	return nil
}

// fill replaces {{name}} by what is remembered, and {{name|query}} by the same as
// it is written in queries and forms.
func (c *conversation) fill(text string) string {
	for name, value := range c.host.Vars {
		text = strings.ReplaceAll(text, "{{"+name+"}}", value)
		text = strings.ReplaceAll(text, "{{"+name+"|query}}", url.QueryEscape(value))
	}
	return text
}
