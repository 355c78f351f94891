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
