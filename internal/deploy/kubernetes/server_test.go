package kubernetes

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/secret"
)

const theToken = "kube-token-4711"

// A server is an API server that knows Secrets in one namespace, called web. It
// keeps each as its fields, so that it can say which manager has which: that is
// what server-side apply is about.
type server struct {
	*httptest.Server
	ca        []byte                         // PEM, which vouches for it
	forbidden map[string]bool                // method and name, and " dry" where it is a rehearsal
	before    func(http.ResponseWriter) bool // answers in place of the server, if it returns true
	asked     []string                       // method and name of each request, and " dry"
	mu        sync.Mutex                     // guards all of this
	secrets   map[string]*kept               //
	version   int                            // of the whole, as resourceVersion counts
}

// kept is a Secret. Its fields are type, immutable, owner, data/x, labels/x and
// annotations/x.
type kept struct {
	uid, version string
	fields       map[string]string
	managers     map[string][]string // which fields each has
}

func (k *kept) clone() *kept {
	if k == nil {
		return nil
	}
	managers := map[string][]string{}
	for m, fields := range k.managers {
		managers[m] = slices.Clone(fields)
	}
	return &kept{k.uid, k.version, maps.Clone(k.fields), managers}
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{secrets: map[string]*kept{}, forbidden: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/namespaces/{namespace}/secrets/{name}", s.answer)
	b := newBundle(t)
	s.ca = pemOf(b.Chain[1])
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{b.Cert, b.Chain[0]}, PrivateKey: b.Key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// settings are those of an application whose Secret is web/site.
func (s *server) settings() deploy.Settings {
	at := s.Listener.Addr().(*net.TCPAddr)
	return deploy.Settings{
		Values:  map[clm.Attr][]string{clm.Namespace: {"web"}, clm.SecretName: {"site"}, clm.APICA: {string(s.ca)}},
		Address: at.IP.String(), Port: at.Port,
		Login: remote.Login{Password: secret.NewString(theToken + "\n")},
	}
}

func (s *server) target(t *testing.T) deploy.Target {
	t.Helper()
	target, err := Driver.New(s.settings())
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// put makes a Secret as somebody else would who does not apply.
func (s *server) put(name string, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(name, &kept{fields: fields, managers: map[string][]string{"kubectl": slices.Collect(maps.Keys(fields))}})
}

// fields are those of a Secret; nil where there is none.
func (s *server) fields(name string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.secrets[name]; k != nil {
		return maps.Clone(k.fields)
	}
	return nil
}

// names are the Secrets that there are.
func (s *server) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.secrets))
}

func (s *server) keep(name string, k *kept) {
	s.version++
	k.version = strconv.Itoa(s.version)
	if k.uid == "" {
		k.uid = "uid-" + k.version
	}
	s.secrets[name] = k
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, dry := r.PathValue("name"), ""
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if isRehearsal(r, body) {
		dry = " dry"
	}
	s.asked = append(s.asked, r.Method+" "+name+dry)
	switch {
	case s.before != nil && s.before(w):
	case r.Header.Get("Authorization") != "Bearer "+theToken:
		fail(w, 401, "", "Unauthorized")
	case s.forbidden[r.Method+" "+name+dry]:
		fail(w, 403, "secrets", fmt.Sprintf("secrets %q is forbidden: User %q cannot %s resource", name, "robot", strings.ToLower(r.Method)))
	case r.PathValue("namespace") != "web" && r.Method == http.MethodPatch:
		fail(w, 404, "namespaces", fmt.Sprintf("namespaces %q not found", r.PathValue("namespace")))
	case r.Method == http.MethodPatch:
		s.apply(w, r, body, dry != "")
	case r.PathValue("namespace") != "web" || s.secrets[name] == nil:
		fail(w, 404, "secrets", fmt.Sprintf("secrets %q not found", name))
	case r.Method == http.MethodGet:
		s.show(w, name, s.secrets[name])
	case r.Method == http.MethodDelete:
		s.delete(w, r, body, dry != "")
	default:
		fail(w, 405, "", "method not allowed")
	}
}

func fail(w http.ResponseWriter, code int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
		"details": map[string]string{"kind": kind},
	})
}

// owners is the owner that the field of this name has, like Certificate/site.
func (k *kept) owners() []any {
	kind, name, ok := strings.Cut(k.fields["owner"], "/")
	if !ok {
		return nil
	}
	return []any{map[string]any{"apiVersion": "v1", "kind": kind, "name": name, "uid": "x", "controller": true}}
}

func (s *server) show(w http.ResponseWriter, name string, k *kept) {
	groups := map[string]map[string]string{"data": {}, "labels": {}, "annotations": {}}
	for field, value := range k.fields {
		if group, key, ok := strings.Cut(field, "/"); ok {
			groups[group][key] = value
		}
	}
	var managed []any
	for _, manager := range slices.Sorted(maps.Keys(k.managers)) {
		managed = append(managed, map[string]any{"manager": manager, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{}})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Secret", "apiVersion": "v1", "type": k.fields["type"], "data": groups["data"],
		"metadata": map[string]any{
			"name": name, "namespace": "web", "uid": k.uid, "resourceVersion": k.version, "creationTimestamp": "2026-01-01T00:00:00Z",
			"ownerReferences": k.owners(), "labels": groups["labels"], "annotations": groups["annotations"], "managedFields": managed,
		},
	})
}

// apply is server-side apply: what is applied counts, what its manager has applied
// before and does not any more goes, unless another has it too, and what others
// have stays. With force it is taken from them where they have another value.
func (s *server) apply(w http.ResponseWriter, r *http.Request, body []byte, dry bool) {
	name := r.PathValue("name")
	manager := r.URL.Query().Get("fieldManager")
	if r.Header.Get("Content-Type") != "application/apply-patch+yaml" {
		fail(w, 415, "", "the body of the request was in an unknown format")
		return
	}
	if manager == "" {
		fail(w, 422, "", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch")
		return
	}
	applied, err := parse(body, name)
	if err != nil {
		fail(w, 400, "", err.Error())
		return
	}
	was := s.secrets[name]
	if of, ok := applied["of"]; ok && (was == nil || of != was.uid+" "+was.version) {
		fail(w, 409, "secrets", "the object has been modified; please apply your changes to the latest version and try again")
		return
	}
	delete(applied, "of")
	is := was.clone()
	if is == nil {
		is = &kept{fields: map[string]string{}, managers: map[string][]string{}}
	}
	for other, fields := range is.managers {
		for _, field := range slices.Clone(fields) {
			value, ok := applied[field]
			if other == manager || !ok || value == is.fields[field] {
				continue
			}
			if r.URL.Query().Get("force") != "true" {
				fail(w, 409, "secrets", fmt.Sprintf("Apply failed with 1 conflict: conflict with %q: .%s", other, field))
				return
			}
			is.managers[other] = slices.DeleteFunc(is.managers[other], func(f string) bool { return f == field })
		}
	}
	formerly := is.managers[manager]
	is.managers[manager] = slices.Sorted(maps.Keys(applied))
	for _, field := range formerly {
		isHad := func(fields []string) bool { return slices.Contains(fields, field) }
		if !slices.ContainsFunc(slices.Collect(maps.Values(is.managers)), isHad) {
			delete(is.fields, field)
		}
	}
	maps.Copy(is.fields, applied)
	if is.fields["type"] == "" {
		is.fields["type"] = "Opaque"
	}
	if err := check(was, is); err != "" {
		fail(w, 422, "Secret", fmt.Sprintf("Secret %q is invalid: %s", name, err))
		return
	}
	if !dry && (was == nil || !maps.Equal(was.fields, is.fields)) {
		s.keep(name, is)
	}
	s.show(w, name, is)
}

// check is what an API server wants of a Secret.
func check(was, is *kept) string {
	if is.fields["type"] == tlsType {
		for _, key := range []string{tlsCert, tlsKey} {
			if _, ok := is.fields["data/"+key]; !ok {
				return fmt.Sprintf("data[%s]: Required value", key)
			}
		}
	}
	if was == nil {
		return ""
	}
	if was.fields["type"] != is.fields["type"] {
		return fmt.Sprintf("type: Invalid value: %q: field is immutable", is.fields["type"])
	}
	for field := range is.fields {
		if was.fields["immutable"] == "true" && strings.HasPrefix(field, "data/") && was.fields[field] != is.fields[field] {
			return "data: Forbidden: field is immutable when `immutable` is set"
		}
	}
	return ""
}

// parse reads what is applied to the Secret of that name.
func parse(body []byte, name string) (map[string]string, error) {
	var o struct {
		APIVersion, Kind, Type string
		Metadata               struct {
			Name, Namespace, UID, ResourceVersion string
			Labels, Annotations                   map[string]string
		}
		Data map[string]string
	}
	in := json.NewDecoder(bytes.NewReader(body))
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		return nil, err
	}
	if o.APIVersion != "v1" || o.Kind != "Secret" || o.Metadata.Name != name || o.Metadata.Namespace != "web" {
		return nil, fmt.Errorf("%s %s %s/%s is not what the request is about", o.APIVersion, o.Kind, o.Metadata.Namespace, o.Metadata.Name)
	}
	fields := map[string]string{}
	if o.Metadata.ResourceVersion != "" {
		fields["of"] = o.Metadata.UID + " " + o.Metadata.ResourceVersion
	}
	if o.Type != "" {
		fields["type"] = o.Type
	}
	for group, values := range map[string]map[string]string{"data": o.Data, "labels": o.Metadata.Labels, "annotations": o.Metadata.Annotations} {
		for key, value := range values {
			if _, err := base64.StdEncoding.DecodeString(value); group == "data" && err != nil {
				return nil, err
			}
			fields[group+"/"+key] = value
		}
	}
	return fields, nil
}

// deleteOptions come in the body of the request. Where there is one, what stands in
// the query does not count.
type deleteOptions struct {
	APIVersion, Kind string
	DryRun           []string
	Preconditions    struct{ UID, ResourceVersion string }
}

func isRehearsal(r *http.Request, body []byte) bool {
	if r.Method != http.MethodDelete || len(body) == 0 {
		return r.URL.Query().Get("dryRun") == "All"
	}
	var options deleteOptions
	return json.Unmarshal(body, &options) == nil && slices.Equal(options.DryRun, []string{"All"})
}

func (s *server) delete(w http.ResponseWriter, r *http.Request, body []byte, dry bool) {
	var options deleteOptions
	if len(body) > 0 {
		if err := json.Unmarshal(body, &options); err != nil || options.Kind != "DeleteOptions" || r.Header.Get("Content-Type") != "application/json" {
			fail(w, 400, "", "these are no DeleteOptions")
			return
		}
	}
	name, p := r.PathValue("name"), options.Preconditions
	k := s.secrets[name]
	if p.UID != "" && p.UID != k.uid || p.ResourceVersion != "" && p.ResourceVersion != k.version {
		fail(w, 409, "secrets", "Precondition failed")
		return
	}
	if !dry {
		delete(s.secrets, name)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Success"})
}
