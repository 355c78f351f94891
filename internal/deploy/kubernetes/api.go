package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/secret"
)

// Timeout is how long the API server may take to answer.
const Timeout = 30 * time.Second

// maxAnswer is more than a Secret can be: 1 MiB in base64, and what goes with it.
const maxAnswer = 4 << 20

// A dryRun is whether a change is made. In a rehearsal the API server goes through
// all that could forbid it, and does not make it.
type dryRun string

const (
	forReal  dryRun = ""
	rehearse dryRun = "All"
)

// An api is the Secrets of one namespace. Three kinds of requests are all that is
// needed of Kubernetes here: its own client library would bring hundreds of packages.
type api struct {
	client    *http.Client
	server    string // host:port
	namespace string
	token     secret.Plain
}

// An object is a Secret, as far as it matters here.
type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	Type       string            `json:"type,omitempty"`
	Data       map[string][]byte `json:"data,omitempty"`
}

type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	UID             string            `json:"uid,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	OwnerReferences []owner           `json:"ownerReferences,omitempty"`
}

// An owner is on whose behalf an object is there. Of several, one may be a controller,
// which makes the object be what it wants.
type owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// Format says [secret], whatever the verb.
func (object) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[secret]") }

// A status is how an API server says what is wrong.
type status struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Details struct {
		Kind string `json:"kind"`
	} `json:"details"`
}

func newAPI(s deploy.Settings, namespace string) (*api, error) {
	token := strings.TrimSpace(string(s.Login.Password.Reveal()))
	if token == "" {
		return nil, errors.New("the credential of the device has no password, which would be the bearer token")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the password of the credential of the device cannot be a bearer token")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if text := s.Value(clm.APICA, ""); text != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(text)) {
			return nil, fmt.Errorf("%s: there is no certificate in PEM", ofCA)
		}
	}
	port := s.Port
	if port == 0 {
		port = Port
	}
	return &api{
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:             http.ProxyFromEnvironment,
				TLSClientConfig:   config,
				DisableKeepAlives: true, // targets come and go, and nobody closes them
			},
			// The token is not for anybody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		server:    net.JoinHostPort(s.Address, strconv.Itoa(port)),
		namespace: namespace,
		token:     secret.NewString(token),
	}, nil
}

func newObject(namespace, name string, data map[string][]byte) object {
	return object{
		APIVersion: "v1", Kind: "Secret", Type: tlsType, Data: data,
		Metadata: metadata{Namespace: namespace, Name: name},
	}
}

// isOurs reports whether it is there and bears our mark.
func (o *object) isOurs() bool { return o != nil && o.Metadata.Labels[managedBy] == ours }

// asRead lets o be about a Secret only as it was read; nil: there was none.
func (o *object) asRead(there *object) {
	if there != nil {
		o.Metadata.UID, o.Metadata.ResourceVersion = there.Metadata.UID, there.Metadata.ResourceVersion
	}
}

// holds reports whether it is there and has the data.
func (o *object) holds(data map[string][]byte) bool {
	return o != nil && bytes.Equal(o.Data[tlsCert], data[tlsCert]) && bytes.Equal(o.Data[tlsKey], data[tlsKey])
}

// get reads a Secret; nil where there is none.
func (a *api) get(ctx context.Context, name string) (*object, error) {
	body, err := a.do(ctx, request{method: http.MethodGet, name: name})
	if err != nil || body == nil {
		return nil, err
	}
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o.Kind != "Secret" {
		return nil, fmt.Errorf("%s does not answer as the API server of Kubernetes does", a.server)
	}
	return &o, nil
}

// apply makes a Secret be what o says, or makes it. What o does not mention stays,
// unless an earlier apply of ours has brought it: that goes (server-side apply,
// https://kubernetes.io/docs/reference/using-api/server-side-apply/). With a resource
// version it fails with a conflict where the Secret is another one by now.
func (a *api) apply(ctx context.Context, o object, mode dryRun) error {
	body, err := json.Marshal(o) // which is YAML too
	if err != nil {
		return err
	}
	query := url.Values{"fieldManager": {ours}, "force": {"true"}}
	if mode != forReal {
		query.Set("dryRun", string(mode))
	}
	_, err = a.do(ctx, request{method: http.MethodPatch, name: o.Metadata.Name, query: query, kind: "application/apply-patch+yaml", body: body})
	return err
}

// remove deletes a Secret, only as it was read where it was. One that is not there
// is no error.
func (a *api) remove(ctx context.Context, o object, mode dryRun) error {
	options := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions"}
	if mode != forReal {
		options["dryRun"] = []dryRun{mode} // beside a body, one in the query is not looked at
	}
	if o.Metadata.UID != "" {
		options["preconditions"] = map[string]string{"uid": o.Metadata.UID, "resourceVersion": o.Metadata.ResourceVersion}
	}
	body, err := json.Marshal(options)
	if err != nil {
		return err
	}
	_, err = a.do(ctx, request{method: http.MethodDelete, name: o.Metadata.Name, kind: "application/json", body: body})
	return err
}

// A request is one that concerns a Secret.
type request struct {
	method, name string
	query        url.Values
	kind         string // of the body
	body         []byte
}

// do asks the API server. The answer is nil where there is no such Secret.
func (a *api) do(ctx context.Context, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	to := url.URL{
		Scheme: "https", Host: a.server,
		Path:     "/api/v1/namespaces/" + a.namespace + "/secrets/" + r.name,
		RawQuery: r.query.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+string(a.token.Reveal()))
	req.Header.Set("Accept", "application/json")
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, a.lost(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, a.lost(err)
	}
	if resp.StatusCode/100 == 2 {
		return body, nil
	}
	return nil, a.refusal(r, resp, body)
}

// lost is why there was no answer. Whoever is not trusted today will not be
// tomorrow: that is final.
func (a *api) lost(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%s shows a certificate that is not trusted: %w", a.server, untrusted.Err)
	}
	return fmt.Errorf("%w: %s: %w", remote.ErrUnreachable, a.server, err)
}

// refusal is what an answer other than success means; nil: there is no such Secret.
func (a *api) refusal(r request, resp *http.Response, body []byte) error {
	var said status
	isAPI := json.Unmarshal(body, &said) == nil && said.Kind == "Status"
	which := fmt.Sprintf("the Secret %s/%s", a.namespace, r.name)
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests || code >= 500:
		return fmt.Errorf("%w: %s answers %s%s", remote.ErrUnreachable, a.server, resp.Status, a.quote(said))
	case !isAPI && code != http.StatusUnauthorized:
		return fmt.Errorf("%s does not answer as the API server of Kubernetes does: %s", a.server, resp.Status)
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%s does not accept the token", a.server)
	case code == http.StatusForbidden:
		return fmt.Errorf("%s does not let us %s %s%s", a.server, verbs[r.method], which, a.quote(said))
	case code == http.StatusNotFound && said.Details.Kind == "namespaces":
		return fmt.Errorf("%s has no namespace %s", a.server, a.namespace)
	case code == http.StatusNotFound && r.method != http.MethodPatch:
		return nil
	case code == http.StatusConflict:
		return conflict{fmt.Errorf("%s: somebody else has changed %s meanwhile%s", a.server, which, a.quote(said))}
	case code == http.StatusUnprocessableEntity:
		return fmt.Errorf("%s does not take %s%s", a.server, which, a.quote(said))
	}
	return fmt.Errorf("%s answers %s when it should %s %s%s", a.server, resp.Status, verbs[r.method], which, a.quote(said))
}

// A conflict is why a change fails that was made up from something older.
type conflict struct{ error }

func isConflict(err error) bool {
	_, ok := errors.AsType[conflict](err)
	return ok
}

var verbs = map[string]string{http.MethodGet: "read", http.MethodPatch: "write", http.MethodDelete: "delete"}

// quote is what the API server says, with a colon before it; nothing where that
// could repeat the token or a key: PEM, as it is or in base64.
func (a *api) quote(said status) string {
	const enough = 500
	for _, tell := range []string{string(a.token.Reveal()), "-----BEGIN", "LS0tLS1CRUdJTi"} {
		if strings.Contains(said.Message, tell) {
			return ""
		}
	}
	message := strings.Join(strings.Fields(said.Message), " ")
	if message == "" {
		return ""
	}
	if len(message) > enough {
		message = strings.ToValidUTF8(message[:enough], "") + "…"
	}
	return ": " + message
}
