package avx

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

var sessionRoutes = []route{
	{method: http.MethodPost, name: "login", open: true, handle: (*api).login},
	{method: http.MethodPost, name: "acctmgmt-perform-login", open: true, handle: (*api).login},
	{method: http.MethodPost, name: "acctmgmt-perform-logout", handle: (*api).logout},
	{method: http.MethodPost, name: "acctmgmt-get-service-token", open: true, handle: (*api).serviceToken},
	{method: http.MethodPost, name: "acctmgmt-receive-alert", handle: read((*api).noteAlert)},
	{method: http.MethodPost, name: "avxLog", handle: read((*api).noteAlert)},
}

// maxWaiting is how many calls wait for orders at a time.
const maxWaiting = 1000

// How long a session lives after it was last used, and at most.
const (
	sessionIdle = 15 * time.Minute
	sessionLife = 12 * time.Hour
)

// The kinds of sessions. What opens one of a kind is worth nothing in the header of the
// other, nor at another API.
const (
	kindSession = "avx session"
	kindService = "avx service token"
)

// The failures of logins.
var (
	noCredentials = failure{http.StatusBadRequest, codeInvalidRequest, "Username or password cannot be null or empty"}
	loginRefused  = failure{http.StatusUnauthorized, codeCredentials, "Login failed. Invalid credentials."}
)

// authenticate finds out who calls. The first of a session, a token, and a name with a
// password decides: when it is no good, the others do not help.
func (a *api) authenticate(c *call) *answer {
	session, err := a.identify(c)
	if err == nil {
		c.session = session
		return nil
	}
	refused := a.refuse(c, notAdmitted, err)
	return &refused
}

// notAdmitted never says what was wrong, nor that there were too many tries.
var notAdmitted = words{
	{kind: clm.NotFound}: badCredentials, {kind: clm.Denied}: badCredentials, {kind: clm.Limited}: badCredentials,
}

// identify finds the session that the headers speak of. A name with a password is one
// for this call alone.
func (a *api) identify(c *call) (core.Session, error) {
	for _, by := range []struct{ header, kind string }{{"sessionId", kindSession}, {"token", kindService}} {
		if opens := c.secretHeader(by.header); !opens.IsEmpty() {
			return a.core.SessionOf(c.Context(), by.kind, opens)
		}
	}
	who, err := a.logIn(c)
	return core.Session{Actor: who}, err
}

// logIn finds the user whose name and password the headers have. Where one of the two is
// missing it fails with Denied.
func (a *api) logIn(c *call) (clm.Actor, error) {
	name, password := c.credentials()
	if name == "" || password.IsEmpty() {
		return clm.Actor{}, clm.Denied
	}
	return a.core.Login(c.Context(), core.Login{Name: name, Password: password, Address: c.address(), Via: c.via()})
}

// via is what the audit log keeps of a login, whether the query is in order or not.
func (c *call) via() string { return "avx " + strings.TrimSpace(c.URL.Query().Get("gwsource")) }

// credentials are the name and the password in the headers.
func (c *call) credentials() (name string, password secret.Plain) {
	return strings.TrimSpace(c.Header.Get("username")), c.secretHeader("password")
}

// secretHeader is a header that nobody is to see; empty when it is blank.
func (c *call) secretHeader(name string) secret.Plain {
	return secret.NewString(strings.TrimSpace(c.Header.Get(name)))
}

// address is where the call comes from.
func (c *call) address() string {
	if host, _, err := net.SplitHostPort(c.RemoteAddr); err == nil {
		return host
	}
	return c.RemoteAddr
}

// A loginReply is what login answers. Clients cut pieces out of the session's ID, and
// take the number of tries that are left for a text: it is never told.
type loginReply struct {
	Status                     string  `json:"status"`
	AppStatusCode              *string `json:"appStatusCode"`
	StatusDescription          *string `json:"statusDescription"`
	SessionID                  string  `json:"sessionId"`
	AvailableLoginAttemptCount *string `json:"availableLoginAttemptCount"`
}

// login begins a session of the user in the headers. A user may have any number of them.
func (a *api) login(c *call) answer {
	if name, password := c.credentials(); name == "" || password.IsEmpty() {
		return fail(noCredentials)
	}
	who, err := a.logIn(c)
	if errors.Is(err, clm.Denied) || errors.Is(err, clm.Limited) {
		return fail(loginRefused)
	}
	if err != nil {
		return a.refuse(c, nil, err)
	}
	_, opens, err := a.core.BeginSession(c.Context(), who, core.Terms{Kind: kindSession, Idle: sessionIdle, Most: sessionLife})
	if err != nil {
		return a.refuse(c, nil, err)
	}
	done := ok(http.StatusOK, loginReply{Status: "SUCCESS", SessionID: string(opens.Reveal())}, "").with("Cache-Control", "no-store")
	done.Tags = nil
	return done
}

// A logoutReply is what logout answers.
type logoutReply struct {
	Status            string  `json:"status"`
	AppStatusCode     *string `json:"appStatusCode"`
	StatusDescription *string `json:"statusDescription"`
	SessionID         string  `json:"sessionId"`
	LockDownPeriod    *string `json:"lockDownPeriod"`
	TermsAccepted     *string `json:"termsAccepted"`
	PasswordExpiryMsg *string `json:"passwordExpiryMsg"`
	EmailID           *string `json:"emailId"`
}

// logout ends the session in the header, which must be there: a token or a password begins
// nothing that could end.
func (a *api) logout(c *call) answer {
	if c.session.Kind != kindSession {
		return fail(badCredentials)
	}
	if err := a.core.EndSession(c.Context(), c.session); err != nil {
		return a.refuse(c, nil, err)
	}
	return ok(http.StatusOK, logoutReply{Status: "SUCCESS", SessionID: string(c.secretHeader("sessionId").Reveal())}, "")
}
