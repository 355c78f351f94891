package bench

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/pki"
)

// handTimes is how often a push is made by hand to see how long it takes.
const handTimes = 5

// A hand does to an nginx of its own what somebody does who knows what is to be done
// and writes nothing down: files, nginx -t, nginx -s reload, and a look whether it has
// come to pass. It is the limit for pushes on the same machine.
type hand struct {
	b    *testing.B
	web  *deploytest.Web
	next int // the site whose turn it is
}

func newHand(b *testing.B) *hand {
	return &hand{b: b, web: deploytest.StartNginx(b, make([]deploytest.Site, pushSites)...)}
}

// limits are what the machine can do, per second.
type limits struct {
	renewals float64 // by the server, where no application uses the certificate
	alone    float64 // pushes by hand, one after the other
	together float64 // pushes by hand, all sites at once
}

func (f *fleet) limits() (l limits) {
	l.alone = rate(1, func() { f.hand.push(1) })
	l.together = pushSites * rate(1, func() { f.hand.push(pushSites) })
	l.renewals = f.bareRenewals()
	return l
}

// bareRenewals is how many certificates a second the server renews that nobody uses, on
// as many connections as there are sites.
func (f *fleet) bareRenewals() float64 {
	free := make(chan *client, pushSites)
	for range pushSites {
		c := f.connect(f.hand.b)
		c.place = f.enroll(f.hand.b, c, "ECDSA")
		free <- c
	}
	return rate(pushSites, func() {
		c := <-free
		c.renewOnce(f.hand.b)
		free <- c
	})
}

// times is how long pushes of one site take.
func (h *hand) times() (took []time.Duration) {
	for range handTimes {
		begun := time.Now()
		h.push(1)
		took = append(took, time.Since(begun))
	}
	return took
}

// push puts new certificates into so many sites.
func (h *hand) push(n int) {
	fresh := map[deploytest.Site][]byte{}
	for range n {
		s := h.web.Sites[h.next]
		h.next = (h.next + 1) % len(h.web.Sites)
		bundle := deploytest.SelfSigned(h.b, s.Name)
		fresh[s] = bundle.Cert
		h.write(s, bundle)
	}
	h.run("-t")
	h.run("-s", "reload")
	for s, cert := range fresh {
		h.await(s, cert)
	}
}

// write swaps the files of a site, each of which survives a power failure.
func (h *hand) write(s deploytest.Site, bundle pki.Bundle) {
	key, err := x509.MarshalPKCS8PrivateKey(bundle.Key)
	if err != nil {
		h.b.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{s.Cert: {Type: "CERTIFICATE", Bytes: bundle.Cert}, s.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := replace(name, pem.EncodeToMemory(block)); err != nil {
			h.b.Fatal(err)
		}
	}
}

func replace(name string, data []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (h *hand) run(words ...string) {
	if said, err := exec.Command(h.web.Program, append(words, "-c", h.web.Config)...).CombinedOutput(); err != nil {
		h.b.Fatalf("nginx: %v\n%s", err, said)
	}
}

// await looks until the certificate is seen as often in a row as the server wants it.
func (h *hand) await(s deploytest.Site, cert []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), pushPatient)
	defer cancel()
	for shown := 0; shown < look.EnoughLooks; {
		seen, err := look.Look(ctx, s.Look())
		switch {
		case ctx.Err() != nil:
			h.b.Fatalf("%s does not show its certificate: %v", s.Look(), err)
		case err == nil && bytes.Equal(seen.Chain[0], cert):
			shown++
		default:
			shown = 0
		}
	}
}
