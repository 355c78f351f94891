package core

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Limits of what a request for an SSH certificate says, beside those of pki.SSHOrder.
const (
	MaxSSHDestinations = 256 // addresses where it is to be used
	MaxSSHText         = 255 // bytes of such an address, and of the origin
)

// An SSHRequest asks for an SSH certificate. What it leaves out is as the template
// says.
type SSHRequest struct {
	Template     string // its DN, or its name alone
	Folder       string // the DN of the folder where the certificate's object is to stand
	Name         string // of the object; empty: the key id
	KeyID        string // empty and not in the template: the name or, without one, a new one
	Principals   []string
	Validity     string // as pki.ParseSSHValidity reads it
	PublicKey    string // a line as ssh-keygen writes it; empty: the key is made here
	Extensions   map[string]string
	ForceCommand string
	Sources      []string // IP addresses and networks
	Destinations []string // kept, and of no effect
	Origin       string   // the same
	Address      string   // whence the request comes

	WithKey    bool         // the private key too, if it is made here
	Passphrase secret.Plain // with which it is to be encrypted; empty: not at all

	key crypto.PublicKey
}

// SSHIssued is an SSH certificate as handed out.
type SSHIssued struct {
	DN        clm.DN
	ID        clm.ObjectID
	Template  clm.Object // the zero one, where it is not there any more
	Text      string     // a line of type, base64 and key id
	PublicKey string     // as it was sent, or a line of type, base64 and key id
	Facts     pki.SSHFacts
	HasKey    bool            // the private key is held here
	Key       secret.Plain    // in the form of OpenSSH; empty unless asked for and held
	By        clm.PrincipalID // who has asked for it
	From      string          // and from which address
}

// SSHRequestKinds are the ways in which RequestSSH fails. NotFound: Field is "template",
// "key-pair" or "folder", which also is that of Invalid where none is said. Denied is
// about the template ("template"), the folder ("folder"), an object that is there
// ("object") or reading the key ("key"). Violation: what the template does not allow,
// see SSHTemplate. Busy: the template or its key pair was changed all the time. NoKey: the key pair has none, or ("mismatch") another one. Exists: an
// object that is no such certificate has the name. Unsupported is about the template:
// Value is the setting that makes no sense. Of Invalid, Field says what does not, or is
// "order" and Value says it in words.
var SSHRequestKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Violation, clm.Busy, clm.NoKey, clm.Exists, clm.Unsupported,
}

// An sshJob is a request on its way: what was decided, and what has come of it.
type sshJob struct {
	SSHRequest
	template SSHTemplate
	order    pki.SSHOrder
	name     string       // of the object
	sealed   secret.Plain // the private key that signs
	made     crypto.Signer
	text     string
}

// RequestSSH issues a certificate. It is kept as an object in the folder; if there is
// one of the name already, the new certificate takes the place of that in it, with its
// private key.
//
// What is decided stands in one transaction, and what came of it in another: to make
// keys and to sign takes time. If the second one does not come about, nobody learns of
// the certificate. If the template or its key pair is another one by then, all begins
// anew, once.
func (c *Core) RequestSSH(ctx context.Context, who clm.Actor, r SSHRequest) (got SSHIssued, err error) {
	if r, err = r.read(); err != nil {
		return got, err
	}
	if got, err = c.issueSSH(ctx, who, r); errors.Is(err, clm.Busy) {
		got, err = c.issueSSH(ctx, who, r)
	}
	return got, err
}

func (c *Core) issueSSH(ctx context.Context, who clm.Actor, r SSHRequest) (got SSHIssued, err error) {
	var job sshJob
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "request SSH certificate", Subject: r.Template, Detail: r.KeyID}, func(tx *store.Tx) error {
		job, err = c.decideSSH(tx, who, r)
		return err
	})
	if err == nil {
		err = c.signSSH(ctx, &job)
	}
	if err != nil {
		return got, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "issue SSH certificate", Subject: r.Template}, func(tx *store.Tx) error {
		got, err = c.keepSSH(tx, who, job)
		return err
	})
	if err == nil && r.WithKey && job.made != nil {
		got.Key, err = c.handOutSSHKey(ctx, who, got, job.made, r.Passphrase)
	}
	return got, err
}

// bounded fails with Invalid where there is more than can stand in a certificate: what
// follows compares all of it with all that a template allows.
func (r SSHRequest) bounded() error {
	for _, b := range []struct {
		n, most int
		what    string
	}{
		{len(r.Principals), pki.MaxSSHPrincipals, "principals"}, {len(r.Sources), pki.MaxSSHAddresses, "source addresses"},
		{len(r.Extensions), pki.MaxSSHExtensions, "extensions"}, {len(r.ForceCommand), pki.MaxSSHValue, "bytes of force command"},
	} {
		if b.n > b.most {
			return clm.Fail(clm.Invalid, "order", fmt.Sprintf("%d %s", b.n, b.what))
		}
	}
	for _, p := range r.Principals {
		if len(p) > pki.MaxSSHPrincipal {
			return clm.Fail(clm.Invalid, "order", fmt.Sprintf("principal %.64q", p))
		}
	}
	return nil
}

// read reads the public key, and refuses what cannot be kept.
func (r SSHRequest) read() (_ SSHRequest, err error) {
	if err := r.bounded(); err != nil {
		return r, err
	}
	r.PublicKey, r.KeyID, r.Name = strings.TrimSpace(r.PublicKey), strings.TrimSpace(r.KeyID), strings.TrimSpace(r.Name)
	r.Principals, r.Sources, r.Destinations = trimmed(r.Principals), trimmed(r.Sources), trimmed(r.Destinations)
	if r.PublicKey != "" {
		if r.key, _, err = pki.ParseSSHPublicKey(r.PublicKey); err != nil {
			return r, &clm.Error{Kind: clm.Invalid, Field: "public-key", Err: err}
		}
	}
	if n := len(r.Destinations); n > MaxSSHDestinations {
		return r, clm.Fail(clm.Invalid, "destinations", strconv.Itoa(n))
	}
	for _, text := range append(r.Destinations, r.Origin) {
		if len(text) > MaxSSHText || strings.ContainsFunc(text, unicode.IsControl) {
			return r, clm.Fail(clm.Invalid, "destinations", text)
		}
	}
	return r, forged(slices.Concat(r.Principals, r.Destinations, []string{r.KeyID, r.Origin, r.ForceCommand}))
}

// trimmed are the values without blanks around them, each once.
func trimmed(values []string) []string {
	kept := make([]string, 0, len(values))
	for _, v := range values {
		kept = append(kept, strings.TrimSpace(v))
	}
	return distinct(kept)
}

// decideSSH says what is to be signed.
func (c *Core) decideSSH(tx *store.Tx, who clm.Actor, r SSHRequest) (j sshJob, err error) {
	j.SSHRequest = r
	if j.template, err = r.template(tx, who); err != nil {
		return j, err
	}
	tx.About(string(j.template.DN), r.KeyID)
	if j.order, err = j.template.order(r, tx.Now); err != nil {
		return j, err
	}
	j.order.Serial = newSSHSerial()
	keyID := cmp.Or(r.KeyID, j.template.value(clm.SSHKeyID))
	if j.name = cmp.Or(r.Name, r.KeyID); r.Name == "" && clm.CheckName(r.KeyID) != nil {
		j.name = sshName(cmp.Or(keyID, "ssh"), j.order.Serial)
	}
	j.order.KeyID = cmp.Or(keyID, j.name)
	if r.KeyID != "" && !j.template.Lets(clm.SSHOwnKeyID) {
		return j, clm.Fail(clm.Violation, "own-key-id", r.KeyID)
	}
	if err := rehearseSSH(j.order); err != nil {
		return j, err
	}
	if _, err := j.place(tx, who); err != nil {
		return j, err
	}
	if j.template.Signer.ID == "" {
		return j, clm.Fail(clm.NotFound, "key-pair", j.template.value(clm.SSHSigner))
	}
	j.sealed, err = c.sealedSSHKey(tx, &j.template.Signer.Object)
	return j, err
}

// newSSHSerial is a random number of 63 bits. Those of a counter would come again after
// a backup is restored.
func newSSHSerial() uint64 {
	var b [8]byte
	rand.Read(b[:]) // it never fails
	return max(1, binary.BigEndian.Uint64(b[:])>>1)
}

// sshName makes a name for an object from a key id that is not the client's, or cannot
// be a name: the serial number keeps users apart who have the same.
func sshName(keyID string, serial uint64) string {
	id, end := []rune(strings.ReplaceAll(keyID, `\`, "_")), fmt.Sprintf("-%d", serial)
	return string(id[:min(len(id), clm.MaxNameLength-len(end))]) + end
}

// template finds the template of a request that the actor may use.
func (r SSHRequest) template(tx *store.Tx, who clm.Actor) (t SSHTemplate, err error) {
	path, rights, err := findSSHTemplate(tx, who, r.Template, "")
	switch {
	case err != nil:
		return t, err
	case !rights.Has(clm.Create):
		return t, clm.About(string(path.Last().DN), clm.Fail(clm.Denied, "template", r.Template))
	}
	return readSSHTemplate(tx, path.Last())
}

// rehearseSSH fails with Invalid when what is ordered cannot be signed: it is, with a
// key that nobody keeps, which takes no time.
func rehearseSSH(order pki.SSHOrder) error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	if order.Key == nil {
		order.Key = public
	}
	_, err = signedSSH(order, private)
	return err
}

// signedSSH fails with Invalid when what is ordered cannot be signed.
func signedSSH(order pki.SSHOrder, ca crypto.Signer) (string, error) {
	text, err := pki.SignSSH(order, ca)
	if errors.Is(err, pki.ErrBadSSHOrder) {
		what := strings.TrimPrefix(err.Error(), pki.ErrBadSSHOrder.Error()+": ")
		return "", &clm.Error{Kind: clm.Invalid, Field: "order", Value: what, Err: err}
	}
	return text, err
}

// An sshPlace is where a certificate comes to stand.
type sshPlace struct {
	folder *clm.Object
	dn     clm.DN
	there  *clm.Object // nil: it is made
}

// place finds the place of the certificate, and makes sure that the actor may put it
// there. In the folder of the template everybody may create certificates who may do so
// by the template.
func (j sshJob) place(tx *store.Tx, who clm.Actor) (p sshPlace, err error) {
	path, rights, err := j.folder(tx, who)
	if err != nil {
		return p, err
	}
	p.folder = path.Last()
	if p.dn, err = childDN(p.folder, j.name); err != nil {
		return p, err
	}
	there, err := tx.Path(p.dn)
	switch {
	case err == nil:
		if p.there, rights = there.Last(), there.Rights(who); p.there.Class != j.template.class() {
			return p, clm.About(string(p.dn), clm.Fail(clm.Exists, "class", ""))
		}
		if !rights.Has(clm.Write) {
			return p, clm.About(string(p.dn), clm.Fail(clm.Denied, "object", string(p.dn)))
		}
	case !errors.Is(err, clm.NotFound):
		return p, err
	case j.Folder != "" && !rights.Has(clm.Create):
		return p, clm.About(string(p.folder.DN), clm.Fail(clm.Denied, "folder", j.Folder))
	}
	if j.WithKey && j.key == nil && !rights.Has(clm.KeyRead) {
		return p, clm.About(string(p.dn), clm.Fail(clm.Denied, "key", string(p.dn)))
	}
	return p, nil
}

func (j sshJob) folder(tx *store.Tx, who clm.Actor) (path clm.Path, rights clm.Rights, err error) {
	switch {
	case j.Folder != "":
		path, rights, err = find(tx, who, j.Folder)
	case j.template.Folder != "":
		if path, err = tx.Path(j.template.Folder); err == nil {
			rights = path.Rights(who)
		}
	default:
		return nil, 0, clm.Fail(clm.Invalid, "folder", "")
	}
	if kind := clm.AsError(err); err != nil && (kind.Kind == clm.NotFound || kind.Kind == clm.Invalid) {
		return nil, 0, clm.Fail(clm.NotFound, "folder", j.Folder)
	}
	if err == nil && !path.Last().Class.MayHold(j.template.class()) {
		err = clm.Fail(clm.NotFound, "folder", string(path.Last().DN))
	}
	return path, rights, err
}

// signSSH makes the key, where that is to be done, and signs.
func (c *Core) signSSH(ctx context.Context, j *sshJob) error {
	return c.taking(ctx, func() error {
		ca, err := openSSHKey(j.sealed, j.template.Signer.Fingerprint())
		if err != nil {
			return clm.About(string(j.template.Signer.DN), err)
		}
		if j.order.Key == nil {
			algorithm, err := j.template.algorithm()
			if err != nil {
				return err
			}
			if j.made, err = pki.GenerateSSHKey(algorithm); err != nil {
				return err
			}
			j.order.Key = j.made.Public()
		}
		j.text, err = signedSSH(j.order, ca)
		return err
	})
}

// keepSSH writes the certificate down. It fails with Busy when what it was decided by
// has changed meanwhile.
func (c *Core) keepSSH(tx *store.Tx, who clm.Actor, j sshJob) (got SSHIssued, err error) {
	now, err := j.SSHRequest.template(tx, who)
	if err != nil {
		return got, err // a right was taken away meanwhile
	}
	if !now.isAs(j.template) {
		return got, clm.About(string(now.DN), clm.Busy)
	}
	j.template = now
	p, err := j.place(tx, who)
	if err != nil {
		return got, err
	}
	o := &clm.Object{ID: tx.NewObjectID(), DN: p.dn, Class: j.template.class(), Own: map[clm.Attr][]string{}}
	if p.there != nil {
		o = cloned(p.there)
		if err := dropSSHSecret(tx, o); err != nil {
			return got, err
		}
	}
	if j.made != nil {
		err = c.putSSHKey(tx, o, j.made, j.order.KeyID)
	} else {
		set(o.Own, clm.SSHPublicKey, j.PublicKey)
	}
	if err != nil {
		return got, err
	}
	j.write(o, who)
	tx.About(string(o.DN), fmt.Sprintf("serial number %d, key id %s, for %s", j.order.Serial, j.order.KeyID, strings.Join(j.order.Principals, ", ")))
	if p.there != nil {
		err = tx.SaveObject(o)
	} else {
		err = tx.AddObject(o, p.folder.ID)
	}
	if err != nil {
		return got, err
	}
	return sshIssued(tx, o)
}

// dropSSHSecret deletes the private key that the object has had.
func dropSSHSecret(tx *store.Tx, o *clm.Object) error {
	id, err := sshSecret(tx, o)
	if err == nil && id != 0 {
		err = tx.DisownSecret(id, o.ID)
	}
	set(o.Own, clm.SSHSecret)
	return err
}

// write puts the certificate, and what is known of it, on the object.
func (j sshJob) write(o *clm.Object, who clm.Actor) {
	set(o.Own, clm.SSHText, j.text)
	set(o.Own, clm.SSHTemplateOf, clm.Ref(j.template.ID))
	set(o.Own, clm.SSHKeyID, j.order.KeyID)
	set(o.Own, clm.SSHPrincipals, j.order.Principals...)
	set(o.Own, clm.SSHSerial, strconv.FormatUint(j.order.Serial, 10))
	set(o.Own, clm.SSHValidFrom, j.order.NotBefore.Format(time.RFC3339))
	set(o.Own, clm.SSHValidTo, j.order.NotAfter.Format(time.RFC3339))
	set(o.Own, clm.SSHDestinations, j.Destinations...)
	set(o.Own, clm.SSHRequestedBy, string(who.ID))
	set(o.Own, clm.SSHRequestedFrom, j.Address)
	set(o.Own, clm.Origin, j.Origin)
}
