package tpp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// The descriptions of refused tokens, as real servers word them.
const (
	textNoToken      = "Missing authorization header"
	textBadToken     = "Invalid token format"
	textUnknownToken = "Grant not found"
	textDeadToken    = "The access token provided is expired, revoked, malformed, or invalid for other reasons"
	textScope        = "Grant rejected scope '%s'. Call POST Authorize/OAuth with the correct scope and restriction." +
		" Update the header with the new token and retry."
)

// admit finds the session of a call and refuses it when the route wants another
// one. It returns nil when the call may go on.
func (a *api) admit(c *call) *answer {
	if c.route.access.isOpen {
		return nil
	}
	if refused := a.authenticate(c); refused != nil {
		return refused
	}
	if isKey(c.session) {
		return nil
	}
	granted, err := parseScopes(c.session.Scope)
	if missing, allowed := granted.allows(c.route.access); err != nil || !allowed {
		refused := oauthError(http.StatusForbidden, "insufficient_scope", fmt.Sprintf(textScope, missing))
		return &refused
	}
	return nil
}

// isKey reports whether the session is that of an API key: it came about without
// an application, reaches every scope and is limited by rights alone.
func isKey(s core.Session) bool { return s.Application == "" && s.Scope == "" }

// authenticate finds the session of the token or key in the call's headers.
func (a *api) authenticate(c *call) *answer {
	token, has := credentials(c.Header)
	var refused answer
	switch {
	case !has:
		refused = unauthorized("invalid_token", textNoToken)
	case !isWellFormed(token):
		refused = unauthorized("session_error", textBadToken)
	default:
		session, err := a.core.Session(c.Context(), token)
		switch {
		case err == nil:
			session.Actor.Via = "tpp"
			c.session = session
			return nil
		case errors.Is(err, clm.NotFound):
			refused = unauthorized("invalid_token", textUnknownToken)
		case errors.Is(err, clm.Denied):
			refused = unauthorized("invalid_token", textDeadToken)
		default:
			refused = a.authFault(c, err)
		}
	}
	return &refused
}

// credentials takes the token or key out of the headers; a token wins. The
// vendor's pages print tokens in quotes, and no blank after the colon.
func credentials(h http.Header) (token secret.Plain, has bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if strings.EqualFold(scheme, "Bearer") {
		if rest = strings.Trim(strings.TrimSpace(rest), `"`); rest != "" {
			return secret.NewString(rest), true
		}
	}
	if key := strings.Trim(strings.TrimSpace(h.Get("X-Venafi-Api-Key")), `"`); key != "" {
		return secret.NewString(key), true
	}
	return secret.Plain{}, false
}

// isGUID has a GUID with or without braces.
var isGUID = regexp.MustCompile(`^(?i:\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// isWellFormed reports whether this may be a token (base64 of 16 octets) or a key
// (a GUID) at all.
func isWellFormed(token secret.Plain) bool {
	decoded, err := base64.StdEncoding.DecodeString(string(token.Reveal()))
	return err == nil && len(decoded) == 16 || isGUID.Match(token.Reveal())
}

// oauthError is the auth server's way to say that something went wrong
// (RFC 6749, section 5.2).
func oauthError(status int, code, description string) answer {
	return answer{status: status, body: map[string]string{"error": code, "error_description": description}}
}

// unauthorized challenges the caller as RFC 6750 wants it. It never says Basic:
// browsers would ask for a password.
func unauthorized(code, description string) answer {
	return oauthError(http.StatusUnauthorized, code, description).
		with("Www-Authenticate", fmt.Sprintf(`Bearer realm="Venafi", error="%s", error_description="%s"`, code, description))
}

// authFault answers a fault of ours in the auth server's shape.
func (a *api) authFault(c *call, err error) answer {
	a.logFault(c, err)
	return oauthError(http.StatusInternalServerError, "server_error", internalText)
}

func (a *api) logFault(c *call, err error) {
	if c.Context().Err() == nil { // else the client has gone away
		a.opt.Log.Error("operation failed", "operation", c.Method+" "+c.route.pattern, "error", err)
	}
}
