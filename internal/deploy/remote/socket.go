package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// Ask connects to a UNIX socket of the host, sends the question and returns what is
// answered until the other side hangs up, up to MaxOutput, also when it fails. On a
// host that is logged in to, the socket is used as who is logged in, never by sudo,
// and its SSH server must allow that (AllowStreamLocalForwarding).
func (h *Host) Ask(ctx context.Context, socket string, question []byte) (answer string, err error) {
	if err := checkName(socket); err != nil {
		return "", fmt.Errorf("ask %s: %w", socket, err)
	}
	answer, err = h.ask(ctx, socket, question)
	if err != nil {
		err = fmt.Errorf("ask %s%s: %w", socket, h.where(), err)
	}
	return answer, err
}

func (local) ask(ctx context.Context, socket string, question []byte) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", withoutAddress(err)
	}
	return converse(ctx, conn, question)
}

func (h *login) ask(ctx context.Context, socket string, question []byte) (answer string, err error) {
	var said clipped
	err = h.with(ctx, func(c *connection) error {
		conn, err := c.client.Dial("unix", socket)
		if err != nil && c.isGone() {
			return lost(err)
		}
		if err != nil {
			return err
		}
		text, err := converse(ctx, conn, question)
		_, _ = said.Write([]byte(text))
		return err
	})
	return said.String(), err
}

// converse asks and closes the connection, at once when ctx ends.
func converse(ctx context.Context, conn net.Conn, question []byte) (answer string, err error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		stop()
		conn.Close()
	}()
	var said clipped
	_, err = conn.Write(question)
	if err == nil {
		_, err = io.Copy(&said, conn)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return said.String(), err
}

// withoutAddress is a network error without what is said beside it.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}
