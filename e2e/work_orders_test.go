package e2e

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/certificate"
)

// avxWithin is how long an order may take; one of them waits until the lease of a killed
// server has run out.
const avxWithin = unstuckWithin

// A workshop speaks AppViewX's API to the server, with the credentials in every request.
type workshop struct {
	*api
	user string
}

// ask sends a request, wants the status, and gives what stands in the envelope.
func (w workshop) ask(t *testing.T, want int, method, path string, body object) (response object, code string) {
	t.Helper()
	status, envelope, err := w.try(method, path, body)
	need(t, err)
	if status != want {
		t.Fatalf("%s %s: %d %v", method, path, status, envelope)
	}
	response, _ = envelope["response"].(object)
	code, _ = envelope["appStatusCode"].(string)
	return response, code
}

func (w workshop) try(method, path string, body object) (status int, envelope object, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, w.base+"/avxapi/"+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "username": w.user, "password": passwords[w.user]} {
		req.Header.Set(name, value)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	return res.StatusCode, envelope, json.NewDecoder(res.Body).Decode(&envelope)
}

// records are those that a search by the condition finds, the oldest first.
func (w workshop) records(t *testing.T, name, value string) (found []object) {
	t.Helper()
	response, _ := w.ask(t, http.StatusOK, "POST", "certificate/search?gwsource=external", object{"input": object{name: value}, "filter": object{"sortColumn": "validFrom"}})
	inner, _ := response["response"].(object)
	list, _ := inner["objects"].([]any)
	for _, o := range list {
		found = append(found, o.(object))
	}
	return found
}

// regenerate orders another certificate for the record and gives the new record's ID.
func (w workshop) regenerate(t *testing.T, record any) string {
	t.Helper()
	response, _ := w.ask(t, http.StatusAccepted, "PUT", "certificate/action?gwsource=external", object{"resourceId": record, "action": "Regenerate", "reason": "Key compromised"})
	return response["resourceId"].(string)
}

// managed waits until the record has its certificate.
func (w workshop) managed(t *testing.T, id string) (record object) {
	t.Helper()
	within(t, avxWithin, "the new certificate", func() bool {
		record = w.records(t, "resourceId", id)[0]
		if record["status"] != "Managed" && record["status"] != "New Certificate" {
			t.Fatalf("the record is %v", record["status"])
		}
		return record["status"] == "Managed"
	})
	return record
}

// A server that is killed when it has accepted an order goes on with it when it is back,
// and issues one certificate, which both APIs know.
func TestOrderSurvivesKill(t *testing.T) {
	t.Parallel()
	for kind := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			const name = "order.example.org"
			a := login(t, s, "alice")
			got, err := a.post("vedsdk/certificates/request", object{"PolicyDN": `\VED\Policy\Slow`, "Subject": name, "KeyAlgorithm": "ECC", "EllipticCurve": "P256", "WorkToDoTimeout": 60})
			need(t, err)
			if got.Status != http.StatusOK {
				t.Fatal(got)
			}
			w := workshop{a, "alice"}
			old := w.records(t, "commonName", name)
			if len(old) != 1 || old[0]["status"] != "Managed" {
				t.Fatalf("got %v", old)
			}
			id := w.regenerate(t, old[0]["resourceId"])
			s.kill()
			need(t, s.start())
			fresh := w.managed(t, id)
			all := w.records(t, "commonName", name)
			if len(all) != 2 {
				t.Errorf("there are %d records", len(all))
			}
			cert, ans, err := a.retrieve(`\VED\Policy\Slow\` + name)
			need(t, err)
			if cert == nil {
				t.Fatal(ans)
			}
			if serial := strings.ReplaceAll(fresh["serialNumber"].(string), ":", ""); serial != fmt.Sprintf("%X", cert.SerialNumber.Bytes()) || fresh["serialNumber"] == old[0]["serialNumber"] {
				t.Errorf("the record has %v, the other API %X", fresh["serialNumber"], cert.SerialNumber)
			}
		})
	}
}

// While an order of the one API is open, the unmodified client of the other is told so in
// its own words, and the other way round.
func TestOneCertificateTwoDialects(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		const name = "dialects.example.org"
		const dn = `\VED\Policy\Slow\` + name
		client := connect(t, s, "alice", "Slow")
		request := &certificate.Request{Subject: pkix.Name{CommonName: name}, CsrOrigin: certificate.ServiceGeneratedCSR, KeyType: certificate.KeyTypeECDSA, KeyCurve: certificate.EllipticCurveP256, KeyPassword: keyPassword, Timeout: time.Minute}
		_, err := client.RequestCertificate(request)
		need(t, err)
		_, err = client.RetrieveCertificate(request)
		need(t, err)

		w := workshop{login(t, s, "alice"), "alice"}
		old := w.records(t, "commonName", name)[0]
		id := w.regenerate(t, old["resourceId"])
		_, err = client.RenewCertificate(&certificate.RenewalRequest{CertificateDN: dn})
		if err == nil || !strings.Contains(err.Error(), "already being processed") && !strings.Contains(err.Error(), "Queued for renewal") {
			t.Errorf("the renewal beside the order: got %v", err)
		}
		w.managed(t, id)

		_, err = client.RenewCertificate(&certificate.RenewalRequest{CertificateDN: dn})
		need(t, err)
		_, code := w.ask(t, http.StatusExpectationFailed, "PUT", "certificate/action?gwsource=external", object{"resourceId": old["resourceId"], "action": "Regenerate", "reason": "again"})
		if code != "OPEN_WORK_ORDERS_FOUND" {
			t.Errorf("the order beside the renewal: got %s", code)
		}
		within(t, avxWithin, "the renewed certificate", func() bool {
			all := w.records(t, "commonName", name)
			return len(all) == 3 && !slices.ContainsFunc(all, func(r object) bool { return r["status"] != "Managed" })
		})
	})
}
