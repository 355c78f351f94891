package tpp

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// claims are what a look can say.
var claims = map[string]command{
	// value DN NAME [VALUE…]: the object's own values
	"value": {false, (*host).value},
	// work DN STAGE: where the open work stands; none where there is none
	"work": {false, (*host).work},
	// install DN STAGE: where the open work of an application stands; none where there is none
	"install": {false, (*host).install},
	// versions DN NUMBER: how many there are, the one in use among them
	"versions": {false, (*host).versions},
	// revocation DN [TEXT]: a certificate of the object is still being revoked, or could not
	// be for that reason; revocation DN none: there is nothing of that kind
	"revocation": {false, (*host).revocation},
	// tried DN N: waits until the CA has been asked N times in vain to revoke a certificate
	"tried": {false, (*host).tried},
	// gates DN NUMBER: how many gates stand before works of the object, ended ones among them
	"gates": {false, (*host).gates},
	// revoked DN none|pending|done: what is known of a revocation of the certificate in use
	"revoked": {false, (*host).revoked},
	// listed DN|THUMBPRINT [REASON]: the certificate stands on its issuer's revocation list
	"listed": {false, (*host).listed},
	// unlisted DN|THUMBPRINT: it does not
	"unlisted": {false, (*host).unlisted},
	// logged ACTION SUBJECT [TEXT]: the audit log has such an entry, with the text in its detail
	"logged": {false, (*host).logged},
}

func (h *host) value(args []string) error {
	o, err := h.rig.Object(context.Background(), h.rig.Admin, args[0])
	if got := o.Own[names.Attr(args[1])]; err == nil && !slices.Equal(got, args[2:]) {
		return fmt.Errorf("got %q", got)
	}
	return err
}

func (h *host) work(args []string) error { return stands(h.rig.OpenWork, args) }

func (h *host) install(args []string) error { return stands(h.rig.OpenInstall, args) }

func stands(open func(dn string) (*clm.Work, error), args []string) error {
	w, err := open(args[0])
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
	err   error  // what it comes to
}

func (f *faults) next(words string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.words, f.err = words, err
}

func (f *faults) at(statement string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.words == "" || !strings.Contains(statement, f.words) {
		return nil
	}
	f.words = ""
	return f.err
}

func (h *host) gates(args []string) error {
	n, err := h.rig.Gates(args[0])
	if err == nil && strconv.Itoa(n) != args[1] {
		return fmt.Errorf("got %d", n)
	}
	return err
}

func (h *host) revoked(args []string) error {
	known, err := h.rig.Revocation(args[0])
	got := "none"
	switch {
	case known.IsDone():
		got = "done"
	case known.IsKnown():
		got = "pending"
	}
	if err == nil && got != args[1] {
		return fmt.Errorf("got %s", got)
	}
	return err
}
