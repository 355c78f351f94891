package tpp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// What setups and looks can say about certificates that are there and revoked.

// patience is how long a setup or a look waits for what must happen.
const patience = time.Minute

// issued makes the certificate if it is not there, and has it issued or renewed.
func (h *host) issued(args []string) error {
	ctx, dn := context.Background(), args[0]
	if _, err := h.rig.Object(ctx, h.rig.Admin, dn); errors.Is(err, clm.NotFound) {
		own := map[clm.Attr][]string{clm.CommonName: {clm.DN(dn).Name() + ".example.com"}, clm.KeyAlgorithm: {clm.ECC}}
		for _, arg := range args[1:] {
			name, value, _ := strings.Cut(arg, "=")
			own[names.Attr(name)] = append(own[names.Attr(name)], value)
		}
		if _, err := h.rig.Put(ctx, h.rig.Admin, core.Put{DN: dn, Class: clm.ServerCertificate, Own: own}); err != nil {
			return err
		}
	}
	done, err := h.rig.Renew(ctx, h.rig.Admin, core.Renew{DN: dn})
	if err != nil {
		return err
	}
	open, err := h.rig.Wait(ctx, done.Work, patience)
	if err == nil && open.State != clm.Finished {
		err = fmt.Errorf("the work stands at %+v", open)
	}
	return err
}

// version remembers the thumbprint of a certificate of the object in several spellings.
func (h *host) version(args []string) error {
	all, current, err := h.rig.VersionsOf(args[1])
	if err != nil {
		return err
	}
	v := current
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		if err != nil || n < 1 || n > len(all) {
			return fmt.Errorf("there are %d versions", len(all))
		}
		v = all[n-1]
	}
	var pairs []string
	for pair := range slices.Chunk([]byte(v.Thumbprint), 2) {
		pairs = append(pairs, string(pair))
	}
	for name, value := range map[string]string{
		"": v.Thumbprint, ".lower": strings.ToLower(v.Thumbprint), ".colons": strings.Join(pairs, ":"),
		".blanks": strings.ToLower(strings.Join(pairs, " ")), ".serial": v.Serial,
	} {
		h.wire.Vars[args[0]+name] = value
	}
	return nil
}

// entryOf is what the list of its issuer says of the certificate; nil: nothing.
func (h *host) entryOf(which string) (*x509.RevocationListEntry, error) {
	v, err := h.rig.VersionNamed(which)
	if err != nil {
		return nil, err
	}
	return h.rig.ListEntry(v)
}

func (h *host) listed(args []string) error {
	e, err := h.entryOf(args[0])
	switch {
	case err != nil:
		return err
	case e == nil:
		return errors.New("it is not")
	case len(args) > 1 && strconv.Itoa(e.ReasonCode) != args[1]:
		return fmt.Errorf("got reason %d", e.ReasonCode)
	}
	return nil
}

func (h *host) unlisted(args []string) error {
	e, err := h.entryOf(args[0])
	if err == nil && e != nil {
		err = fmt.Errorf("it is, with reason %d", e.ReasonCode)
	}
	return err
}

func (h *host) logged(args []string) error {
	found, err := h.rig.Entries(args[0])
	if err != nil {
		return err
	}
	text := strings.Join(args[2:], " ")
	for _, e := range found {
		if strings.EqualFold(e.Subject, args[1]) && strings.Contains(e.Detail, text) {
			return nil
		}
	}
	return fmt.Errorf("got %+v", found)
}

// revocation says how the work stands that revokes a certificate of the object.
func (h *host) revocation(args []string) error {
	w, err := h.rig.OpenRevocation(args[0])
	if err != nil {
		return err
	}
	stands := "none"
	switch {
	case w == nil:
	case w.Failure != "":
		stands = w.Failure
	default:
		stands = ""
	}
	if want := strings.Join(args[1:], " "); stands != want {
		return fmt.Errorf("got %q", stands)
	}
	return nil
}

// tried waits until the CA has been asked so often to revoke a certificate.
func (h *host) tried(args []string) error {
	for deadline := time.Now().Add(patience); ; {
		w, err := h.rig.OpenRevocation(args[0])
		if err != nil {
			return err
		}
		if w != nil && strconv.Itoa(w.Attempt) == args[1] {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("got %+v", w)
		}
	}
}

// after is a CA that answers when so many calls of Revoke have been written down.
func (h *host) after(calls int) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			found, err := h.rig.Entries("revoke")
			if err != nil || len(found) >= calls {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond): // the server works meanwhile
			}
		}
	}
}
