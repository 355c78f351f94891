package haproxy

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// A running is an HAProxy that is given certificates by its socket ("set ssl cert"
// and the others in chapter 9.3 of its management guide), without a new process. It
// is given what lies on the disk, so that it has the same whenever it starts again.
type running struct {
	deploy.Programs
	socket string
}

// odd are characters that end a word on the socket, or do something to it.
const odd = " \t;\\<*"

// How long others may take to change a certificate: HAProxy changes one at a time.
// What stays open longer was left behind by somebody who has died.
const (
	busyFor   = 10 * time.Second
	busyPause = 50 * time.Millisecond
)

// abortTime is how long an HAProxy may take to forget what was begun, when there is no
// time left otherwise.
const abortTime = 5 * time.Second

// What is done at a time.
const (
	maxNames = 16 // that are said in one order; of each, HAProxy shows one buffer at most, which has 16 KiB unless told otherwise
	maxReads = 32 // of files
)

// Reload gives HAProxy each certificate for which the disk has another one. A second
// time there is none.
func (r running) Reload(ctx context.Context) (said string, err error) {
	host, err := r.Host()
	if err != nil {
		return "", err
	}
	s := &session{host: host, socket: r.socket}
	if err = s.await(ctx); err == nil {
		err = s.renew(ctx)
	}
	return s.said.String(), err
}

// A session is one round of orders.
type session struct {
	host   *remote.Host
	socket string
	said   strings.Builder // by HAProxy, to the orders that change something
}

// await waits until nobody else changes a certificate. HAProxy 2.6 would mistake ours
// for theirs.
func (s *session) await(ctx context.Context) error {
	for deadline := time.After(busyFor); ; {
		answer, err := s.show(ctx, "show ssl cert")
		if err != nil {
			return err
		}
		_, open, _ := strings.Cut(answer, "# transaction\n*")
		open, _, _ = strings.Cut(open, "\n")
		if open == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause):
		case <-deadline:
			return s.order(ctx, "abort ssl cert "+open, "", "") // he may have come to his end just now
		}
	}
}

// renew gives HAProxy what it has in another form than the disk.
func (s *session) renew(ctx context.Context) error {
	known, err := s.known(ctx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(known, maxReads) {
		blocks, errs := make([][]byte, len(some)), make([]error, len(some))
		var all sync.WaitGroup
		for i, k := range some {
			all.Go(func() { blocks[i], errs[i] = s.other(ctx, k) })
		}
		all.Wait()
		for i, k := range some {
			err := errs[i]
			if err == nil && blocks[i] != nil {
				err = s.give(ctx, k.name, blocks[i])
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// other reads what the disk has, nil where it is what HAProxy has. A name for which
// there is no file was made up on the socket.
func (s *session) other(ctx context.Context, k known) (blocks []byte, err error) {
	text, err := s.host.ReadFile(ctx, k.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	blocks, form := read(text)
	if form.sum == "" || form == k.form {
		return nil, nil
	}
	return blocks, nil
}

// give changes one certificate.
func (s *session) give(ctx context.Context, name string, blocks []byte) error {
	err := s.order(ctx, "set ssl cert "+name, "<<\n"+string(blocks), "ransaction created for certificate "+name+"!")
	if err == nil {
		err = s.order(ctx, "commit ssl cert "+name, "", "Success!")
	}
	if err != nil {
		// What was set must not lie there, where the next commit would find it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		defer cancel()
		_ = s.order(ctx, "abort ssl cert "+name, "", "")
	}
	return err
}

// A form is enough of a certificate and its chain to tell another one. Of one with so
// many names that they fill its buffer HAProxy shows no sum, and is given it each time.
type form struct {
	sum   string // the SHA-1 of the leaf, as HAProxy prints it
	chain int    // how many certificates stand above it
}

type known struct {
	name string
	form
}

// known lists what HAProxy has read from absolute paths.
func (s *session) known(ctx context.Context) (all []known, err error) {
	answer, err := s.show(ctx, "show ssl cert")
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range strings.Lines(answer) {
		if name = strings.TrimSpace(name); path.IsAbs(name) && !strings.ContainsAny(name, odd) {
			names = append(names, name)
		}
	}
	for some := range slices.Chunk(names, maxNames) {
		answer, err := s.show(ctx, "show ssl cert "+strings.Join(some, ";show ssl cert "))
		if err != nil {
			return nil, err
		}
		shown := forms(answer)
		for i, name := range some {
			if i >= len(shown) || shown[i].name != name {
				return nil, fmt.Errorf("haproxy has named the certificate %s and does not show it", name)
			}
		}
		all = append(all, shown...)
	}
	return all, nil
}

// forms reads the answers to "show ssl cert <name>".
func forms(answer string) (all []known) {
	for line := range strings.Lines(answer) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "Filename" {
			all = append(all, known{name: value})
		}
		if len(all) == 0 {
			continue
		}
		switch last := &all[len(all)-1]; key {
		case "SHA1 FingerPrint":
			last.sum = value
		case "Chain Subject":
			last.chain++
		}
	}
	return all
}

// read finds certificates and key in a file, and lays them out as the socket takes
// them: an empty line would be the end.
func read(text []byte) (blocks []byte, f form) {
	var out bytes.Buffer
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return out.Bytes(), f
		}
		if text = rest; block.Type == "CERTIFICATE" {
			if f.sum == "" {
				sum := sha1.Sum(block.Bytes)
				f.sum = strings.ToUpper(hex.EncodeToString(sum[:]))
			} else {
				f.chain++
			}
		}
		_ = pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}) // to memory
	}
}

// order gives an order and wants something in the answer. The payload is in no error:
// it has a private key.
func (s *session) order(ctx context.Context, words, payload, want string) error {
	answer, err := s.ask(ctx, strings.TrimSpace(words+" "+payload))
	s.said.WriteString(answer)
	if err == nil && !strings.Contains(answer, want) {
		err = fmt.Errorf("%s: haproxy says %q", words, strings.Join(strings.Fields(answer), " "))
	}
	return err
}

// show gives an order that changes nothing. The answer is whole: it has its end, which
// is an empty line.
func (s *session) show(ctx context.Context, order string) (answer string, err error) {
	answer, err = s.ask(ctx, order)
	if err == nil && !strings.HasSuffix(answer, "\n\n") {
		err = fmt.Errorf("%w: haproxy broke off its answer to %.40q", remote.ErrUnreachable, order)
	}
	return answer, err
}

func (s *session) ask(ctx context.Context, order string) (answer string, err error) {
	end := "\n"
	if strings.Contains(order, "\n") {
		end = "\n\n" // of a payload
	}
	return s.host.Ask(ctx, s.socket, []byte(order+end))
}
