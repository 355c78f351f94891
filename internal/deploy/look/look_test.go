package look

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// sameChain fails the test unless the chain was shown.
func sameChain(t *testing.T, got, want [][]byte) {
	t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		var names []string
		for _, der := range got {
			names = append(names, describe(der))
		}
		t.Errorf("shown is %d certificates, %s; want %d", len(got), strings.Join(names, ", "), len(want))
	}
}

// TestLookAtOpenSSL looks at another implementation in each version of TLS that it
// speaks.
func TestLookAtOpenSSL(t *testing.T) {
	t.Parallel()
	leaf := newLeaf(t, "www.example")
	for flag, version := range map[string]uint16{"-tls1_2": tls.VersionTLS12, "-tls1_3": tls.VersionTLS13} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			s := startOpenSSL(t, leaf, flag)
			seen, err := Look(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			sameChain(t, seen.Chain, leaf.shown())
			if seen.Version != version || seen.Address != fmt.Sprintf("127.0.0.1:%d", s.Port) || time.Since(seen.At) > time.Minute {
				t.Errorf("got %s, version %x, at %s", seen.Address, seen.Version, seen.At)
			}
		})
	}
}

// TestLookAtOldServices looks at a service that can do nothing that is good enough
// for today.
func TestLookAtOldServices(t *testing.T) {
	t.Parallel()
	_, ca := newCA(t)
	leaf := issueFor(t, &ca, "old.example", always, newRSA(t))
	s := startOpenSSL(t, leaf, "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0")
	seen, err := Look(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	sameChain(t, seen.Chain, leaf.shown())
	if seen.Version != tls.VersionTLS10 {
		t.Errorf("version %x", seen.Version)
	}
}

// TestLookAsksForName sees the certificate of the server name that is asked for.
func TestLookAsksForName(t *testing.T) {
	t.Parallel()
	usual, other := newLeaf(t, "one.example"), newLeaf(t, "two.example")
	cert, _, key := other.files(t)
	s := startOpenSSL(t, usual, "-servername", "two.example", "-cert2", cert, "-key2", key)
	for name, want := range map[string]issued{"": usual, "one.example": usual, "two.example": other} {
		s.Name = name
		seen, err := Look(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(seen.Chain[0], want.Raw) {
			t.Errorf("asked for %q and saw %s", name, describe(seen.Chain[0]))
		}
	}
}

// TestLookWithoutClientCertificate sees the leaf of a service that wants to see
// one of its client too, and says so where the service gives up before it has
// proved anything.
func TestLookWithoutClientCertificate(t *testing.T) {
	t.Parallel()
	_, ca := newCA(t)
	leaf := issueFor(t, &ca, "mutual.example", always, newRSA(t))
	for _, c := range []struct {
		name, fails string
		args        []string
	}{
		{"TLS 1.3", "", []string{"-tls1_3"}},
		{"TLS 1.2, ECDHE", "", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}},
		{"TLS 1.2, RSA key exchange", "wants a certificate of its client", []string{"-tls1_2", "-cipher", "AES128-GCM-SHA256"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startOpenSSL(t, leaf, append(c.args, "-Verify", "1")...)
			seen, err := Look(t.Context(), s)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %s", err, c.fails)
				}
				versions, err := Versions(t.Context(), s)
				if err != nil || !slices.Equal(versions, []uint16{tls.VersionTLS12}) {
					t.Errorf("versions %x, %v", versions, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sameChain(t, seen.Chain, leaf.shown())
		})
	}
}

// TestLookTakesNoCertificateWithoutProof does not believe a service that shows a
// certificate, does not sign anything with its key, and has its client fail where
// a missing client certificate could be the reason.
func TestLookTakesNoCertificateWithoutProof(t *testing.T) {
	t.Parallel()
	leaf := newLeaf(t, "stolen.example")
	message := func(kind byte, body []byte) []byte {
		return append([]byte{kind, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	}
	cert := append([]byte{0, byte(len(leaf.Raw) >> 8), byte(len(leaf.Raw))}, leaf.Raw...)
	messages := slices.Concat(
		message(2, slices.Concat([]byte{3, 3}, make([]byte, 32), []byte{0, 0xc0, 0x2b, 0})), // ServerHello: ECDHE-ECDSA-AES128-GCM-SHA256
		message(11, append([]byte{0, byte(len(cert) >> 8), byte(len(cert))}, cert...)),
		message(13, []byte{1, 64, 0, 2, 4, 3, 0, 0}), // CertificateRequest
		message(14, nil), // ServerHelloDone
	)
	record := append([]byte{22, 3, 3, byte(len(messages) >> 8), byte(len(messages))}, messages...)
	s := here(t, TLS, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		saying(string(record))(conn)
	})
	if seen, err := Look(t.Context(), s); err == nil || !strings.Contains(err.Error(), "before it proves") {
		t.Errorf("got %d certificates, %v", len(seen.Chain), err)
	}
}

// dialogues are services that offer TLS on the way. Each returns when TLS is to begin.
var dialogues = map[string]func(*bufio.Reader, io.Writer) bool{
	SMTP: func(in *bufio.Reader, out io.Writer) bool {
		return say(out, "220-mail.example ESMTP\r\n220-no\r\n220 spam\r\n") &&
			hears(in, "EHLO ") && say(out, "250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n") &&
			hears(in, "STARTTLS\r\n") && say(out, "220 2.0.0 Ready\r\n")
	},
	IMAP: func(in *bufio.Reader, out io.Writer) bool {
		if !say(out, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n") {
			return false
		}
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return false
			}
			tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch command {
			case "CAPABILITY":
				say(out, "* CAPABILITY IMAP4rev1 STARTTLS\r\n"+tag+" OK done\r\n")
			case "STARTTLS":
				return say(out, "* OK by the way\r\n"+tag+" OK Begin TLS negotiation now\r\n")
			default:
				say(out, tag+" BAD\r\n")
			}
		}
	},
	POP3: func(in *bufio.Reader, out io.Writer) bool {
		return say(out, "+OK POP3 ready\r\n") && hears(in, "STLS\r\n") && say(out, "+OK Begin TLS negotiation\r\n")
	},
	FTP: func(in *bufio.Reader, out io.Writer) bool {
		return say(out, "220-Welcome\r\n  to this\r\n220 server\r\n") && hears(in, "AUTH TLS\r\n") && say(out, "234 AUTH TLS successful\r\n")
	},
	LDAP: func(in *bufio.Reader, out io.Writer) bool { // with lengths as Active Directory writes them
		return hearsStartTLS(in) &&
			say(out, "\x30\x84\x00\x00\x00\x28\x02\x01\x01\x78\x84\x00\x00\x00\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20037")
	},
	Postgres: func(in *bufio.Reader, out io.Writer) bool {
		request := make([]byte, 8)
		_, err := io.ReadFull(in, request)
		return err == nil && binary.BigEndian.Uint64(request) == 8<<32|80877103 && say(out, "S")
	},
}

func say(out io.Writer, text string) bool {
	_, err := out.Write([]byte(text))
	return err == nil
}

func hears(in *bufio.Reader, want string) bool {
	line, err := in.ReadString('\n')
	return err == nil && strings.HasPrefix(line, want)
}

// hearsStartTLS reads a request as any client may write it, as far as there is to
// know.
func hearsStartTLS(in *bufio.Reader) bool {
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil || head[0] != 0x30 || head[1] >= 0x80 {
		return false
	}
	body := make([]byte, head[1])
	_, err := io.ReadFull(in, body)
	return err == nil && bytes.HasPrefix(body, []byte("\x02\x01\x01\x77")) && bytes.Contains(body, []byte("1.3.6.1.4.1.1466.20037"))
}

// offering is a service that speaks the protocol up to TLS, and TLS.
func offering(protocol string, config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		in := bufio.NewReader(conn)
		if dialogues[protocol](in, conn) {
			shaking(config)(conn)
		}
	}
}

// TestStartInEachProtocol sees the certificate behind each protocol.
func TestStartInEachProtocol(t *testing.T) {
	t.Parallel()
	leaf := newLeaf(t, "mail.example")
	for protocol := range dialogues {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			seen, err := Look(t.Context(), here(t, protocol, offering(protocol, leaf.config())))
			if err != nil {
				t.Fatal(err)
			}
			sameChain(t, seen.Chain, leaf.shown())
		})
	}
	for protocol := range starts {
		if dialogues[protocol] == nil && protocol != TLS {
			t.Errorf("%s is not tested", protocol)
		}
	}
}

// TestDialogues has a foreign client talk to the services of these tests, lest both
// sides be wrong in the same way.
func TestDialogues(t *testing.T) {
	t.Parallel()
	program, leaf := openssl(t), newLeaf(t, "mail.example")
	for protocol := range dialogues {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := here(t, protocol, offering(protocol, leaf.config()))
			name := strings.TrimSuffix(protocol, "ql")
			out, err := exec.CommandContext(t.Context(), program, "s_client", "-brief", "-starttls", name, "-connect", fmt.Sprintf("%s:%d", s.Host, s.Port)).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "CN = mail.example") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestLookFails has a short reason that names the address.
func TestLookFails(t *testing.T) {
	t.Parallel()
	leaf := newLeaf(t, "www.example")
	for _, c := range []struct {
		name, protocol string
		serves         func(net.Conn)
		want           string // after the address
	}{
		{"a service that hangs up", TLS, func(net.Conn) {}, " hangs up"},
		{"a service that is no TLS", TLS, saying("220 mail.example\r\n"), " does not speak TLS"},
		{"a service that never speaks", TLS, saying(""), " does not answer in time"},
		{"a service that never greets", SMTP, saying(""), " does not answer in time"},
		{"a service that never answers", IMAP, saying("* OK\r\n"), " does not answer in time"},
		{"a directory that never answers", LDAP, saying(""), " does not answer in time"},
		{"a service with no end of a line", SMTP, endless("x"), " talks too much"},
		{"a service with no end of lines", SMTP, endless("220-x\r\n"), " talks too much"},
		{"a service with no end of other lines", IMAP, endless("* OK x\r\n"), " talks too much"},
		{"a directory with no end", LDAP, endless("\x30\x84\x7f\xff\xff\xff"), " talks too much"},
		{"a directory with a length of many octets", LDAP, endless("\x30\xff\xff"), " talks too much"},
		{"a service of another kind", SMTP, saying("+OK POP3\r\n"), ` does not speak smtp: it says "+OK POP3"`},
		{"a service that shuts out", IMAP, saying("* BYE\x1b[2J\r\n"), ` does not speak imap: it says "* BYE\x1b[2J"`},
		{"a service that is not greeted back", SMTP, saying("220 a\r\n500 b\r\n"), ` does not speak smtp: it says "500 b"`},
		{"mail without STARTTLS", SMTP, saying("220 a\r\n250 b\r\n502 c\r\n"), ` does not offer STARTTLS: it says "502 c"`},
		{"IMAP without STARTTLS", IMAP, saying("* OK\r\na BAD b\r\n"), ` does not offer STARTTLS: it says "a BAD b"`},
		{"POP3 without STLS", POP3, saying("+OK\r\n-ERR a\r\n"), ` does not offer STARTTLS: it says "-ERR a"`},
		{"FTP without AUTH", FTP, saying("220 a\r\n530 b\r\n"), ` does not offer STARTTLS: it says "530 b"`},
		{"a directory without StartTLS", LDAP, saying("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"), " does not offer STARTTLS: it says result 2"},
		{"a directory that talks nonsense", LDAP, saying("\x30\x03\x02\x01\x02"), ` does not speak ldap: it says "\x02\x01\x02"`},
		{"a directory that stops", LDAP, func(c net.Conn) { _, _ = c.Write([]byte("\x30\x20\x02")) }, " hangs up"},
		{"a database without TLS", Postgres, saying("N"), " does not offer TLS"},
		{"a database of another kind", Postgres, saying("J"), ` does not speak postgresql: it says "J"`},
		{"a service that talks on", SMTP, saying("220 a\r\n250 b\r\n220 c\r\n250 d\r\n"), " talks on where TLS begins"},
		{"a database that talks on", Postgres, saying("S!"), " talks on where TLS begins"},
		{"a service that has no cipher suite for its key", TLS, shaking(&tls.Config{Certificates: leaf.config().Certificates, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, MaxVersion: tls.VersionTLS12}), ": handshake: remote error: tls: handshake failure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit := Timeout
			if strings.HasSuffix(c.want, "in time") {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			s := here(t, c.protocol, c.serves)
			_, err := Look(ctx, s)
			if want := fmt.Sprintf("%s:%d%s", s.Host, s.Port, c.want); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// endless says the same again and again.
func endless(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for {
			if !say(conn, strings.Repeat(text, 100)) {
				return
			}
		}
	}
}

// TestLookWhereNobodyIs names the address too.
func TestLookWhereNobodyIs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	_, err = Look(t.Context(), Spec{Host: "127.0.0.1", Port: port})
	if want := fmt.Sprintf("127.0.0.1:%d cannot be reached: connection refused", port); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Look(t.Context(), Spec{Protocol: "gopher", Host: "127.0.0.1", Port: port}); err == nil {
		t.Error("looked in a protocol that there is not")
	}
}

// TestAll looks at every address of a name, and asks each for the name.
func TestAll(t *testing.T) {
	t.Parallel()
	leaf, byName := newLeaf(t, "one.example"), newLeaf(t, "two.example")
	config := leaf.config()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName == "two.example" {
			return byName.config(), nil
		}
		return nil, nil
	}
	first := serve(t, "tcp4", "127.0.0.1:0", shaking(config))
	serve(t, "tcp4", fmt.Sprintf("127.0.0.2:%d", first.Port), shaking(config))
	addresses := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} // nobody is at the last
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = six.Close()
		serve(t, "tcp6", fmt.Sprintf("[::1]:%d", first.Port), shaking(config))
		addresses = append(addresses, "::1")
	}
	lookup := func(context.Context, string, string) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, a := range addresses {
			found = append(found, netip.MustParseAddr(a))
		}
		return found, nil
	}
	seen, errs := Spec{Host: "two.example", Port: first.Port}.all(t.Context(), lookup)
	if err := errors.Join(errs...); err != nil || len(seen) != len(addresses)-1 {
		t.Fatalf("%d were seen, %v", len(seen), err)
	}
	for _, one := range seen {
		sameChain(t, one.Chain, byName.shown())
	}
	if seen[1].Address != fmt.Sprintf("127.0.0.2:%d", first.Port) {
		t.Errorf("the second is %s", seen[1].Address)
	}
	addresses = addresses[2:3]
	_, errs = Spec{Host: "two.example", Port: first.Port}.all(t.Context(), lookup)
	if want := fmt.Sprintf("127.0.0.3:%d cannot be reached: connection refused", first.Port); len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got %v, want %s", errs, want)
	}
	resolver := net.DefaultResolver.LookupNetIP
	if _, errs := (Spec{Host: "127.0.0.1", Port: first.Port}).all(t.Context(), resolver); errs[0] != nil {
		t.Error(errs)
	}
	if _, errs := (Spec{Host: "nobody.invalid", Port: 443}).all(t.Context(), resolver); errs[0] == nil {
		t.Error("a name was found that there is not")
	}
}

// TestVersions lists what a service speaks.
func TestVersions(t *testing.T) {
	t.Parallel()
	leaf := newLeaf(t, "www.example")
	config := func(lowest, highest uint16) *tls.Config {
		c := leaf.config()
		c.MinVersion, c.MaxVersion = lowest, highest
		return c
	}
	for _, c := range []struct {
		name   string
		config *tls.Config
		want   []uint16
	}{
		{"all", config(tls.VersionTLS10, tls.VersionTLS13), []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}},
		{"old", config(tls.VersionTLS10, tls.VersionTLS11), []uint16{tls.VersionTLS10, tls.VersionTLS11}},
		{"new", config(tls.VersionTLS13, tls.VersionTLS13), []uint16{tls.VersionTLS13}},
	} {
		got, err := Versions(t.Context(), here(t, SMTP, offering(SMTP, c.config)))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %x, %v; want %x", c.name, got, err, c.want)
		}
	}
	if got, err := Versions(t.Context(), startOpenSSL(t, leaf, "-tls1_2")); err != nil || !slices.Equal(got, []uint16{tls.VersionTLS12}) {
		t.Errorf("openssl: got %x, %v", got, err)
	}
	if got, err := Versions(t.Context(), here(t, TLS, saying("220 x\r\n"))); err == nil {
		t.Errorf("a service without TLS speaks %x", got)
	}
	if got, err := Versions(t.Context(), here(t, SMTP, saying("220 x\r\n500 y\r\n"))); err == nil {
		t.Errorf("a service without STARTTLS speaks %x", got)
	}
}
