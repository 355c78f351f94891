package wirehost

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// What setups and looks can say about records.

// nthOf is the version of the place in use, or the Nth if there is an N.
func (h *Host) nthOf(dn string, n []string) (v clm.Version, err error) {
	all, current, err := h.Rig.VersionsOf(dn)
	if err != nil || len(n) == 0 {
		return current, err
	}
	i, err := strconv.Atoi(n[0])
	if err != nil || i < 1 || i > len(all) {
		return v, fmt.Errorf("there are %d versions", len(all))
	}
	return all[i-1], nil
}

// record remembers what a record is called by.
func (h *Host) record(args []string) error {
	v, err := h.nthOf(args[1], args[2:])
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"": core.RecordID(v), ".uuid": core.RecordUUID(v), ".serial": paired(v.Serial), ".cn": pki.CommonName(v.Cert),
		".bare": v.Serial, ".lower": strings.ToLower(paired(v.Serial)), ".thumbprint": v.Thumbprint,
	} {
		h.Wire.Vars[args[0]+name] = value
	}
	return nil
}

// paired writes hex with a colon after each octet.
func paired(digits string) string {
	var pairs []string
	for pair := range slices.Chunk([]byte(digits), 2) {
		pairs = append(pairs, string(pair))
	}
	return strings.Join(pairs, ":")
}

// imported takes in a certificate that was issued elsewhere, with its key.
func (h *Host) imported(args []string) error {
	r := core.Import{
		Folder: args[0], Name: args[1], Certificate: h.unescaped(args[2] + ".pem"), Key: h.unescaped(args[2] + ".key"), Own: map[clm.Attr][]string{},
	}
	for _, arg := range args[3:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "record":
			r.Record = value
		case "nokey":
			r.Key = secret.Plain{}
		default:
			r.Own[names.Attr(name)] = append(r.Own[names.Attr(name)], value)
		}
	}
	_, err := h.Rig.Import(context.Background(), h.Rig.Admin, r)
	return err
}

// unescaped is what is remembered, with its line ends.
func (h *Host) unescaped(name string) secret.Plain {
	return secret.NewString(strings.ReplaceAll(h.Wire.Vars[name], `\n`, "\n"))
}

// state says how far a record has come.
func (h *Host) state(args []string) error {
	r, err := h.Rig.Record(context.Background(), h.Rig.Admin, core.RecordRef{ID: args[0]})
	if got := map[core.RecordState]string{
		core.RecordPending: "pending", core.RecordIssued: "issued", core.RecordFailed: "failed", core.RecordRejected: "rejected",
	}[r.State]; err == nil && got != args[1] {
		return fmt.Errorf("got %s", got)
	}
	return err
}

// orderStates are what looks call the states of orders, with those of their gates after it.
var orderStates = map[core.OrderState]string{
	core.OrderOpen: "open", core.OrderDone: "done", core.OrderFailed: "failed", core.OrderRejected: "rejected", core.OrderCancelled: "cancelled",
}

func (h *Host) orderNamed(number string) (o core.Order, err error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return o, err
	}
	found, err := h.Rig.Orders(context.Background(), h.Rig.Admin, []clm.WorkID{clm.WorkID(id)})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no order %d", id)
	}
	if err != nil {
		return o, err
	}
	return found[0], nil
}

func (h *Host) order(args []string) error {
	o, err := h.orderNamed(args[0])
	if got := orderStates[o.State]; err == nil && got != args[1] {
		return fmt.Errorf("got %s: %s", got, o.Reason)
	}
	if want := strings.Join(args[2:], " "); err == nil && want != "" && o.Work.Reason != want {
		return fmt.Errorf("it is for %q", o.Work.Reason)
	}
	return err
}

// over waits until nothing happens to an order any more unless somebody does something.
func (h *Host) over(args []string) error {
	o, err := h.orderNamed(args[0])
	if err == nil {
		_, err = h.Rig.Wait(context.Background(), o.ID, patience)
	}
	if err == nil {
		o, err = h.orderNamed(args[0])
	}
	if err == nil && o.State == core.OrderOpen && len(o.Gates) == 0 {
		err = fmt.Errorf("it stands at %s", o.Stage)
	}
	return err
}

// decided answers the gate before which an order stands.
func (h *Host) decided(args []string) error {
	id, err := strconv.ParseInt(args[0], 10, 64)
	if err == nil {
		_, err = h.Rig.DecideOrder(context.Background(), h.Rig.Admin, core.OrderDecision{Order: clm.WorkID(id), Yes: args[1] == "yes"})
	}
	return err
}

// versionsOf are the versions of two records.
func (h *Host) versionsOf(args []string) (of [2]clm.Version, err error) {
	for i := range of {
		r, err := h.Rig.Record(context.Background(), h.Rig.Admin, core.RecordRef{ID: args[i]})
		if err != nil {
			return of, err
		}
		of[i] = r.Version
	}
	return of, nil
}

// follows compares the certificate of a record with that of another.
func (h *Host) follows(args []string) error {
	of, err := h.versionsOf(args)
	if err != nil {
		return err
	}
	a, b := of[0], of[1]
	if a.Serial == b.Serial {
		return fmt.Errorf("both have the serial number %s", a.Serial)
	}
	if sameKey := bytes.Equal(a.KeyHash, b.KeyHash); sameKey != (args[2] == "same") {
		return fmt.Errorf("whether the key is the same: %v", sameKey)
	}
	if len(args) > 3 && (args[3] == "same") != a.NotAfter.Equal(b.NotAfter) {
		return fmt.Errorf("one ends %v, the other %v", a.NotAfter, b.NotAfter)
	}
	return nil
}

func (h *Host) alike(args []string) error {
	of, err := h.versionsOf(args)
	if err != nil {
		return err
	}
	var names [2]clm.Names
	for i, v := range of {
		cert, err := x509.ParseCertificate(v.Cert)
		if err != nil {
			return err
		}
		names[i] = pki.Identify(cert).Names
	}
	if !reflect.DeepEqual(names[0], names[1]) {
		return fmt.Errorf("got %+v and %+v", names[0], names[1])
	}
	return nil
}

func (h *Host) keyed(args []string) error {
	of, err := h.versionsOf([]string{args[0], args[0]})
	if err == nil && !strings.EqualFold(hex.EncodeToString(of[0].KeyHash), args[1]) {
		err = errors.New("it is for another")
	}
	return err
}

func (h *Host) via(args []string) error {
	found, err := h.Rig.Entries(args[0])
	if err != nil {
		return err
	}
	for _, e := range found {
		if strings.EqualFold(e.Subject, args[1]) && e.Via == args[2] {
			return nil
		}
	}
	return fmt.Errorf("got %+v", found)
}

func matched(args []string, want bool) error {
	pattern, err := regexp.Compile("^(?:" + args[1] + ")$")
	if err == nil && pattern.MatchString(args[0]) != want {
		err = fmt.Errorf("it is %s", args[0])
	}
	return err
}
