package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/api/relying"
	"github.com/certwright/certwright/internal/clm"
)

// publish is where CA certificates, revocation lists and OCSP answers are served,
// and what certificates say of that.
type publish struct {
	listen string // empty: they are not served here
	url    string // empty: as the listener is reached

	listener net.Listener
}

func (p *publish) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.listen, "publish", "127.0.0.1:8480", "`address` on which CA certificates, revocation lists and OCSP answers are served, to anybody and over plain HTTP; empty: not at all")
	c.Flags().StringVar(&p.url, "publish-url", "", "`URL` by which relying parties reach that address, to stand in certificates (default: http:// and the address)")
}

// open takes the address.
func (p *publish) open() (err error) {
	if p.listen == "" {
		return nil
	}
	if p.listener, err = net.Listen("tcp", p.listen); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if p.url == "" {
		p.url = defaultURL(p.listener.Addr())
	}
	return nil
}

func (p *publish) close() {
	if p.listener != nil {
		p.listener.Close()
	}
}

// announce has certificates made from now on name the URL. Where neither an address
// nor a URL is given they go on naming what another server has announced.
func (p *publish) announce(ctx context.Context, sys *system) error {
	if p.url == "" {
		return nil
	}
	err := sys.SetPublishURL(ctx, p.url)
	if e := clm.AsError(err); errors.Is(err, clm.Invalid) && e.Err != nil {
		return usageError{fmt.Errorf("--publish-url %s: %w", p.url, e.Err)}
	}
	return err
}

// tell says where it is published.
func (p *publish) tell(out io.Writer) {
	if p.listener != nil {
		fmt.Fprintf(out, "publishing on http://%s, which certificates call %s\n", p.listener.Addr(), p.url)
	}
}

func (p *publish) handler(sys *system, log *slog.Logger) http.Handler {
	below := ""
	if u, err := url.Parse(p.url); err == nil {
		below = u.EscapedPath()
	}
	return relying.Handler(sys.Core, relying.Options{Below: below, Log: log})
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
