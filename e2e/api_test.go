package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// An api speaks to the server without the help of any client, for what clients do
// not do.
type api struct {
	base   string
	token  string
	client *http.Client
}

// An answer is what came back; Phrase is what stands after the status code.
type answer struct {
	Status int
	Phrase string
	Header http.Header
	Body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s: %s", a.Status, a.Phrase, a.Body) }

// get finds a member of a JSON object.
func (a answer) get(name string) string {
	var members map[string]any
	if json.Unmarshal(a.Body, &members) != nil || members[name] == nil {
		return ""
	}
	return fmt.Sprint(members[name])
}

func newAPI(t *testing.T, s *server, own ...tls.Certificate) *api {
	t.Helper()
	client, err := s.client(own...)
	if err != nil {
		t.Fatal(err)
	}
	return &api{base: s.url, client: client}
}

// login is an api for somebody who may do what clients usually may.
func login(t *testing.T, s *server, user string) *api {
	t.Helper()
	return loginWith(t, s, user, "vcert-sdk", "certificate:manage,revoke;configuration:manage")
}

// loginWith is an api for somebody who uses that application within that scope.
func loginWith(t *testing.T, s *server, user, application, scope string) *api {
	t.Helper()
	a := newAPI(t, s)
	got, err := a.post("vedauth/authorize/oauth", object{
		"client_id": application, "username": user, "password": passwords[user], "scope": scope,
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.token = got.get("access_token"); got.Status != http.StatusOK || a.token == "" {
		t.Fatalf("login of %s: %v", user, got)
	}
	tokens.add(a.token, got.get("refresh_token"))
	return a
}

type object = map[string]any

func (a *api) post(path string, body object) (answer, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	return a.do(http.MethodPost, path, bytes.NewReader(b))
}

func (a *api) get(path string) (answer, error) {
	return a.do(http.MethodGet, path, nil)
}

func (a *api) do(method, path string, body io.Reader) (answer, error) {
	req, err := http.NewRequest(method, a.base+"/"+path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	_, phrase, _ := bytes.Cut([]byte(res.Status), []byte(" "))
	return answer{res.StatusCode, string(phrase), res.Header, b}, nil
}

// retrieve answers the certificate of an object, or nil while there is none; the
// answer says why.
func (a *api) retrieve(dn string) (*x509.Certificate, answer, error) {
	got, err := a.post("vedsdk/certificates/retrieve", object{"CertificateDN": dn, "Format": "Base64"})
	if err != nil || got.Status != http.StatusOK {
		return nil, got, err
	}
	text, err := base64.StdEncoding.DecodeString(got.get("CertificateData"))
	if err != nil {
		return nil, got, err
	}
	cert, err := parseCert(string(text))
	return cert, got, err
}

// details are what the API tells of a place, as far as these tests look.
type details struct {
	DN, Guid, Origin string
	Disabled         bool
	Consumers        []string
	CustomFields     []struct {
		Name, Type string
		Value      []string
	}
	CertificateDetails struct{ Thumbprint, Serial string }
	ProcessingDetails  struct{ Stage int }
}

// details looks at a place.
func (a *api) details(t *testing.T, dn string) details {
	t.Helper()
	got, err := a.get("vedsdk/certificates/" + a.guid(t, dn))
	var d details
	if err == nil {
		err = json.Unmarshal(got.Body, &d)
	}
	if err != nil || got.Status != http.StatusOK || d.DN != dn {
		t.Fatalf("details of %s: %v, %v", dn, got, err)
	}
	return d
}

// guid finds an object; what is not there has none.
func (a *api) guid(t *testing.T, dn string) string {
	t.Helper()
	got, err := a.post("vedsdk/config/dntoguid", object{"ObjectDN": dn})
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("GUID of %s: %v, %v", dn, got, err)
	}
	return got.get("GUID")
}

// must posts what has to be accepted.
func (a *api) must(t *testing.T, path string, body object) answer {
	t.Helper()
	got, err := a.post(path, body)
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("%s: %v, %v", path, got, err)
	}
	return got
}

// file is the file that an answer brings.
func (a answer) file(t *testing.T) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(a.get("CertificateData"))
	if err != nil || len(data) == 0 {
		t.Fatalf("no file in %v: %v", a, err)
	}
	return data
}

func parseCert(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("no PEM in %q", text)
	}
	return x509.ParseCertificate(block.Bytes)
}

// newRequest makes a key and a certificate request for it.
func newRequest(commonName string) (crypto.Signer, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: commonName},
		DNSNames: []string{commonName},
	}, key)
	if err != nil {
		return nil, "", err
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// isFor tells whether the certificate is for the key.
func isFor(cert *x509.Certificate, key crypto.PublicKey) bool {
	pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(key)
}

// thumbprint names a certificate as the vendor's clients do.
func thumbprint(cert *x509.Certificate) string {
	return fmt.Sprintf("%X", sha1.Sum(cert.Raw))
}
