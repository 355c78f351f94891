package wiretest

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// untilLimit is how long a request with @until is repeated.
const untilLimit = time.Minute

// request is a request as it stands in a file.
type request struct {
	method string
	target string
	header http.Header
	body   string
	until  int    // repeat until this status; zero sends once
	times  int    // so often at once
	client string // which client certificate to show
}

func (r *request) line() string { return r.method + " " + r.target }

func parseRequest(text string) (*request, error) {
	first, header, body, err := parts(text)
	if err != nil {
		return nil, err
	}
	method, target, ok := strings.Cut(first, " ")
	if !ok {
		return nil, fmt.Errorf("%q is no request line", first)
	}
	r := &request{method: method, target: strings.TrimSpace(target), header: header, body: strings.TrimRight(body, "\n")}
	if until := header.Get("@until"); until != "" {
		if r.until, err = strconv.Atoi(until); err != nil {
			return nil, fmt.Errorf("@until: %w", err)
		}
	}
	if r.times, err = strconv.Atoi(cmp.Or(header.Get("@times"), "1")); err != nil || r.times < 1 {
		return nil, fmt.Errorf("@times: %q", header.Get("@times"))
	}
	r.client = header.Get("@client")
	for _, own := range []string{"@until", "@times", "@client"} {
		header.Del(own)
	}
	if r.body != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// parts splits a message into its first line, its headers and its body.
func parts(text string) (first string, header http.Header, body string, err error) {
	head, body, _ := strings.Cut(text+"\n", "\n\n")
	first, rest, _ := strings.Cut(head, "\n")
	header = http.Header{}
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return "", nil, "", fmt.Errorf("%q is no header", line)
		}
		header.Add(textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value))
	}
	return strings.TrimSpace(first), header, body, nil
}

// exchange is a request with the answer that it got.
type exchange struct {
	request *request
	status  int
	phrase  string
	header  http.Header
	body    []byte
}

// send sends the request, each time on a connection of its own, and returns the
// answers in the order of their status.
func (c *conversation) send(r *request) ([]*exchange, error) {
	answers, errs := make([]*exchange, r.times), make([]error, r.times)
	var sent sync.WaitGroup
	for i := range answers {
		sent.Go(func() { answers[i], errs[i] = c.sendUntil(r) })
	}
	sent.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(answers, func(a, b *exchange) int { return cmp.Compare(a.status, b.status) })
	return answers, nil
}

// sendUntil sends the request as often as it takes to get the status that it wants.
func (c *conversation) sendUntil(r *request) (*exchange, error) {
	transport := c.server.Client().Transport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if r.client != "" {
		cert, ok := c.host.Clients[r.client]
		if !ok {
			return nil, fmt.Errorf("there is no client certificate %s", r.client)
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{cert}
	}
	for deadline := time.Now().Add(untilLimit); ; {
		got, err := c.sendOnce(r, transport)
		if err != nil || r.until == 0 || got.status == r.until {
			return got, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("status was never %d, last:\n%s", r.until, got)
		}
		time.Sleep(20 * time.Millisecond) // the server works meanwhile
	}
}

func (c *conversation) sendOnce(r *request, transport *http.Transport) (*exchange, error) {
	hr, err := http.NewRequest(r.method, c.server.URL+r.target, strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	hr.Header = r.header.Clone()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(hr)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	_, phrase, _ := strings.Cut(resp.Status, " ")
	return &exchange{r, resp.StatusCode, phrase, resp.Header, body}, nil
}

// String shows the answer as a response would be written in a file.
func (e *exchange) String() string {
	return fmt.Sprintf("%d %s\nContent-Type: %s\n\n%s\n", e.status, e.phrase, e.header.Get("Content-Type"), e.body)
}

// compare holds the answer against a response of a file.
func (e *exchange) compare(want string, vars map[string]string) error {
	first, header, body, err := parts(want)
	if err != nil {
		return err
	}
	status, phrase, _ := strings.Cut(first, " ")
	if strconv.Itoa(e.status) != status || !matches(strings.TrimSpace(phrase), e.phrase) {
		return fmt.Errorf("got %d %q, want %s %q", e.status, e.phrase, status, strings.TrimSpace(phrase))
	}
	for name, values := range header {
		got := strings.Join(e.header[name], ", ")
		want := strings.Join(values, ", ")
		if want == "-" && len(e.header[name]) > 0 || want != "-" && !matches(want, got) {
			return fmt.Errorf("got header %s: %q, want %q", name, got, want)
		}
	}
	return e.compareBody(strings.TrimSpace(body), vars)
}

func (e *exchange) compareBody(want string, vars map[string]string) error {
	switch {
	case want == "" && len(e.body) > 0:
		return errors.New("got a body, want none")
	case want == "":
		return nil
	case want == "?" && len(bytes.TrimSpace(e.body)) == 0:
		return errors.New("got no body")
	case want == "?":
		return nil
	case strings.HasPrefix(want, remembered):
		vars[strings.TrimPrefix(want, remembered)] = base64.StdEncoding.EncodeToString(e.body)
		return nil
	case strings.HasPrefix(want, "{"), strings.HasPrefix(want, "["):
		return compareJSON(want, e.body, vars)
	case want != strings.TrimSpace(string(e.body)):
		return errors.New("got another body")
	}
	return nil
}

// matches reports whether got is want, in which ? stands for any run of characters.
func matches(want, got string) bool {
	before, rest, wild := strings.Cut(want, "?")
	if !wild {
		return want == got
	}
	if !strings.HasPrefix(got, before) {
		return false
	}
	for at := len(before); at <= len(got); at++ {
		if matches(rest, got[at:]) {
			return true
		}
	}
	return false
}
