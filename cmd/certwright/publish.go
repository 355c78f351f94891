package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/clm"
)

// Limits of the listener for relying parties. What they ask for is short, and so is
// what they get, but for whole lists, for which package relying takes its time.
const (
	publishReadTimeout  = 10 * time.Second
	publishWriteTimeout = 30 * time.Second
)

// publish is where CA certificates, revocation lists and OCSP answers are served,
// and what certificates say of that.
type publish struct {
	listen string // empty: they are not served here
	url    string // what certificates name; empty until it is settled: nobody has said
	isKept bool   // the URL is one that was said at an earlier start

	listener net.Listener
}

func (p *publish) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.listen, "publish", "127.0.0.1:8480", "`address` on which CA certificates, revocation lists and OCSP answers are served, to anybody and over plain HTTP; empty: not at all")
	c.Flags().StringVar(&p.url, "publish-url", "", "`URL` by which relying parties reach that address, to stand in certificates (default: the one that was given before, or else http:// and the address)")
}

// open takes the address.
func (p *publish) open() (err error) {
	if p.listen == "" {
		return nil
	}
	if p.listener, err = net.Listen("tcp", p.listen); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

func (p *publish) close() {
	if p.listener != nil {
		p.listener.Close()
	}
}

// announce has certificates made from now on name the URL that is given. Where none
// is, they go on naming the one that is known, unless that was no more than where a
// listener happened to be; then, and where none is known, they name this listener.
func (p *publish) announce(ctx context.Context, sys *system, log *slog.Logger) error {
	if p.url == "" {
		known, err := sys.PublishURLs(ctx)
		if err != nil {
			return err
		}
		p.settle(known)
	}
	if p.url == "" {
		return nil
	}
	err := sys.SetPublishURL(ctx, p.url)
	if e := clm.AsError(err); errors.Is(err, clm.Invalid) && e.Err != nil {
		return usageError{fmt.Errorf("--publish-url %s: %w", p.url, e.Err)}
	}
	if host := hostOf(p.url); err == nil && isLoopback(host) {
		log.Warn("certificates will name an address for revocation lists and OCSP that only this machine reaches; --publish-url gives them another", slog.String("url", p.url))
	}
	return err
}

// settle chooses the URL where none is given. Known are the one that certificates
// name at present, and former ones.
func (p *publish) settle(known []string) {
	if p.listener != nil {
		p.url = defaultURL(p.listener.Addr())
	}
	if len(known) > 0 && (p.url == "" || !isDefault(known[0], p.url)) {
		p.url, p.isKept = known[0], true
	}
}

// isDefault reports whether the URL may have come about without anybody's saying so:
// it is a listener of this machine, or the one that there is now with another port. A
// listener's URL always has a port and never a path.
func isDefault(known, own string) bool {
	u, err := url.Parse(known)
	if err != nil || u.Hostname() == "" {
		return true // nobody can have meant it
	}
	return u.Port() != "" && u.Path == "" && (isLoopback(u.Hostname()) || u.Hostname() == hostOf(own))
}

// hostOf is the host in the URL, without the port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// tell says where it is published.
func (p *publish) tell(out io.Writer) {
	if p.listener == nil {
		return
	}
	kept := ""
	if p.isKept {
		kept = ", as was said before (--publish-url says otherwise)"
	}
	fmt.Fprintf(out, "publishing on http://%s, which certificates call %s%s\n", p.listener.Addr(), p.url, kept)
}

// defaultURL is how a server that listens there is reached: by the machine's name
// where it listens on all addresses.
func defaultURL(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
		if name, err := os.Hostname(); err == nil && isHostName(name) {
			host = name
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}
