package avx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/api/tpp"
	"github.com/certwright/certwright/internal/api/wirehost"
	"github.com/certwright/certwright/internal/api/wiretest"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

func TestMain(m *testing.M) { os.Exit(coretest.Main(m)) }

// TestConversations holds every conversation of this folder with a core on a database of
// its own, of each kind. The server speaks both dialects, so that a conversation can go on
// in the other.
func TestConversations(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		wiretest.Run(t, "testdata", func(t *testing.T) *wiretest.Host { return newHost(t, coretest.CopyOf(t, d)).Wire })
	})
}

// TestEveryRowHasAConversation wants a file for each row of the lists of what calls
// answer and do.
func TestEveryRowHasAConversation(t *testing.T) {
	wirehost.WantConversations(t, []wirehost.List{
		{Folder: "action", Prefix: "REG", Rows: 55},
	})
}

func newHost(t *testing.T, on coretest.Database) *wirehost.Host {
	return wirehost.New(t, on, wirehost.Dialect{
		Handler: func(rig *coretest.Rig, log *slog.Logger) http.Handler {
			ours, theirs := Handler(rig.Core, Options{Log: log}), tpp.Handler(rig.Core, tpp.Options{Log: log})
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, root) {
					tellsNoSecret(t, ours, w, r)
				} else {
					theirs.ServeHTTP(w, r)
				}
			})
		},
		Expand:    tpp.Expand,
		Principal: func(id clm.PrincipalID) string { return "local:{" + string(id) + "}" },
		Setups: map[string]wirehost.Command{
			// session VAR USER [PASSWORD]: VAR is the ID of a session that the user has begun; who is
			// not there is made, with the password "a Password 4 USER" unless it is given
			"session": {Do: session},
			// service VAR NAME [FUNCTION…]: VAR is a token of a service account that may do these
			// things, or all
			"service": {Do: service},
			// account NAME CLIENT SECRET [FUNCTION…]: a service account
			"account": {Do: account},
		},
	})
}

// secretHeads are the headers that no answer may repeat.
var secretHeads = []string{"password", "token", "sessionId", "client_secret"}

// tellsNoSecret has the call answered, and looks in the answer for what proves who the
// caller is, and for private keys where nobody has asked for one.
func tellsNoSecret(t *testing.T, h http.Handler, w http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	body := answer.Body.String()
	for _, name := range secretHeads {
		isEnded := name == "sessionId" && strings.HasSuffix(r.URL.Path, "logout") // which says what has ended
		if value := strings.TrimSpace(r.Header.Get(name)); len(value) > 8 && strings.Contains(body, value) && !isEnded {
			t.Errorf("the answer of %s has the %s of its caller", r.URL.Path, name)
		}
	}
	if strings.Contains(body, "PRIVATE KEY") && !wantsKey(r, string(sent)) {
		t.Errorf("the answer of %s has a private key", r.URL.Path)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client sees what it has got
}

// keyFormat is a member of a body that names a form with the private key.
var keyFormat = regexp.MustCompile(`(?i)"format": *"(pk8|p12|pfx|jks)"`)

// wantsKey reports whether the call asks for a private key.
func wantsKey(r *http.Request, body string) bool {
	switch strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, root), "/") {
	case "certificate/privatekey/download", "cert-download-key":
		return true
	}
	return flags[strings.ToLower(r.URL.Query().Get("keyRequired"))] || keyFormat.MatchString(body)
}

func session(h *wirehost.Host, args []string) error {
	who, err := whoIs(h, args)
	if err == nil {
		err = begin(h, args[0], who, core.Terms{Kind: kindSession, Idle: sessionIdle, Most: sessionLife})
	}
	return err
}

func service(h *wirehost.Host, args []string) error {
	who, err := whoIs(h, args[:2])
	if err == nil {
		err = begin(h, args[0], who, core.Terms{Kind: kindService, Scope: strings.Join(args[2:], " "), Most: time.Hour})
	}
	return err
}

func begin(h *wirehost.Host, name string, who clm.Actor, terms core.Terms) error {
	_, opens, err := h.Rig.BeginSession(context.Background(), who, terms)
	h.Rig.Secret(opens)
	h.Wire.Vars[name] = string(opens.Reveal())
	return err
}

// whoIs is the user with the name, who is made if he is not there.
func whoIs(h *wirehost.Host, args []string) (clm.Actor, error) {
	ctx, name := context.Background(), args[1]
	if name == core.Admin {
		return h.Rig.Admin, nil
	}
	password := secret.NewString("a Password 4 " + name)
	if len(args) > 2 {
		password = secret.NewString(args[2])
	}
	login := core.Login{Name: name, Password: password, Address: "127.0.0.1"}
	who, err := h.Rig.Login(ctx, login)
	if errors.Is(err, clm.Denied) {
		if _, err = h.Rig.PutPrincipal(ctx, h.Rig.Admin, core.PutPrincipal{Name: name, Password: password}); err == nil {
			who, err = h.Rig.Login(ctx, login)
		}
	}
	return who, err
}
