package avx

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/api/wirehost"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// account makes a service account.
func account(h *wirehost.Host, args []string) error {
	p := core.PutServiceAccount{ServiceAccount: core.ServiceAccount{Name: args[0], Client: args[1], Functions: args[3:]}, Secret: secret.NewString(args[2])}
	h.Rig.Secret(p.Secret)
	_, err := h.Rig.PutServiceAccount(context.Background(), h.Rig.Admin, p)
	return err
}

// What administrators may write as functions of an account is what calls ask for.
func TestFunctionsAreKnown(t *testing.T) {
	all := []function{
		mayView, mayCreate, mayRenew, mayRegenerate, mayReissue, mayRevoke, maySuspend, mayReinstate, mayDownload, mayDownloadKey, mayUpload, mayDelete,
		mayApprove, mayPush, mayManage,
	}
	known := map[function]bool{}
	for _, name := range names.Functions {
		known[function(name)] = true
	}
	for _, f := range all {
		if !known[f] {
			t.Errorf("nobody can be given %s", f)
		}
	}
	if len(known) != len(all) {
		t.Errorf("there are %d functions, want %d", len(known), len(all))
	}
	for _, r := range routes {
		if r.function != "" && !known[r.function] {
			t.Errorf("%s asks for %s, which nobody can be given", r.name, r.function)
		}
	}
}

// A service token is a JSON Web Token with the claims that clients look at. What its
// signature is made with opens nothing.
func TestServiceTokenSaysWhoItIs(t *testing.T) {
	key := secret.NewString("a-key-for-once-only")
	until := time.Date(2026, 11, 22, 16, 0, 0, 5, time.UTC)
	token := string(signed(key, "robot-client", core.Session{Actor: clm.Actor{Name: "robot"}, Until: until}).Reveal())
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts, want 3", len(parts))
	}
	var got [2]map[string]any
	for i := range got {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &got[i]); err != nil {
			t.Fatal(err)
		}
	}
	want := [2]map[string]any{
		{"alg": "HS256", "typ": "JWT"},
		{"sub": "robot", "aud": "avx", "clientId": "robot-client", "iss": "avx", "exp": float64(until.Unix()), "grant type": "client_credentials"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mac := hmac.New(sha256.New, key.Reveal())
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) != parts[2] {
		t.Error("the signature is wrong")
	}
}

// Whatever is said, and whatever goes wrong, what proves who somebody is stands neither in
// the log nor in the audit log.
func TestCredentialsAreNotLogged(t *testing.T) {
	const broken = "INSERT INTO sessions"
	fails := false
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true, Fault: func(statement string) error {
		if fails && strings.Contains(statement, broken) {
			return fmt.Errorf("the disk is full")
		}
		return nil
	}})
	ctx := context.Background()
	handler := Handler(r.Core, Options{Log: slog.New(slog.NewTextHandler(r.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	var secrets []string
	hide := func(s string) string {
		secrets = append(secrets, s)
		r.Secret(secret.NewString(s))
		return s
	}
	call := func(name, body string, header ...string) (status int, response any) {
		t.Helper()
		request := httptest.NewRequest(http.MethodPost, root+name+"?gwsource=external", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		var e struct{ Response any }
		if err := json.Unmarshal(answer.Body.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		return answer.Code, e.Response
	}
	password, wrong := hide("The-password-of-alice-1"), hide("Not-the-password-of-alice-1")
	clientSecret, wrongSecret := hide("The-secret-of-a-robot-1"), hide("Not-the-secret-of-a-robot-1")
	if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "alice", Password: secret.NewString(password)}); err != nil {
		t.Fatal(err)
	}
	p := core.PutServiceAccount{ServiceAccount: core.ServiceAccount{Name: "robot", Client: "robot-client"}, Secret: secret.NewString(clientSecret)}
	if _, err := r.PutServiceAccount(ctx, r.Admin, p); err != nil {
		t.Fatal(err)
	}
	basic := func(s string) string {
		return "Basic " + hide(base64.StdEncoding.EncodeToString([]byte("robot-client:"+s)))
	}
	_, response := call("login", "", "username", "alice", "password", password)
	session := hide(response.(map[string]any)["sessionId"].(string))
	_, response = call("acctmgmt-get-service-token", "", "Authorization", basic(clientSecret))
	token := hide(response.(string))
	call("login", "", "username", "alice", "password", wrong)
	call("avxLog", "{}", "username", "alice", "password", wrong)
	call("avxLog", "{}", "sessionId", hide("no-session-of-anybody"))
	call("avxLog", "{}", "token", hide("no-token-of-anybody"))
	call("acctmgmt-get-service-token", "", "Authorization", basic(wrongSecret))
	call("acctmgmt-get-service-token", "", "client_id", "robot-client", "client_secret", wrongSecret)
	fails = true
	if status, _ := call("login", "", "username", "alice", "password", password); status != http.StatusInternalServerError {
		t.Errorf("without a disk: got status %d", status)
	}
	call("acctmgmt-get-service-token", "", "client_id", "robot-client", "client_secret", clientSecret)
	fails = false
	told := fmt.Sprintf(`{"payload": {"password": %q, "deep": [{"apiKey": [%q]}, {"Session-Id": {"value": %q}}], "text": "I am %s, and %s", %q: "as a name"}}`,
		hide("Somebodys-password-1"), hide("Somebodys-key-1"), hide("Somebodys-session-1"), session, strings.ToUpper("tells"), session)
	if status, _ := call("avxLog", told, "sessionId", session); status != http.StatusOK {
		t.Errorf("got status %d", status)
	}
	call("acctmgmt-receive-alert", fmt.Sprintf(`{"payload": [%q, "%s"]}`, "x"+token+"y", strings.Repeat("long ", 10_000)), "token", token)
	call("acctmgmt-receive-alert", fmt.Sprintf(`{"payload": %q}`, password), "username", "alice", "password", password)
	call("acctmgmt-perform-logout", "", "sessionId", session)

	entries, err := r.DB.Audit(ctx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	for _, e := range entries {
		for _, s := range secrets {
			if strings.Contains(fmt.Sprint(e), s) {
				t.Errorf("the audit log has %q: %+v", s, e)
			}
		}
		if e.Event != "" {
			events++
			if len(e.Event) > 4*core.MaxEventText {
				t.Errorf("an event has %d bytes", len(e.Event))
			}
		}
		if e.Action == "login" && e.Via != "avx external" {
			t.Errorf("a login came by %q", e.Via)
		}
	}
	if events != 3 {
		t.Errorf("got %d events, want 3", events)
	}
	log := r.Log.String()
	if !strings.Contains(log, "operation failed") {
		t.Error("the failures of the disk are not logged")
	}
	for _, s := range secrets {
		if strings.Contains(log, s) {
			t.Errorf("the log has %q", s)
		}
	}
	if !bytes.Contains([]byte(fmt.Sprint(entries)), []byte("I am [secret], and TELLS")) {
		t.Error("what is no secret is not told")
	}
}
