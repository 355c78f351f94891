package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/pki"
)

// hostKeyKinds are the keys that a host may have, with the algorithms in which each
// is shown: one that is pinned is asked for in each of them.
var hostKeyKinds = []struct {
	kind       string
	algorithms []string
}{
	{ssh.KeyAlgoED25519, []string{ssh.KeyAlgoED25519}},
	{ssh.KeyAlgoECDSA256, []string{ssh.KeyAlgoECDSA256}},
	{ssh.KeyAlgoECDSA384, []string{ssh.KeyAlgoECDSA384}},
	{ssh.KeyAlgoECDSA521, []string{ssh.KeyAlgoECDSA521}},
	{ssh.KeyAlgoRSA, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}},
}

// A handshake is one attempt to log in. Its callbacks are called by the connection's
// goroutine, those for host keys also later, when session keys are changed.
type handshake struct {
	Access
	sync.Mutex
	shown     ssh.PublicKey
	isRefused bool // what it has shown
	isAsked   bool // for the password
}

// errRefused is the host's word that who asks may not log in.
var errRefused = errors.New("the login was refused")

// dial logs in to a host within the time that its access allows. That begins when the
// key can be used: it takes long on purpose to work one out from its passphrase.
func dial(ctx context.Context, a Access, start func(func()) error) (*connection, error) {
	at := net.JoinHostPort(a.Address, strconv.Itoa(cmp.Or(a.Port, defaultSSHPort)))
	signer, err := a.signer()
	var client *ssh.Client
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, cmp.Or(a.Timeout, ConnectTimeout))
		defer cancel()
		client, err = dialAny(ctx, at, a, signer)
	}
	if err != nil {
		return nil, fmt.Errorf("log in to %s as %s: %w", at, a.User, err)
	}
	return newConnection(client, a, start), nil
}

// dialAny tries one kind of host key after the other while the host shows others
// than those that are pinned.
func dialAny(ctx context.Context, at string, a Access, signer ssh.Signer) (*ssh.Client, error) {
	if len(a.HostKeys) == 0 && !a.Trust {
		return nil, errors.New("no key of the host is known, and it is not trusted without")
	}
	var kinds, shown []string // of keys that are not pinned
	for {
		h := &handshake{Access: a}
		client, err := h.dial(ctx, at, h.config(signer, kinds))
		if err == nil {
			h.learn()
			return client, nil
		}
		if h.isRefused {
			kinds = append(kinds, h.shown.Type())
			shown = append(shown, ssh.FingerprintSHA256(h.shown)+" ("+h.shown.Type()+")")
		}
		disagreed, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err)
		hasNoOther := ok && disagreed.What == "host key" && len(kinds) > 0
		switch {
		case hasNoOther, len(kinds) == len(hostKeyKinds):
			return nil, fmt.Errorf("it has none of the host keys that are known of it, but %s", strings.Join(shown, ", "))
		case !h.isRefused:
			return nil, h.reason(ctx, err)
		}
	}
}

// learn tells which key is trusted without having been known.
func (h *handshake) learn() {
	if h.Learned != nil && len(h.HostKeys) == 0 {
		h.Learned(ssh.FingerprintSHA256(h.shown), h.shown.Type())
	}
}

func (h *handshake) dial(ctx context.Context, at string, config *ssh.ClientConfig) (*ssh.Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, at, config)
	if !stop() && err == nil {
		c.Close()
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

// reason tells what may be gone another time from what is final.
func (h *handshake) reason(ctx context.Context, err error) error {
	_, isDisagreed := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: no answer in time", ErrUnreachable)
	case isDisagreed:
		return err
	case h.shown != nil && isRefusal(err):
		return errRefused
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// isRefusal goes by the text, since package ssh (v0.58) has no other sign.
func isRefusal(err error) bool {
	for _, text := range []string{"unable to authenticate", "Too many authentication failures", "too many authentication attempts", errAskedAgain.Error()} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

func (h *handshake) config(signer ssh.Signer, without []string) *ssh.ClientConfig {
	c := &ssh.ClientConfig{User: h.User, HostKeyCallback: h.checkHostKey}
	for _, k := range hostKeyKinds {
		if !slices.Contains(without, k.kind) {
			c.HostKeyAlgorithms = append(c.HostKeyAlgorithms, k.algorithms...)
		}
	}
	if signer != nil {
		c.Auth = append(c.Auth, ssh.PublicKeys(signer))
	}
	if !h.Password.IsEmpty() {
		c.Auth = append(c.Auth, ssh.PasswordCallback(h.password), ssh.KeyboardInteractive(h.answer))
	}
	return c
}

// checkHostKey is lasting: once a key is seen, no other will do.
func (h *handshake) checkHostKey(_ string, _ net.Addr, key ssh.PublicKey) error {
	h.Lock()
	defer h.Unlock()
	if h.shown == nil {
		h.shown = key
		h.isRefused = len(h.HostKeys) > 0 && !slices.ContainsFunc(h.HostKeys, func(known string) bool {
			return barePrint(known) == barePrint(ssh.FingerprintSHA256(key))
		})
	}
	if h.isRefused || string(h.shown.Marshal()) != string(key.Marshal()) {
		return errors.New("not the key that the host should have")
	}
	return nil
}

// barePrint is the fingerprint without what not all write.
func barePrint(fingerprint string) string {
	return strings.TrimRight(strings.TrimPrefix(strings.TrimSpace(fingerprint), "SHA256:"), "=")
}

var errAskedAgain = errors.New("the password was asked for again")

// password gives the password once: an account may be locked after few wrong ones.
func (h *handshake) password() (string, error) {
	if h.isAsked {
		return "", errAskedAgain
	}
	h.isAsked = true
	return string(h.Password.Reveal()), nil
}

// answer gives the password to the one question that is not to be seen on a screen.
func (h *handshake) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	if len(questions) > 1 || echos[0] {
		return nil, fmt.Errorf("the host asks for more than a password: %w", errAskedAgain)
	}
	password, err := h.password()
	return []string{password}, err
}

// signer is nil where there is no key.
func (l Login) signer() (ssh.Signer, error) {
	if l.Key.IsEmpty() {
		if l.Password.IsEmpty() {
			return nil, errors.New("there is neither a password nor a key")
		}
		return nil, nil
	}
	key, err := pki.ParseSSHPrivateKey(l.Key.Reveal(), l.Passphrase.Reveal())
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	return ssh.NewSignerFromSigner(key)
}
