package pki

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/clm"
)

// sshOrder is an order with everything in it, for a user with a key of that kind.
func sshOrder(kind string) SSHOrder {
	return SSHOrder{
		KeyID:           "alice's laptop, 1",
		Principals:      []string{"alice", "Bücher"},
		NotBefore:       time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:        time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC),
		Serial:          math.MaxUint64,
		Key:             sshUser(kind).Public(),
		Extensions:      map[string]string{"permit-pty": "", "permit-user-rc": "", "login@github.com": "alice@github.com"},
		ForceCommand:    "/usr/bin/backup --all",
		SourceAddresses: []string{"192.168.1.1/24", "10.0.0.1", "2001:db8::1"},
	}
}

func mustSignSSH(t testing.TB, order SSHOrder, caKind string) string {
	t.Helper()
	line, err := SignSSH(order, sshCA(caKind))
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// Every kind of CA signs every kind of key; OpenSSH reads all of it and finds the
// signature right, and so do we.
func TestSSHCertificatesAreOpenSSHs(t *testing.T) {
	for _, caKind := range sshKinds {
		for _, kind := range sshKinds {
			t.Run(kind+" by "+caKind, func(t *testing.T) {
				t.Parallel()
				order := sshOrder(kind)
				line := mustSignSSH(t, order, caKind)
				checkSSHSignature(t, line, caKind)

				facts, err := DescribeSSH(line + "\n")
				if err != nil {
					t.Fatal(err)
				}
				want := SSHFacts{
					KeyType:         sshCertTypes[mustSSH(t, order.Key).Type()],
					KeyID:           order.KeyID,
					Serial:          order.Serial,
					Principals:      order.Principals,
					NotBefore:       order.NotBefore,
					NotAfter:        order.NotAfter,
					ForceCommand:    order.ForceCommand,
					SourceAddresses: []string{"192.168.1.0/24", "10.0.0.1", "2001:db8::1"},
					Extensions:      order.Extensions,
					Fingerprint:     facts.Fingerprint,
					KeyFingerprint:  SSHFingerprint(order.Key),
					CAFingerprint:   SSHFingerprint(sshCA(caKind).Public()),
				}
				if diff := cmp.Diff(want, facts); diff != "" {
					t.Error(diff)
				}
				if !strings.HasPrefix(line, facts.KeyType+" ") || !strings.HasSuffix(line, " "+order.KeyID) || len(facts.Fingerprint) != 43 {
					t.Errorf("got %s with the fingerprint %s", line, facts.Fingerprint)
				}

				out := tool(t, "ssh-keygen", nil, "-L", "-f", inFile(t, []byte(line+"\n")))
				for _, say := range []string{
					want.KeyType + " user certificate",
					"SHA256:" + want.KeyFingerprint,
					"SHA256:" + want.CAFingerprint + " (using " + sshAlgorithmOf(caKind) + ")",
					`Key ID: "alice's laptop, 1"`,
					"Serial: 18446744073709551615",
					"alice\n",
					"force-command /usr/bin/backup --all",
					"source-address 192.168.1.0/24,10.0.0.1,2001:db8::1",
					"permit-pty\n",
					"permit-user-rc\n",
				} {
					if !strings.Contains(out, say) {
						t.Errorf("ssh-keygen does not say %q:\n%s", say, out)
					}
				}
			})
		}
	}
}

// sshAlgorithmOf is how keys of a kind sign, as OpenSSH calls it.
func sshAlgorithmOf(kind string) string {
	return map[string]string{
		"RSA2048": "rsa-sha2-512", "ED25519": "ssh-ed25519",
		"ECDSA256": "ecdsa-sha2-nistp256", "ECDSA384": "ecdsa-sha2-nistp384", "ECDSA521": "ecdsa-sha2-nistp521",
	}[kind]
}

func checkSSHSignature(t *testing.T, line, caKind string) {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	cert := key.(*ssh.Certificate)
	checker := ssh.CertChecker{
		SupportedCriticalOptions: []string{sshForceCommand, sshSourceAddress},
		Clock:                    func() time.Time { return time.Unix(int64(cert.ValidAfter), 0) },
	}
	if err := checker.CheckCert(cert.ValidPrincipals[0], cert); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(cert.SignatureKey.Marshal(), mustSSH(t, sshCA(caKind).Public()).Marshal()) {
		t.Error("it is signed by another key")
	}
}

// A certificate of a host says so, and may name what a user's may not.
func TestSSHHostCertificates(t *testing.T) {
	order := SSHOrder{
		KeyID: "web1", Host: true, Principals: []string{"web1.example.com", "*.example.com", "10.0.0.1"},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
		Key: sshUser("ED25519").Public(),
	}
	line := mustSignSSH(t, order, "RSA2048")
	facts, err := DescribeSSH(line)
	if err != nil || !facts.Host || facts.Serial != 0 || facts.SourceAddresses != nil || len(facts.Extensions) != 0 {
		t.Errorf("got %+v, %v", facts, err)
	}
	if out := tool(t, "ssh-keygen", nil, "-L", "-f", inFile(t, []byte(line))); !strings.Contains(out, "host certificate") {
		t.Errorf("got %s", out)
	}
}

// With the nonce given, a CA whose signatures are not random signs the same bytes
// again; without, never.
func TestSSHCertificatesAreTheSameForTheSameNonce(t *testing.T) {
	for _, caKind := range []string{"RSA2048", "ED25519"} {
		order := sshOrder("ED25519")
		first, second := mustSignSSH(t, order, caKind), mustSignSSH(t, order, caKind)
		if first == second {
			t.Errorf("%s: the same certificate without a nonce", caKind)
		}
		order.Nonce = bytes.Repeat([]byte{7}, sshNonceSize)
		first, second = mustSignSSH(t, order, caKind), mustSignSSH(t, order, caKind)
		if first != second {
			t.Errorf("%s: another certificate in spite of the nonce", caKind)
		}
	}
}

// The order of extensions is that of their names, so that only nonce and signature
// tell two certificates for the same order apart.
func TestSSHCertificatesDifferInNonceAndSignatureOnly(t *testing.T) {
	var contents [][]byte
	for range 2 {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(mustSignSSH(t, sshOrder("RSA2048"), "ECDSA256")))
		if err != nil {
			t.Fatal(err)
		}
		cert := key.(*ssh.Certificate)
		cert.Nonce, cert.Signature = nil, nil
		contents = append(contents, cert.Marshal())
	}
	if !bytes.Equal(contents[0], contents[1]) {
		t.Errorf("got %x and %x", contents[0], contents[1])
	}
}

// What cannot stand in a certificate, or would mean something else there, is refused.
func TestBadSSHOrdersAreRefused(t *testing.T) {
	weak := testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}]
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
		}
		return all
	}
	extension := func(name, value string) func(*SSHOrder) {
		return func(o *SSHOrder) { o.Extensions = map[string]string{name: value} }
	}
	principals := func(all ...string) func(*SSHOrder) {
		return func(o *SSHOrder) { o.Principals = all }
	}
	source := func(all ...string) func(*SSHOrder) {
		return func(o *SSHOrder) { o.SourceAddresses = all }
	}
	for name, c := range map[string]struct {
		edit func(*SSHOrder)
		want error
	}{
		"no key id":                      {func(o *SSHOrder) { o.KeyID = "" }, ErrBadSSHOrder},
		"a key id of two lines":          {func(o *SSHOrder) { o.KeyID = "a\nb" }, ErrBadSSHOrder},
		"a key id that turns the text":   {func(o *SSHOrder) { o.KeyID = "a\u202eb" }, ErrBadSSHOrder},
		"a long key id":                  {func(o *SSHOrder) { o.KeyID = strings.Repeat("x", maxSSHKeyID+1) }, ErrBadSSHOrder},
		"a key id that is not UTF-8":     {func(o *SSHOrder) { o.KeyID = "\xff" }, ErrBadSSHOrder},
		"no principals":                  {principals(), ErrBadSSHOrder},
		"an empty principal":             {principals("alice", ""), ErrBadSSHOrder},
		"a comma in a principal":         {principals("alice,root"), ErrBadSSHOrder},
		"a principal of two lines":       {principals("alice\nroot"), ErrBadSSHOrder},
		"a zero byte in a principal":     {principals("root\x00"), ErrBadSSHOrder},
		"a blank before a principal":     {principals(" root"), ErrBadSSHOrder},
		"a long principal":               {principals(strings.Repeat("x", MaxSSHPrincipal+1)), ErrBadSSHOrder},
		"too many principals":            {principals(many(MaxSSHPrincipals + 1)...), ErrBadSSHOrder},
		"no beginning":                   {func(o *SSHOrder) { o.NotBefore = time.Time{} }, ErrBadSSHOrder},
		"an end at the beginning":        {func(o *SSHOrder) { o.NotAfter = o.NotBefore.Add(time.Second - 1) }, ErrBadSSHOrder},
		"an end before the beginning":    {func(o *SSHOrder) { o.NotAfter = o.NotBefore.Add(-time.Hour) }, ErrBadSSHOrder},
		"too long":                       {func(o *SSHOrder) { o.NotAfter = o.NotBefore.Add(MaxSSHValidity + time.Second) }, ErrBadSSHOrder},
		"no name of an extension":        {extension("", ""), ErrBadSSHOrder},
		"a blank in an extension":        {extension("permit pty", ""), ErrBadSSHOrder},
		"a comma in an extension":        {extension("permit-pty,x", ""), ErrBadSSHOrder},
		"an extension beyond ASCII":      {extension("permit-ü", ""), ErrBadSSHOrder},
		"an extension with two ats":      {extension("a@b@c", ""), ErrBadSSHOrder},
		"a long name of an extension":    {extension(strings.Repeat("x", maxSSHName+1), ""), ErrBadSSHOrder},
		"a flag with a value":            {extension("permit-pty", "true"), ErrBadSSHOrder},
		"two lines in an extension":      {extension("a@b", "x\ny"), ErrBadSSHOrder},
		"a long value":                   {extension("a@b", strings.Repeat("x", MaxSSHValue+1)), ErrBadSSHOrder},
		"force-command as an extension":  {extension("force-command", "x"), ErrBadSSHOrder},
		"source-address as an extension": {extension("source-address", "10.0.0.1"), ErrBadSSHOrder},
		"too many extensions": {func(o *SSHOrder) {
			o.Extensions = map[string]string{}
			for i := range MaxSSHExtensions + 1 {
				o.Extensions[fmt.Sprint("x", i)] = ""
			}
		}, ErrBadSSHOrder},
		"two lines of command":          {func(o *SSHOrder) { o.ForceCommand = "ls\nrm" }, ErrBadSSHOrder},
		"a long command":                {func(o *SSHOrder) { o.ForceCommand = strings.Repeat("x", MaxSSHValue+1) }, ErrBadSSHOrder},
		"an empty source address":       {source(""), ErrBadSSHOrder},
		"a host name as source address": {source("test.com"), ErrBadSSHOrder},
		"two source addresses in one":   {source("10.0.0.1,10.0.0.2"), ErrBadSSHOrder},
		"a mask that is too long":       {source("10.0.0.0/33"), ErrBadSSHOrder},
		"a negated source address":      {source("!10.0.0.1"), ErrBadSSHOrder},
		"a source address with a zone":  {source("fe80::1%eth0"), ErrBadSSHOrder},
		"a network of IPv4 in IPv6":     {source("::ffff:10.0.0.0/104"), ErrBadSSHOrder},
		"too many source addresses":     {source(many(MaxSSHAddresses + 1)...), ErrBadSSHOrder},
		"a host with a force command":   {func(o *SSHOrder) { o.Host, o.SourceAddresses = true, nil }, ErrBadSSHOrder},
		"a host with a source address":  {func(o *SSHOrder) { o.Host, o.ForceCommand = true, "" }, ErrBadSSHOrder},
		"a short nonce":                 {func(o *SSHOrder) { o.Nonce = []byte("nonce") }, ErrBadSSHOrder},
		"no key":                        {func(o *SSHOrder) { o.Key = nil }, ErrUnsupportedKey},
		"a weak key":                    {func(o *SSHOrder) { o.Key = weak.Public() }, ErrUnsupportedKey},
		"all that is allowed, but at once": {func(o *SSHOrder) {
			o.Extensions = map[string]string{}
			for i := range MaxSSHExtensions {
				o.Extensions[fmt.Sprint("x", i)] = strings.Repeat("x", MaxSSHValue)
			}
		}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			order := sshOrder("ED25519")
			c.edit(&order)
			if line, err := SignSSH(order, sshCA("ED25519")); line != "" || !errors.Is(err, c.want) {
				t.Errorf("got %q, %v, want %v", line, err, c.want)
			}
		})
	}
	if _, err := SignSSH(sshOrder("ED25519"), weak); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("a weak CA: got %v, want %v", err, ErrUnsupportedKey)
	}
}

// An order at the bounds is signed and read.
func TestLargeSSHOrders(t *testing.T) {
	order := sshOrder("RSA2048")
	order.KeyID = strings.Repeat("k", maxSSHKeyID)
	order.NotAfter = order.NotBefore.Add(MaxSSHValidity)
	order.ForceCommand = strings.Repeat("x", MaxSSHValue)
	order.Principals = nil
	for i := range MaxSSHPrincipals {
		order.Principals = append(order.Principals, fmt.Sprintf("%064d", i))
	}
	line := mustSignSSH(t, order, "RSA2048")
	if facts, err := DescribeSSH(line); err != nil || len(facts.Principals) != MaxSSHPrincipals {
		t.Errorf("got %d principals, %v", len(facts.Principals), err)
	}
	tool(t, "ssh-keygen", nil, "-L", "-f", inFile(t, []byte(line)))
}

// Certificates that were signed elsewhere are described too, also without an end.
func TestForeignSSHCertificatesAreDescribed(t *testing.T) {
	ca := inFile(t, mustSSHPrivate(t, sshCA("ECDSA256"), "", ""))
	pub := inFile(t, []byte(mustSSHPublic(t, sshUser("RSA2048"), "")))
	tool(t, "ssh-keygen", nil, "-q", "-s", ca, "-I", "forever", "-z", "17", "-O", "clear", "-O", "source-address=10.0.0.0/8", pub)
	line, err := os.ReadFile(pub + "-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	facts, err := DescribeSSH(string(line))
	if err != nil {
		t.Fatal(err)
	}
	want := SSHFacts{
		KeyType: ssh.CertAlgoRSAv01, KeyID: "forever", Serial: 17, NotBefore: time.Unix(0, 0).UTC(),
		SourceAddresses: []string{"10.0.0.0/8"}, Extensions: map[string]string{}, Fingerprint: facts.Fingerprint,
		KeyFingerprint: SSHFingerprint(sshUser("RSA2048").Public()), CAFingerprint: SSHFingerprint(sshCA("ECDSA256").Public()),
	}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Error(diff)
	}
}

// What is not a certificate for a strong key is refused.
func TestBadSSHCertificatesAreRefused(t *testing.T) {
	good := mustSignSSH(t, sshOrder("ED25519"), "ED25519")
	_, rest, _ := strings.Cut(good, " ")
	encoded, _, _ := strings.Cut(rest, " ")
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":          {"", ErrNotSSHCertificate},
		"a public key":     {mustSSHPublic(t, sshUser("ED25519"), ""), ErrNotSSHCertificate},
		"another type":     {ssh.CertAlgoRSAv01 + " " + rest, ErrNotSSHCertificate},
		"two lines":        {good + "\n" + good, ErrNotSSHCertificate},
		"half a line":      {good[:len(good)/2], ErrNotSSHCertificate},
		"more than a line": {good + strings.Repeat("x", maxSSHLine), ErrTooLarge},
		"more than a certificate": {ssh.CertAlgoED25519v01 + " " + encoded[:len(encoded)-4] +
			base64.StdEncoding.EncodeToString(make([]byte, 3)), ErrNotSSHCertificate},
		"for a weak key":         {foreignCert(t, testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}].Public(), 0), ErrUnsupportedKey},
		"a beginning in no time": {foreignCert(t, sshUser("ED25519").Public(), math.MaxUint64-1), ErrNotSSHCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			if facts, err := DescribeSSH(c.text); facts.KeyType != "" || !errors.Is(err, c.want) {
				t.Errorf("got %+v, %v, want %v", facts, err, c.want)
			}
		})
	}
}

// foreignCert is a certificate that SignSSH would refuse to make.
func foreignCert(t testing.TB, pub crypto.PublicKey, after uint64) string {
	t.Helper()
	cert := &ssh.Certificate{Key: mustSSH(t, pub), CertType: ssh.UserCert, ValidAfter: after, ValidBefore: ssh.CertTimeInfinity}
	signer, err := ssh.NewSignerFromSigner(sshCA("ED25519"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.SignCert(bytes.NewReader(make([]byte, 64)), signer); err != nil {
		t.Fatal(err)
	}
	return sshLine(cert, "")
}

// No text makes us panic.
func FuzzDescribeSSH(f *testing.F) {
	for _, kind := range sshKinds {
		f.Add(mustSignSSH(f, sshOrder(kind), kind))
	}
	f.Add(foreignCert(f, sshUser("ED25519").Public(), 0))
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := DescribeSSH(text)
		if err != nil {
			oneOf(t, err, ErrNotSSHCertificate, ErrUnsupportedKey)
		} else if facts.KeyType == "" || facts.KeyFingerprint == "" || facts.CAFingerprint == "" {
			t.Fatalf("got %+v", facts)
		}
	})
}

// No order makes us panic, and every certificate that is made says what was ordered.
func FuzzSignSSH(f *testing.F) {
	f.Add("id", "alice", "permit-pty", "", "ls", "10.0.0.1/8", int64(1), int64(2))
	f.Add("id", "alice", "a@b", "value", "", "2001:db8::/32", int64(1), int64(1<<40))
	f.Fuzz(func(t *testing.T, id, principal, name, value, command, source string, from, to int64) {
		order := SSHOrder{
			KeyID: id, Principals: []string{principal}, NotBefore: time.Unix(from, 0), NotAfter: time.Unix(to, 0),
			Extensions: map[string]string{name: value}, ForceCommand: command, SourceAddresses: []string{source}, Key: sshUser("ED25519").Public(),
		}
		line, err := SignSSH(order, sshCA("ED25519"))
		if err != nil {
			oneOf(t, err, ErrBadSSHOrder)
			return
		}
		facts, err := DescribeSSH(line)
		if err != nil || facts.KeyID != id || facts.Principals[0] != principal || facts.Extensions[name] != value ||
			facts.ForceCommand != command || len(facts.SourceAddresses) != 1 || facts.NotAfter.Unix() != to || strings.Contains(line, "\n") {
			t.Fatalf("got %+v, %v", facts, err)
		}
	})
}
