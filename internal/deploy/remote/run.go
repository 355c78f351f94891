package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// waitDelay is how long the outputs of a program are still read after it has ended.
const waitDelay = 2 * time.Second

// What a shell says of programs that it cannot start; so does Run, on each host.
const (
	statusNotAllowed = 126
	statusNotFound   = 127
)

// An ExitError is how a program has failed. It wraps fs.ErrNotExist where there is
// no such program, and fs.ErrPermission where it may not be run; by sudo both are
// just status 1. What the program has said is not in it, because that may hold
// secrets.
type ExitError struct {
	Status int    // not zero, unless it was ended by a signal
	Signal string // of which it has died, if any
}

// Error says how the program has ended.
func (e *ExitError) Error() string {
	switch {
	case e.Signal != "":
		return "ended by signal: " + e.Signal
	case e.Status == statusNotFound:
		return "no such program"
	case e.Status == statusNotAllowed:
		return "the program cannot be executed"
	}
	return fmt.Sprintf("exit status %d", e.Status)
}

// Is reports whether the program was not there, or could not be executed.
func (e *ExitError) Is(target error) bool {
	return e.Status == statusNotFound && target == fs.ErrNotExist ||
		e.Status == statusNotAllowed && target == fs.ErrPermission
}

func (c Command) check() error {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return errors.New("run: no program is named")
	}
	for i, arg := range c.Args {
		if strings.ContainsAny(arg, "\x00\n") {
			return fmt.Errorf("run %.64q: argument %d has a newline or NUL in it", c.Args[0], i)
		}
	}
	return nil
}

// quote writes arguments so that a shell reads them as they are. In single quotes
// nothing has a meaning but the quote, which stands between quotes of the other kind.
func quote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'"'"'`) + "'"
	}
	return strings.Join(quoted, " ")
}

// A clipped keeps the beginning and the end of what is written to it, MaxOutput
// together. Several may write to it at once.
type clipped struct {
	sync.Mutex
	head, tail []byte
	lost       int
}

const half = (MaxOutput - len(gap)) / 2

// gap stands where something was left out.
const gap = "\n[...]\n"

// Write never fails.
func (c *clipped) Write(p []byte) (int, error) {
	c.Lock()
	defer c.Unlock()
	n := min(len(p), half-len(c.head))
	c.head = append(c.head, p[:n]...)
	c.tail = append(c.tail, p[n:]...)
	if over := len(c.tail) - half; over > 0 {
		c.lost += over
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (c *clipped) String() string {
	c.Lock()
	defer c.Unlock()
	if c.lost == 0 {
		return string(c.head) + string(c.tail)
	}
	return string(c.head) + gap + string(c.tail)
}

// clip leaves out the middle of a text that has more than limit bytes, and no part
// of a character.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	head, tail := (limit-len(gap))/2, len(text)-(limit-len(gap))/2
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + gap + text[tail:]
}
