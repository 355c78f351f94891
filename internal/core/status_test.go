package core_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// asked is the request for the status of the certificate, and its issuer.
func asked(t testing.TB, cert *x509.Certificate, above []byte) ([]byte, *x509.Certificate) {
	t.Helper()
	issuer, err := x509.ParseCertificate(above)
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.AskStatus(cert, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return request, issuer
}

// ask1 asks for the status of the certificate, which must be answered as it should.
func ask1(t testing.TB, r *coretest.Rig, cert *x509.Certificate, above []byte) pki.CertStatus {
	t.Helper()
	request, issuer := asked(t, cert, above)
	a, err := r.Status(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pki.ReadStatus(a.DER, cert, issuer, r.DB.Now())
	if err != nil {
		t.Fatal(err)
	}
	if a.ForThis || !a.Made.Add(-core.ListSkew).Equal(s.ThisUpdate) || !a.Until.Equal(s.NextUpdate) {
		t.Errorf("got an answer from %v to %v that says %v to %v", a.Made, a.Until, s.ThisUpdate, s.NextUpdate)
	}
	return s
}

func certOf(t testing.TB, i core.Issued) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(i.Version.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func revoke(t testing.TB, r *coretest.Rig, dn clm.DN, reason clm.Reason) {
	t.Helper()
	if _, err := r.Revoke(context.Background(), r.Admin, core.Revoke{DN: string(dn), Reason: reason}); err != nil {
		t.Fatal(err)
	}
}

// The responder tells at once what is revoked, of both kinds of issuers, and goes on
// telling it when the place is deleted.
func TestResponderTellsTheTruth(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{})
		for folder, authority := range map[string]string{`\VED\Policy\RSA`: core.DefaultCA, `\VED\Policy\EC`: core.ECDSACA} {
			r.Folder(folder, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{authority}}})
			kept, bad := request(t, r, folder, "good.example.com"), request(t, r, folder, "bad.example.com")
			above := bad.Chain[0]
			status := func(i core.Issued) pki.CertStatus { return ask1(t, r, certOf(t, i), above) }
			for _, i := range []core.Issued{kept, bad} {
				if got := status(i); got.Status != pki.StatusGood {
					t.Errorf("%s: got %v, want good", folder, got.Status)
				}
			}
			revoke(t, r, bad.Place.DN, clm.KeyCompromise)
			first := status(bad)
			if first.Status != pki.StatusRevoked || first.Reason != clm.KeyCompromise || first.RevokedAt.After(r.DB.Now()) {
				t.Errorf("%s: got %+v, want it revoked", folder, first)
			}
			for _, i := range []core.Issued{kept, bad} {
				if err := r.Remove(context.Background(), r.Admin, i.Place.ID); err != nil {
					t.Fatal(err)
				}
			}
			if got := status(bad); got.Status != pki.StatusRevoked || !got.RevokedAt.Equal(first.RevokedAt) {
				t.Errorf("%s, deleted: got %+v, want it revoked as before", folder, got)
			}
			if got := status(kept); got.Status != pki.StatusGood {
				t.Errorf("%s, deleted: got %v, want good", folder, got.Status)
			}
		}
	})
}

// Of certificates that were never issued, and of issuers that are not ours, nothing
// is said; and nothing of requests that are none.
func TestResponderSaysNothingOfOthers(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{})
	place := request(t, r, core.DefaultZone, "www.example.com")
	stranger := foreignCA(t, "Elsewhere CA", nil)
	cert := *certOf(t, place)
	cert.SerialNumber = new(big.Int).Add(cert.SerialNumber, big.NewInt(1))
	invented, _ := asked(t, &cert, place.Chain[0])
	elsewhere, _ := asked(t, certOf(t, place), stranger.der)
	for what, c := range map[string]struct {
		request []byte
		want    clm.Kind
	}{
		"a serial number that was never given": {invented, clm.NotFound},
		"an issuer that is not ours":           {elsewhere, clm.NotFound},
		"nothing":                              {nil, clm.Invalid},
		"something else":                       {place.Version.Cert, clm.Invalid},
		"more than it says":                    {append(bytes.Clone(invented), 0), clm.Invalid},
	} {
		if a, err := r.Status(context.Background(), c.request); !errors.Is(err, c.want) || a.DER != nil {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

// An answer is signed once and used again until half of its life has passed.
func TestAnswersAreUsedAgain(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{})
	place := request(t, r, core.DefaultZone, "www.example.com")
	request, _ := asked(t, certOf(t, place), place.Chain[0])
	status := func() core.Answer {
		t.Helper()
		a, err := r.Status(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := status()
	r.Clock.Turn(3 * time.Hour)
	if again := status(); !bytes.Equal(again.DER, first.DER) {
		t.Error("an answer that was fresh was signed again")
	}
	r.Clock.Turn(2 * time.Hour)
	second := status()
	if bytes.Equal(second.DER, first.DER) {
		t.Error("an answer was given in the second half of its life")
	}
	revoke(t, r, place.Place.DN, clm.Superseded)
	if bytes.Equal(status().DER, second.DER) {
		t.Error("an answer was given that was not true any more")
	}
}

// A nonce is repeated where the installation wants it, in an answer of its own, and
// otherwise passed over.
func TestNonceIsRepeatedWhereWanted(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{})
	place := request(t, r, core.DefaultZone, "www.example.com")
	request, _ := asked(t, certOf(t, place), place.Chain[0])
	nonce := []byte("0123456789abcdef")
	request = withNonce(t, request, nonce)
	for _, wanted := range []bool{false, true} {
		value := map[bool]string{false: "0", true: "1"}[wanted]
		if _, err := r.Put(context.Background(), r.Admin, core.Put{DN: string(clm.RootDN), Class: clm.Root, Own: map[clm.Attr][]string{clm.OCSPNonce: {value}}}); err != nil {
			t.Fatal(err)
		}
		a, err := r.Status(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		if a.ForThis != wanted || bytes.Contains(a.DER, nonce) != wanted {
			t.Errorf("wanted %v: got repeated %v, for this only %v", wanted, bytes.Contains(a.DER, nonce), a.ForThis)
		}
	}
}

// withNonce adds a nonce to a request that has no extensions.
func withNonce(t testing.TB, request, nonce []byte) []byte {
	t.Helper()
	type content struct {
		List       asn1.RawValue
		Extensions []pkix.Extension `asn1:"explicit,tag:2,optional"`
	}
	var r struct{ Content content }
	if _, err := asn1.Unmarshal(request, &r); err != nil {
		t.Fatal(err)
	}
	value, err := asn1.Marshal(nonce)
	if err != nil {
		t.Fatal(err)
	}
	r.Content.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, Value: value}}
	if request, err = asn1.Marshal(r); err != nil {
		t.Fatal(err)
	}
	return request
}

// A responder is made when one is first needed, shared by all nodes, replaced before
// its certificate ends, and opens after the master key was changed.
func TestRespondersAreSharedAndReplaced(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{})
		r.Folder(`\VED\Policy\EC`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{core.ECDSACA}}, clm.ValidityDays: {Values: []string{"300"}}})
		place := request(t, r, `\VED\Policy\EC`, "www.example.com")
		cert, above := certOf(t, place), place.Chain[0]
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { ask1(t, r, cert, above) })
		}
		all.Wait()
		stop := func() {
			r.Stop()
			r.Start(coretest.Options{})
		}
		for _, step := range []struct {
			what string
			do   func()
			want int
		}{
			{"asked by several at first", func() {}, 1},
			{"after a restart", stop, 1},
			{"after two weeks", func() { r.Clock.Turn(14 * clm.Day) }, 1},
			{"in the last third of its life", func() { r.Clock.Turn(8 * clm.Day) }, 2},
			{"after its end", func() { r.Clock.Turn(60 * clm.Day) }, 3},
			{"after another restart", stop, 3},
			{"sealed anew", func() {
				_, err := r.Reseal(context.Background(), r.Admin)
				if e := r.Box.Rotate(); e != nil || err != nil {
					t.Fatal(e, err)
				}
				if done, err := r.Reseal(context.Background(), r.Admin); err != nil || done != 4+3+1 { // CAs, responders, a certificate
					t.Errorf("got %d sealed anew, %v; want 8", done, err)
				}
				if err := r.Box.DropOld(); err != nil {
					t.Fatal(err)
				}
				stop()
			}, 3},
		} {
			step.do()
			ask1(t, r, cert, above)
			if got := responders(t, r); got != step.want {
				t.Errorf("%s: got %d responders so far, want %d", step.what, got, step.want)
			}
		}
	})
}

func responders(t testing.TB, r *coretest.Rig) (n int) {
	t.Helper()
	if err := r.DB.Read(context.Background(), func(tx *store.Tx) error {
		all, err := tx.Responders()
		n = len(all)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// A responder that was made while a clock was far ahead does no harm once the clock
// is right again, in the same process and in others.
func TestResponderOfTheFutureIsPassedOver(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{})
		place := request(t, r, core.DefaultZone, "www.example.com")
		r.Clock.Turn(50 * clm.Day)
		ask1(t, r, certOf(t, place), place.Chain[0])
		r.Clock.Turn(-50 * clm.Day)
		for range 2 {
			ask1(t, r, certOf(t, place), place.Chain[0])
			if n := responders(t, r); n != 2 {
				t.Errorf("got %d responders, want another of now", n)
			}
			r.Stop()
			r.Start(coretest.Options{})
		}
	})
}

// While no responder can be made the old one goes on, also in a process that has just
// begun, and it is tried and logged once a minute.
func TestOldResponderGoesOn(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{})
	r.Folder(`\VED\Policy\EC`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{core.ECDSACA}}})
	place := request(t, r, `\VED\Policy\EC`, "www.example.com")
	cert, above := certOf(t, place), place.Chain[0]
	asking, _ := asked(t, cert, above)
	tries := 0
	failing := func(log *coretest.Log) *core.Core {
		return core.New(core.Config{DB: r.DB, Box: r.Box, Log: slog.New(slog.NewTextHandler(log, nil)),
			MakeResponder: func(ca.Issuer, crypto.Signer, time.Time) ([]byte, error) {
				tries++
				return nil, errors.New("the disk is full")
			}})
	}
	for _, old := range []bool{false, true} {
		log := &coretest.Log{}
		c := failing(log)
		tries = 0
		for minute := 1; minute <= 2; minute++ {
			for range 3 {
				if _, err := c.Status(context.Background(), asking); (err == nil) != old {
					t.Errorf("got %v, want an answer %v", err, old)
				}
			}
			if told := strings.Count(log.String(), "make an OCSP responder"); tries != minute || told != minute {
				t.Errorf("in minute %d: got %d tries and %d lines in the log", minute, tries, told)
			}
			r.Clock.Turn(core.ResponderPause)
		}
		if !old {
			ask1(t, r, cert, above)
			r.Clock.Turn(25 * clm.Day)
		}
	}
}

// watched is a context that counts how often somebody asked for its end.
type watched struct {
	context.Context
	asked atomic.Int32
}

func (w *watched) Done() <-chan struct{} {
	w.asked.Add(1)
	return w.Context.Done()
}

// What was revoked while an answer waited for its signature is not called good as of
// a later time.
func TestAnswerIsOfTheTimeOfTheLook(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	der, err := r.Certificate(context.Background(), core.ECDSAIssuer)
	if err != nil {
		t.Fatal(err)
	}
	above, err := r.Certificate(context.Background(), core.ECDSAIssuer+"-root")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ask1(t, r, cert, above) // there is a responder now
	r.Clock.Turn(5 * time.Hour)
	before := r.DB.Now()
	request, issuer := asked(t, cert, above)
	giveBack := r.TakeTurns()
	var waiting sync.WaitGroup
	var a core.Answer
	ctx := &watched{Context: context.Background()}
	waiting.Go(func() { a, err = r.Status(ctx, request) })
	eventually(t, "it has looked", func() bool { return ctx.asked.Load() > 1 }) // for each look once, before it
	r.Clock.Turn(time.Hour)
	giveBack()
	waiting.Wait()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pki.ReadStatus(a.DER, cert, issuer, r.DB.Now())
	if err != nil || s.ThisUpdate.After(before.Add(time.Minute)) {
		t.Errorf("got an answer of %v, %v; want one of %v", s.ThisUpdate, err, before)
	}
}

// A question that is repeated costs no signature; a few certificates are answered for
// at once, many are not.
func TestManyQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{})
	var requests [][]byte
	var first core.Issued
	for n := range core.MaxAsked + 1 {
		place := request(t, r, core.DefaultZone, fmt.Sprintf("www%d.example.com", n))
		if n == 0 {
			first = place
		}
		request, _ := asked(t, certOf(t, place), place.Chain[0])
		requests = append(requests, request)
	}
	status := func(all ...[]byte) (core.Answer, error) { return r.Status(context.Background(), together(t, all...)) }
	once, err := r.Status(context.Background(), requests[0])
	if err != nil {
		t.Fatal(err)
	}
	if a, err := status(requests[0], requests[0], requests[0]); err != nil || !bytes.Equal(a.DER, once.DER) || a.ForThis {
		t.Errorf("the same again: got another answer, %v", err)
	}
	a, err := status(requests[:core.MaxAsked]...)
	if err != nil || !a.ForThis {
		t.Fatalf("%d questions: got %v", core.MaxAsked, err)
	}
	issuer, err := x509.ParseCertificate(first.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if s, err := pki.ReadStatus(a.DER, certOf(t, first), issuer, r.DB.Now()); err != nil || s.Status != pki.StatusGood {
		t.Errorf("got %v, %v; want good", s.Status, err)
	}
	if _, err := status(requests...); !errors.Is(err, clm.Invalid) {
		t.Errorf("%d questions: got %v, want them refused", len(requests), err)
	}
}

// together is one request with the questions of all, which have no extensions.
func together(t testing.TB, all ...[]byte) []byte {
	t.Helper()
	type request struct {
		Content struct{ List []asn1.RawValue }
	}
	var joined request
	for _, der := range all {
		var r request
		if _, err := asn1.Unmarshal(der, &r); err != nil {
			t.Fatal(err)
		}
		joined.Content.List = append(joined.Content.List, r.Content.List...)
	}
	der, err := asn1.Marshal(joined)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Whoever guesses issuers does not have them looked for each time, nor does one whose
// key cannot be opened harm anybody or fill the log.
func TestGuessesAreCheap(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	stranger := foreignCA(t, "Elsewhere CA", nil)
	broken := foreignCA(t, "Broken CA", nil)
	leaf := foreignLeaf(t, "www.example.com", time.Hour, stranger)
	cert, err := x509.ParseCertificate(leaf.der)
	if err != nil {
		t.Fatal(err)
	}
	guess, _ := asked(t, cert, stranger.der)
	if err := r.DB.Write(ctx, store.Entry{Action: "add issuer"}, func(tx *store.Tx) error {
		print, err := tx.SaveChain([][]byte{broken.der})
		if err == nil {
			_, err = tx.AddIssuer(store.Issuer{Name: "broken", Fingerprint: print, Sealed: []byte("lost")})
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := r.Status(ctx, guess); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want nothing said", err)
		}
	}
	if text := r.Log.String(); strings.Contains(text, "level=ERROR") {
		t.Errorf("guesses were logged:\n%s", text)
	}
	if _, err := r.List(ctx, "broken", core.WholeList); err == nil || errors.Is(err, clm.NotFound) {
		t.Errorf("of a key that cannot be opened: got %v, want a failure of ours", err)
	}
	if _, err := r.AddIssuer(ctx, r.Admin, core.NewIssuer{Name: "new", Subject: clm.Names{CommonName: "New CA"}, Key: pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.List(ctx, "new", core.WholeList); !errors.Is(err, clm.NotFound) {
		t.Errorf("got %v, want nobody to look again so soon", err)
	}
	r.Clock.Turn(core.LookPause)
	if _, err := r.List(ctx, "new", core.WholeList); err != nil {
		t.Errorf("got %v, want the new issuer known", err)
	}
}

// A responder's key is worth as much as the issuer's.
func TestResponderKeyIsAsTheIssuers(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	for _, spec := range []pki.KeySpec{{Algorithm: clm.ECC, Curve: clm.P384}, {Algorithm: clm.ECC, Curve: clm.P521}, {Algorithm: clm.RSA, Bits: 3072}} {
		root := spec.String() + "-root"
		subject := func(cn string) clm.Names { return clm.Names{CommonName: cn, Organization: "Certwright", Country: "US"} }
		for _, n := range []core.NewIssuer{
			{Name: root, Subject: subject(root), Key: spec},
			{Name: spec.String(), Above: root, Subject: subject(spec.String()), Key: pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}},
		} {
			if _, err := r.AddIssuer(ctx, r.Admin, n); err != nil {
				t.Fatal(err)
			}
		}
		r.Clock.Turn(core.LookPause)
		der, err := r.Certificate(ctx, spec.String())
		if err != nil {
			t.Fatal(err)
		}
		above, err := r.Certificate(ctx, root)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		ask1(t, r, cert, above)
		print := sha256.Sum256(above)
		if err := r.DB.Read(ctx, func(tx *store.Tx) error {
			p, err := tx.Responder(print[:], tx.Now)
			if err != nil {
				return err
			}
			made, err := x509.ParseCertificate(p.Cert)
			if err == nil && pki.SpecOf(made.PublicKey) != spec {
				t.Errorf("got a responder with %s, want %s", pki.SpecOf(made.PublicKey), spec)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
