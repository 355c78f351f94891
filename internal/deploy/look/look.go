// Package look looks at services from outside: which certificate do they show?
package look

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The protocols in which a service is asked to speak TLS.
const (
	TLS      = "tls"        // from the first octet
	SMTP     = "smtp"       // STARTTLS, RFC 3207
	IMAP     = "imap"       // STARTTLS, RFC 3501, section 6.2.1
	POP3     = "pop3"       // STLS, RFC 2595, section 4
	FTP      = "ftp"        // AUTH TLS, RFC 4217
	LDAP     = "ldap"       // StartTLS, RFC 4511, section 4.14
	Postgres = "postgresql" // SSLRequest
)

// Timeout is how long one look may take, where its context does not end sooner.
const Timeout = 10 * time.Second

// A Spec says where to look.
type Spec struct {
	Protocol string // one of the protocols; empty: TLS
	Host     string // a name or an address
	Port     int
	Name     string // the server name that is asked for (RFC 6066, section 3); empty: none, where Host is an address, or else Host
}

// Seen is what a service has shown, in a handshake that proved that it holds the key.
type Seen struct {
	Address string   // IP address and port
	Chain   [][]byte // DER, as it came, the leaf first
	Version uint16   // of TLS, as crypto/tls has it
	At      time.Time
}

// A refusal is a handshake that came to nothing.
type refusal struct {
	error
	shown bool // the service has shown a certificate before
}

func (r refusal) Unwrap() error { return errors.Unwrap(r.error) }

// An unconnected is a connection that did not come about.
type unconnected struct{ error }

func (u unconnected) Unwrap() error { return errors.Unwrap(u.error) }

// Look makes one handshake. The chain is not judged: that is the caller's business.
// Where a host has several addresses, the first is looked at that answers. The
// error is short and names the address.
//
// A service that wants a certificate of its client gets none. That it refuses to go
// on then does not matter, if it has proved by then that it holds the key.
func Look(ctx context.Context, s Spec) (Seen, error) {
	return s.handshake(ctx, tls.VersionTLS10, tls.VersionTLS13)
}

// Versions lists the versions of TLS in which the service shows a certificate, the
// oldest first; it makes a handshake for each. Only 1.0 to 1.3 can be asked for:
// crypto/tls does not know SSL 2 and SSL 3. It fails when there is none, or the
// service cannot be asked.
func Versions(ctx context.Context, s Spec) ([]uint16, error) {
	var spoken []uint16
	var last error
	for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
		_, err := s.handshake(ctx, v, v)
		var r refusal
		switch {
		case err == nil, errors.As(err, &r) && r.shown:
			spoken = append(spoken, v)
		case !errors.As(err, &r):
			return nil, err
		}
		last = err
	}
	if spoken == nil {
		return nil, last
	}
	return spoken, nil
}

// A lookup finds the addresses of a host, as net.Resolver.LookupNetIP does.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// straggle is how long an address may take to be connected to when another one of the
// same name has shown a certificate.
const straggle = 2 * time.Second

// all makes one handshake with each of the addresses that the host has, and returns one
// for each, in their order: an error where there was nothing to see. Addresses that
// cannot be connected to are left out where others show something: nobody is served
// there, as in a network that is not reached from here or is of the other version of IP.
func (s Spec) all(ctx context.Context, find lookup) (seen []Seen, errs []error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	addresses, err := find(ctx, "ip", s.Host)
	if err != nil && isOver(ctx) {
		return []Seen{{}}, []error{ended(ctx, s.Host)}
	}
	if err == nil && len(addresses) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return []Seen{{}}, []error{fmt.Errorf("%s cannot be found: %w", s.Host, reason(err))}
	}
	seen, errs = make([]Seen, len(addresses)), make([]error, len(addresses))
	dialing, stop := context.WithCancel(ctx)
	defer stop()
	shown := sync.OnceFunc(func() { time.AfterFunc(straggle, stop) })
	var wait sync.WaitGroup
	for i, address := range addresses {
		one := s
		one.Name, one.Host = s.serverName(), address.Unmap().String()
		wait.Go(func() {
			seen[i], errs[i] = one.shake(ctx, dialing, tls.VersionTLS10, tls.VersionTLS13)
			if errs[i] == nil && len(addresses) > 1 {
				shown()
			}
		})
	}
	wait.Wait()
	if !slices.Contains(errs, nil) {
		return seen, errs
	}
	var isLeftOut unconnected
	for i := len(errs) - 1; i >= 0; i-- {
		if errors.As(errs[i], &isLeftOut) {
			seen, errs = slices.Delete(seen, i, i+1), slices.Delete(errs, i, i+1)
		}
	}
	return seen, errs
}

// handshake is Look with some versions of TLS. The error is a refusal where the
// service was ready for TLS.
func (s Spec) handshake(ctx context.Context, lowest, highest uint16) (Seen, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return s.shake(ctx, ctx, lowest, highest)
}

// shake is handshake with another time for the connection to come about.
func (s Spec) shake(ctx, dialing context.Context, lowest, highest uint16) (Seen, error) {
	conn, err := s.connect(ctx, dialing)
	if err != nil {
		return Seen{}, err
	}
	asked := false
	client := tls.Client(conn, &tls.Config{
		// What is shown is to be seen, whoever has issued it.
		InsecureSkipVerify: true,
		ServerName:         s.serverName(),
		MinVersion:         lowest,
		MaxVersion:         highest,
		CipherSuites:       everySuite(),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		},
	})
	defer func() { _ = client.Close() }()

	at := conn.RemoteAddr().String()
	err = client.HandshakeContext(ctx)
	state := client.ConnectionState()
	if err != nil && !(asked && isSigned(state)) {
		return Seen{}, refuse(ctx, at, state, asked, err)
	}
	seen := Seen{Address: at, Version: state.Version, At: time.Now()}
	for _, cert := range state.PeerCertificates {
		seen.Chain = append(seen.Chain, cert.Raw)
	}
	return seen, nil
}

// isSigned reports whether a service that has gone as far as asking for the
// client's certificate has proved by then that it holds its key. Up to TLS 1.2 that
// is when it has signed its half of a Diffie-Hellman exchange together with the
// random octets of both sides (RFC 8422, section 5.4): crypto/tls takes note of the
// curve when it has checked that signature. With RSA key exchange the proof comes
// last. In TLS 1.3 crypto/tls looks for a certificate after the service's part is over.
func isSigned(state tls.ConnectionState) bool { return state.CurveID != 0 }

func refuse(ctx context.Context, at string, state tls.ConnectionState, asked bool, err error) error {
	r := refusal{shown: state.PeerCertificates != nil}
	var header tls.RecordHeaderError
	switch {
	case isOver(ctx):
		return ended(ctx, at)
	case isGone(err):
		r.error = fmt.Errorf("%s %w", at, errGone)
	case errors.As(err, &header):
		r.error = fmt.Errorf("%s does not speak TLS", at)
	case asked:
		r.error = fmt.Errorf("%s wants a certificate of its client before it proves that it holds its own key: %w", at, err)
	default:
		r.error = fmt.Errorf("%s: handshake: %w", at, err)
	}
	return r
}

// connect connects, and speaks the protocol up to where TLS begins.
func (s Spec) connect(ctx, dialing context.Context) (net.Conn, error) {
	start, ok := starts[s.protocol()]
	if !ok {
		return nil, fmt.Errorf("there is no protocol %q", s.Protocol)
	}
	where := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	var dialer net.Dialer
	conn, err := dialer.DialContext(dialing, "tcp", where)
	if err != nil && isOver(dialing) {
		return nil, unconnected{ended(dialing, where)}
	}
	if err != nil {
		return nil, unconnected{fmt.Errorf("%s cannot be reached: %w", where, reason(err))}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := start(newTalk(conn, s.protocol())); err != nil {
		_ = conn.Close()
		if isOver(ctx) {
			return nil, ended(ctx, conn.RemoteAddr().String())
		}
		return nil, fmt.Errorf("%s %w", conn.RemoteAddr(), err)
	}
	return conn, nil
}

// isOver reports whether there is no time left. The timers of the network may know
// that a moment before the context does.
func isOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// ended is the error where the time is over.
func ended(ctx context.Context, where string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("look at %s: %w", where, ctx.Err())
	}
	return fmt.Errorf("%s does not answer in time", where)
}

// reason is the part of a network error that says what happened, without where.
func reason(err error) error {
	var number syscall.Errno
	var name *net.DNSError
	switch {
	case errors.As(err, &number):
		return number
	case errors.As(err, &name):
		return name
	}
	return err
}

func (s Spec) protocol() string {
	if s.Protocol == "" {
		return TLS
	}
	return s.Protocol
}

// serverName is the name that is asked for. crypto/tls asks for none where it is
// an address.
func (s Spec) serverName() string {
	if s.Name == "" {
		return s.Host
	}
	return s.Name
}

// everySuite is all that crypto/tls can do, for the sake of old services.
func everySuite() []uint16 {
	var all []uint16
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		all = append(all, suite.ID)
	}
	return all
}
