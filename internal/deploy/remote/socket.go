package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// MaxAnswer is how many bytes may be answered to a question.
const MaxAnswer = 16 << 20

// Ask connects to a UNIX socket of the host, sends the question and returns all that is
// answered until the other side hangs up. It leaves nothing out: where that is more
// than MaxAnswer, it fails. On a host that is logged in to, the socket is used as who
// is logged in, never by sudo, and its SSH server must allow that
// (AllowStreamLocalForwarding).
func (h *Host) Ask(ctx context.Context, socket string, question []byte) (answer string, err error) {
	if err := checkName(socket); err != nil {
		return "", fmt.Errorf("ask %s: %w", socket, err)
	}
	answer, err = h.ask(ctx, socket, question)
	if err != nil {
		return "", fmt.Errorf("ask %s%s: %w", socket, h.where(), err)
	}
	return answer, nil
}

func (local) ask(ctx context.Context, socket string, question []byte) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", withoutAddress(err)
	}
	return converse(ctx, conn, question)
}

func (h *login) ask(ctx context.Context, socket string, question []byte) (string, error) {
	var answer string
	err := h.with(ctx, func(c *connection) error {
		conn, err := c.client.Dial("unix", socket)
		if err != nil && c.isGone() {
			return lost(err)
		}
		if err != nil {
			return err
		}
		answer, err = converse(ctx, conn, question)
		return err
	})
	if err != nil {
		return "", err // the conversation may still be at its end
	}
	return answer, nil
}

// converse asks and closes the connection, at once when ctx ends.
func converse(ctx context.Context, conn net.Conn, question []byte) (answer string, err error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		stop()
		conn.Close()
	}()
	var said strings.Builder
	_, err = conn.Write(question)
	if err == nil {
		_, err = io.Copy(&said, io.LimitReader(conn, MaxAnswer+1))
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", err
	case said.Len() > MaxAnswer:
		return "", fmt.Errorf("the answer has more than %d bytes", MaxAnswer)
	}
	return said.String(), nil
}

// withoutAddress is a network error without what is said beside it.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}
