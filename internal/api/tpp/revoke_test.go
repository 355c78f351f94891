package tpp

import (
	"bytes"
	"context"
	"crypto/sha256"
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
	"github.com/certwright/certwright/internal/store"
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
	all, current, err := h.versionsOf(args[1])
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

// versionsOf are the versions of the object, the oldest first, and the one in use.
func (h *host) versionsOf(dn string) (all []clm.Version, current clm.Version, err error) {
	ctx := context.Background()
	place, err := h.rig.Object(ctx, h.rig.Admin, dn)
	if err != nil {
		return nil, current, err
	}
	err = h.rig.DB.Read(ctx, func(tx *store.Tx) error {
		all, err = tx.Versions(place.ID)
		return err
	})
	if at := slices.IndexFunc(all, func(v clm.Version) bool { return v.ID == place.Current }); at >= 0 {
		current = all[at]
	}
	return all, current, err
}

// certificate finds a certificate by its thumbprint, or as the one in use of an object.
func (h *host) certificate(which string) (v clm.Version, err error) {
	if strings.HasPrefix(which, `\`) {
		_, v, err = h.versionsOf(which)
	} else {
		err = h.rig.DB.Read(context.Background(), func(tx *store.Tx) error {
			holders, err := tx.Holders(which)
			if len(holders) > 0 {
				v = holders[0]
			}
			return err
		})
	}
	if err == nil && v.Serial == "" {
		err = errors.New("there is no such certificate")
	}
	return v, err
}

// entryOf is what the list of its issuer says of the certificate; nil: nothing.
func (h *host) entryOf(which string) (*x509.RevocationListEntry, error) {
	ctx := context.Background()
	v, err := h.certificate(which)
	if err != nil {
		return nil, err
	}
	if err := h.rig.SetPublishURL(ctx, "http://pki.example.com"); err != nil {
		return nil, err
	}
	if err := h.rig.PublishLists(ctx); err != nil {
		return nil, err
	}
	for _, issuer := range []string{core.RSAIssuer, core.ECDSAIssuer} {
		chain, err := h.rig.Chain(ctx, issuer)
		if err != nil {
			return nil, err
		}
		if print := sha256.Sum256(chain[0]); !bytes.Equal(print[:], v.Chain) {
			continue
		}
		l, err := h.rig.List(ctx, issuer, v.ID.Shard())
		if err != nil {
			return nil, err
		}
		list, err := x509.ParseRevocationList(l.DER)
		if err != nil {
			return nil, err
		}
		for _, e := range list.RevokedCertificateEntries {
			if fmt.Sprintf("%X", e.SerialNumber.Bytes()) == v.Serial {
				return &e, nil
			}
		}
		return nil, nil
	}
	return nil, errors.New("its issuer has no list here")
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

// entries are those of the audit log for the action.
func (h *host) entries(action string) (found []store.AuditEntry, err error) {
	for after := int64(0); ; {
		batch, err := h.rig.DB.Audit(context.Background(), after, 1000)
		if err != nil || len(batch) == 0 {
			return found, err
		}
		for _, e := range batch {
			if after = e.ID; e.Action == action {
				found = append(found, e)
			}
		}
	}
}

func (h *host) logged(args []string) error {
	found, err := h.entries(args[0])
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("there is no entry")
	}
	if text := strings.Join(args[2:], " "); !slices.ContainsFunc(found, func(e store.AuditEntry) bool {
		return strings.EqualFold(e.Subject, args[1]) && strings.Contains(e.Detail, text)
	}) {
		return fmt.Errorf("got %+v", found)
	}
	return nil
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
		time.Sleep(10 * time.Millisecond) // the server works meanwhile
	}
}

// after is a CA that answers when so many calls of Revoke have been written down.
func (h *host) after(calls int) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			found, err := h.entries("revoke")
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
