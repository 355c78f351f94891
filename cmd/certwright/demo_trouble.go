package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/pki"
)

// seenPause is how long the demonstration waits before it looks again whether a
// revocation is seen.
const seenPause = 100 * time.Millisecond

// fail has a renewal fail, asks why, mends the cause and begins anew.
func (d *demonstration) fail(ctx context.Context, dn, guid string) error {
	details := "/vedsdk/Certificates/" + guid
	endDate := func(values ...string) map[string]any {
		return map[string]any{"AttributeData": []map[string]any{{"Name": "Specific End Date", "Value": values}}}
	}
	d.begin("Have a renewal fail: somebody wants the certificate to end in the past")
	steps := []struct {
		want         int
		method, path string
		body         map[string]any
	}{
		{200, "PUT", details, endDate("2020-01-01 00:00:00")},
		{400, "POST", "/vedsdk/Certificates/Renew", map[string]any{"CertificateDN": dn, "WorkToDoTimeout": 30}},
	}
	for _, s := range steps {
		if _, err := d.send(ctx, s.want, s.method, s.path, s.body, whole); err != nil {
			return err
		}
	}
	d.begin("Ask how it stands, mend the cause, and reset with a restart")
	if _, err := d.send(ctx, 200, "GET", details, nil, part("ProcessingDetails")); err != nil {
		return err
	}
	if _, err := d.send(ctx, 200, "PUT", details, endDate(), whole); err != nil {
		return err
	}
	reset := map[string]any{"CertificateDN": dn, "Restart": true, "WorkToDoTimeout": 30}
	answer, err := d.send(ctx, 200, "POST", "/vedsdk/Certificates/Reset", reset, whole)
	if err == nil && answer["RestartCompleted"] != true {
		err = errors.New("nothing was restarted")
	}
	if err != nil {
		return err
	}
	_, err = d.send(ctx, 200, "GET", details, nil, part("ProcessingDetails"))
	return err
}

// whole tells the whole of an answer, in short.
func whole(answer map[string]any) (string, error) { return short(answer), nil }

// part tells one member of an answer.
func part(member string) func(map[string]any) (string, error) {
	return func(answer map[string]any) (string, error) { return short(map[string]any{member: answer[member]}), nil }
}

// revoke revokes the certificate in use and looks where relying parties look.
func (d *demonstration) revoke(ctx context.Context, dn, guid string) error {
	d.begin("Revoke it, and look where relying parties look")
	sent := map[string]any{"CertificateDN": dn, "Format": "Base64", "IncludeChain": true}
	answer, err := d.send(ctx, 200, "POST", "/vedsdk/Certificates/Retrieve", sent, part("Filename"))
	if err != nil {
		return err
	}
	leaf, issuer, err := leafAndIssuer(answer)
	if err != nil {
		return err
	}
	before, _, err := d.look(ctx, leaf, issuer)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "   before: %s\n", before)
	if before.isListed || before.isRevoked {
		return errors.New("the certificate is revoked already")
	}
	body := map[string]any{"CertificateDN": dn, "Reason": 4, "Comments": "end of the tour"}
	if _, err := d.send(ctx, 200, "POST", "/vedsdk/Certificates/Revoke", body, whole); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	begun := time.Now()
	after, where, err := d.look(ctx, leaf, issuer)
	for err == nil && !(after.isListed && after.isRevoked) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the revocation is not seen within %s", demoTimeout)
		case <-time.After(seenPause):
		}
		after, where, err = d.look(ctx, leaf, issuer)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "   after:  %s   (seen by both within %s, at %s)\n", after, round(time.Since(begun)), where)
	_, err = d.send(ctx, 200, "GET", "/vedsdk/Certificates/"+guid, nil, func(answer map[string]any) (string, error) {
		told := map[string]any{}
		certificate, _ := answer["CertificateDetails"].(map[string]any)
		for name, value := range certificate {
			if strings.HasPrefix(name, "Revocation") {
				told[name] = value
			}
		}
		return short(told), nil
	})
	return err
}

// seen is what relying parties are told.
type seen struct{ isListed, isRevoked bool }

func (s seen) String() string {
	list, responder := "does not name it", "says good"
	if s.isListed {
		list = "names it"
	}
	if s.isRevoked {
		responder = "says revoked"
	}
	return "the revocation list " + list + ", the OCSP responder " + responder
}

// look asks at the addresses in the certificate.
func (d *demonstration) look(ctx context.Context, leaf, issuer *x509.Certificate) (s seen, where string, err error) {
	if len(leaf.CRLDistributionPoints) == 0 || len(leaf.OCSPServer) == 0 {
		return s, "", errors.New("the certificate does not say where to look")
	}
	list, err := fetch(ctx, http.MethodGet, leaf.CRLDistributionPoints[0], nil)
	if err != nil {
		return s, "", err
	}
	found, err := pki.FindInList(list, issuer, fmt.Sprintf("%X", leaf.SerialNumber))
	if err != nil {
		return s, "", err
	}
	question, err := pki.AskStatus(leaf, issuer)
	if err != nil {
		return s, "", err
	}
	said, err := fetch(ctx, http.MethodPost, leaf.OCSPServer[0], question)
	if err != nil {
		return s, "", err
	}
	status, err := pki.ReadStatus(said, leaf, issuer, time.Now())
	return seen{found.Listed, status.Status == pki.StatusRevoked}, leaf.CRLDistributionPoints[0] + " and " + leaf.OCSPServer[0], err
}

// fetch gets what is published, without a login.
func fetch(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// leafAndIssuer are the first two certificates of an answer.
func leafAndIssuer(answer map[string]any) (leaf, issuer *x509.Certificate, err error) {
	text, _ := answer["CertificateData"].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, nil, err
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil && len(certs) < 2; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) < 2 {
		return nil, nil, errors.New("the answer holds no chain")
	}
	return certs[0], certs[1], nil
}
