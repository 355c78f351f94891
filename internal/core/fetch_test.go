package core

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// A server is silent when nobody can be connected to or time runs out, and not when
// what it answers is of no use.
func TestWhatIsSilence(t *testing.T) {
	t.Parallel()
	ending := make(chan struct{})
	routes := http.NewServeMux()
	routes.Handle("/away", http.RedirectHandler("ftp://127.0.0.1/list", http.StatusFound))
	routes.Handle("/circle", http.RedirectHandler("/circle", http.StatusFound))
	routes.HandleFunc("/nonsense", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte("nonsense\r\n\r\n"))
			conn.Close()
		}
	})
	routes.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) { <-ending })
	server := httptest.NewServer(routes)
	defer server.Close()
	defer close(ending)
	dead := httptest.NewServer(routes)
	dead.Close()
	for address, silent := range map[string]bool{
		server.URL + "/away": false, server.URL + "/circle": false, server.URL + "/nonsense": false, server.URL + "/nothing": false,
		server.URL + "/silent": true, dead.URL + "/list": true,
	} {
		f := newFetcher(&silence{}, time.Now)
		if address == server.URL+"/silent" {
			f.client.Timeout = time.Second
		}
		if _, err := f.list(context.Background(), address, 100); err == nil {
			t.Errorf("%s: got an answer", address)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := !f.silence.mayAsk(u.Host, time.Now()); got != silent {
			t.Errorf("%s: silent %v, want %v", address, got, silent)
		}
		f.close()
	}
}

// A silent server is left alone for longer each time. When it is tried again only one
// has to wait for it, and once it answers all is forgotten.
func TestSilenceGrows(t *testing.T) {
	t.Parallel()
	const host = "pki.example.com"
	var s silence
	now := time.Now()
	may := func(when string, want bool) {
		t.Helper()
		if got := s.mayAsk(host, now); got != want {
			t.Errorf("%s: may ask %v, want %v", when, got, want)
		}
	}
	may("at first", true)
	s.begin(host, now)
	s.begin(host, now) // another who has waited with the first
	for pause := firstSilence; pause <= 2*longestSilence; pause *= 2 {
		left := min(pause, longestSilence)
		now = now.Add(left - time.Second)
		may("before the time has come", false)
		now = now.Add(time.Second)
		may("when it has come", true)
		may("while another tries", false)
		s.begin(host, now)
	}
	s.end(host)
	may("once it has answered", true)
	may("and any number of times", true)
	s.begin(host, now)
	now = now.Add(firstSilence)
	may("after another silence, the first", true)
}
