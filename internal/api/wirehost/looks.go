package wirehost

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// looks are what a look can say.
var looks = map[string]Command{
	// value DN NAME [VALUE…]: the object's own values
	"value": {Do: (*Host).value},
	// work DN STAGE: where the open work stands; none where there is none
	"work": {Do: (*Host).work},
	// install DN STAGE: where the open work of an application stands; none where there is none
	"install": {Do: (*Host).install},
	// together APPLICATION…: what is open there succeeds together; apart APPLICATION…: each
	// stands for itself
	"together": {Do: (*Host).together},
	"apart":    {Do: (*Host).apart},
	// says TEXT PART…: each part stands in the text
	"says": {Do: (*Host).says},
	// dated TEXT: it is a time of the last minutes, as attributes have it
	"dated": {Do: (*Host).dated},
	// uses APPLICATION [CERTIFICATE]: both say so, or it uses none
	"uses": {Do: (*Host).uses},
	// there DN yes|no: the object is there
	"there": {Do: (*Host).there},
	// holds FILE CERTIFICATE [key]: the file begins with the certificate in use, or is its
	// private key; holds FILE nothing: there is no such file
	"holds": {Do: (*Host).holds},
	// versions DN NUMBER: how many there are, the one in use among them
	"versions": {Do: (*Host).versions},
	// revocation DN [TEXT]: a certificate of the object is still being revoked, or could not
	// be for that reason; revocation DN none: there is nothing of that kind
	"revocation": {Do: (*Host).revocation},
	// tried DN N: waits until the CA has been asked N times in vain to revoke a certificate
	"tried": {Do: (*Host).tried},
	// gates DN NUMBER: how many gates stand before works of the object, ended ones among them
	"gates": {Do: (*Host).gates},
	// state RECORD pending|issued|failed|rejected: how far the record has come
	"state": {Do: (*Host).state},
	// order NUMBER open|done|failed|rejected|cancelled [REASON]: what has become of it, and why
	// it was given
	"order": {Do: (*Host).order},
	// follows RECORD RECORD same|new [same|other]: the certificates have different serial
	// numbers, the same key or not, and end at the same time or not
	"follows": {Do: (*Host).follows},
	// alike RECORD RECORD: the certificates have the same names
	"alike": {Do: (*Host).alike},
	// keyed RECORD HASH: the certificate is for the public key with the hash
	"keyed": {Do: (*Host).keyed},
	// via ACTION SUBJECT WAY: the audit log has an entry of it that came by this way
	"via": {Do: (*Host).via},
	// like TEXT PATTERN: the whole text is as the regular expression says; unlike: it is not
	"like":   {Do: func(_ *Host, args []string) error { return matched(args, true) }},
	"unlike": {Do: func(_ *Host, args []string) error { return matched(args, false) }},
	// revoked DN none|pending|done: what is known of a revocation of the certificate in use
	"revoked": {Do: (*Host).revoked},
	// listed DN|THUMBPRINT [REASON]: the certificate stands on its issuer's revocation list
	"listed": {Do: (*Host).listed},
	// unlisted DN|THUMBPRINT: it does not
	"unlisted": {Do: (*Host).unlisted},
	// logged ACTION SUBJECT [TEXT]: the audit log has such an entry, with the text in its detail
	"logged": {Do: (*Host).logged},
}

func (h *Host) value(args []string) error {
	o, err := h.Rig.Object(context.Background(), h.Rig.Admin, args[0])
	if got := o.Own[names.Attr(args[1])]; err == nil && !slices.Equal(got, args[2:]) {
		return fmt.Errorf("got %q", got)
	}
	return err
}

func (h *Host) work(args []string) error { return h.stands(h.Rig.OpenWork, args) }

func (h *Host) install(args []string) error { return h.stands(h.Rig.OpenInstall, args) }

func (h *Host) stands(open func(dn string) (*clm.Work, error), args []string) error {
	w, err := open(args[0])
	if err != nil {
		return err
	}
	stage := "none"
	if w != nil {
		stage = h.nameOf(w.Stage)
	}
	if stage != args[1] {
		return fmt.Errorf("got %s", stage)
	}
	return nil
}

func (h *Host) versions(args []string) error {
	n, err := h.Rig.Versions(args[0])
	if err == nil && strconv.Itoa(n) != args[1] {
		return fmt.Errorf("got %d", n)
	}
	return err
}

func (h *Host) gates(args []string) error {
	n, err := h.Rig.Gates(args[0])
	if err == nil && strconv.Itoa(n) != args[1] {
		return fmt.Errorf("got %d", n)
	}
	return err
}

func (h *Host) revoked(args []string) error {
	known, err := h.Rig.Revocation(args[0])
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
