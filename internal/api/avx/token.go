package avx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// tokenLife is how long a service token is good for, used or not.
const tokenLife = time.Hour

// grantType is the only way in which service tokens are asked for.
const grantType = "client_credentials"

// The failures of asking for a service token.
var (
	noClient      = failure{http.StatusBadRequest, "ACCT_SA_001", "Invalid Request::[Invalid client Id or secret]"}
	unknownClient = failure{http.StatusBadRequest, "ACCT_SA_003", "Service account is invalid/not found::[Service account not found in the database]"}
	wrongSecret   = failure{http.StatusBadRequest, "OAUTH_CLNT_015", "Client Password is incorrect::[Invalid Client credential]"}
)

// clientRefused does not tell too many tries from a wrong one.
var clientRefused = words{{kind: clm.NotFound}: unknownClient, {kind: clm.Denied}: wrongSecret, {kind: clm.Limited}: wrongSecret}

// serviceToken begins a session of a service account. Its client gets the token as a bare
// string.
func (a *api) serviceToken(c *call) answer {
	if f := c.checkGrantType(); f != nil {
		return fail(*f)
	}
	client, password, has := c.client()
	if !has {
		return fail(noClient)
	}
	who, scope, err := a.core.LoginService(c.Context(), core.ServiceLogin{Client: client, Secret: password, Address: c.address(), Via: c.via()})
	if err != nil {
		return a.refuse(c, clientRefused, err)
	}
	_, opens, err := a.core.BeginSession(c.Context(), who, core.Terms{
		Kind: kindService, Scope: scope, Most: tokenLife,
		Shape: func(key secret.Plain, s core.Session) secret.Plain { return signed(key, client, s) },
	})
	if err != nil {
		return a.refuse(c, nil, err)
	}
	return ok(http.StatusOK, string(opens.Reveal()), "").with("Cache-Control", "no-store")
}

// client is who asks: by the Authorization header, or else by two headers of its own.
func (c *call) client() (id string, password secret.Plain, has bool) {
	name, pass, isBasic := c.BasicAuth()
	if c.Header.Get("Authorization") == "" {
		name, pass = c.Header.Get("client_id"), c.Header.Get("client_secret")
		isBasic = true
	}
	id = strings.TrimSpace(name)
	return id, secret.NewString(pass), isBasic && id != "" && strings.TrimSpace(pass) != ""
}

// checkGrantType looks at the body. It may be a form, JSON or empty, and need not say
// anything; bodies of other types are passed over.
func (c *call) checkGrantType() *failure {
	said := ""
	switch kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); kind {
	case "application/x-www-form-urlencoded":
		c.Body = http.MaxBytesReader(nil, c.Body, maxBody)
		if err := c.ParseForm(); err != nil {
			return payloadFailure(err)
		}
		said = c.PostForm.Get("grant_type")
	case "application/json":
		var in struct {
			GrantType text `json:"grant_type"`
			Payload   struct {
				GrantType text `json:"grant_type"`
			} `json:"payload"`
		}
		if c.ContentLength == 0 {
			break
		}
		if f := c.decode(maxBody, &in); f != nil {
			return f
		}
		if said = string(in.Payload.GrantType); said == "" {
			said = string(in.GrantType)
		}
	}
	if said = strings.TrimSpace(said); said != "" && !strings.EqualFold(said, grantType) {
		f := mandatory("grant_type")
		return &f
	}
	return nil
}

// payloadFailure is what a form answers that cannot be read.
func payloadFailure(err error) *failure {
	f := badPayload
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		f.status = http.StatusRequestEntityTooLarge
	}
	return &f
}

// claims are what a service token says of itself. Nobody here reads them again: a token is
// known as a whole, or not.
type claims struct {
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	Client    string `json:"clientId"`
	Issuer    string `json:"iss"`
	Expires   int64  `json:"exp"` // seconds
	GrantType string `json:"grant type"`
}

// signed makes a JSON Web Token (RFC 7519) with a key that is used for this one alone.
func signed(key secret.Plain, client string, s core.Session) secret.Plain {
	part := base64.RawURLEncoding.EncodeToString
	head := part([]byte(`{"alg":"HS256","typ":"JWT"}`))
	body := part(encodeJSON(claims{Subject: s.Actor.Name, Audience: "avx", Client: client, Issuer: "avx", Expires: s.Until.Unix(), GrantType: grantType}))
	mac := hmac.New(sha256.New, key.Reveal())
	mac.Write([]byte(head + "." + body))
	return secret.NewString(head + "." + body + "." + part(mac.Sum(nil)))
}
