package haproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// manyNames are enough for a list and for details that are longer than what programs
// may print.
const manyNames = 3000

// A fake is the socket of an HAProxy. It has certificates of these names, and says of
// each that it is another one than any file has, whatever it is given.
type fake struct {
	names []string                          // as "show ssl cert" lists them
	bend  func(order, answer string) string // changes its answers; nil: not at all

	sync.Mutex
	orders []string
	given  []string // the names of what it was given
}

// serve answers until the test ends, and returns the Web that the socket is of.
func (f *fake) serve(t *testing.T) *deploytest.Web {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw") // the name of a socket must be short
	deploytest.Must(t, err)
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.pem"}}, Socket: filepath.Join(dir, "socket")}
	listener, err := net.Listen("unix", w.Socket)
	deploytest.Must(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			lines := bufio.NewReader(c)
			order, _ := lines.ReadString('\n')
			for payload := order; strings.Contains(order, "<<") && payload != "\n" && err == nil; {
				payload, err = lines.ReadString('\n')
			}
			_, _ = io.WriteString(c, f.answer(strings.TrimSpace(order)))
			c.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-served
		os.RemoveAll(dir)
	})
	return w
}

// answer is what an HAProxy says to orders.
func (f *fake) answer(orders string) string {
	f.Lock()
	defer f.Unlock()
	f.orders = append(f.orders, orders)
	var all strings.Builder
	for order := range strings.SplitSeq(orders, ";") {
		words, name := order, ""
		if i := strings.Index(order, " /"); i >= 0 {
			words, name = order[:i], strings.TrimSuffix(order[i+1:], " <<")
		}
		var b strings.Builder
		switch {
		case order == "show ssl cert":
			fmt.Fprintf(&b, "# filename\n%s\n", strings.Join(f.names, "\n"))
		case words == "show ssl cert":
			fmt.Fprintf(&b, "Filename: %s\nStatus: Used\nSubject Alternative Name: %s\n", name, strings.Repeat("DNS:www.example.com, ", 80))
			fmt.Fprint(&b, "SHA1 FingerPrint: 00\nSubject: /CN=x\nChain Subject: /CN=y\n")
		case words == "set ssl cert":
			fmt.Fprintf(&b, "Transaction created for certificate %s!\n", name)
		case words == "commit ssl cert":
			f.given = append(f.given, name)
			b.WriteString("Committing.\nSuccess!\n")
		default:
			fmt.Fprintf(&b, "Unknown command: %s\n", order)
		}
		b.WriteString("\n")
		answer := b.String()
		if f.bend != nil {
			answer = f.bend(order, answer)
		}
		all.WriteString(answer)
	}
	return all.String()
}

// nowhere are names, in order, of which there are no files.
func nowhere(count int) (names []string) {
	for i := range count {
		names = append(names, fmt.Sprintf("/nowhere/haproxy/certificates/of/many/%05d.example.com.pem", i))
	}
	return names
}

// files writes certificates that the fake has not.
func files(t *testing.T, count int) (names []string) {
	t.Helper()
	dir := t.TempDir()
	for i := range count {
		name := fmt.Sprintf("%s/%02d.pem", dir, i)
		deploytest.FirstFiles(t, "www.example.com", name, name)
		names = append(names, name)
	}
	return names
}

// TestSocketWithManyNames gives what changed among thousands of certificates, and
// nothing else.
func TestSocketWithManyNames(t *testing.T) {
	t.Parallel()
	names := nowhere(manyNames)
	// One in the middle of the list, and others on both sides of where reads are
	// divided.
	changed := files(t, 3)
	names = slices.Insert(names, maxReads-1, changed[0], changed[1])
	names = slices.Insert(names, manyNames/2, changed[2])
	f := &fake{names: names}
	w := f.serve(t)
	_, err := deploytest.Target(t, Driver, w.Settings(0, bySocket(w))).Service.Reload(t.Context())
	if err != nil || !slices.Equal(f.given, changed) {
		t.Errorf("it was given %q, %v; want %q", f.given, err, changed)
	}
	asked := 0
	for _, order := range f.orders {
		count := strings.Count(order, "show ssl cert /")
		if asked += count; count > maxNames {
			t.Fatalf("%d certificates are asked for in one order, want %d at most", count, maxNames)
		}
	}
	if asked != len(names) {
		t.Errorf("%d certificates are asked for, want %d", asked, len(names))
	}
}

// TestRealSocketWithManyNames has thousands of names in a real HAProxy, on both sides
// of the one that changes.
func TestRealSocketWithManyNames(t *testing.T) {
	w := deploytest.StartHAProxy(t, deploytest.Site{}, deploytest.Site{})
	var orders []string
	for i, name := range nowhere(manyNames) {
		first := []string{"/a", "/z"}[i%2] // HAProxy lists them in order
		orders = append(orders, "new ssl cert "+first+name)
	}
	for some := range slices.Chunk(orders, maxNames) {
		ask(t, w, strings.Join(some, ";"))
	}
	if list := ask(t, w, "show ssl cert"); len(list) < 2*remote.MaxOutput || strings.Count(list, ".pem\n") != manyNames+2 {
		t.Fatalf("the list has %d bytes and %d names", len(list), strings.Count(list, ".pem\n"))
	}
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.RSA))
	deploytest.Use(t, deploytest.Target(t, Driver, w.Settings(0, bySocket(w))), b)
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

// TestSocketDoesNotSayAll fails where an answer is too long, has no end or lacks a
// certificate, and gives nothing.
func TestSocketDoesNotSayAll(t *testing.T) {
	t.Parallel()
	list := func(order string) bool { return order == "show ssl cert" }
	for _, c := range []struct {
		name string
		bend func(order, answer string) string
		want string
	}{
		{"a list too long", func(order, answer string) string {
			if list(order) {
				answer += strings.Repeat("x", remote.MaxAnswer)
			}
			return answer
		}, fmt.Sprintf("the answer has more than %d bytes", remote.MaxAnswer)},
		{"a list that breaks off", func(order, answer string) string {
			if list(order) {
				answer = answer[:len(answer)-len("01.pem\n\n")]
			}
			return answer
		}, `haproxy broke off its answer to "show ssl cert"`},
		{"a list that breaks off at the end of a name", func(order, answer string) string {
			if list(order) {
				answer = answer[:len(answer)-len("\n")]
			}
			return answer
		}, `haproxy broke off its answer to "show ssl cert"`},
		{"a certificate that is missing", func(order, answer string) string {
			if strings.HasSuffix(order, "/00.pem") {
				answer = "Can't display the certificate: Not found or the certificate is a bundle!\n\n"
			}
			return answer
		}, "00.pem and does not show it"},
		{"a certificate without its name", func(order, answer string) string {
			if strings.HasSuffix(order, "/01.pem") {
				_, answer, _ = strings.Cut(answer, "\n")
			}
			return answer
		}, "01.pem and does not show it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{names: files(t, 2), bend: c.bend}
			w := f.serve(t)
			_, err := deploytest.Target(t, Driver, w.Settings(0, bySocket(w))).Service.Reload(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || len(f.given) > 0 {
				t.Errorf("it was given %q, %v; want ...%s", f.given, err, c.want)
			}
		})
	}
}
