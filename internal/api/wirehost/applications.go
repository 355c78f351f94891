package wirehost

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// settled waits until nothing is under way at the applications.
func (h *Host) settled(args []string) error {
	for _, dn := range args {
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			w, err := h.Rig.OpenInstall(dn)
			if err != nil {
				return err
			}
			if w == nil || w.Failure != "" {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("it stands at %+v", w)
			}
		}
	}
	return nil
}

// firsts are the first works of those that the applications' open works succeed with.
func (h *Host) firsts(args []string) (firsts []clm.WorkID, err error) {
	for _, dn := range args {
		w, err := h.Rig.OpenInstall(dn)
		if err != nil {
			return nil, err
		}
		if w == nil {
			return nil, fmt.Errorf("nothing is open at %s", dn)
		}
		firsts = append(firsts, w.Together)
	}
	return firsts, nil
}

func (h *Host) together(args []string) error {
	firsts, err := h.firsts(args)
	if err == nil && (firsts[0] == 0 || len(slices.Compact(slices.Clone(firsts))) > 1) {
		err = fmt.Errorf("got %v", firsts)
	}
	return err
}

func (h *Host) apart(args []string) error {
	firsts, err := h.firsts(args)
	if err == nil && slices.ContainsFunc(firsts, func(id clm.WorkID) bool { return id != 0 }) {
		err = fmt.Errorf("got %v", firsts)
	}
	return err
}

func (h *Host) says(args []string) error {
	for _, part := range args[1:] {
		if !strings.Contains(args[0], part) {
			return fmt.Errorf("%q does not say %q", args[0], part)
		}
	}
	return nil
}

func (h *Host) dated(args []string) error {
	at, err := time.Parse("01/02/2006 15:04:05", args[0])
	if age := time.Since(at); err == nil && (age < -time.Minute || age > 10*time.Minute) {
		err = fmt.Errorf("that is %v ago", age)
	}
	return err
}

func (h *Host) uses(args []string) error {
	ctx := context.Background()
	app, err := h.Rig.View(ctx, h.Rig.Admin, args[0])
	if err != nil {
		return err
	}
	want := strings.Join(args[1:], "")
	if string(app.Bound) != want {
		return fmt.Errorf("it uses %q", app.Bound)
	}
	if want == "" {
		return nil
	}
	used, err := h.Rig.View(ctx, h.Rig.Admin, want)
	if err == nil && !slices.Contains(used.Consumers, app.DN) {
		err = fmt.Errorf("it is used by %v", used.Consumers)
	}
	return err
}

func (h *Host) there(args []string) error {
	_, err := h.Rig.Object(context.Background(), h.Rig.Admin, args[0])
	if err != nil && !errors.Is(err, clm.NotFound) {
		return err
	}
	if (err == nil) != (args[1] == "yes") {
		return fmt.Errorf("got %v", err)
	}
	return nil
}

func (h *Host) holds(args []string) error {
	data, err := os.ReadFile(args[0])
	if args[1] == "nothing" {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	}
	if err != nil {
		return err
	}
	used, err := h.Rig.Retrieve(context.Background(), h.Rig.Admin, core.Retrieve{DN: args[1], InUse: true})
	if err != nil {
		return err
	}
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return fmt.Errorf("it holds %d bytes without PEM", len(data))
	case len(args) < 3 && !bytes.Equal(block.Bytes, used.Version.Cert):
		return errors.New("it holds another certificate")
	case len(args) < 3:
		return nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err == nil && !bytes.Equal(pki.PublicKeyHash(key.(crypto.Signer).Public()), used.Version.KeyHash) {
		err = errors.New("it holds another key")
	}
	return err
}
