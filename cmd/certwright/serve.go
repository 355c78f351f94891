package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/api/avx"
	"github.com/certwright/certwright/internal/api/relying"
	"github.com/certwright/certwright/internal/api/tpp"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
)

// Limits of the server.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 180 * time.Second // a call may wait 120 s for its work
	idleTimeout       = 120 * time.Second
	shutdownTimeout   = 30 * time.Second
)

// gcPercent trades memory for speed where GOGC does not say otherwise: what lives
// is small, and what a renewal leaves behind is much.
const gcPercent = 400

// serve is what the command serve is told.
type serve struct {
	place
	listen  string
	avx     string // where /avxapi is served; empty: with everything else
	publish publish
	estate  string
	status  int
	noKeys  bool
	out     io.Writer
	log     *slog.Logger

	ready func(address string, password secret.Plain) // called once it serves; nil: nobody asks
}

func newServe() *cobra.Command {
	var s serve
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Serve runs the server. Started on an empty directory it makes all that it needs: master key, CAs, its own TLS\n" +
			"certificate (the CAs that clients are to trust are in DIR/ca.pem), and the user admin with the password in\n" +
			"CERTWRIGHT_ADMIN_PASSWORD or one that it prints once.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s.out = c.OutOrStdout()
			s.log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			return s.run(c.Context())
		},
	}
	s.place.flags(c)
	s.place.rehearsalFlag(c)
	c.Flags().BoolVar(&s.place.localHost, "local-devices", false, "let devices be the machine on which this server runs: whoever may change applications may then write files and run programs\nhere, as the user of this server")
	c.Flags().StringVar(&s.listen, "listen", "127.0.0.1:8443", "`address` to serve on")
	c.Flags().StringVar(&s.avx, "avx-listen", "", "`address` on which /avxapi is served, rather than together with everything else")
	s.publish.flags(c)
	c.Flags().StringVar(&s.estate, "estate", "", "estate `file` to apply at start")
	c.Flags().IntVar(&s.status, "request-timeout-status", http.StatusAccepted, "HTTP status of Certificates/Request when its wait runs out: 202 as the vendor's, or 200 for clients that take nothing else")
	c.Flags().BoolVar(&s.noKeys, "no-api-keys", false, "refuse the old vedsdk/authorize, which gives keys instead of tokens")
	return c
}

// run serves until ctx ends.
func (s *serve) run(ctx context.Context) (err error) {
	if s.status != http.StatusAccepted && s.status != http.StatusOK {
		return usageError{errors.New("--request-timeout-status is 202 or 200")}
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	var second net.Listener
	if s.avx != "" {
		if second, err = net.Listen("tcp", s.avx); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		defer second.Close()
	}
	if err := s.publish.open(); err != nil {
		return err
	}
	defer s.publish.close()
	sys, err := s.place.open(ctx, s.log)
	if err != nil {
		return err
	}
	defer sys.db.Close()
	if err := s.publish.announce(ctx, sys, s.log); err != nil {
		return err
	}
	password, err := sys.setUp(ctx)
	if err != nil {
		return err
	}

	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	if err := sys.Register(ctx, name); err != nil {
		return fmt.Errorf("register the engine: %w", err)
	}
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { sys.Run(working) })
	defer work.Wait()
	defer stopWork()

	if s.estate != "" {
		if err := applyFile(ctx, sys, s.estate, false, io.Discard); err != nil {
			return err
		}
	}
	own := &ownCertificate{sys: sys, log: s.log}
	addresses := []net.Addr{listener.Addr()}
	if second != nil {
		addresses = append(addresses, second.Addr())
	}
	if err := own.load(ctx, names(addresses...)); err != nil {
		return fmt.Errorf("own certificate: %w", err)
	}
	work.Go(func() { own.keepFresh(working) })
	if err := sys.writeCAs(ctx, filepath.Join(s.data, "ca.pem")); err != nil {
		return err
	}
	if err := s.takeOrders(working, sys, &work); err != nil {
		return err
	}
	if !password.IsEmpty() {
		fmt.Fprintf(s.out, "user admin, password %s (it is not shown again)\n", password.Reveal())
	}
	address := "https://" + listener.Addr().String()
	fmt.Fprintf(s.out, "serving on %s, CA certificates in %s\n", address, filepath.Join(s.data, "ca.pem"))
	if second != nil {
		fmt.Fprintf(s.out, "serving /avxapi on https://%s\n", second.Addr())
	}
	s.publish.tell(s.out)
	if s.ready != nil {
		s.ready(address, password)
	}
	return s.serve(ctx, listener, second, sys, own)
}

// serve answers requests until ctx ends, then finishes those under way. second is where
// /avxapi is served; nil: where everything is.
func (s *serve) serve(ctx context.Context, listener, second net.Listener, sys *system, own *ownCertificate) error {
	m := newMetrics(sys)
	avxapi := m.count(avx.Handler(sys.Core, avx.Options{Log: s.log}))
	everything := s.handler(sys, m)
	if second == nil {
		everything = at(avxRoot, avxapi, everything)
	}
	api := s.server(everything)
	api.TLSConfig = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // HTTP/2 has no reason phrase
		GetCertificate: own.get,
		ClientAuth:     tls.RequestClientCert, // judged where it is used: see core.LoginCertificate
	}
	api.RegisterOnShutdown(sys.EndWaits)
	servers := []*http.Server{api}
	failed := make(chan error, 3)
	go func() { failed <- api.ServeTLS(listener, "", "") }()
	if second != nil {
		other := s.server(at(avxRoot, avxapi, http.NotFoundHandler()))
		other.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: own.get}
		servers = append(servers, other)
		go func() { failed <- other.ServeTLS(second, "", "") }()
	}
	if s.publish.listener != nil {
		public := s.server(m.published(relying.Handler(sys.Core, relying.Options{Count: m.countStatus, Log: s.log})))
		public.ReadTimeout, public.WriteTimeout = publishReadTimeout, publishWriteTimeout
		servers = append(servers, public)
		go func() { failed <- public.Serve(s.publish.listener) }()
	}
	left := len(servers)
	var failure error
	select {
	case err := <-failed:
		failure, left = fmt.Errorf("serve: %w", err), left-1
	case <-ctx.Done():
	}
	s.log.Info("stopping")
	err := errors.Join(failure, s.stop(ctx, servers))
	for range left {
		<-failed
	}
	return err
}

// server is an HTTP server with the limits that ours have unless they need others.
func (s *serve) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// stop lets the servers finish what is under way, all within one time limit.
func (s *serve) stop(ctx context.Context, servers []*http.Server) error {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	ended := make(chan error, len(servers))
	for _, server := range servers {
		go func() { ended <- server.Shutdown(ending) }()
	}
	var err error
	for range servers {
		err = errors.Join(err, <-ended)
	}
	return err
}

// handler is everything that the API's listener answers.
func (s *serve) handler(sys *system, m *metrics) http.Handler {
	api := tpp.Handler(sys.Core, tpp.Options{NoLegacyKeys: s.noKeys, RequestTimeoutStatus: s.status, Log: s.log})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := sys.db.Ready(r.Context()); err != nil {
			s.log.Error("not ready", slog.Any("error", err))
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /metrics", m.handler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect and clean paths that clients mean as they are.
		if handler, pattern := mux.Handler(r); pattern != "" {
			handler.ServeHTTP(w, r)
			return
		}
		m.count(api).ServeHTTP(w, r)
	})
}

// avxRoot is the path below which the AppViewX dialect answers.
const avxRoot = "/avxapi"

// at lets one handler answer what is at the path or below it, and the other the rest.
func at(path string, handler, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") {
			handler.ServeHTTP(w, r)
		} else {
			rest.ServeHTTP(w, r)
		}
	})
}

// newPassword makes a password of 120 random bits.
func newPassword() (secret.Plain, error) {
	b := make([]byte, 15)
	if _, err := rand.Read(b); err != nil {
		return secret.Plain{}, err
	}
	return secret.NewString(base64.RawURLEncoding.EncodeToString(b)), nil
}

// operator is who runs a command on the server's own machine: whoever can read the
// master key may do everything.
func operator() clm.Actor {
	who := clm.System
	if u, err := user.Current(); err == nil {
		who.Name = "operator " + u.Username
	}
	return who
}

// names are the names by which clients may reach a server that listens there.
func names(addresses ...net.Addr) clm.Names {
	n := clm.Names{CommonName: "localhost", DNS: []string{"localhost"}, IP: []string{"127.0.0.1", "::1"}}
	if host, err := os.Hostname(); err == nil && isHostName(host) {
		n.CommonName = host
		n.DNS = append(n.DNS, host)
	}
	for _, address := range addresses {
		tcp, ok := address.(*net.TCPAddr)
		if ok && !tcp.IP.IsUnspecified() && !tcp.IP.IsLoopback() && !slices.Contains(n.IP, tcp.IP.String()) {
			n.IP = append(n.IP, tcp.IP.String())
		}
	}
	return n
}
