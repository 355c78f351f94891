package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/pki"
)

// What is pushed in the demonstration, and where.
const (
	pushHost   = "pay.shop.example"
	pushFolder = `\VED\Policy\Shop\Pay`
	pushDN     = pushFolder + `\` + pushHost
	pushDevice = pushFolder + `\this machine`
	pushApp    = pushDevice + `\pay`

	pushLookTime  = 8 // seconds that the service has to show what it was given
	pushPause     = 50 * time.Millisecond
	serviceEnding = 5 * time.Second
)

// push has a certificate put where a service uses it, renewed there under the eyes of
// a client, and put back when the service does not take it.
func (d *demonstration) push(ctx context.Context) error {
	if runtime.GOOS == "windows" {
		fmt.Fprintln(d.out, "\nPushing a certificate to a service is left out: this machine has no signals.")
		return nil
	}
	d.begin("Start a service that has a certificate of its own")
	if err := d.startService(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "   it serves TLS on %s, process %d, self-signed, serial %s; a client connects every %s from now on\n", d.service.address, d.service.cmd.Process.Pid, serialOf(d.service.first), probeEvery)
	roots := d.roots.Clone()
	roots.AddCert(d.service.first)
	eyes := probe(ctx, d.service.address, roots)
	defer eyes.stop()

	one, err := d.pushFirst(ctx, eyes)
	if err != nil {
		return err
	}
	d.begin("Renew it: the new one goes on to the service by itself")
	two, err := d.obtain(ctx, "Renew", map[string]any{"CertificateDN": pushDN})
	if err == nil {
		err = d.arrives(ctx, eyes, one, two)
	}
	if err != nil {
		return err
	}
	three, err := d.pushInVain(ctx, eyes, two)
	if err != nil {
		return err
	}
	if _, err := d.call(ctx, "Push it to all that use it, should it have got lost", 200, "POST", "/vedsdk/Certificates/Push", map[string]any{"CertificateDN": pushDN, "PushToAll": true}); err != nil {
		return err
	}
	return d.arrives(ctx, eyes, three)
}

// pushFirst makes what stands for the service, and pushes the first certificate to it.
func (d *demonstration) pushFirst(ctx context.Context, eyes *prober) (first *x509.Certificate, err error) {
	s := d.service
	d.begin("As admin, say where it is and how it is told: what is run on this machine is not for alice to say")
	if err := d.login(ctx, "admin"); err != nil {
		return nil, err
	}
	objects := []struct {
		dn, class string
		values    [][2]string
	}{
		{pushDevice, "Device", [][2]string{{"Host", "127.0.0.1"}, {"Connection Method", "Local"}}},
		{pushApp, "Command", [][2]string{
			{"Certwright:look-at", s.address},
			{"Certwright:look-time", strconv.Itoa(pushLookTime)},
			{"Certwright:reload-command", commandLine(s.program, "demo-service", "reload", "--pid", strconv.Itoa(s.cmd.Process.Pid))},
			{"Certwright:check-command", commandLine(s.program, "demo-service", "check", "--certificate", s.cert, "--key", s.key)},
			{"Certificate File", s.cert},
			{"Private Key File", s.key},
		}},
	}
	for _, o := range objects {
		var list []map[string]any
		for _, v := range o.values {
			list = append(list, map[string]any{"Name": v[0], "Value": v[1]})
		}
		_, err := d.send(ctx, 200, "POST", "/vedsdk/Config/Create", map[string]any{"ObjectDN": o.dn, "Class": o.class, "NameAttributeList": list}, func(answer map[string]any) (string, error) {
			if answer["Result"] != 1.0 {
				return "", fmt.Errorf("%s was not made: %s", o.dn, short(answer))
			}
			return short(map[string]any{"Result": 1}), nil
		})
		if err != nil {
			return nil, err
		}
	}
	d.begin("As alice, request a certificate, and push it to the service")
	if err := d.login(ctx, "alice"); err != nil {
		return nil, err
	}
	first, err = d.obtain(ctx, "Request", map[string]any{"PolicyDN": pushFolder, "Subject": pushHost})
	if err != nil {
		return nil, err
	}
	body := map[string]any{"CertificateDN": pushDN, "ApplicationDN": []string{pushApp}, "PushToNew": true}
	if _, err := d.send(ctx, 200, "POST", "/vedsdk/Certificates/Associate", body, whole); err != nil {
		return nil, err
	}
	return first, d.arrives(ctx, eyes, s.first, first)
}

// pushInVain renews the certificate while the service hears nothing, looks at what comes
// of it, lets it hear again and retries.
func (d *demonstration) pushInVain(ctx context.Context, eyes *prober, served *x509.Certificate) (fresh *x509.Certificate, err error) {
	d.begin("Renew it again while the service is deaf to its reload")
	if err := d.service.tell(ctx, beDeaf); err != nil {
		return nil, err
	}
	fresh, err = d.obtain(ctx, "Renew", map[string]any{"CertificateDN": pushDN})
	if err != nil {
		return nil, err
	}
	stands, err := d.settled(ctx, func(stands map[string]string) bool { return stands["In Error"] == "1" })
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(d.out, "   In Error %s, Stage %s, Status %q\n", stands["In Error"], stands["Stage"], stands["Status"])
	if !strings.HasSuffix(stands["Status"], "What was served before is served again.") {
		return nil, errors.New("the push to a deaf service did not end as it should")
	}
	if err := d.saw(ctx, eyes, served); err != nil {
		return nil, err
	}
	d.begin("Let the service hear again, and retry")
	if err := d.service.tell(ctx, hear); err != nil {
		return nil, err
	}
	if _, err := d.send(ctx, 200, "POST", "/vedsdk/Certificates/Retry", map[string]any{"CertificateDN": pushDN}, whole); err != nil {
		return nil, err
	}
	return fresh, d.arrives(ctx, eyes, served, fresh)
}

// obtain has the API hand out a certificate, and tells its serial number.
func (d *demonstration) obtain(ctx context.Context, call string, body map[string]any) (leaf *x509.Certificate, err error) {
	body["Format"], body["IncludeChain"], body["WorkToDoTimeout"] = "Base64", true, 30
	_, err = d.send(ctx, 200, "POST", "/vedsdk/Certificates/"+call, body, func(answer map[string]any) (string, error) {
		if leaf, _, err = leafAndIssuer(answer); err != nil {
			return "", err
		}
		return "serial " + brief(serialOf(leaf)), nil
	})
	return leaf, err
}

// arrives waits until the last of the certificates is installed, and says what the client
// saw of it: these certificates one after another.
func (d *demonstration) arrives(ctx context.Context, eyes *prober, certs ...*x509.Certificate) error {
	last := certs[len(certs)-1]
	heard := d.service.hears(ctx, "read "+serialOf(last))
	stands, err := d.settled(ctx, func(stands map[string]string) bool {
		isDone := stands["Stage"] == "" && stands["Certificate Installed"] == pki.Thumbprint(last.Raw)
		return isDone || stands["In Error"] == "1" || heard != nil
	})
	if err == nil {
		err = heard
	}
	if stands["In Error"] == "1" {
		err = errors.New(stands["Status"])
	}
	if err != nil {
		return fmt.Errorf("the push has not come to its end: %w", err)
	}
	fmt.Fprintf(d.out, "   Last Pushed On %s, by %s\n", stands["Last Pushed On"], stands["Last Pushed By"])
	return d.saw(ctx, eyes, certs...)
}

// saw prints what the client has seen, which must be these certificates.
func (d *demonstration) saw(ctx context.Context, eyes *prober, certs ...*x509.Certificate) error {
	told, err := eyes.tell(ctx, certs...)
	if err == nil {
		fmt.Fprintf(d.out, "   the client: %s\n", told)
	}
	return err
}

// settled asks how the application stands, by the names of its attributes, until that is
// enough.
func (d *demonstration) settled(ctx context.Context, isEnough func(stands map[string]string) bool) (stands map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	const path = "/vedsdk/Config/ReadAll"
	body := map[string]any{"ObjectDN": pushApp}
	fmt.Fprintf(d.out, "   POST %s %s   until nothing is under way\n", path, short(body))
	for {
		response, text, _, err := d.exchange(ctx, "POST", path, body)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Result     int
			NameValues []struct {
				Name   string
				Values []string
			}
		}
		if err := json.Unmarshal(text, &answer); err != nil || answer.Result != 1 {
			return nil, fmt.Errorf("%s: %s", path, response.Status)
		}
		stands = map[string]string{}
		for _, a := range answer.NameValues {
			stands[a.Name] = strings.Join(a.Values, ", ")
		}
		if isEnough(stands) {
			return stands, nil
		}
		select {
		case <-ctx.Done():
			return stands, fmt.Errorf("the push is at stage %q: %w", stands["Stage"], ctx.Err())
		case <-time.After(pushPause):
		}
	}
}

// startService makes the files of the service and starts it. It ends with
// d.service.end, or when this process does.
func (d *demonstration) startService(ctx context.Context) error {
	dir, err := filepath.Abs(filepath.Join(filepath.Dir(d.caFile), "service"))
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s := &pushed{cert: filepath.Join(dir, "pay.crt"), key: filepath.Join(dir, "pay.key")}
	if s.program, err = os.Executable(); err != nil {
		return err
	}
	if err := s.makeFirst(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	d.service = s
	s.address, err = s.next(ctx)
	return err
}

// commandLine writes arguments as the driver for commands reads them.
func commandLine(args ...string) string {
	isPlain := func(r rune) bool {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-", r)
	}
	var words []string
	for _, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return !isPlain(r) }) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
