package wirehost

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
)

// connectors are further CAs for setups, by their Certwright:driver.
var connectors = ca.Registry{
	"refusing": {New: func(ca.Settings) (ca.CA, error) { return refusing{}, nil }},
}

// refusing is a CA that says no.
type refusing struct{}

func (refusing) Submit(context.Context, ca.Order) (string, error) {
	//lint:ignore ST1005 it is shown to users as it is
	return "", clm.Permanent(errors.New("The certificate authority says no."))
}
func (refusing) Collect(context.Context, ca.Order) (ca.Issued, error) { return ca.Issued{}, nil }

// held is a call whose answer the faulty CA keeps to itself.
type held struct {
	asked  <-chan struct{}
	answer func()
}

func (h *Host) ca(args []string) error {
	answer := func(context.Context) error { return nil }
	text := strings.Join(args[2:], " ")
	switch args[1] {
	case "holds":
		asked, answer := h.faulty.Hold(h.T, args[0])
		if h.held == nil {
			h.held = map[string]held{}
		}
		h.held[args[0]] = held{asked, answer}
		return nil
	case "asked":
		select {
		case <-h.held[args[0]].asked:
			return nil
		case <-time.After(time.Minute):
			return errors.New("it was not asked")
		}
	case "answers":
		h.held[args[0]].answer()
		return nil
	case "after":
		calls, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		answer = h.after(calls)
	case "refuses":
		answer = func(context.Context) error { return clm.Permanent(errors.New(text)) }
	case "unreachable":
		answer = func(context.Context) error { return errors.New(text) }
	case "takes":
		wait, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		answer = func(ctx context.Context) error {
			select {
			case <-time.After(wait):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	h.faulty.At(func(ctx context.Context, c coretest.Call) error {
		if c.Name != args[0] || c.After {
			return nil
		}
		return answer(ctx)
	})
	return nil
}
