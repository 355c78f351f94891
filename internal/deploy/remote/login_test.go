package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/secret"
)

// reach uses the host once, by a connection of its own.
func reach(t *testing.T, a Access) error {
	t.Helper()
	p := NewPool()
	defer p.Close()
	_, err := p.Host(a).Run(t.Context(), Command{Args: []string{"true"}})
	return err
}

// A host is used only if it shows a key that is known of it, of whatever kind, or if
// any will do; and what it should have shown otherwise is told.
func TestHostKeys(t *testing.T) {
	kinds := []string{"ED25519", "ECDSA256", "ECDSA384", "ECDSA521", "RSA2048"}
	s := startSSHD(t, kinds...)
	access := s.access(t)
	for _, kind := range kinds {
		access.Trust, access.HostKeys = false, []string{"SHA256:" + strings.Repeat("A", 43), s.fingerprint(t, kind)}
		if err := reach(t, access); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}

	for name, a := range map[string]Access{
		"another key is known":                       {HostKeys: []string{"SHA256:" + strings.Repeat("A", 43)}},
		"another key is known, and trust changes it": {HostKeys: []string{"SHA256:" + strings.Repeat("A", 43)}, Trust: true},
		"nonsense is known":                          {HostKeys: []string{""}},
	} {
		access.HostKeys, access.Trust = a.HostKeys, a.Trust
		err := reach(t, access)
		if err == nil || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: got %v, want an error that is final", name, err)
			continue
		}
		for _, kind := range kinds {
			if !strings.Contains(err.Error(), s.fingerprint(t, kind)) {
				t.Errorf("%s: %v does not name the %s key", name, err, kind)
			}
		}
	}

	before := s.connections.Load()
	access.HostKeys, access.Trust = nil, false
	if err := reach(t, access); err == nil || errors.Is(err, ErrUnreachable) || s.connections.Load() != before {
		t.Errorf("no key is known: got %v, want an error that is final, without asking", err)
	}
}

// A key that is trusted unseen is told once for each connection, and good from then
// on; where keys are known nothing is told.
func TestTrustLearns(t *testing.T) {
	s := startSSHD(t, "ECDSA256", "RSA2048")
	access := s.access(t)
	var learned []string
	access.Learned = func(fingerprint, kind string) { learned = append(learned, fingerprint+" "+kind) }
	p := NewPool()
	for range 3 {
		if _, err := p.Host(access).Run(t.Context(), Command{Args: []string{"true"}}); err != nil {
			t.Error(err)
		}
	}
	p.Close()
	if want := []string{s.fingerprint(t, "ECDSA256") + " " + ssh.KeyAlgoECDSA256}; !slices.Equal(learned, want) {
		t.Fatalf("got %q, want %q", learned, want)
	}
	fingerprint, _, _ := strings.Cut(learned[0], " ")
	access.HostKeys, learned = []string{fingerprint}, nil
	if err := reach(t, access); err != nil || len(learned) > 0 {
		t.Errorf("got %v, and %q is learned", err, learned)
	}
}

// Who has the right password or key is let in by a real server; all others are told
// that it is final, without what they tried.
func TestLogin(t *testing.T) {
	s := startSSHD(t, "ED25519")
	access := s.access(t)
	encrypted, public := newKey(t, "RSA2048", passphrase)
	s.allow(t, public)
	ecdsa, public := newKey(t, "P521", "")
	s.allow(t, public)
	stranger, _ := newKey(t, "ED25519", "")
	isRoot := os.Getuid() == 0 // else there is no guest

	plain := secret.NewString
	for _, c := range []struct {
		name  string
		login Login
		isIn  bool
		says  string
		skip  bool
	}{
		{name: "a key", login: access.Login, isIn: true},
		{name: "an ECDSA key", login: Login{User: s.user, Key: secret.NewPlain(ecdsa)}, isIn: true},
		{name: "an encrypted key", login: Login{User: s.user, Key: secret.NewPlain(encrypted), Passphrase: plain(passphrase)}, isIn: true},
		{name: "a password", login: Login{User: guest, Password: plain(guestPassword)}, isIn: true, skip: !isRoot},
		{name: "a password, with a key that is not known", login: Login{User: guest, Password: plain(guestPassword), Key: secret.NewPlain(stranger)}, isIn: true, skip: !isRoot},
		{name: "an encrypted key, another passphrase", login: Login{User: s.user, Key: secret.NewPlain(encrypted), Passphrase: plain("not this")}, says: "private key"},
		{name: "an encrypted key, no passphrase", login: Login{User: s.user, Key: secret.NewPlain(encrypted)}, says: "private key"},
		{name: "no key at all", login: Login{User: s.user, Key: plain("not a key")}, says: "private key"},
		{name: "nothing", login: Login{User: s.user}, says: "neither"},
		{name: "a key that is not known", login: Login{User: s.user, Key: secret.NewPlain(stranger)}, says: "refused"},
		{name: "another password", login: Login{User: guest, Password: plain("not this")}, says: "refused"},
		{name: "another user", login: Login{User: "nobody-has-this-name", Key: access.Key}, says: "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.skip {
				t.Skip("only root can have users of its own")
			}
			access := access
			access.Login = c.login
			err := reach(t, access)
			if c.isIn {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "not this") {
				t.Errorf("got %v, want an error that is final and says %q", err, c.says)
			}
		})
	}
}

// A password is given to whichever question is asked for it, but once only, because
// accounts are locked after a few wrong ones, and to no other question.
func TestPasswordIsGivenOnce(t *testing.T) {
	const right = "the right one"
	answer := func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) != right {
			return nil, errors.New("no")
		}
		return nil, nil
	}
	type rounds []struct {
		questions []string
		echos     []bool
	}
	ask := func(tries *atomic.Int32, all rounds) func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		return func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			var got []string
			for _, r := range all {
				answers, err := ask("", "", r.questions, r.echos)
				if err != nil {
					return nil, err
				}
				got = append(got, answers...)
			}
			tries.Add(1)
			return answer(c, []byte(strings.Join(got, "")))
		}
	}
	for _, c := range []struct {
		name        string
		password    string
		hasPassword bool
		interactive rounds
		isIn        bool
		tries       int32
	}{
		{"right, as a password", right, true, nil, true, 1},
		{"right, as an answer", right, false, rounds{{[]string{"Password: "}, []bool{false}}, {}}, true, 1},
		{"wrong", "wrong", true, rounds{{[]string{"Password: "}, []bool{false}}}, false, 1},
		{"wrong, as an answer", "wrong", false, rounds{{[]string{"Password: "}, []bool{false}}}, false, 1},
		{"asked twice", right, false, rounds{{[]string{"Password: "}, []bool{false}}, {[]string{"New password: "}, []bool{false}}}, false, 0},
		{"asked for more", right, false, rounds{{[]string{"Password: ", "Code: "}, []bool{false, false}}}, false, 0},
		{"asked in the open", right, false, rounds{{[]string{"Name: "}, []bool{true}}}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tries atomic.Int32
			var s strangeServer
			if c.hasPassword {
				s.config.PasswordCallback = func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
					tries.Add(1)
					return answer(m, password)
				}
			}
			if c.interactive != nil {
				s.config.KeyboardInteractiveCallback = ask(&tries, c.interactive)
			}
			err := reach(t, Access{
				Address: "127.0.0.1", Port: portOf(t, s.start(t)), Trust: true,
				Login: Login{User: "somebody", Password: secret.NewString(c.password)},
			})
			isIn := err != nil && strings.Contains(err.Error(), "no sessions here")
			if isIn != c.isIn || tries.Load() != c.tries {
				t.Errorf("got in: %v (%v), with %d tries, want %v, %d", isIn, err, tries.Load(), c.isIn, c.tries)
			}
			if !c.isIn && (errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), c.password)) {
				t.Errorf("got %v, want an error that is final and keeps the secret", err)
			}
		})
	}
}

// Who was refused is not tried again for a while, however many ask, because that could
// lock the account; then he is, and so is another password at once.
func TestRefusedIsNotTriedAgain(t *testing.T) {
	var tries atomic.Int32
	s := strangeServer{config: ssh.ServerConfig{PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
		tries.Add(1)
		return nil, errors.New("no")
	}}}
	access := Access{Address: "127.0.0.1", Port: portOf(t, s.start(t)), Trust: true, Login: Login{User: "somebody", Password: secret.NewString("wrong")}}
	pool := newPool(t)
	ask := func(want int32) {
		t.Helper()
		_, err := pool.Host(access).Run(t.Context(), Command{Args: []string{"true"}})
		if !errors.Is(err, errRefused) || errors.Is(err, ErrUnreachable) || tries.Load() != want {
			t.Errorf("got %v after %d tries, want %d", err, tries.Load(), want)
		}
	}
	for range 3 {
		ask(1)
	}
	access.Password = secret.NewString("wrong, too")
	ask(2)

	pool.Lock()
	pool.idle = time.Millisecond
	pool.Unlock()
	access.Password = secret.NewString("not for long")
	ask(3)
	until(t, "it is forgotten", func() bool {
		pool.Lock()
		defer pool.Unlock()
		return len(pool.links) == 2
	})
	ask(4)
}

// However an access, or what is made of it, is printed, its secrets are not.
func TestAccessIsNotPrinted(t *testing.T) {
	const text = "do not print me"
	a := Access{Address: "127.0.0.1", Port: 1, Trust: true, Login: Login{User: "u", Password: secret.NewString(text), Key: secret.NewString(text), Passphrase: secret.NewString(text)}}
	p := newPool(t)
	h := p.Host(a)
	_, err := h.ReadFile(context.Background(), "/f")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "access", a, "login", a.Login, "host", h, "err", err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb+verb+verb, a, &a, a.Login, h, err)
		fmt.Fprintf(&log, verb, *h)
	}
	for _, form := range []string{text, fmt.Sprintf("%x", text), strings.Trim(fmt.Sprint([]byte(text)), "[]")} {
		if strings.Contains(log.String(), form) {
			t.Errorf("%q is printed", form)
		}
	}
}
