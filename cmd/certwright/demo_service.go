package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// What is said to the demonstration's service, a line each, and by it in return.
const (
	beDeaf = "deaf" // pay no heed to SIGHUP
	hear   = "hear"
)

// demoService is what the demonstration pushes certificates to: a process of its own
// that serves TLS from two files, and reads them again on SIGHUP.
type demoService struct {
	listen, cert, key string
	own               atomic.Pointer[tls.Certificate]
}

// newDemoService has the commands that the demonstration starts and has started: the
// service, what checks its files and what reloads it.
func newDemoService() *cobra.Command {
	s, pid := demoService{listen: "127.0.0.1:0"}, 0
	c := &cobra.Command{Use: "demo-service", Hidden: true, Args: noArgs, Short: "What the demonstration pushes certificates to"}
	serve := &cobra.Command{
		Use: "serve", Args: noArgs,
		Short: "Serve TLS until the standard input ends; SIGHUP has the files read again",
		RunE: func(c *cobra.Command, _ []string) error {
			signal.Ignore(os.Interrupt) // meant for the demonstration, which says when it is time
			return s.run(c.Context(), c.InOrStdin(), c.OutOrStdout())
		},
	}
	check := &cobra.Command{
		Use: "check", Args: noArgs,
		Short: "Check whether certificate and key fit",
		RunE:  func(*cobra.Command, []string) error { return s.read() },
	}
	reload := &cobra.Command{
		Use: "reload", Args: noArgs,
		Short: "Send SIGHUP to a service",
		RunE:  func(*cobra.Command, []string) error { return hangUp(pid) },
	}
	for _, c := range []*cobra.Command{serve, check} {
		c.Flags().StringVar(&s.cert, "certificate", "", "`file` with certificate and chain")
		c.Flags().StringVar(&s.key, "key", "", "`file` with the private key")
	}
	serve.Flags().StringVar(&s.listen, "listen", s.listen, "`address` to serve on")
	reload.Flags().IntVar(&pid, "pid", 0, "`number` of its process")
	c.AddCommand(serve, check, reload)
	return c
}

// read reads the files. Where they are no good, what was read before stays.
func (s *demoService) read() error {
	pair, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err == nil {
		s.own.Store(&pair)
	}
	return err
}

// hangUp sends SIGHUP to one process; numbers that stand for others are refused.
func hangUp(pid int) error {
	if pid < 2 {
		return usageError{fmt.Errorf("%d is not the number of a service's process", pid)}
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(syscall.SIGHUP)
}

// run serves until ctx or in ends. It says first where, and then which certificate it
// has read again, and what it was told.
func (s *demoService) run(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := s.read(); err != nil {
		return err
	}
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(s.hello),
		ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.own.Load(), nil }},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, "", "") }()
	fmt.Fprintln(out, listener.Addr())

	told, isDeaf := linesOf(in), false
	for {
		select {
		case <-hups:
			if isDeaf {
				continue
			}
			if err := s.read(); err != nil {
				fmt.Fprintln(out, oneLine(err))
				continue
			}
			fmt.Fprintln(out, "read", serialOf(s.own.Load().Leaf))
		case line, ok := <-told:
			if ok {
				isDeaf = line == beDeaf
				fmt.Fprintln(out, line)
				continue
			}
			return s.end(server, failed)
		case <-ctx.Done():
			return s.end(server, failed)
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		}
	}
}

func (s *demoService) end(server *http.Server, failed <-chan error) error {
	err := server.Close()
	<-failed
	return err
}

// hello answers whoever comes with a browser.
func (s *demoService) hello(w http.ResponseWriter, _ *http.Request) {
	leaf := s.own.Load().Leaf
	fmt.Fprintf(w, "served with %s, serial %s, since %s\n", leaf.Subject, serialOf(leaf), leaf.NotBefore.Format(time.RFC3339))
}

// linesOf hands on line after line; it is closed when there are no more.
func linesOf(r io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}
