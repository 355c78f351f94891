package tpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/certwright/certwright/internal/api/names"
)

// claims are what a look can say.
var claims = map[string]command{
	// value DN NAME [VALUE…]: the object's own values
	"value": {false, (*host).value},
	// work DN STAGE: where the open work stands; none where there is none
	"work": {false, (*host).work},
	// versions DN NUMBER: how many there are, the one in use among them
	"versions": {false, (*host).versions},
	// revocation DN: the object's certificate is still being revoked
	"revocation": {false, (*host).revocation},
}

func (h *host) value(args []string) error {
	o, err := h.rig.Object(context.Background(), h.rig.Admin, args[0])
	if got := o.Own[names.Attr(args[1])]; err == nil && !slices.Equal(got, args[2:]) {
		return fmt.Errorf("got %q", got)
	}
	return err
}

func (h *host) work(args []string) error {
	w, err := h.rig.OpenWork(args[0])
	if err != nil {
		return err
	}
	stage := "none"
	if w != nil {
		stage = strconv.Itoa(stages[w.Stage].number)
	}
	if stage != args[1] {
		return fmt.Errorf("got %s", stage)
	}
	return nil
}

func (h *host) versions(args []string) error {
	n, err := h.rig.Versions(args[0])
	if err == nil && strconv.Itoa(n) != args[1] {
		return fmt.Errorf("got %d", n)
	}
	return err
}

// faults lets statements fail once.
type faults struct {
	mu    sync.Mutex
	words string // of the statement that is to fail
}

func (f *faults) next(words string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.words = words
}

func (f *faults) at(statement string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.words == "" || !strings.Contains(statement, f.words) {
		return nil
	}
	f.words = ""
	return errors.New("the disk is full")
}

func (h *host) revocation(args []string) error {
	w, err := h.rig.OpenRevocation(args[0])
	if err == nil && w == nil {
		return errors.New("it is not")
	}
	return err
}
