package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/secret"
)

//go:embed demo.yaml
var demoEstate []byte

const demoTimeout = 30 * time.Second

// newDemo is the command that shows a newcomer the main job.
func newDemo() *cobra.Command {
	once, listen := false, "127.0.0.1:0"
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job on a server that is thrown away afterwards",
		Long: "Demo starts a server in a temporary directory, does the main job through its HTTPS API, prints what it sends and\ngets, and stays up for you to try until you press Ctrl-C.\n\n" +
			"It pushes a certificate to a service on this machine, by running commands as you: so may whoever has the\nadministrator's password, which it prints.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runDemo(c.Context(), c.OutOrStdout(), listen, once)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end after the steps, with status 0 or 1")
	c.Flags().StringVar(&listen, "listen", listen, "`address` to serve on")
	return c
}

func runDemo(ctx context.Context, out io.Writer, listen string, once bool) error {
	dir, err := os.MkdirTemp("", "certwright-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	alice, err := newPassword()
	if err != nil {
		return err
	}
	if err := os.Setenv("CERTWRIGHT_DEMO_PASSWORD", string(alice.Reveal())); err != nil {
		return err
	}
	estateFile := filepath.Join(dir, "estate.yaml")
	if err := os.WriteFile(estateFile, demoEstate, 0o600); err != nil {
		return err
	}
	type start struct {
		address string
		admin   secret.Plain
	}
	up, down := make(chan start, 1), make(chan error, 1)
	s := serve{
		place: place{data: dir, localHost: true}, listen: listen, publish: publish{listen: "127.0.0.1:0"}, estate: estateFile, status: http.StatusAccepted, out: io.Discard, log: slog.New(slog.DiscardHandler),
		ready: func(address string, admin secret.Plain) { up <- start{address, admin} },
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	begun := time.Now()
	go func() { down <- s.run(serving) }()
	var at start
	select {
	case at = <-up:
	case err := <-down:
		return err
	}
	if at.admin.IsEmpty() { // it was not made up
		at.admin = secret.NewString(os.Getenv("CERTWRIGHT_ADMIN_PASSWORD"))
	}
	fmt.Fprintf(out, "A server is up in a temporary directory, %s after the start: master key, CAs, database, TLS certificate made.\n", round(time.Since(begun)))
	d, err := newDemonstration(out, at.address, filepath.Join(dir, "ca.pem"), map[string]secret.Plain{"alice": alice, "admin": at.admin})
	if err == nil {
		err = d.steps(ctx)
	}
	if err == nil && !once {
		d.invite()
		<-ctx.Done()
	}
	stop()
	err = errors.Join(err, <-down)
	if d != nil {
		err = errors.Join(err, d.service.end()) // the server has let go of it by now
	}
	return err
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// demonstration is a client of the API that prints what it does.
type demonstration struct {
	out       io.Writer
	base      string
	caFile    string
	roots     *x509.CertPool
	client    *http.Client
	passwords map[string]secret.Plain // by user
	keyPass   string                  // protects downloaded keys
	token     string
	session   string // of the other dialect
	count     int
	service   *pushed // nil: none was started
}

func newDemonstration(out io.Writer, base, caFile string, passwords map[string]secret.Plain) (*demonstration, error) {
	bundle, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	d := &demonstration{
		out: out, base: base, caFile: caFile, passwords: passwords, roots: x509.NewCertPool(), keyPass: "Demo-" + rand.Text(),
	}
	d.roots.AppendCertsFromPEM(bundle)
	d.client = &http.Client{Timeout: demoTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.roots}}}
	return d, nil
}

// steps does the main job.
func (d *demonstration) steps(ctx context.Context) error {
	type object = map[string]any
	d.begin("Log in as alice")
	if err := d.login(ctx, "alice"); err != nil {
		return err
	}
	if _, err := d.call(ctx, "Ask what policy holds in the folder Shop", 200, "POST", "/vedsdk/Certificates/CheckPolicy", object{"PolicyDN": `\VED\Policy\Shop`}); err != nil {
		return err
	}
	const dn = `\VED\Policy\Shop\www.shop.example`
	withKey := object{"Format": "Base64", "IncludePrivateKey": true, "IncludeChain": true, "Password": d.keyPass}
	with := func(o object) object {
		for k, v := range withKey {
			o[k] = v
		}
		return o
	}
	first, err := d.call(ctx, "Request a certificate and wait for it", 200, "POST", "/vedsdk/Certificates/Request", with(object{
		"PolicyDN": `\VED\Policy\Shop`, "Subject": "www.shop.example", "SubjectAltNames": []object{{"TypeName": 2, "Name": "shop.example"}}, "WorkToDoTimeout": 30,
	}))
	if err != nil {
		return err
	}
	one, err := d.check(first)
	if err != nil {
		return err
	}
	if _, err := d.call(ctx, "Retrieve it once more", 200, "POST", "/vedsdk/Certificates/Retrieve", with(object{"CertificateDN": dn})); err != nil {
		return err
	}
	renewed, err := d.call(ctx, "Renew it", 200, "POST", "/vedsdk/Certificates/Renew", with(object{"CertificateDN": dn, "WorkToDoTimeout": 30}))
	if err != nil {
		return err
	}
	two, err := d.check(renewed)
	if err != nil {
		return err
	}
	if one.SerialNumber.Cmp(two.SerialNumber) == 0 || bytes.Equal(one.RawSubjectPublicKeyInfo, two.RawSubjectPublicKeyInfo) {
		return errors.New("the renewed certificate has the old serial number or key")
	}
	fmt.Fprintln(d.out, "   another serial number, another key")
	if err := d.renewInFormats(ctx, dn); err != nil {
		return err
	}
	const slow = `\VED\Policy\Shop\Slow\api.shop.example`
	if _, err := d.call(ctx, "Request another from a CA that takes its time", 200, "POST", "/vedsdk/Certificates/Request", object{"PolicyDN": `\VED\Policy\Shop\Slow`, "Subject": "api.shop.example"}); err != nil {
		return err
	}
	if _, err := d.call(ctx, "Retrieve it too soon", 202, "POST", "/vedsdk/Certificates/Retrieve", object{"CertificateDN": slow, "Format": "Base64"}); err != nil {
		return err
	}
	if _, err := d.call(ctx, "Retrieve it with patience", 200, "POST", "/vedsdk/Certificates/Retrieve", object{"CertificateDN": slow, "Format": "Base64", "WorkToDoTimeout": 30}); err != nil {
		return err
	}
	if _, err := d.call(ctx, "Ask for a name that policy forbids", 400, "POST", "/vedsdk/Certificates/Request", object{"PolicyDN": `\VED\Policy\Shop`, "Subject": "www.elsewhere.example"}); err != nil {
		return err
	}
	guid, _ := first["Guid"].(string)
	if err := d.fail(ctx, dn, guid); err != nil {
		return err
	}
	if err := d.revoke(ctx, dn, guid); err != nil {
		return err
	}
	if err := d.order(ctx, "www.shop.example"); err != nil {
		return err
	}
	if err := d.push(ctx); err != nil {
		return err
	}
	_, err = d.call(ctx, "List what is there", 200, "GET", "/vedsdk/Certificates/?ParentDnRecursive=%5CVED%5CPolicy%5CShop", nil)
	return err
}

// login goes on as the user.
func (d *demonstration) login(ctx context.Context, user string) error {
	answer, err := d.send(ctx, 200, "POST", "/vedauth/authorize/oauth", map[string]any{
		"client_id": "vcert-cli", "username": user, "password": string(d.passwords[user].Reveal()), "scope": "certificate:manage,revoke;configuration:manage",
	}, whole)
	if err == nil {
		d.token, _ = answer["access_token"].(string)
	}
	return err
}

// begin prints the title of a step.
func (d *demonstration) begin(title string) {
	d.count++
	fmt.Fprintf(d.out, "\n%d. %s\n", d.count, title)
}

// call is a step of one request, of whose answer everything is printed in short.
func (d *demonstration) call(ctx context.Context, title string, want int, method, path string, body map[string]any) (map[string]any, error) {
	d.begin(title)
	return d.send(ctx, want, method, path, body, whole)
}

// send sends a request and prints it and what tell says of the answer. Another
// status than the wanted one is an error.
func (d *demonstration) send(ctx context.Context, want int, method, path string, body map[string]any, tell func(map[string]any) (string, error)) (answer map[string]any, err error) {
	fmt.Fprintf(d.out, "   %s %s %s\n", method, path, short(body))
	response, text, took, err := d.exchange(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if answer, err = decoded(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	told := short(answer)
	if response.StatusCode == want {
		if told, err = tell(answer); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(d.out, "   %s %s   (%s)\n", response.Status, told, round(took))
	if response.StatusCode != want {
		return nil, fmt.Errorf("%s: got %s, want %d", path, response.Status, want)
	}
	return answer, nil
}

// decoded is an answer; one without a body has nothing in it.
func decoded(text []byte) (answer map[string]any, err error) {
	if len(text) > 0 {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

// authorize says who sends the request, in the way of its dialect.
func (d *demonstration) authorize(r *http.Request) {
	switch isAVX := strings.HasPrefix(r.URL.Path, avxRoot+"/"); {
	case isAVX && d.session != "":
		r.Header.Set("sessionId", d.session)
	case isAVX:
		r.Header.Set("username", "alice")
		r.Header.Set("password", string(d.passwords["alice"].Reveal()))
	case d.token != "":
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
}

// exchange sends a request and reads the answer.
func (d *demonstration) exchange(ctx context.Context, method, path string, body map[string]any) (response *http.Response, text []byte, took time.Duration, err error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, nil, 0, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, d.base+path, content)
	if err != nil {
		return nil, nil, 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	d.authorize(request)
	begun := time.Now()
	if response, err = d.client.Do(request); err != nil {
		return nil, nil, 0, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	return response, text, time.Since(begun), err
}

// Limits of what is printed of a body.
const (
	shortText  = 60
	shortWhole = 400
)

// short is the body without secrets, long texts cut.
func short(body map[string]any) string {
	if body == nil {
		return ""
	}
	shown := map[string]any{}
	for k, v := range body {
		text, isText := v.(string)
		switch {
		case strings.Contains(strings.ToLower(k), "password"), strings.HasSuffix(k, "_token"):
			v = "…"
		case isText && len(text) > shortText:
			v = text[:shortText] + "…"
		}
		shown[k] = v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(shown) != nil {
		return ""
	}
	text := []rune(strings.TrimSpace(b.String()))
	if len(text) > shortWhole {
		return string(text[:shortWhole]) + "…"
	}
	return string(text)
}

// check looks at what came: the chain must lead to the CA, and the key must fit.
func (d *demonstration) check(answer map[string]any) (*x509.Certificate, error) {
	text, _ := answer["CertificateData"].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var leaf *x509.Certificate
	var certPEM, keyPEM []byte
	between := x509.NewCertPool()
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			//lint:ignore SA1019 the client has asked for keys in the traditional format
			der, err := x509.DecryptPEMBlock(block, []byte(d.keyPass))
			if err != nil {
				return nil, err
			}
			keyPEM = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der})
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if leaf == nil {
			leaf, certPEM = cert, pem.EncodeToMemory(block)
		}
		between.AddCert(cert)
	}
	if leaf == nil {
		return nil, errors.New("the answer holds no certificate")
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: d.roots, Intermediates: between, DNSName: "www.shop.example"}); err != nil {
		return nil, err
	}
	if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, err
	}
	fmt.Fprintf(d.out, "   checked: the chain leads to the CA, the key fits; %s, serial %X, until %s\n", leaf.Subject, leaf.SerialNumber, leaf.NotAfter.Format(time.DateOnly))
	return leaf, nil
}

// invite says how to go on by hand.
func (d *demonstration) invite() {
	fmt.Fprintf(d.out, `
The server stays up until you press Ctrl-C, then its directory is removed.

  URL       %[1]s
  CA        %[2]s
  service   %[5]s
  users     alice  %[3]s   (may use \VED\Policy\Shop)
            admin  %[4]s   (may do everything)

Try it with curl:

  TOKEN=$(curl -s --cacert %[2]s %[1]s/vedauth/authorize/oauth -H 'Content-Type: application/json' \
    -d '{"client_id":"vcert-cli","username":"alice","password":"%[3]s","scope":"certificate:manage"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s --cacert %[2]s %[1]s/vedsdk/Certificates/Retrieve -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"CertificateDN":"\\VED\\Policy\\Shop\\www.shop.example","Format":"Base64"}'

or with AppViewX's API, as alice or admin:

  curl -s --cacert %[2]s '%[1]s/avxapi/certificate/search?gwsource=external' -H 'username: alice' -H 'password: %[3]s' \
    -H 'Content-Type: application/json' -d '{"input":{"commonName":"www.shop.example"},"filter":{}}'

or with Venafi's vcert:

  vcert getcred --platform tpp -u %[1]s --trust-bundle %[2]s --username alice --password %[3]s
  vcert enroll --platform tpp -u %[1]s --trust-bundle %[2]s -t TOKEN -z Shop --cn new.shop.example --key-type ecdsa --no-prompt
`, d.base, d.caFile, d.passwords["alice"].Reveal(), d.passwords["admin"].Reveal(), d.service)
}
