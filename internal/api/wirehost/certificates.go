package wirehost

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
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
func (h *Host) issued(args []string) error {
	ctx, dn := context.Background(), args[0]
	if _, err := h.Rig.Object(ctx, h.Rig.Admin, dn); errors.Is(err, clm.NotFound) {
		own := map[clm.Attr][]string{clm.CommonName: {clm.DN(dn).Name() + ".example.com"}, clm.KeyAlgorithm: {clm.ECC}}
		for _, arg := range args[1:] {
			name, value, _ := strings.Cut(arg, "=")
			own[names.Attr(name)] = append(own[names.Attr(name)], value)
		}
		if _, err := h.Rig.Put(ctx, h.Rig.Admin, core.Put{DN: dn, Class: clm.ServerCertificate, Own: own}); err != nil {
			return err
		}
	}
	done, err := h.Rig.Renew(ctx, h.Rig.Admin, core.Renew{DN: dn})
	if err != nil {
		return err
	}
	open, err := h.Rig.Wait(ctx, done.Work, patience)
	if err == nil && open.State != clm.Finished {
		err = fmt.Errorf("the work stands at %+v", open)
	}
	return err
}

// version remembers the thumbprint of a certificate of the object in several spellings.
func (h *Host) version(args []string) error {
	v, err := h.nthOf(args[1], args[2:])
	if err != nil {
		return err
	}
	pairs := paired(v.Thumbprint)
	for name, value := range map[string]string{
		"": v.Thumbprint, ".lower": strings.ToLower(v.Thumbprint), ".colons": pairs,
		".blanks": strings.ToLower(strings.ReplaceAll(pairs, ":", " ")), ".serial": v.Serial,
	} {
		h.Wire.Vars[args[0]+name] = value
	}
	return nil
}

// entryOf is what the list of its issuer says of the certificate; nil: nothing.
func (h *Host) entryOf(which string) (*x509.RevocationListEntry, error) {
	v, err := h.Rig.VersionNamed(which)
	if err != nil {
		return nil, err
	}
	return h.Rig.ListEntry(v)
}

func (h *Host) listed(args []string) error {
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

func (h *Host) unlisted(args []string) error {
	e, err := h.entryOf(args[0])
	if err == nil && e != nil {
		err = fmt.Errorf("it is, with reason %d", e.ReasonCode)
	}
	return err
}

func (h *Host) logged(args []string) error {
	found, err := h.Rig.Entries(args[0])
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
func (h *Host) revocation(args []string) error {
	w, err := h.Rig.OpenRevocation(args[0])
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
func (h *Host) tried(args []string) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		w, err := h.Rig.OpenRevocation(args[0])
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
func (h *Host) after(calls int) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			found, err := h.Rig.Entries("revoke")
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
