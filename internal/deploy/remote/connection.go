package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A connection is a login to a host that lasts until it is closed or broken.
type connection struct {
	client *ssh.Client
	access Access
	slots  chan struct{} // one for each session
	gone   chan struct{} // closed when the connection is

	start func(func()) error // for what may take until then; see Pool.start

	sftp struct {
		sync.Mutex
		session *sftpSession // that all share who use files; nil: there is none
		dropped int          // how many have hung
	}

	sync.Mutex
	known map[string]string // users and groups that were looked for
}

func newConnection(client *ssh.Client, a Access, start func(func()) error) *connection {
	c := &connection{client: client, access: a, start: start, known: map[string]string{}}
	c.slots, c.gone = make(chan struct{}, maxSessions), make(chan struct{})
	return c
}

func (c *connection) close() { c.client.Close() }

func (c *connection) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// watch asks the host again and again whether it is there, closes the connection
// when it does not say so in time, and returns when all is over.
func (c *connection) watch(every time.Duration) {
	var all sync.WaitGroup
	all.Go(func() {
		_ = c.client.Wait()
		close(c.gone)
	})
	defer all.Wait()
	for {
		select {
		case <-time.After(every):
		case <-c.gone:
			return
		}
		answered := make(chan struct{})
		all.Go(func() {
			_, _, _ = c.client.SendRequest("keepalive@openssh.com", true, nil)
			close(answered)
		})
		select {
		case <-time.After(every):
			c.close()
		case <-answered:
		}
	}
}

// lost is the error for what a broken connection has done.
func lost(err error) error { return fmt.Errorf("%w: the connection broke: %w", ErrUnreachable, err) }

// A session is one program on the host, or one of its subsystems.
type session struct {
	ssh.Channel
	requests <-chan *ssh.Request
	conn     *connection
}

// open starts a session: kind is exec or subsystem, what a command line or a name.
// It waits until there are fewer than maxSessions, and for a moment where the host
// finds that there are too many all the same.
func (c *connection) open(ctx context.Context, kind, what string) (*session, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.gone:
		return nil, lost(io.EOF)
	}
	for deadline := time.Now().Add(sessionPatience); ; {
		s, err := c.openNow(kind, what)
		if err == nil {
			return s, nil
		}
		if !isFull(err) || time.Now().After(deadline) {
			<-c.slots
			return nil, err
		}
		select {
		case <-time.After(sessionPause):
		case <-ctx.Done():
			<-c.slots
			return nil, ctx.Err()
		}
	}
}

// isFull reports whether the host has no place for a session at the moment: it counts
// one that has ended until it has seen its process end.
func isFull(err error) bool {
	var refused *ssh.OpenChannelError
	return errors.As(err, &refused) && (refused.Reason == ssh.ConnectionFailed || refused.Reason == ssh.ResourceShortage)
}

func (c *connection) openNow(kind, what string) (*session, error) {
	channel, requests, err := c.client.OpenChannel("session", nil)
	if err != nil {
		return nil, fmt.Errorf("%w: no session: %w", ErrUnreachable, err)
	}
	ok, err := channel.SendRequest(kind, true, ssh.Marshal(struct{ What string }{what}))
	if err == nil && ok {
		return &session{channel, requests, c}, nil
	}
	channel.Close()
	_ = c.start(func() { ssh.DiscardRequests(requests) })
	if err != nil {
		return nil, lost(err)
	}
	return nil, fmt.Errorf("the host refuses sessions of the kind %s", kind)
}

// wait returns when the session is over, with how its program has ended. When ctx
// ends it has the program killed. One whose outputs are held by others is left alone
// in a moment.
func (s *session) wait(ctx context.Context) error {
	defer func() { <-s.conn.slots }()
	ended := lost(io.ErrUnexpectedEOF)
	var leave <-chan time.Time
	for {
		select {
		case r, ok := <-s.requests:
			if !ok {
				return ended
			}
			if end, ok := endOf(r); ok {
				ended, leave = end, time.After(waitDelay)
			}
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
		case <-leave:
			s.Close()
			leave = nil
		case <-ctx.Done():
			_, _ = s.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
			s.Close()
			ctx = context.WithoutCancel(ctx)
		}
	}
}

// endOf reads how a program has ended, if the request says that.
func endOf(r *ssh.Request) (end error, ok bool) {
	var status struct{ Status uint32 }
	var signal struct {
		Name         string
		IsDumped     bool
		Text, Tongue string
	}
	switch {
	case r.Type == "exit-status" && ssh.Unmarshal(r.Payload, &status) == nil:
		if status.Status == 0 {
			return nil, true
		}
		return &ExitError{Status: int(status.Status)}, true
	case r.Type == "exit-signal" && ssh.Unmarshal(r.Payload, &signal) == nil:
		return &ExitError{Signal: signal.Name}, true
	}
	return nil, false
}

// run runs a command line of the login's shell.
func (c *connection) run(ctx context.Context, line string, stdin []byte, said io.Writer) error {
	s, err := c.open(ctx, "exec", line)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() {
		_, _ = s.Write(stdin) // a program need not read it
		_ = s.CloseWrite()
	})
	all.Go(func() { _, _ = io.Copy(said, s) })
	all.Go(func() { _, _ = io.Copy(said, s.Stderr()) })
	err = s.wait(ctx)
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
