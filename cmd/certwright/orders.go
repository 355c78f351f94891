package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// order is what a command asks of the server that runs on its data directory. It
// goes over a Unix socket in that directory: whoever can use it can read the
// master key as well.
type order struct {
	Do    string // apply, export or rotate-key
	File  string // of apply and export: where the estate file is, or shall be; of export empty: it is told
	Plan  bool   // of apply
	Split bool   // of export
	Bare  bool   // of export: without certificates
	Drop  bool   // of rotate-key
}

// reply is a line of the server's answer; the last one is the end.
type reply struct {
	Line string
	End  bool
	Err  string // of the end: what went wrong, empty if nothing did
}

// maxLine is how long a line of an answer may be.
const maxLine = 1 << 20

func (p place) socket() string { return filepath.Join(p.data, "control.sock") }

// tell gives the order to the server that runs on the data directory and prints
// what it answers. done is false when no server runs there.
func (p place) tell(ctx context.Context, out io.Writer, o order) (done bool, err error) {
	c, err := net.Dial("unix", p.socket())
	if err != nil {
		return false, nil
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if o.File != "" {
		if o.File, err = filepath.Abs(o.File); err != nil {
			return true, err
		}
	}
	if err := json.NewEncoder(c).Encode(o); err != nil {
		return true, err
	}
	for answers := json.NewDecoder(c); ; {
		var r reply
		if err := answers.Decode(&r); err != nil {
			return true, fmt.Errorf("the server went away: %w", err)
		}
		switch {
		case r.End && r.Err != "":
			return true, errors.New(r.Err)
		case r.End:
			return true, nil
		}
		fmt.Fprintln(out, r.Line)
	}
}

// takeOrders answers commands until ctx ends.
func (s *serve) takeOrders(ctx context.Context, sys *system, work *sync.WaitGroup) error {
	// A socket that is left over is of a server that has died: the lock on the
	// database says so. On PostgreSQL several servers may share a directory by
	// mistake; the last one gets the orders.
	os.Remove(s.socket())
	listener, err := net.Listen("unix", s.socket())
	if err != nil {
		s.log.Warn("commands cannot reach this server", slog.Any("error", err)) // the path may be too long for a socket
		return nil
	}
	if err := os.Chmod(s.socket(), 0o600); err != nil {
		listener.Close()
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { obey(ctx, sys, c) })
		}
	})
	return nil
}

// obey carries one order out.
func obey(ctx context.Context, sys *system, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	answers := json.NewEncoder(c)
	var o order
	if err := json.NewDecoder(c).Decode(&o); err != nil {
		return
	}
	lines, out := io.Pipe()
	var printing sync.WaitGroup
	printing.Go(func() {
		text := bufio.NewScanner(lines)
		text.Buffer(nil, maxLine)
		for text.Scan() {
			answers.Encode(reply{Line: text.Text()}) // an error means that nobody listens any more
		}
		io.Copy(io.Discard, lines) // a line too long to be told
	})
	err := o.carryOut(ctx, sys, out)
	out.Close()
	printing.Wait()
	end := reply{End: true}
	if err != nil {
		end.Err = err.Error()
	}
	answers.Encode(end)
}

func (o order) carryOut(ctx context.Context, sys *system, out io.Writer) error {
	switch o.Do {
	case "apply":
		return applyFile(ctx, sys, o.File, o.Plan, out)
	case "export":
		return exportFile(ctx, sys, o, out, out)
	case "rotate-key":
		return rotate(ctx, sys, o.Drop, out)
	}
	return fmt.Errorf("this server cannot %s", o.Do)
}
