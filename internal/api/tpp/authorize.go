package tpp

import (
	"errors"
	"net"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// textRefused is the reason phrase with which real servers refuse a scope; the
// body is empty.
const textRefused = "Failed to issue grant: User is not authorized for the requested scope"

// authorization is what the vedauth/authorize calls take; each reads the members
// it needs.
type authorization struct {
	ClientID lenient.String `json:"client_id"`
	Username lenient.String `json:"username"`
	Password secret.Plain   `json:"password"`
	Scope    lenient.String `json:"scope"`
	State    lenient.String `json:"state"`
}

// authorizeAlias serves POST vedauth/authorize, which is no call of the vendor's
// but is made by a client, in the form of the OAuth one.
func (a *api) authorizeAlias(c *call, in *authorization) answer {
	if in.ClientID.Trimmed() == "" {
		return failure(http.StatusNotFound, "There is no operation listening for "+c.Method+" "+c.URL.Path+".")
	}
	return a.authorizeOAuth(c, in)
}

// authorizeOAuth serves POST vedauth/authorize/oauth: a token for a name and a
// password.
func (a *api) authorizeOAuth(c *call, in *authorization) answer {
	if in.Username.Trimmed() == "" || in.Password.IsEmpty() {
		return invalidRequest()
	}
	return a.grant(c, in, func() (clm.Actor, error) {
		return a.core.Login(c.Context(), core.Login{Name: loginName(in.Username), Password: in.Password, Address: c.address()})
	}, "Username/password combination not valid")
}

// authorizeCertificate serves POST vedauth/authorize/certificate: a token for the
// certificate whose key the client has proved to hold. Whom to trust with logins
// is the core's to say.
func (a *api) authorizeCertificate(c *call, in *authorization) answer {
	return a.grant(c, in, func() (clm.Actor, error) {
		if c.TLS == nil || len(c.TLS.PeerCertificates) == 0 {
			return clm.Actor{}, clm.Denied
		}
		return a.core.LoginCertificate(c.Context(), c.TLS.PeerCertificates)
	}, "Client certificate is missing, not trusted or does not belong to a user")
}

// authorizeIntegrated serves POST vedauth/authorize/integrated, which is for
// Windows authentication. It is not offered, and says so as a server does that
// has not yet seen a ticket.
func (a *api) authorizeIntegrated(*call) answer {
	return oauthError(http.StatusUnauthorized, "unauthorized_client", "Windows integrated authentication is not enabled").
		with("Www-Authenticate", "Negotiate").with("Www-Authenticate", "NTLM")
}

// grant gives a token to whoever login finds. What is wrong with the request
// itself is told first; nothing is told about the scope before the login.
func (a *api) grant(c *call, in *authorization, login func() (clm.Actor, error), denied string) answer {
	if in.ClientID.Trimmed() == "" || in.Scope.Trimmed() == "" {
		return invalidRequest()
	}
	wanted, err := parseScopes(in.Scope.Value)
	if err != nil {
		return oauthError(http.StatusBadRequest, "invalid_scope", "The requested scope is invalid, unknown, or malformed")
	}
	app, err := a.core.Application(c.Context(), in.ClientID.Trimmed())
	if err != nil {
		return a.grantFailure(c, err, clm.NotFound, "invalid_client", "Invalid client_id")
	}
	who, err := login()
	if err != nil {
		return a.grantFailure(c, err, clm.Denied, "invalid_grant", denied)
	}
	most, err := parseScopes(app.Scope)
	if err != nil || !most.covers(wanted) {
		return answer{status: http.StatusForbidden, phrase: textRefused}
	}
	tokens, err := a.core.Grant(c.Context(), who, app, in.Scope.Value)
	if errors.Is(err, clm.Denied) {
		return answer{status: http.StatusForbidden, phrase: textRefused}
	}
	if err != nil {
		return a.authFault(c, err)
	}
	return tokenAnswer(tokens, in.State.Value)
}

// grantFailure answers a failure of the expected kind with code and description.
func (a *api) grantFailure(c *call, err error, expected clm.Kind, code, description string) answer {
	switch {
	case errors.Is(err, expected):
		return oauthError(http.StatusBadRequest, code, description)
	case errors.Is(err, clm.Limited):
		return oauthError(http.StatusTooManyRequests, "temporarily_unavailable", "Too many failed attempts. Try again later.")
	}
	return a.authFault(c, err)
}

// invalidRequest answers a call that lacks something.
func invalidRequest() answer {
	return oauthError(http.StatusBadRequest, "invalid_request", "The request is missing a required parameter, includes an invalid"+
		" parameter value, includes a parameter more than once, or is otherwise malformed.")
}

// loginName is the user's name; local users may be marked as such.
func loginName(s lenient.String) string {
	name, _ := cutPrefixFold(s.Trimmed(), localPrefix)
	return name
}

// address is where the call comes from.
func (c *call) address() string {
	if host, _, err := net.SplitHostPort(c.RemoteAddr); err == nil {
		return host
	}
	return c.RemoteAddr
}

// tokenReply is the answer of every call that gives tokens. Clients decode the
// times as integers.
type tokenReply struct {
	AccessToken  string `json:"access_token"`
	Expires      int64  `json:"expires"`
	ExpiresIn    int64  `json:"expires_in"`
	Identity     string `json:"identity"`
	RefreshToken string `json:"refresh_token,omitempty"`
	RefreshUntil int64  `json:"refresh_until,omitempty"`
	Scope        string `json:"scope"`
	State        string `json:"state,omitempty"`
	TokenType    string `json:"token_type"`
}

func tokenAnswer(t core.Tokens, state string) answer {
	r := tokenReply{
		AccessToken: string(t.Access.Reveal()),
		Expires:     t.AccessUntil.Unix(),
		ExpiresIn:   int64(t.AccessUntil.Sub(t.AccessIssued).Seconds()),
		Identity:    universal(t.Actor.ID),
		Scope:       t.Scope,
		State:       state,
		TokenType:   "Bearer",
	}
	if !t.Refresh.IsEmpty() {
		r.RefreshToken, r.RefreshUntil = string(t.Refresh.Reveal()), t.Until.Unix()
	}
	return ok(r).with("Cache-Control", "no-store").with("Pragma", "no-cache")
}
