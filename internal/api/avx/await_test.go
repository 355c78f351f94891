package avx

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// waitingRig is a server at which nobody carries out work, so that whoever waits does so
// until something else ends it.
func waitingRig(t *testing.T) (rig *coretest.Rig, a *api, session string) {
	rig = coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	_, opens, err := rig.BeginSession(t.Context(), rig.Admin, core.Terms{Kind: kindSession, Most: sessionLife})
	if err != nil {
		t.Fatal(err)
	}
	return rig, Handler(rig.Core, Options{Log: slog.New(slog.DiscardHandler)}).(*api), string(opens.Reveal())
}

// creationOf is a call that waits for a certificate of the group.
func creationOf(ctx context.Context, session, group string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/avxapi/certificate/create?gwsource=test&isSync=true&ttl=600",
		strings.NewReader(`{"caConnectorInfo": {"certificateAuthority": "AppViewX", "caSettingName": "`+group+`", "csrParameters": {"commonName": "www.example.com"}}, "certificateGroup": {"name": "`+group+`"}}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("sessionId", session)
	return r
}

// begin makes the call; what comes back is sent.
func (a *api) begin(r *http.Request) <-chan *httptest.ResponseRecorder {
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		done <- w
	}()
	return done
}

// wait waits for something that takes no time, if it comes at all.
func wait[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatal("it does not come")
		panic("unreachable")
	}
}

// TestWaitsEndWithTheServer makes sure that a server which stops says of every order that
// it was accepted.
func TestWaitsEndWithTheServer(t *testing.T) {
	rig, a, session := waitingRig(t)
	done := a.begin(creationOf(t.Context(), session, core.DefaultGroup))
	rig.EndWaits()
	if w := wait(t, done); w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"resourceId"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestWaitsEndWithTheClient makes sure that nobody waits for a client that has gone away.
func TestWaitsEndWithTheClient(t *testing.T) {
	_, a, session := waitingRig(t)
	ctx, hangUp := context.WithCancel(t.Context())
	done := a.begin(creationOf(ctx, session, core.DefaultGroup))
	for len(a.waiting) == 0 {
		select {
		case w := <-done:
			t.Fatalf("nobody waits: %d %s", w.Code, w.Body)
		case <-time.After(time.Millisecond): // until somebody does
		}
	}
	hangUp()
	wait(t, done)
	if len(a.waiting) != 0 {
		t.Error("somebody waits still")
	}
}

// TestTooManyDoNotWait makes sure that a call which would be one too many is refused
// before anything is done for it, while calls that do not wait are served.
func TestTooManyDoNotWait(t *testing.T) {
	rig, a, session := waitingRig(t)
	a.waiting = make(chan struct{}, 1)
	a.waiting <- struct{}{}
	w := wait(t, a.begin(creationOf(t.Context(), session, core.DefaultGroup)))
	if want := `"appStatusCode":"TOO_MANY_REQUESTS"`; w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), want) {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
	if _, err := rig.Object(t.Context(), rig.Admin, `\VED\Policy\Default\www.example.com`); err == nil {
		t.Error("what was refused was done")
	}
	r := creationOf(t.Context(), session, core.DefaultGroup)
	r.URL.RawQuery = "gwsource=test"
	if w := wait(t, a.begin(r)); w.Code != http.StatusAccepted {
		t.Errorf("a call that does not wait: got %d %s", w.Code, w.Body)
	}
}

// TestWaitOutlastsTheDeadlinesOfOthers makes sure that a call may wait for longer than the
// server gives those that do not.
func TestWaitOutlastsTheDeadlinesOfOthers(t *testing.T) {
	const deadline = 2 * time.Second
	var faulty coretest.Faulty
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Connectors: faulty.Connectors()})
	rig.AddFaulty(nil)
	_, answer := faulty.Hold(t, "submit")
	_, opens, err := rig.BeginSession(t.Context(), rig.Admin, core.Terms{Kind: kindSession, Most: sessionLife})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(Handler(rig.Core, Options{}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = deadline, deadline
	s.Start()
	defer s.Close()
	time.AfterFunc(2*deadline, answer)
	r := creationOf(t.Context(), string(opens.Reveal()), "Faulty")
	if r.URL, err = r.URL.Parse(s.URL + r.URL.RequestURI()); err != nil {
		t.Fatal(err)
	}
	r.RequestURI = ""
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %s", resp.Status)
	}
}
