package remote

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What connections are held to.
const (
	idleTime        = 5 * time.Minute       // without a user, until a connection is closed; and until who was refused is tried again
	keepaliveTime   = 15 * time.Second      // between questions whether the host is there, and for the answer
	maxSessions     = 8                     // of a connection at a time; sshd allows 10 unless told otherwise
	sessionPause    = 50 * time.Millisecond // before a host that has no place for a session is asked again
	sessionPatience = 5 * time.Second       // for which such a host is asked
	defaultSSHPort  = 22
)

// A Pool logs in to hosts by SSH. All who use a host by the same Access share a
// connection, which is made when it is first needed, made again when it broke, and
// closed when nobody has needed it for five minutes. A login that was refused is not
// tried again for as long, since that could lock an account: those who come meanwhile
// get the same error. A Pool may be used by several at once.
type Pool struct {
	idle, keepalive time.Duration
	secret          [32]byte        // of names of links: without it they say nothing of passwords
	life            context.Context // until Close
	end             context.CancelFunc
	all             sync.WaitGroup // of what was started

	sync.Mutex // of what is below, and of what is in links
	closed     bool
	links      map[string]*link
}

// A link is the connection for one Access, or the attempt to make it.
type link struct {
	users int
	timer *time.Timer   // runs while there are none
	ready chan struct{} // closed once one of the others is there
	conn  *connection
	err   error
}

var errPoolClosed = errors.New("no hosts are logged in to any more")

// NewPool makes a pool without connections.
func NewPool() *Pool {
	p := &Pool{idle: idleTime, keepalive: keepaliveTime, links: map[string]*link{}}
	p.life, p.end = context.WithCancel(context.Background())
	_, _ = rand.Read(p.secret[:]) // never fails
	return p
}

// Close ends all connections and waits until nothing is left of them. What is under
// way fails, and so does what comes after.
func (p *Pool) Close() {
	p.Lock()
	p.closed = true
	for _, l := range p.links {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	p.Unlock()
	p.end() // ends each connection, see dial and hold
	p.all.Wait()
}

// Host is the host that is reached so. Nothing is connected to yet. Learned is
// called before the first use of a new connection; it must not use the host.
func (p *Pool) Host(a Access) *Host {
	return &Host{&login{pool: p, access: a, name: a.digest(p.secret[:])}}
}

// digest differs for accesses that must not share a connection.
func (a Access) digest(key []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%q %d %q %q %q %q %q %t %t %d", a.Address, a.Port, a.User,
		a.Password.Reveal(), a.Key.Reveal(), a.Passphrase.Reveal(), a.HostKeys, a.Trust, a.Sudo, a.Timeout)
	return string(mac.Sum(nil))
}

// A login is a host of a pool.
type login struct {
	pool   *Pool
	access Access
	name   string // of its link
}

func (h *login) where() string { return " on " + h.access.Address }

func (h *login) use(ctx context.Context, fn func(disk) error) error {
	return h.with(ctx, func(c *connection) error {
		files, err := c.files(ctx)
		if err != nil {
			return err
		}
		done := make(chan struct{})
		defer close(done)
		defer context.AfterFunc(ctx, func() {
			select {
			case <-done:
			case <-time.After(waitDelay):
				c.drop(files)
			}
		})()
		return fn(sftpDisk{ctx, c, files.Client})
	})
}

func (h *login) run(ctx context.Context, c Command) (string, error) {
	args := c.Args
	if h.access.Sudo {
		args = append([]string{"sudo", "-n", "--"}, args...)
	}
	var said clipped
	err := h.with(ctx, func(conn *connection) error { return conn.run(ctx, quote(args), c.Stdin, &said) })
	return said.String(), err
}

// with lets fn use the connection. When ctx ends it returns at once; the connection
// is kept until fn is done with it.
func (h *login) with(ctx context.Context, fn func(*connection) error) error {
	c, release, err := h.pool.take(ctx, h)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	err = h.pool.start(func() {
		defer release()
		done <- fn(c)
	})
	if err != nil {
		release()
		return err
	}
	select {
	case err = <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start does something that Close waits for. It fails once the pool is closed.
func (p *Pool) start(fn func()) error {
	p.Lock()
	defer p.Unlock()
	if p.closed {
		return errPoolClosed
	}
	p.all.Go(fn)
	return nil
}

// take waits for the connection of a host. The caller must release it once.
func (p *Pool) take(ctx context.Context, h *login) (c *connection, release func(), err error) {
	p.Lock()
	if p.closed {
		p.Unlock()
		return nil, nil, errPoolClosed
	}
	l := p.links[h.name]
	if l == nil || l.conn != nil && l.conn.isGone() {
		l = &link{ready: make(chan struct{})}
		p.links[h.name] = l
		p.keep(l)
		p.all.Go(func() { p.hold(h, l) })
	}
	p.keep(l)
	p.Unlock()

	release = func() { p.release(h, l) }
	select {
	case <-l.ready:
		err = l.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return l.conn, release, nil
}

// hold makes the connection of a link and stays until it is gone.
func (p *Pool) hold(h *login, l *link) {
	conn, err := dial(p.life, h.access, p.start)
	p.Lock()
	l.conn, l.err = conn, err
	switch {
	case errors.Is(err, errRefused) && !p.closed:
		time.AfterFunc(p.idle, func() {
			p.Lock()
			defer p.Unlock()
			p.forget(h, l)
		})
	case err != nil:
		p.forget(h, l)
	}
	p.Unlock()
	close(l.ready)
	p.release(h, l)
	if err != nil {
		return
	}
	stop := context.AfterFunc(p.life, conn.close)
	conn.watch(p.keepalive)
	stop()
	p.Lock()
	p.forget(h, l)
	p.Unlock()
}

// forget has the next one who takes the host make a new link; the pool is locked.
func (p *Pool) forget(h *login, l *link) {
	if p.links[h.name] == l {
		delete(p.links, h.name)
	}
}

// keep counts a user of a link; the pool is locked.
func (p *Pool) keep(l *link) {
	l.users++
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// release ends the connection in a while if that was its last user.
func (p *Pool) release(h *login, l *link) {
	p.Lock()
	defer p.Unlock()
	l.users--
	if l.users > 0 || l.conn == nil || l.conn.isGone() || p.closed {
		return
	}
	l.timer = time.AfterFunc(p.idle, func() {
		p.Lock()
		defer p.Unlock()
		if l.users > 0 {
			return
		}
		p.forget(h, l)
		l.conn.close()
	})
}
