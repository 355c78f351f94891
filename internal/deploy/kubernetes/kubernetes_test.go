package kubernetes

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// TestDriver holds the driver against what every driver promises: where there is no
// Secret, and where somebody else has made one.
func TestDriver(t *testing.T) {
	t.Parallel()
	lost := func(t *testing.T) (deploy.Target, string) {
		settings := newServer(t).settings()
		settings.Values[clm.Namespace] = []string{"elsewhere"}
		target, err := Driver.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		return target, "elsewhere"
	}
	for name, prepare := range map[string]func(*testing.T, *server){
		"no Secret": func(*testing.T, *server) {},
		"a Secret of somebody else": func(t *testing.T, s *server) {
			s.put("site", fieldsOf(t, newBundle(t)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deploytest.Test(t, deploytest.Case{
				Start: func(t *testing.T) deploytest.Ground {
					s := newServer(t)
					prepare(t, s)
					return deploytest.Ground{Target: func() deploy.Target { return s.target(t) }, Secrets: []string{theToken}}
				},
				Lost: lost,
			})
		})
	}
}

func newBundle(t *testing.T) pki.Bundle {
	return deploytest.NewBundle(t, "site.test", deploytest.NewKey(t, deploytest.ECC))
}

// fieldsOf is a Secret with the bundle, as the server of these tests keeps it.
func fieldsOf(t *testing.T, b pki.Bundle) map[string]string {
	t.Helper()
	data, err := layOut(b)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{"type": tlsType}
	for key, value := range data {
		fields["data/"+key] = base64.StdEncoding.EncodeToString(value)
	}
	return fields
}

// forward puts a bundle in use.
func forward(t *testing.T, target deploy.Target, b pki.Bundle) {
	t.Helper()
	if err := target.Store.Place(t.Context(), b); err != nil {
		t.Fatalf("Place: %v", err)
	}
	if err := target.Store.Switch(t.Context(), b); err != nil {
		t.Fatalf("Switch: %v", err)
	}
}

// TestWhatOthersHaveStays changes a certificate and its key, and nothing else of a
// Secret: forward, back, and forward for good.
func TestWhatOthersHaveStays(t *testing.T) {
	t.Parallel()
	s, before, after := newServer(t), newBundle(t), newBundle(t)
	others := map[string]string{
		"data/ca.crt": "Y2E=", "labels/app.kubernetes.io/managed-by": "Helm", "labels/team": "web",
		"annotations/meta.helm.sh/release-name": "site",
	}
	with := func(b pki.Bundle) map[string]string {
		fields := fieldsOf(t, b)
		maps.Copy(fields, others)
		return fields
	}
	s.put("site", with(before))
	target := s.target(t)
	check := func(when string, want pki.Bundle, names ...string) {
		t.Helper()
		if got := s.fields("site"); !maps.Equal(got, with(want)) {
			t.Errorf("%s: it has the fields %v", when, slices.Sorted(maps.Keys(got)))
		}
		if got := s.names(); !slices.Equal(got, names) {
			t.Errorf("%s: there are %v, want %v", when, got, names)
		}
	}
	if err := target.Store.Place(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	check("placed", before, "site", "site-certwright-next")
	next := s.fields("site-certwright-next")
	if next["labels/"+managedBy] != ours || next["annotations/"+fingerprint] != fingerprintOf(after.Cert) || next["type"] != tlsType {
		t.Errorf("placed: it has the fields %v", slices.Sorted(maps.Keys(next)))
	}
	forward(t, target, after)
	check("switched", after, "site", "site-certwright-former")
	if err := target.Store.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("back", before, "site")
	forward(t, target, after)
	if err := target.Store.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("kept", after, "site")
}

// TestNoneBefore makes a Secret, marks it for as long as it is ours, and removes it
// on the way back. One that somebody else has made in the meantime stays.
func TestNoneBefore(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	target := s.target(t)
	forward(t, target, newBundle(t))
	if got := s.fields("site")["labels/"+managedBy]; got != ours {
		t.Errorf("it is managed by %q", got)
	}
	if err := target.Store.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.names(); len(got) > 0 {
		t.Errorf("back: there are %v", got)
	}
	if found, err := target.Store.Inspect(t.Context()); err != nil || found.Cert != nil {
		t.Errorf("back: found %d octets, %v", len(found.Cert), err)
	}

	forward(t, target, newBundle(t))
	foreign := fieldsOf(t, newBundle(t))
	s.put("site", foreign)
	if err := target.Store.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(s.fields("site"), foreign) || len(s.names()) != 1 {
		t.Errorf("back: there are %v", s.names())
	}

	s.put("site", map[string]string{"type": tlsType, "data/tls.crt": "", "data/tls.key": ""})
	if found, err := target.Store.Inspect(t.Context()); err != nil || found.Cert != nil {
		t.Errorf("an empty Secret: found %d octets, %v", len(found.Cert), err)
	}
	b := newBundle(t)
	for range 2 {
		forward(t, target, b)
		if err := target.Store.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	found, err := target.Store.Inspect(t.Context())
	if err != nil || len(found.Chain) != 1 {
		t.Errorf("found %d above the leaf, %v; want the intermediate without the root", len(found.Chain), err)
	}
}

// TestBackPassesByWhatNobodyConfirmed goes back over two switches of which the first
// was neither kept nor undone.
func TestBackPassesByWhatNobodyConfirmed(t *testing.T) {
	t.Parallel()
	s, before := newServer(t), fieldsOf(t, newBundle(t))
	s.put("site", before)
	forward(t, s.target(t), newBundle(t))
	forward(t, s.target(t), newBundle(t))
	if err := s.target(t).Store.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(s.fields("site"), before) {
		t.Error("it is not what was confirmed last")
	}
}

// TestBackRemovesNoOther fails when somebody changes the Secret in the moment
// before it is removed.
func TestBackRemovesNoOther(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	forward(t, s.target(t), newBundle(t))
	s.before = func(http.ResponseWriter) bool {
		if s.asked[len(s.asked)-1] == "DELETE site" {
			changed := s.secrets["site"].clone()
			changed.fields["data/ca.crt"] = "Y2E="
			s.keep("site", changed)
		}
		return false
	}
	err := s.target(t).Store.Back(t.Context())
	if err == nil || !strings.Contains(err.Error(), "somebody else has changed the Secret web/site meanwhile") {
		t.Errorf("got %v", err)
	}
	if s.fields("site")["data/ca.crt"] == "" {
		t.Error("it is gone")
	}
}

// TestOthersWriteMeanwhile lets somebody else change the Secret between the moment in
// which it is read and that in which it is written. What he has written is not lost:
// the second try begins with it, and going back brings it; somebody who never stops
// is left alone.
func TestOthersWriteMeanwhile(t *testing.T) {
	t.Parallel()
	before, after, theirs := newBundle(t), newBundle(t), newBundle(t)
	for _, times := range []int{1, 100} {
		s := newServer(t)
		s.put("site", fieldsOf(t, before))
		target := s.target(t)
		if err := target.Store.Place(t.Context(), after); err != nil {
			t.Fatal(err)
		}
		want, left := fieldsOf(t, theirs), times
		s.before = func(http.ResponseWriter) bool {
			if s.asked[len(s.asked)-1] == "PATCH site" && left > 0 {
				left--
				s.keep("site", &kept{uid: s.secrets["site"].uid, fields: want, managers: map[string][]string{}})
			}
			return false
		}
		err := target.Store.Switch(t.Context(), after)
		if isWanted := times == 1; (err == nil) != isWanted || !isWanted && !strings.Contains(err.Error(), "somebody else has changed the Secret web/site meanwhile") {
			t.Errorf("%d times: got %v", times, err)
		}
		s.before = nil
		if err := target.Store.Back(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(s.fields("site"), want) || len(s.names()) != 1 {
			t.Errorf("%d times: what the other has written is gone, there are %v", times, s.names())
		}
	}
}

// TestHelpersOfOthersStay neither removes Secrets of the names of ours nor goes back
// to what is in them.
func TestHelpersOfOthersStay(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBundle(t)
	inUse, theirs := fieldsOf(t, b), fieldsOf(t, newBundle(t))
	s.put("site", inUse)
	names := []string{"site-certwright-former", "site-certwright-next"}
	for _, name := range names {
		s.put(name, theirs)
	}
	store := s.target(t).Store
	if err := errors.Join(store.Keep(t.Context()), store.Back(t.Context()), store.Switch(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	if err := store.Switch(t.Context(), newBundle(t)); !errors.Is(err, deploy.ErrNotPlaced) {
		t.Errorf("got %v, want %v", err, deploy.ErrNotPlaced)
	}
	for _, name := range names {
		if !maps.Equal(s.fields(name), theirs) {
			t.Errorf("%s is not what it was", name)
		}
	}
	if !maps.Equal(s.fields("site"), inUse) {
		t.Error("site is not what it was")
	}
}

// TestSecretsWithAMasterAreRefused leaves alone what somebody in the cluster keeps as
// it is.
func TestSecretsWithAMasterAreRefused(t *testing.T) {
	t.Parallel()
	for field, want := range map[string][2]string{
		"owner":                      {"Certificate/shop", "belongs to the Certificate shop, whose controller would write over it"},
		"annotations/" + certManager: {"shop", "belongs to the Certificate shop of cert-manager"},
	} {
		s, b := newServer(t), newBundle(t)
		fields := fieldsOf(t, newBundle(t))
		s.put("site", fields)
		store := s.target(t).Store
		if err := store.Place(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		fields[field] = want[0]
		s.put("site", fields)
		for step, do := range map[string]func(context.Context, pki.Bundle) error{"Place": store.Place, "Switch": store.Switch} {
			if err := do(t.Context(), b); err == nil || !strings.Contains(err.Error(), want[1]) {
				t.Errorf("%s: got %v, want %q", step, err, want[1])
			}
		}
		if err := store.Back(t.Context()); err != nil || len(s.names()) != 1 {
			t.Errorf("Back: %v, there are %v", err, s.names())
		}
	}
}

// TestEveryRequestMayBeTheLast ends the program after each request of each step, and
// goes on from there, forward and back.
func TestEveryRequestMayBeTheLast(t *testing.T) {
	t.Parallel()
	before, after := newBundle(t), newBundle(t)
	for _, hasBefore := range []bool{true, false} {
		for last := 0; ; last++ {
			s := newServer(t)
			var want map[string]string
			if hasBefore {
				want = fieldsOf(t, before)
				s.put("site", want)
			}
			left := last
			dies := func(w http.ResponseWriter) bool {
				if left--; left < 0 {
					panic(http.ErrAbortHandler)
				}
				return false
			}
			s.before = dies
			target := s.target(t)
			err := target.Store.Place(t.Context(), after)
			if err == nil {
				err = target.Store.Switch(t.Context(), after)
			}
			isWhole := err == nil
			if !isWhole && !errors.Is(err, remote.ErrUnreachable) {
				t.Fatalf("request %d: %v", last, err)
			}
			for requests := last % 3; ; requests += 3 { // back dies too, at each request after some of the last
				left = requests
				if err := s.target(t).Store.Back(t.Context()); err == nil {
					break
				}
			}
			s.before = nil
			if got := s.fields("site"); !maps.Equal(got, want) || len(s.names()) > 1 {
				t.Errorf("back after request %d: there are %v", last, s.names())
			}
			forward(t, s.target(t), after)
			if got := s.fields("site"); got["data/tls.crt"] != fieldsOf(t, after)["data/tls.crt"] {
				t.Errorf("forward after request %d: it is another certificate", last)
			}
			if isWhole {
				break
			}
		}
	}
}

// TestPlaceTriesAllRights fails before anything is changed where a later step would
// be forbidden.
func TestPlaceTriesAllRights(t *testing.T) {
	t.Parallel()
	for _, forbidden := range []string{
		"GET site", "PATCH site dry",
		"GET site-certwright-former", "PATCH site-certwright-former dry", "DELETE site-certwright-former dry",
		"GET site-certwright-next", "PATCH site-certwright-next dry", "DELETE site-certwright-next dry", "PATCH site-certwright-next",
	} {
		s := newServer(t)
		s.forbidden[forbidden] = true
		err := s.target(t).Store.Place(t.Context(), newBundle(t))
		if err == nil || !strings.Contains(err.Error(), "does not let us") || errors.Is(err, remote.ErrUnreachable) {
			t.Errorf("%s: got %v", forbidden, err)
		}
		if got := s.names(); len(got) > 0 {
			t.Errorf("%s: there are %v", forbidden, got)
		}
	}
}

// TestErrors says what is wrong, and what may be gone when it is tried again.
func TestErrors(t *testing.T) {
	t.Parallel()
	says := func(code int, kind, message string) func(*server) {
		return func(s *server) {
			s.before = func(w http.ResponseWriter) bool {
				fail(w, code, kind, message)
				return true
			}
		}
	}
	plain := func(code int) func(*server) {
		return func(s *server) {
			s.before = func(w http.ResponseWriter) bool {
				w.Header().Set("Location", "https://127.0.0.1:1/")
				w.WriteHeader(code)
				_, _ = w.Write([]byte("<html>"))
				return true
			}
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(*server)
		want    string // {server} is its address
		again   bool
	}{
		{"another token", says(401, "", "Unauthorized"), "{server} does not accept the token", false},
		{"forbidden", func(s *server) { s.forbidden["GET site"] = true }, `{server} does not let us read the Secret web/site: secrets "site" is forbidden: User "robot" cannot get resource`, false},
		{"another type", func(s *server) { s.put("site", map[string]string{"type": "Opaque"}) }, "the Secret web/site is of type Opaque, not kubernetes.io/tls", false},
		{"another Secret of the name", func(s *server) { s.put("site-certwright-former", map[string]string{"type": tlsType}) },
			"the Secret web/site-certwright-former is in the way: it has no label app.kubernetes.io/managed-by=certwright", false},
		{"immutable", func(s *server) {
			s.put("site", map[string]string{"type": tlsType, "immutable": "true", "data/tls.crt": "", "data/tls.key": ""})
		}, "{server} does not take the Secret web/site: Secret \"site\" is invalid: data: Forbidden: field is immutable when `immutable` is set", false},
		{"changed meanwhile", says(409, "secrets", "the object has been modified"), "{server}: somebody else has changed the Secret web/site meanwhile: the object has been modified", false},
		{"bad request", says(400, "", "what?"), "{server} answers 400 Bad Request when it should read the Secret web/site: what?", false},
		{"a message with a key", says(400, "", "LS0tLS1CRUdJTiBQUklWQVRF"), "{server} answers 400 Bad Request when it should read the Secret web/site", false},
		{"a message with the token", says(400, "", "bad "+theToken), "{server} answers 400 Bad Request when it should read the Secret web/site", false},
		{"no API server", plain(404), "{server} does not answer as the API server of Kubernetes does: 404 Not Found", false},
		{"no API server, but content", plain(200), "{server} does not answer as the API server of Kubernetes does", false},
		{"sent elsewhere", plain(302), "{server} does not answer as the API server of Kubernetes does: 302 Found", false},
		{"too many requests", says(429, "", "slowly"), "the host cannot be reached: {server} answers 429 Too Many Requests: slowly", true},
		{"broken", plain(503), "the host cannot be reached: {server} answers 503 Service Unavailable", true},
		{"gone", func(s *server) { s.Close() }, "the host cannot be reached: {server}: dial tcp {server}: connect: connection refused", true},
		{"hung up", func(s *server) { s.before = func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) } }, "the host cannot be reached: {server}: EOF", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			target := s.target(t)
			c.prepare(s)
			want := strings.ReplaceAll(c.want, "{server}", s.Listener.Addr().String())
			err := target.Store.Place(t.Context(), newBundle(t))
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if errors.Is(err, remote.ErrUnreachable) != c.again {
				t.Errorf("it is to be tried again: %t", !c.again)
			}
		})
	}
}

// TestTrust does not show the token to a server that nobody vouches for.
func TestTrust(t *testing.T) {
	t.Parallel()
	s, other := newServer(t), newBundle(t)
	for name, ca := range map[string][]string{"this machine": nil, "somebody else": {string(pemOf(other.Cert))}} {
		settings := s.settings()
		settings.Values[clm.APICA] = ca
		target, err := Driver.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		_, err = target.Store.Inspect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "shows a certificate that is not trusted") || errors.Is(err, remote.ErrUnreachable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("it was asked %v", s.asked)
	}
}

// TestSettings refuses what makes no sense, in terms of the labels.
func TestSettings(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		attr        clm.Attr
		value, want string
	}{
		{clm.Namespace, "", "Namespace is not set"},
		{clm.Namespace, "Web", `Namespace: "Web" is not the name of a namespace`},
		{clm.Namespace, "a.b", `Namespace: "a.b" is not the name of a namespace`},
		{clm.Namespace, "../x", `Namespace: "../x" is not the name of a namespace`},
		{clm.Namespace, "-a", `Namespace: "-a" is not the name of a namespace`},
		{clm.Namespace, long, `Namespace: "` + long + `" is not the name of a namespace`},
		{clm.Namespace, long[:63], ""},
		{clm.SecretName, "", "Secret Name is not set"},
		{clm.SecretName, "a/b", `Secret Name: "a/b" is not the name of a Secret`},
		{clm.SecretName, "a..b", `Secret Name: "a..b" is not the name of a Secret`},
		{clm.SecretName, "a?b", `Secret Name: "a?b" is not the name of a Secret`},
		{clm.SecretName, "a\n", `Secret Name: "a\n" is not the name of a Secret`},
		{clm.SecretName, "www.a-1.example", ""},
		{clm.SecretName, strings.Repeat("a", 235), ""},
		{clm.SecretName, strings.Repeat("a", 236), "Secret Name: it is longer than 235 characters, which leaves no room for the names beside it"},
		{clm.SecretName, "site-certwright-next", `Secret Name: "site-certwright-next" is the name of one beside another`},
		{clm.APICA, "/etc/ca.pem", "API Server CA Certificates: there is no certificate in PEM"},
	} {
		settings := newSettings()
		settings.Values[c.attr] = []string{c.value}
		_, err := Driver.New(settings)
		if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
			t.Errorf("%s %q: got %v, want %s", c.attr, c.value, err, c.want)
		}
	}
	for token, want := range map[string]string{
		" ":   "the credential of the device has no password, which would be the bearer token",
		"a b": "the password of the credential of the device cannot be a bearer token",
	} {
		settings := newSettings()
		settings.Login.Password = secret.NewString(token)
		if _, err := Driver.New(settings); err == nil || err.Error() != want {
			t.Errorf("token %q: got %v, want %s", token, err, want)
		}
	}
	settings := newSettings()
	settings.Address = "2001:db8::1"
	target, err := Driver.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	if got := target.Store.(*store).server; got != "[2001:db8::1]:6443" {
		t.Errorf("the server is %s", got)
	}
	if got := fmt.Sprintf("%v %+v", object{Data: map[string][]byte{"tls.key": []byte("x")}}, &object{}); got != "[secret] [secret]" {
		t.Errorf("an object prints %s", got)
	}
}

func newSettings() deploy.Settings {
	return deploy.Settings{
		Values:  map[clm.Attr][]string{clm.Namespace: {"web"}, clm.SecretName: {"site"}},
		Address: "kube.example", Login: remote.Login{Password: secret.NewString(theToken)},
	}
}

// TestRealServer holds the driver against an API server that is at hand:
// CERTWRIGHT_KUBE_URL, with the bearer token CERTWRIGHT_KUBE_TOKEN, and those that
// vouch for it in the PEM file CERTWRIGHT_KUBE_CA. It works in the namespace
// default, on Secrets of its own names, which it removes.
func TestRealServer(t *testing.T) {
	at, err := url.Parse(os.Getenv("CERTWRIGHT_KUBE_URL"))
	if err != nil || at.Host == "" {
		t.Skip("CERTWRIGHT_KUBE_URL is not set")
	}
	settings := deploy.Settings{
		Values:  map[clm.Attr][]string{clm.Namespace: {"default"}},
		Address: at.Hostname(), Port: 443,
		Login: remote.Login{Password: secret.NewString(os.Getenv("CERTWRIGHT_KUBE_TOKEN"))},
	}
	if at.Port() != "" {
		if settings.Port, err = strconv.Atoi(at.Port()); err != nil {
			t.Fatal(err)
		}
	}
	if file := os.Getenv("CERTWRIGHT_KUBE_CA"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		settings.Values[clm.APICA] = []string{string(text)}
	}
	newTarget := func(t *testing.T, namespace, name string) deploy.Target {
		t.Helper()
		mine := settings
		mine.Values = maps.Clone(settings.Values)
		mine.Values[clm.Namespace], mine.Values[clm.SecretName] = []string{namespace}, []string{name}
		target, err := Driver.New(mine)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	deploytest.Test(t, deploytest.Case{
		Start: func(t *testing.T) deploytest.Ground {
			name := "certwright-test-" + strings.ToLower(rand.Text())
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				store := newTarget(t, "default", name).Store.(*store)
				if err := errors.Join(store.Keep(ctx), store.remove(ctx, newObject("default", name, nil), forReal)); err != nil {
					t.Error(err)
				}
			})
			return deploytest.Ground{Target: func() deploy.Target { return newTarget(t, "default", name) }}
		},
		Lost: func(t *testing.T) (deploy.Target, string) {
			return newTarget(t, "certwright-has-none", "site"), "certwright-has-none"
		},
	})
}
