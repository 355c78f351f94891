package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// sizes are how many certificates the inventory is measured with, of which
// CERTWRIGHT_BENCH_SIZES names others, separated by commas.
func sizes(b *testing.B) []int {
	list := []int{10_000}
	if text := os.Getenv("CERTWRIGHT_BENCH_SIZES"); text != "" {
		list = nil
		for word := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(word))
			if err != nil {
				b.Fatal(err)
			}
			list = append(list, n)
		}
	}
	return list
}

// A question is what a client asks the inventory, again and again.
type question struct {
	name   string
	method string
	query  func(n int) url.Values // the one with the number
}

// estateRoot is where the certificates are that coretest.Estate makes.
const estateRoot = `\VED\Policy\Estate`

// questions are asked of an inventory of the size; thumbprints are some that it has.
func questions(size int, thumbprints []string) []question {
	now := time.Now().UTC().Truncate(time.Second)
	page := func(n, first, last int) (offset string) { return strconv.Itoa(first + n*100%max(last-first, 1)) }
	return []question{
		{"page", "GET", func(n int) url.Values {
			return url.Values{"Limit": {"100"}, "Offset": {page(n, size/2, size)}}
		}},
		{"jump", "GET", func(int) url.Values {
			return url.Values{"Limit": {"100"}, "Offset": {strconv.Itoa(rand.IntN(size))}}
		}},
		{"page-of-a-tree", "GET", func(n int) url.Values {
			return url.Values{"Limit": {"100"}, "Offset": {page(n, size/32, size/16)}, "ParentDnRecursive": {estateRoot + `\Region 3`}}
		}},
		{"thumbprint", "GET", func(int) url.Values {
			return url.Values{"Thumbprint": {thumbprints[rand.IntN(len(thumbprints))]}}
		}},
		{"expiry-window", "GET", func(n int) url.Values {
			return url.Values{
				"Limit": {"100"}, "Offset": {page(n, 0, size/10)},
				"ValidToGreater": {now.Format(time.RFC3339)}, "ValidToLess": {now.AddDate(0, 0, 30).Format(time.RFC3339)},
			}
		}},
		{"count", "HEAD", func(int) url.Values {
			return url.Values{"ParentDnRecursive": {estateRoot + `\Region 3`}, "KeyAlgorithm": {"RSA"}, "Disabled": {"0"}}
		}},
	}
}

// Lists, look-ups and counts over HTTPS on an inventory of each size, with one
// client that asks one question after another. Beside each stands what a call
// that asks nothing of the inventory costs on the same server at the same time.
func BenchmarkInventory(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		for _, size := range sizes(b) {
			b.Run(fmt.Sprintf("%s/certificates=%d", name, size), func(b *testing.B) {
				s := newServer(b, name)
				defer s.remove()
				s.fill(b, size)
				b.Run("start", s.measureStart)
				c := s.connect(b)
				for _, q := range questions(size, c.thumbprints(b, size)) {
					b.Run(q.name, func(b *testing.B) { c.measure(b, q) })
				}
			})
		}
	}
}

func (s *server) remove() {
	s.stop()
	os.RemoveAll(s.dir)
}

// fill puts so many certificates into the server's database.
func (s *server) fill(b *testing.B, size int) {
	b.Helper()
	s.stop()
	box, err := secret.OpenBox(filepath.Join(s.dir, "master.key"), secret.Plain{})
	if err != nil {
		b.Fatal(err)
	}
	address := s.database
	if address == "" {
		address = filepath.Join(s.dir, "certwright.db")
	}
	if err := (coretest.Estate{Address: address, Size: size, Box: box}).Fill(context.Background()); err != nil {
		b.Fatal(err)
	}
	s.start(b)
}

// measureStart measures from the start of the program to its first answer.
func (s *server) measureStart(b *testing.B) {
	for b.Loop() {
		s.stop()
		s.start(b)
	}
}

// thumbprints collects some that there are.
func (c *client) thumbprints(b *testing.B, size int) (found []string) {
	for range 10 {
		var answer struct {
			Certificates []struct{ X509 struct{ Thumbprint string } }
		}
		query := url.Values{"Limit": {"100"}, "Offset": {strconv.Itoa(rand.IntN(max(size-100, 1)))}}
		if err := json.Unmarshal(c.ask(b, "GET", "/vedsdk/certificates/?"+query.Encode()), &answer); err != nil {
			b.Fatal(err)
		}
		for _, cert := range answer.Certificates {
			if t := cert.X509.Thumbprint; t != "" {
				found = append(found, t)
			}
		}
	}
	return found
}

// measure asks one question after another and reports how long they took, and
// how long the empty call took that was made between them.
func (c *client) measure(b *testing.B, q question) {
	c.ask(b, q.method, "/vedsdk/certificates/?"+q.query(0).Encode()) // what is first may have to be read from the disk
	var took, empty []time.Duration
	n := 0
	for b.Loop() {
		n++
		begun := time.Now()
		c.ask(b, q.method, "/vedsdk/certificates/?"+q.query(n).Encode())
		took = append(took, time.Since(begun))
		begun = time.Now()
		c.ask(b, "GET", "/vedsdk/SystemStatus/Version")
		empty = append(empty, time.Since(begun))
	}
	for name, list := range map[string][]time.Duration{"": took, "empty-": empty} {
		slices.Sort(list)
		b.ReportMetric(milliseconds(list[len(list)/2]), name+"p50-ms")
		b.ReportMetric(milliseconds(list[len(list)*99/100]), name+"p99-ms")
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ask sends a request without a body and returns the answer, which is good until
// the next call.
func (c *client) ask(b *testing.B, method, path string) []byte {
	if _, err := fmt.Fprintf(c.conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", method, path, c.server.address, c.server.token); err != nil {
		b.Fatal(err)
	}
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	c.answer.Reset()
	if _, err := c.answer.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %v %s", path, response.Status, err, c.answer.Bytes())
	}
	return c.answer.Bytes()
}
