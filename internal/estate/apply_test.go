package estate

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// load reads an estate file that must make sense.
func load(t testing.TB, text string) *File {
	t.Helper()
	f, err := Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// apply applies an estate file and must succeed.
func apply(t testing.TB, r *coretest.Rig, f *File, opt Options) Report {
	t.Helper()
	report, err := Apply(context.Background(), r.Core, r.Admin, f, opt)
	if err != nil {
		t.Fatalf("%v, after %q", err, report.Changes)
	}
	return report
}

// example is the file in the documentation.
func example(t testing.TB) (f *File, opt Options) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "carol.password", []byte("Carol-of-the-example-1\n"))
	cert, key := selfSigned(t, "legacy.example")
	write(t, dir, "legacy.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, dir, "legacy.key", keyPEM(t, key))
	return load(t, exampleText(t)), Options{Dir: dir}
}

func write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned is a certificate that comes from elsewhere, DER, with its key.
func selfSigned(t testing.TB, cn string) (der []byte, key crypto.Signer) {
	t.Helper()
	key, err := pki.GenerateKey(pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	return der, key
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := pki.MarshalKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// A plan says what applying then does, and does nothing; applying twice does
// nothing the second time.
func TestExample(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		r.Secret(secret.NewString(adaPassword))
		r.Secret(secret.NewString("Carol-of-the-example-1"))
		f, opt := example(t)
		before := auditLength(t, r)
		opt.Plan = true
		plan := apply(t, r, f, opt)
		if again := apply(t, r, f, opt); !cmp.Equal(plan, again) {
			t.Errorf("a plan changes what is planned next: %s", cmp.Diff(plan, again))
		}
		if after := auditLength(t, r); after != before {
			t.Errorf("got %d new audit entries after planning, want none", after-before)
		}
		var heard []string
		opt.Plan, opt.Progress = false, func(line string) { heard = append(heard, line) }
		done := apply(t, r, f, opt)
		if diff := cmp.Diff(plan.Changes, done.Changes); diff != "" {
			t.Errorf("plan (-), done (+):\n%s", diff)
		}
		if diff := cmp.Diff(heard, done.Changes); diff != "" {
			t.Errorf("heard (-), done (+):\n%s", diff)
		}
		await(t, r, done)
		before = auditLength(t, r)
		f, opt = example(t)
		if again := apply(t, r, f, opt); len(again.Changes)+len(again.Certificates) > 0 {
			t.Errorf("applying again changes %v", again)
		}
		if after := auditLength(t, r); after != before {
			t.Errorf("got %d new audit entries after applying again, want none", after-before)
		}
	})
}

// change plans and applies a file, wants the same of both, and returns the lines.
func change(t testing.TB, r *coretest.Rig, text string) []string {
	t.Helper()
	return changeIn(t, r, "", text)
}

// changeIn is change for a file in the folder.
func changeIn(t testing.TB, r *coretest.Rig, dir, text string) []string {
	t.Helper()
	f := load(t, text)
	plan := apply(t, r, f, Options{Dir: dir, Plan: true})
	done := apply(t, r, f, Options{Dir: dir})
	if diff := cmp.Diff(plan.Changes, done.Changes); diff != "" {
		t.Errorf("plan (-), done (+):\n%s", diff)
	}
	await(t, r, done)
	return done.Changes
}

func auditLength(t testing.TB, r *coretest.Rig) int {
	t.Helper()
	entries, err := r.DB.Audit(context.Background(), 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// await waits until all certificates are issued.
func await(t testing.TB, r *coretest.Rig, report Report) {
	t.Helper()
	for _, c := range report.Certificates {
		open, err := r.Wait(context.Background(), c.Work, time.Minute)
		if err != nil || open.State != clm.Finished {
			t.Fatalf("%s: got %+v, %v; want it issued", c.DN, open, err)
		}
		if _, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(c.DN)}); err != nil {
			t.Fatal(err)
		}
	}
}
