package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/secret"
)

// A place is a host with an empty directory, which the test sees too.
type place struct {
	*Host
	*testing.T
	dir    string
	isSudo bool
}

func (p place) at(name string) string { return filepath.Join(p.dir, name) }

// must is for what has to go well.
func (p place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p place) is(name, content string) {
	p.Helper()
	data, err := os.ReadFile(p.at(name))
	if err != nil || string(data) != content {
		p.Errorf("got %.80q, %v in %s, want %.80q", data, err, name, content)
	}
}

func (p place) mode(name string, want fs.FileMode) {
	p.Helper()
	info, err := os.Lstat(p.at(name))
	p.must(err)
	if info.Mode() != want {
		p.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
	}
}

// has insists that there is nothing in the directory but these.
func (p place) has(want ...string) {
	p.Helper()
	entries, err := os.ReadDir(p.dir)
	p.must(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		p.Errorf("got %q in the directory, want %q", names, want)
	}
}

// fails insists on the error.
func (p place) fails(err, want error) {
	p.Helper()
	if !errors.Is(err, want) {
		p.Errorf("got %v, want %v", err, want)
	}
}

// behaviours are what holds on every host.
var behaviours = []struct {
	name string
	test func(place)
}{
	{"a file that was written is read again", func(p place) {
		for _, text := range []string{"", "some text\x00\xff", strings.Repeat("x", MaxFile)} {
			p.must(p.WriteFile(p.Context(), p.at("f"), []byte(text), Owner{}))
			data, err := p.ReadFile(p.Context(), p.at("f"))
			p.must(err)
			if string(data) != text {
				p.Errorf("got %d bytes, want %d", len(data), len(text))
			}
		}
		p.mode("f", 0o600)
		p.has("f")
	}},
	{"a file has the mode that it is given, whatever the umask", func(p place) {
		for _, mode := range []fs.FileMode{0o600, 0o666, 0o440, 0o755} {
			p.must(p.WriteFile(p.Context(), p.at("f"), nil, Owner{Mode: mode}))
			p.mode("f", mode)
			o, err := p.Owner(p.Context(), p.at("f"))
			if want := (Owner{fmt.Sprint(os.Getuid()), fmt.Sprint(os.Getgid()), mode}); err != nil || o != want {
				p.Errorf("got %v, %v, want %v", o, err, want)
			}
		}
	}},
	{"a file has the owner that it is given, by name or number", func(p place) {
		if os.Getuid() != 0 {
			p.Skip("only root gives files away")
		}
		for _, c := range []struct {
			o    Owner
			u, g string
		}{
			{Owner{User: "daemon", Group: "bin"}, "1", "2"},
			{Owner{User: "daemon"}, "1", "0"},
			{Owner{Group: "2"}, "0", "2"},
			{Owner{User: "12345", Group: "54321", Mode: 0o640}, "12345", "54321"},
		} {
			p.must(p.WriteFile(p.Context(), p.at("f"), nil, c.o))
			p.must(p.Mkdir(p.Context(), p.at("d"), c.o))
			for _, name := range []string{"f", "d"} {
				o, err := p.Owner(p.Context(), p.at(name))
				if err != nil || o.User != c.u || o.Group != c.g {
					p.Errorf("%v: got %v, %v of %s", c.o, o, err, name)
				}
			}
			p.must(p.RemoveAll(p.Context(), p.at("d")))
		}
	}},
	{"for an unknown owner nothing is changed", func(p place) {
		p.must(p.WriteFile(p.Context(), p.at("f"), []byte("old"), Owner{}))
		for _, o := range []Owner{{User: "nobody-has-this-name"}, {Group: "nobody-has-this-name"}, {User: "-u"}, {Group: "a\nb"}, {User: "; echo 0"}} {
			if err := p.WriteFile(p.Context(), p.at("f"), []byte("new"), o); err == nil || errors.Is(err, ErrUnreachable) {
				p.Errorf("%q: got %v, want an error that is final", o, err)
			}
		}
		p.is("f", "old")
		p.has("f")
	}},
	{"who reads while a file is replaced finds the old or the new one", func(p place) {
		texts := []string{strings.Repeat("a", 100_000), strings.Repeat("b", 99_999)}
		p.must(p.WriteFile(p.Context(), p.at("f"), []byte(texts[0]), Owner{}))
		stop := make(chan struct{})
		var readers sync.WaitGroup
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if data, err := os.ReadFile(p.at("f")); err != nil || !slices.Contains(texts, string(data)) {
					p.Errorf("got %d bytes, %v", len(data), err)
					return
				}
			}
		})
		for i := range 30 {
			p.must(p.WriteFile(p.Context(), p.at("f"), []byte(texts[i%2]), Owner{}))
		}
		close(stop)
		readers.Wait()
	}},
	{"those who write at once leave the file of one of them", func(p place) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				text := bytes.Repeat([]byte{'a' + byte(i)}, 50_000)
				if err := p.WriteFile(p.Context(), p.at("f"), text, Owner{}); err != nil {
					p.Error(err)
				}
				if err := p.Mkdir(p.Context(), p.at("d/e/f"), Owner{Mode: 0o750}); err != nil {
					p.Error(err)
				}
			})
		}
		all.Wait()
		data, err := os.ReadFile(p.at("f"))
		if err != nil || len(data) != 50_000 || bytes.Count(data, data[:1]) != len(data) {
			p.Errorf("got %d bytes, %v", len(data), err)
		}
		p.mode("d/e/f", fs.ModeDir|0o750)
		p.has("d", "f")
	}},
	{"what a crash has left goes with the next file, what is under way stays", func(p place) {
		for name, age := range map[string]time.Duration{"old": 2 * leftoverAge, "new": 0} {
			temp := p.at(tempPrefix + name)
			p.must(os.Mkdir(temp, 0o700))
			p.must(os.WriteFile(filepath.Join(temp, "file"), []byte("half"), 0o600))
			p.must(os.Chtimes(temp, time.Now().Add(-age), time.Now().Add(-age)))
		}
		p.must(p.WriteFile(p.Context(), p.at("f"), nil, Owner{}))
		p.has("f", tempPrefix+"new")
	}},
	{"a link is replaced by a file, and what it points to stays", func(p place) {
		p.must(os.WriteFile(p.at("real"), []byte("real"), 0o600))
		p.must(os.Symlink("real", p.at("link")))
		p.must(p.WriteFile(p.Context(), p.at("link"), []byte("new"), Owner{}))
		p.is("real", "real")
		p.is("link", "new")
		p.mode("link", 0o600)
	}},
	{"a file does not replace a directory", func(p place) {
		p.must(os.Mkdir(p.at("d"), 0o700))
		if p.WriteFile(p.Context(), p.at("d"), nil, Owner{}) == nil || p.Symlink(p.Context(), "x", p.at("d")) == nil {
			p.Error("it does")
		}
		p.has("d")
		p.mode("d", fs.ModeDir|0o700)
	}},
	{"only regular files are read, and not those that are too large", func(p place) {
		p.must(syscall.Mkfifo(p.at("fifo"), 0o600))
		p.must(os.WriteFile(p.at("large"), make([]byte, MaxFile+1), 0o600))
		p.must(os.Symlink("dangling", p.at("link")))
		for name, want := range map[string]error{".": fs.ErrInvalid, "fifo": fs.ErrInvalid, "none": fs.ErrNotExist, "no/ne": fs.ErrNotExist, "link": fs.ErrNotExist} {
			_, err := p.ReadFile(p.Context(), filepath.Join(p.dir, name))
			p.fails(err, want)
		}
		if data, err := p.ReadFile(p.Context(), p.at("large")); err == nil || data != nil {
			p.Errorf("got %d bytes", len(data))
		}
		if p.WriteFile(p.Context(), p.at("f"), make([]byte, MaxFile+1), Owner{}) == nil {
			p.Error("a file was written that cannot be read")
		}
	}},
	{"what is not there is told", func(p place) {
		_, err := p.Owner(p.Context(), p.at("none"))
		p.fails(err, fs.ErrNotExist)
		_, err = p.Readlink(p.Context(), p.at("none"))
		p.fails(err, fs.ErrNotExist)
		_, err = p.ReadDir(p.Context(), p.at("none"))
		p.fails(err, fs.ErrNotExist)
		p.fails(p.WriteFile(p.Context(), p.at("none/f"), nil, Owner{}), fs.ErrNotExist)
		p.fails(p.Symlink(p.Context(), "x", p.at("none/l")), fs.ErrNotExist)
		p.has()
	}},
	{"a link is made, read, and made another at once", func(p place) {
		for _, target := range []string{"a", "../b c", "/c'd"} {
			p.must(p.Symlink(p.Context(), target, p.at("l")))
			got, err := p.Readlink(p.Context(), p.at("l"))
			if err != nil || got != target {
				p.Errorf("got %q, %v, want %q", got, err, target)
			}
		}
		p.must(os.WriteFile(p.at("f"), nil, 0o600))
		_, err := p.Readlink(p.Context(), p.at("f"))
		p.fails(err, fs.ErrInvalid)
		p.must(p.Symlink(p.Context(), "l", p.at("f")))
		p.has("f", "l")
		if p.Symlink(p.Context(), "", p.at("f")) == nil || p.Symlink(p.Context(), "a\x00", p.at("f")) == nil {
			p.Error("a link to nothing was made")
		}
	}},
	{"a directory is made with those above it, and stays if it is there", func(p place) {
		p.must(os.Mkdir(p.at("a"), 0o711))
		p.must(p.Mkdir(p.Context(), p.at("a/b/c"), Owner{Mode: 0o770}))
		p.must(p.Mkdir(p.Context(), p.at("a/b/c"), Owner{Mode: 0o700}))
		p.must(p.Mkdir(p.Context(), p.at("d"), Owner{}))
		p.must(os.Symlink("a", p.at("l")))
		p.must(p.Mkdir(p.Context(), p.at("l/b/e"), Owner{}))
		for name, mode := range map[string]fs.FileMode{"a": 0o711, "a/b": 0o770, "a/b/c": 0o770, "d": 0o755, "a/b/e": 0o755} {
			p.mode(name, fs.ModeDir|mode)
		}
		p.must(os.WriteFile(p.at("f"), nil, 0o600))
		if p.Mkdir(p.Context(), p.at("f"), Owner{}) == nil || p.Mkdir(p.Context(), p.at("f/g"), Owner{}) == nil {
			p.Error("a directory was made of a file")
		}
		names, err := p.ReadDir(p.Context(), p.at("a/b"))
		if err != nil || !slices.Equal(names, []string{"c", "e"}) {
			p.Errorf("got %q, %v", names, err)
		}
	}},
	{"a tree is removed, a link without what it points to", func(p place) {
		p.must(os.MkdirAll(p.at("a/b/c"), 0o700))
		p.must(os.MkdirAll(p.at("keep"), 0o700))
		p.must(os.WriteFile(p.at("keep/f"), nil, 0o600))
		p.must(os.WriteFile(p.at("a/b/f"), nil, 0o600))
		p.must(os.Symlink("../../keep", p.at("a/b/l")))
		p.must(os.Symlink("keep", p.at("l")))
		for _, name := range []string{"a", "l", "none", "no/ne"} {
			p.must(p.RemoveAll(p.Context(), p.at(name)))
		}
		p.has("keep")
		p.is("keep/f", "")
	}},
	{"names that are not absolute and clean are refused", func(p place) {
		for _, name := range []string{"", "f", "./f", p.dir + "/../f", p.dir + "/./f", p.dir + "//f", p.dir + "/", p.dir + "/f\x00g", "~/f"} {
			_, read := p.ReadFile(p.Context(), name)
			_, owner := p.Owner(p.Context(), name)
			_, link := p.Readlink(p.Context(), name)
			_, list := p.ReadDir(p.Context(), name)
			for _, err := range []error{
				read, owner, link, list,
				p.WriteFile(p.Context(), name, nil, Owner{}), p.Symlink(p.Context(), "x", name),
				p.Mkdir(p.Context(), name, Owner{}), p.RemoveAll(p.Context(), name),
			} {
				p.fails(err, fs.ErrInvalid)
			}
		}
		if p.RemoveAll(p.Context(), "/") == nil {
			p.Error("everything was removed")
		}
	}},
	{"what a program prints on both outputs is told, also when it fails", func(p place) {
		said, err := p.run("sh", "-c", "echo out; echo err >&2; exit 3")
		exit, ok := errors.AsType[*ExitError](err)
		if !strings.Contains(said, "out\n") || !strings.Contains(said, "err\n") || !ok || exit.Status != 3 {
			p.Errorf("got %q, %v", said, err)
		}
	}},
	{"how a program ends is told", func(p place) {
		p.must(os.WriteFile(p.at("file"), nil, 0o600))
		for _, c := range []struct {
			args []string
			want error
			text string
		}{
			{[]string{"true"}, nil, ""},
			{[]string{"false"}, nil, "exit status 1"},
			{[]string{"sh", "-c", "kill -9 $$"}, nil, "signal"},
			{[]string{"there-is-no-such-program"}, fs.ErrNotExist, "no such program"},
			{[]string{p.at("none")}, fs.ErrNotExist, "no such program"},
			{[]string{p.at("file")}, fs.ErrPermission, "cannot be executed"},
		} {
			_, err := p.run(c.args...)
			if p.isSudo && c.want != nil {
				c.want, c.text = nil, "exit status 1" // it says no more
			}
			if c.text == "" && err != nil || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) || c.want != nil && !errors.Is(err, c.want) {
				p.Errorf("%q: got %v, want %q", c.args, err, c.text)
			}
			if errors.Is(err, ErrUnreachable) {
				p.Errorf("%q: it may be tried again: %v", c.args, err)
			}
		}
	}},
	{"a program gets its arguments as they are", func(p place) {
		args := []string{
			"", " ", "a b", "'", "''", `'"'"'`, `\`, `\'`, `"$HOME"`, "$(echo no)", "`echo no`", "*", "~", "a;b", "a&b", "|", "<x", ">x", "!", "!!", "#c", "-n", "--",
			"\t", "\r", "a\x01b", "{a,b}", "$'x'", "é\xff", strings.Repeat("x", 10_000),
		}
		said, err := p.run(append([]string{"printf", `%s\0`}, args...)...)
		p.must(err)
		if want := strings.Join(args, "\x00") + "\x00"; said != want {
			p.Errorf("got  %q\nwant %q", said, want)
		}
	}},
	{"a command that cannot be said is refused", func(p place) {
		for _, args := range [][]string{nil, {""}, {"echo", "a\nb"}, {"echo", "a\x00b"}, {"echo\n"}} {
			if _, err := p.run(args...); err == nil {
				p.Errorf("%q was run", args)
			}
		}
	}},
	{"a program reads what it is given, or does not", func(p place) {
		text := strings.Repeat("0123456789\n", 3000)
		for program, want := range map[string]string{"cat": text, "true": ""} {
			said, err := p.Host.Run(p.Context(), Command{Args: []string{program}, Stdin: []byte(text)})
			if err != nil || said != want {
				p.Errorf("%s: got %d bytes, %v, want %d", program, len(said), err, len(want))
			}
		}
		if said, err := p.Host.Run(p.Context(), Command{Args: []string{"true"}, Stdin: make([]byte, 8<<20)}); err != nil || said != "" {
			p.Errorf("got %q, %v", said, err)
		}
	}},
	{"of much that is printed the beginning and the end are kept", func(p place) {
		said, err := p.run("sh", "-c", "echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last")
		p.must(err)
		if len(said) > MaxOutput || len(said) < MaxOutput-100 || !strings.HasPrefix(said, "first\n") || !strings.HasSuffix(said, "x\nlast\n") || !strings.Contains(said, gap) {
			p.Errorf("got %d bytes: %.20q", len(said), said)
		}
	}},
	{"a program that takes too long is given up", func(p place) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(p.Context(), 10*time.Second)
		defer cancel()
		said, err := p.Host.Run(ctx, Command{Args: []string{"sh", "-c", "echo begun; sleep 60"}})
		p.fails(err, context.DeadlineExceeded)
		if took := time.Since(began); took > patience/2 || said != "begun\n" {
			p.Errorf("got %q after %v", said, took)
		}
	}},
	{"a program that leaves another behind is not waited for, and the other lives", func(p place) {
		p.must(syscall.Mkfifo(p.at("fifo"), 0o600))
		said, err := p.run("sh", "-c", `(read word < "$0/fifo"; echo lives > "$0/f") & echo started`, p.dir)
		p.must(err)
		if said != "started\n" {
			p.Errorf("got %q", said)
		}
		p.must(os.WriteFile(p.at("fifo"), []byte("word\n"), 0o600))
		until(p, "the other has written", func() bool { return isWritten(p.at("f")) })
	}},
	{"nothing is done once the context has ended", func(p place) {
		ctx, cancel := context.WithCancel(p.Context())
		cancel()
		p.fails(p.WriteFile(ctx, p.at("f"), nil, Owner{}), context.Canceled)
		p.fails(p.Symlink(ctx, "x", p.at("f")), context.Canceled)
		p.fails(p.Mkdir(ctx, p.at("f"), Owner{}), context.Canceled)
		p.fails(p.RemoveAll(ctx, p.at("f")), context.Canceled)
		_, err := p.Host.Run(ctx, Command{Args: []string{"touch", p.at("f")}})
		p.fails(err, context.Canceled)
		p.has()
	}},
}

func (p place) run(args ...string) (string, error) {
	return p.Host.Run(p.Context(), Command{Args: args})
}

func isWritten(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Size() > 0
}

func testBehaviours(t *testing.T, h *Host, isSudo bool) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) { b.test(place{h, t, t.TempDir(), isSudo}) })
	}
}

// This host does what hosts do.
func TestLocal(t *testing.T) { testBehaviours(t, Local(), false) }

// A host that is logged in to does what hosts do, all by one connection.
func TestSSH(t *testing.T) {
	s := startSSHD(t, "ED25519")
	testBehaviours(t, newPool(t).Host(s.access(t)), false)
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

// By sudo a host does what hosts do.
func TestSudo(t *testing.T) {
	s := startSSHD(t, "ED25519")
	a := s.access(t)
	h := newPool(t).Host(a)
	if _, err := h.Run(t.Context(), Command{Args: []string{"sudo", "-n", "true"}}); err != nil {
		t.Skipf("no sudo: %v", err)
	}
	a.Sudo = true
	testBehaviours(t, newPool(t).Host(a), true)
}

// Another user of the host may not do all that root may, and is told so.
func TestPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	s := startSSHD(t, "ED25519")
	a := s.access(t)
	a.Login = Login{User: guest, Password: secret.NewString(guestPassword)}
	p := place{newPool(t).Host(a), t, t.TempDir(), false}
	p.must(os.WriteFile(p.at("secret"), nil, 0o600))
	_, err := p.ReadFile(t.Context(), p.at("secret"))
	p.fails(err, fs.ErrPermission)
	for _, err := range []error{
		err,
		p.WriteFile(t.Context(), p.at("f"), nil, Owner{}),
		p.Symlink(t.Context(), "x", p.at("secret")),
		p.Mkdir(t.Context(), p.at("d"), Owner{}),
		p.RemoveAll(t.Context(), p.at("secret")),
	} {
		if err == nil || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v, want an error that is final", err)
		}
	}
	p.has("secret")

	mine, err := os.MkdirTemp("", "guest")
	p.must(err)
	defer os.RemoveAll(mine)
	p.dir = mine
	p.must(os.Chmod(mine, 0o777))
	p.must(p.WriteFile(t.Context(), p.at("f"), nil, Owner{User: guest}))
	o, err := p.Owner(t.Context(), p.at("f"))
	if err != nil || o.User != guestNumber {
		t.Errorf("got %v, %v", o, err)
	}
	p.fails(p.WriteFile(t.Context(), p.at("f"), nil, Owner{User: "root"}), fs.ErrPermission)
	p.has("f")
}

// Programs of this host see nothing of the environment but what they need.
func TestEnvironmentIsKeptBack(t *testing.T) {
	t.Setenv("CERTWRIGHT_PASSPHRASE", "a secret")
	t.Setenv("DATABASE_URL", "postgres://u:a secret@h/d")
	t.Setenv("LC_TIME", "C")
	said, err := Local().Run(t.Context(), Command{Args: []string{"env"}})
	if err != nil || strings.Contains(said, "a secret") || !strings.Contains(said, "PATH=") || !strings.Contains(said, "LC_TIME=C") {
		t.Errorf("got %q, %v", said, err)
	}
}
