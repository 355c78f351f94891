package tpp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// The texts of a refused refresh, in the status line and in the body.
const (
	textDeadGrant   = "Grant has been revoked, has expired, or the refresh token is invalid"
	textOtherClient = "The client_id value being requested with the refresh token does not match the client_id of the access token making the call"
)

type refreshing struct {
	ClientID     lenient.String `json:"client_id"`
	GrantType    lenient.String `json:"grant_type"`
	RefreshToken secret.Plain   `json:"refresh_token"`
}

// refresh serves POST vedauth/authorize/token: new tokens for a refresh token,
// which is good for once.
func (a *api) refresh(c *call, in *refreshing) answer {
	if in.RefreshToken.IsEmpty() {
		return invalidRequest()
	}
	tokens, err := a.core.Refresh(c.Context(), in.RefreshToken, in.ClientID.Trimmed())
	switch {
	case err == nil:
		return tokenAnswer(tokens, "")
	case errors.Is(err, clm.Invalid):
		return oauthError(http.StatusBadRequest, "invalid_grant", textOtherClient).saying(textOtherClient)
	case errors.Is(err, clm.Denied), errors.Is(err, clm.NotFound):
		return oauthError(http.StatusBadRequest, "invalid_grant", textDeadGrant).saying(textDeadGrant)
	}
	return a.authFault(c, err)
}

// verify serves GET vedauth/authorize/verify. What it calls expires is when the
// grant does, not the token.
func (a *api) verify(c *call) answer {
	s := c.session
	return ok(map[string]any{
		"access_issued_on":           jsonDate(s.AccessIssued),
		"access_issued_on_ISO8601":   isoDate(s.AccessIssued),
		"access_issued_on_unix_time": s.AccessIssued.Unix(),
		"application":                s.Application,
		"expires":                    jsonDate(s.Until),
		"expires_ISO8601":            isoDate(s.Until),
		"expires_unix_time":          s.Until.Unix(),
		"grant_issued_on":            jsonDate(s.Issued),
		"grant_issued_on_ISO8601":    isoDate(s.Issued),
		"grant_issued_on_unix_time":  s.Issued.Unix(),
		"identity":                   universal(s.Actor.ID),
		"scope":                      s.Scope,
		"valid_for":                  int64(s.AccessUntil.Sub(s.AccessIssued).Seconds()),
	}).saying("Token is valid")
}

// revokeToken serves GET and POST vedauth/revoke/token: any token may end its own
// grant. One client takes the reason phrase for the result, and takes it only
// where there is no body and no Content-Type.
func (a *api) revokeToken(c *call) answer {
	if _, has := credentials(c.Header); !has {
		return answer{status: http.StatusAccepted, phrase: "token not found"}
	}
	if refused := a.authenticate(c); refused != nil {
		return *refused
	}
	if err := a.core.EndSession(c.Context(), c.session); err != nil {
		return a.authFault(c, err)
	}
	phrase := fmt.Sprintf("Grant for identity %s with scope %s has been revoked", universal(c.who().ID), c.session.Scope)
	return answer{status: http.StatusOK, phrase: phrase}
}

// isAuthServer serves GET vedauth/authorize/isAuthServer.
func (a *api) isAuthServer(*call) answer {
	return answer{status: http.StatusAccepted, phrase: "Venafi Authentication Server", body: struct{}{}}
}

type keyLogin struct {
	Username lenient.String
	Password secret.Plain
}

// authorizeKey serves POST vedsdk/authorize, with which old clients trade a
// password for an API key. Switched off it refuses everybody: that is what
// clients expect for wrong names, and they take nothing else.
func (a *api) authorizeKey(c *call, in *keyLogin) answer {
	refused := failure(http.StatusUnauthorized, "Username/password combination not valid")
	if a.opt.NoLegacyKeys || in.Username.Trimmed() == "" || in.Password.IsEmpty() {
		return refused
	}
	who, err := a.core.Login(c.Context(), core.Login{Name: loginName(in.Username), Password: in.Password, Address: c.address()})
	switch {
	case errors.Is(err, clm.Denied), errors.Is(err, clm.Limited):
		return refused
	case err != nil:
		return a.fault(c, err)
	}
	key, until, err := a.core.APIKey(c.Context(), who)
	if err != nil {
		return a.fault(c, err)
	}
	return ok(map[string]any{"APIKey": string(key.Reveal()), "ValidUntil": jsonDate(until)}).with("Cache-Control", "no-store")
}
