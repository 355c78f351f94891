package main

import (
	"net"
	"strings"
	"testing"
)

// Where nothing is said certificates name the listener's own address, and never one
// that leads nowhere.
func TestDefaultURLLeadsToTheListener(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8480": "http://127.0.0.1:8480", "192.0.2.1:80": "http://192.0.2.1:80", "[2001:db8::1]:8480": "http://[2001:db8::1]:8480",
		"0.0.0.0:8480": "", "[::]:8480": "",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		got := defaultURL(tcp)
		if want == "" && (strings.Contains(got, "0.0.0.0") || strings.Contains(got, "::") || !strings.HasSuffix(got, ":8480")) || want != "" && got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// Where no URL is given the one that was stays, unless it was only where a listener
// happened to be.
func TestKnownURLStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, listen string // listen: empty: nothing is served
		known        []string
		want         string // own: the listener's
	}{
		{"nothing is known", "127.0.0.1:0", nil, "own"},
		{"it was given", "127.0.0.1:0", []string{"http://pki.example.com"}, "http://pki.example.com"},
		{"it was given, with a port and a path", "127.0.0.1:0", []string{"http://pki.example.com:8480/x"}, "http://pki.example.com:8480/x"},
		{"a listener of this machine with another port", "127.0.0.1:0", []string{"http://127.0.0.1:1"}, "own"},
		{"a listener of this machine by another name", "127.0.0.1:0", []string{"http://[::1]:1", "http://pki.example.com"}, "own"},
		{"this machine, as a proxy reaches it", "127.0.0.1:0", []string{"http://127.0.0.1/x"}, "http://127.0.0.1/x"},
		{"no host at all", "127.0.0.1:0", []string{"http://:8480"}, "own"},
		{"nothing is served, one is known", "", []string{"http://127.0.0.1:1"}, "http://127.0.0.1:1"},
		{"nothing is served, none is known", "", nil, ""},
	} {
		p := publish{listen: c.listen}
		if err := p.open(); err != nil {
			t.Fatal(err)
		}
		if p.settle(c.known); c.want == "own" {
			c.want = "http://" + p.listener.Addr().String()
		}
		if p.url != c.want || p.isKept != (len(c.known) > 0 && c.want == c.known[0]) {
			t.Errorf("%s: got %s, kept %v; want %s", c.name, p.url, p.isKept, c.want)
		}
		p.close()
	}
}
