package tpp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// server serves one answer over TLS.
func server(t *testing.T, h2 bool, a answer) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reply(w, r, a) }))
	s.EnableHTTP2 = h2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *httptest.Server, method string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestReasonPhrase goes out as it is, with the headers, and the connection ends.
func TestReasonPhrase(t *testing.T) {
	a := failure(400, "x").saying("Certificate does not exist.").with("X-Y", "z")
	resp, body := get(t, server(t, false, a), "GET")
	if resp.Status != "400 Certificate does not exist." || body != `{"Error":"x"}` {
		t.Errorf("got %q %s", resp.Status, body)
	}
	if !resp.Close || resp.Header.Get("X-Y") != "z" || resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength != 13 || resp.Header.Get("Date") == "" {
		t.Errorf("got close %v, length %d, headers %v", resp.Close, resp.ContentLength, resp.Header)
	}
}

// TestStandardPhraseKeepsTheConnection takes the ordinary path.
func TestStandardPhraseKeepsTheConnection(t *testing.T) {
	for _, a := range []answer{ok(map[string]int{"a": 1}), failure(400, "x").saying("Bad Request"), failure(404, "x")} {
		s := server(t, false, a)
		opened := 0
		transport := s.Client().Transport.(*http.Transport)
		transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			opened++
			return (&tls.Dialer{Config: transport.TLSClientConfig}).DialContext(ctx, network, addr)
		}
		get(t, s, "GET")
		resp, _ := get(t, s, "GET")
		if opened != 1 || resp.Close {
			t.Errorf("status %d: got %d connections, want 1", a.status, opened)
		}
	}
}

// TestHeadHasNoBody answers HEAD with the headers alone, on either path. It reads
// the connection itself: a client would not look for a body.
func TestHeadHasNoBody(t *testing.T) {
	for _, phrase := range []string{"Bad Request", "Something Else"} {
		s := server(t, false, failure(400, "x").saying(phrase))
		conn, err := tls.Dial("tcp", s.Listener.Addr().String(), s.Client().Transport.(*http.Transport).TLSClientConfig)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(got), "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 400 "+phrase+"\r\n") || body != "" {
			t.Errorf("got %q", got)
		}
	}
}

// TestPhraseIsLostWhereThereIsNone falls back to the plain status with HTTP/2,
// and where the connection cannot be taken over.
func TestPhraseIsLostWhereThereIsNone(t *testing.T) {
	a := failure(400, "x").saying("Certificate does not exist.")
	resp, body := get(t, server(t, true, a), "GET")
	if resp.ProtoMajor != 2 || resp.StatusCode != 400 || body != `{"Error":"x"}` {
		t.Errorf("got %s %s %s", resp.Proto, resp.Status, body)
	}
	w := httptest.NewRecorder()
	reply(w, httptest.NewRequest("GET", "/", nil), a)
	if w.Code != 400 || w.Body.String() != `{"Error":"x"}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestNoBodyNoType sends neither body nor Content-Type, and net/http guesses none.
func TestNoBodyNoType(t *testing.T) {
	for _, phrase := range []string{"", "Gone"} {
		resp, body := get(t, server(t, false, answer{status: 200, phrase: phrase}), "GET")
		if _, has := resp.Header["Content-Type"]; has || body != "" || resp.ContentLength != 0 {
			t.Errorf("got %v %q, length %d", resp.Header, body, resp.ContentLength)
		}
	}
}

// TestCleanPhrase has a row for everything that has no place in a status line.
func TestCleanPhrase(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ name, text, want string }{
		{"plain", "Missing Reason.", "Missing Reason."},
		{"first line only", "one\r\ntwo", "one"},
		{"line ends in front", "\r\none", "one"},
		{"a header smuggled in", "one\rX-Evil: 1", "oneX-Evil: 1"},
		{"control characters", "a\x00\tb\x7f", "ab"},
		{"not ASCII", "Zürich ✓", "Zrich"},
		{"too long", long, long[:200]},
		{"empty", "", ""},
	} {
		if got := cleanPhrase(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzCleanPhrase gives printable ASCII on one line, whatever goes in.
func FuzzCleanPhrase(f *testing.F) {
	f.Add("Certificate \\VED\\Policy\\x does not exist.\r\nX: y")
	f.Fuzz(func(t *testing.T, s string) {
		got := cleanPhrase(s)
		if len(got) > maxPhrase || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' || r == utf8.RuneError }) {
			t.Errorf("%q gives %q", s, got)
		}
	})
}
