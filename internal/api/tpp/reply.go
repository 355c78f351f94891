package tpp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An answer is what goes back. Its body is JSON, or a file, or nothing.
type answer struct {
	status int
	phrase string // the reason phrase; empty means the standard one
	body   any    // what is sent as JSON; nil sends no body and no Content-Type
	file   *file  // what is sent instead of JSON
	header http.Header
}

// ok is a plain success.
func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// failure is the Web SDK's way to say that something went wrong.
func failure(status int, text string) answer {
	return answer{status: status, body: map[string]any{"Error": text}}
}

// saying sets the reason phrase.
func (a answer) saying(phrase string) answer {
	a.phrase = phrase
	return a
}

// with adds a header.
func (a answer) with(name, value string) answer {
	a.header = a.header.Clone()
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Add(name, value)
	return a
}

const (
	maxPhrase   = 200              // characters of a reason phrase
	sendTimeout = 10 * time.Second // for an answer that is written past net/http
)

// reply sends an answer. A reason phrase other than the standard one is written
// past net/http, which cannot: the connection is taken over, used for this one
// answer and closed. Where it cannot be had, as with HTTP/2, which has no reason
// phrases, the answer goes out with the plain status.
func reply(w http.ResponseWriter, r *http.Request, a answer) {
	body := a.encode(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		body = nil
	}
	phrase := cleanPhrase(a.phrase)
	if phrase != "" && phrase != http.StatusText(a.status) && takeOver(w, a.status, phrase, body) {
		return
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a client that is gone has nothing to be told
}

// encode gives the body and sets the headers.
func (a answer) encode(h http.Header) []byte {
	for name, values := range a.header {
		h[name] = values
	}
	switch {
	case a.file != nil:
		h.Set("Content-Type", a.file.mime)
		if a.file.name != "" {
			h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, a.file.name))
		}
		return a.file.data
	case a.body != nil:
		h.Set("Content-Type", "application/json")
		return encodeJSON(a.body)
	}
	return nil
}

// encodeJSON never fails: answers are made of strings, numbers, lists and maps.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// takeOver writes the answer on the connection itself and closes it, or reports
// that it cannot, having written nothing.
func takeOver(w http.ResponseWriter, status int, phrase string, body []byte) bool {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(sendTimeout))
	fmt.Fprintf(buf, "HTTP/1.1 %03d %s\r\n", status, phrase)
	h := w.Header()
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Connection", "close")
	_ = h.Write(buf)
	_, _ = buf.WriteString("\r\n")
	_, _ = buf.Write(body)
	_ = buf.Flush()
	return true
}

// cleanPhrase makes a reason phrase of a text: its first line, in printable
// ASCII, of at most maxPhrase characters (RFC 9112, section 4).
func cleanPhrase(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, line))
	return strings.TrimSpace(line[:min(len(line), maxPhrase)])
}
