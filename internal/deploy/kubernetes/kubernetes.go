// Package kubernetes puts certificates into Secrets of type kubernetes.io/tls, where
// whatever runs in a cluster finds them: an ingress controller, a gateway, a pod.
// Those find out by themselves that a Secret has changed.
package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
)

// Port is where API servers listen.
const Port = 6443

// Driver puts certificates into Secrets. The device is the API server of a cluster,
// and the password of its credential a bearer token, with which it must be allowed
// to get, create, patch and delete Secrets in the namespace.
var Driver = deploy.Driver{
	Fields: []deploy.Field{
		{Attr: clm.Namespace, Label: ofNamespace, Required: true},
		{Attr: clm.SecretName, Label: ofName, Required: true},
		{Attr: clm.APICA, Label: ofCA},
	},
	WantsKey: true,
	New:      newTarget,
}

// The labels of the fields.
const (
	ofNamespace = "Namespace"
	ofName      = "Secret Name"
	ofCA        = "API Server CA Certificates"
)

// What our Secrets are marked with.
const (
	managedBy   = "app.kubernetes.io/managed-by" // a label that Kubernetes recommends
	ours        = "certwright"
	fingerprint = "certwright.github.io/certificate-sha256"
	nothing     = "certwright.github.io/nothing-before" // there was no Secret
)

// The keys in a Secret of type kubernetes.io/tls. Others, like ca.crt, are left
// alone.
const (
	tlsType = "kubernetes.io/tls"
	tlsCert = "tls.crt"
	tlsKey  = "tls.key"
)

// What is added to the name of a Secret for those beside it: the one that was
// placed, and the one that was found before.
const (
	nextSuffix   = "-certwright-next"
	formerSuffix = "-certwright-former"
)

// A label and a subdomain as RFC 1123 has them and Kubernetes wants names to be.
var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

const maxName = 253 - len(formerSuffix)

// newTarget makes the target of Driver.
func newTarget(s deploy.Settings) (deploy.Target, error) {
	namespace, name := s.Value(clm.Namespace, ""), s.Value(clm.SecretName, "")
	switch {
	case namespace == "":
		return deploy.Target{}, fmt.Errorf("%s is not set", ofNamespace)
	case !label.MatchString(namespace):
		return deploy.Target{}, fmt.Errorf("%s: %q is not the name of a namespace", ofNamespace, namespace)
	case name == "":
		return deploy.Target{}, fmt.Errorf("%s is not set", ofName)
	case len(name) > maxName:
		return deploy.Target{}, fmt.Errorf("%s: it is longer than %d characters, which leaves no room for the names beside it", ofName, maxName)
	case strings.HasSuffix(name, nextSuffix), strings.HasSuffix(name, formerSuffix):
		return deploy.Target{}, fmt.Errorf("%s: %q is the name of one beside another", ofName, name)
	case !subdomain.MatchString(name):
		return deploy.Target{}, fmt.Errorf("%s: %q is not the name of a Secret", ofName, name)
	}
	a, err := newAPI(s, namespace)
	if err != nil {
		return deploy.Target{}, err
	}
	return deploy.Target{Store: &store{a, name}}, nil
}

// A store is one Secret.
type store struct {
	*api
	name string
}

// Place puts the bundle into a Secret beside the one in use. It also has the API
// server try what the later steps will do, so that they do not fail for want of
// rights, or because somebody forbids it.
func (s *store) Place(ctx context.Context, b pki.Bundle) error {
	data, err := layOut(b)
	if err != nil {
		return err
	}
	present, err := s.present(ctx)
	if err != nil {
		return err
	}
	if err := s.isFree(present); err != nil {
		return err
	}
	if err := s.apply(ctx, s.inUse(present, data), rehearse); err != nil {
		return err
	}
	next, former := s.beside(nextSuffix, data), s.beside(formerSuffix, data)
	next.Metadata.Annotations = map[string]string{fingerprint: fingerprintOf(b.Cert)}
	for _, o := range []*object{&former, &next} {
		if err := s.mayUse(ctx, o); err != nil {
			return err
		}
	}
	return s.apply(ctx, next, forReal)
}

// mayUse fails where a Secret beside the one in use cannot be written or removed
// again, or belongs to somebody else. From then on o is about the one that is there.
func (s *store) mayUse(ctx context.Context, o *object) error {
	there, err := s.get(ctx, o.Metadata.Name)
	if err != nil {
		return err
	}
	if there != nil && !there.isOurs() {
		return s.inTheWay(there)
	}
	o.asRead(there)
	if err := s.apply(ctx, *o, rehearse); err != nil {
		return err
	}
	return s.remove(ctx, *o, rehearse)
}

func (s *store) inTheWay(o *object) error {
	return fmt.Errorf("the Secret %s/%s is in the way: it has no label %s=%s", s.namespace, o.Metadata.Name, managedBy, ours)
}

// certManager is what cert-manager writes on the Secrets of its Certificates (page
// "Annotations, labels, and other metadata").
const certManager = "cert-manager.io/certificate-name"

// isFree fails where somebody in the cluster would write over what we put into the
// Secret in use.
func (s *store) isFree(present *object) error {
	if present == nil {
		return nil
	}
	for _, o := range present.Metadata.OwnerReferences {
		if o.Controller {
			return fmt.Errorf("the Secret %s/%s belongs to the %s %s, whose controller would write over it", s.namespace, s.name, o.Kind, o.Name)
		}
	}
	if name := present.Metadata.Annotations[certManager]; name != "" {
		return fmt.Errorf("the Secret %s/%s belongs to the Certificate %s of cert-manager, which would write over it; where that is no more, remove the annotation %s",
			s.namespace, s.name, name, certManager)
	}
	return nil
}

// Inspect reads what lies in the Secret.
func (s *store) Inspect(ctx context.Context) (deploy.Found, error) {
	present, err := s.present(ctx)
	if err != nil || present == nil {
		return deploy.Found{}, err
	}
	return read(present.Data[tlsCert]), nil
}

// Switch keeps what the Secret holds in one beside it, unless there is one from an
// earlier switch that nobody has confirmed, and then lets the Secret hold what was
// placed. Both of its values change at once.
func (s *store) Switch(ctx context.Context, b pki.Bundle) error {
	err := s.turn(ctx, b)
	if isConflict(err) {
		err = s.turn(ctx, b)
	}
	return err
}

func (s *store) turn(ctx context.Context, b pki.Bundle) error {
	data, err := layOut(b)
	if err != nil {
		return err
	}
	present, err := s.present(ctx)
	if err == nil {
		err = s.isFree(present)
	}
	if err != nil {
		return err
	}
	if present.holds(data) {
		return s.forget(ctx, nextSuffix)
	}
	next, err := s.helper(ctx, nextSuffix)
	if err != nil {
		return err
	}
	if !next.holds(data) {
		return fmt.Errorf("the Secret %s/%s: %w", s.namespace, s.name, deploy.ErrNotPlaced)
	}
	isNew, err := s.remember(ctx, present)
	if err != nil {
		return err
	}
	err = s.apply(ctx, s.inUse(present, data), forReal)
	if isConflict(err) && isNew { // what is remembered is not what there is to go back to
		return cmp.Or(s.forget(ctx, formerSuffix), err)
	}
	if err != nil {
		return err
	}
	return s.remove(ctx, *next, forReal)
}

// Back lets the Secret hold what it held before, or removes it where there was none.
func (s *store) Back(ctx context.Context) error {
	former, err := s.helper(ctx, formerSuffix)
	if err != nil {
		return err
	}
	if former != nil {
		err := s.restore(ctx, former)
		if isConflict(err) {
			err = s.restore(ctx, former)
		}
		if err != nil {
			return err
		}
	}
	return s.Keep(ctx)
}

// Keep removes the Secrets beside the one in use. The former goes last: Back, which
// ends with this too, begins with it.
func (s *store) Keep(ctx context.Context) error {
	if err := s.forget(ctx, nextSuffix); err != nil {
		return err
	}
	return s.forget(ctx, formerSuffix)
}

// helper reads a Secret beside the one in use; nil where there is none of ours.
func (s *store) helper(ctx context.Context, suffix string) (*object, error) {
	o, err := s.get(ctx, s.name+suffix)
	if err != nil || !o.isOurs() {
		return nil, err
	}
	return o, nil
}

// forget removes a Secret beside the one in use, if it is ours.
func (s *store) forget(ctx context.Context, suffix string) error {
	o, err := s.helper(ctx, suffix)
	if err != nil || o == nil {
		return err
	}
	return s.remove(ctx, *o, forReal)
}

// present is the Secret in use; nil where there is none. It fails where it is of
// another type: that cannot be changed, and what reads it expects something else.
func (s *store) present(ctx context.Context) (*object, error) {
	present, err := s.get(ctx, s.name)
	if err != nil || present == nil || present.Type == tlsType {
		return present, err
	}
	return nil, fmt.Errorf("the Secret %s/%s is of type %s, not %s", s.namespace, s.name, present.Type, tlsType)
}

// remember keeps what the Secret in use holds, or that there is none, unless
// something is kept already.
func (s *store) remember(ctx context.Context, present *object) (isNew bool, err error) {
	former, err := s.get(ctx, s.name+formerSuffix)
	if err != nil {
		return false, err
	}
	if former != nil && !former.isOurs() {
		return false, s.inTheWay(former)
	}
	if former != nil {
		return false, nil
	}
	if present == nil {
		none := s.beside(formerSuffix, map[string][]byte{tlsCert: {}, tlsKey: {}}) // both have to be there
		none.Metadata.Annotations = map[string]string{nothing: "true"}
		return true, s.apply(ctx, none, forReal)
	}
	return true, s.apply(ctx, s.beside(formerSuffix, pair(present.Data)), forReal)
}

// restore undoes a switch. Where there was no Secret before, the one that is there
// now is removed only if it is ours.
func (s *store) restore(ctx context.Context, former *object) error {
	present, err := s.present(ctx)
	if err != nil {
		return err
	}
	if former.Metadata.Annotations[nothing] == "" {
		return s.apply(ctx, s.inUse(present, pair(former.Data)), forReal)
	}
	if !present.isOurs() {
		return nil
	}
	return s.remove(ctx, *present, forReal)
}

// inUse is the Secret in use, as it was read, with other data. It bears our mark where we make it or
// have made it: what is applied without a label that was applied before loses it.
func (s *store) inUse(present *object, data map[string][]byte) object {
	o := newObject(s.namespace, s.name, data)
	o.asRead(present)
	if present == nil || present.isOurs() {
		o.Metadata.Labels = map[string]string{managedBy: ours}
	}
	return o
}

// beside is a Secret of ours beside the one in use. It is of the same type, so that
// whatever watches over such Secrets in a cluster has its say in time.
func (s *store) beside(suffix string, data map[string][]byte) object {
	o := newObject(s.namespace, s.name+suffix, data)
	o.Metadata.Labels = map[string]string{managedBy: ours}
	return o
}

// layOut is what a Secret holds: the certificate with its chain, without the root,
// and the key.
func layOut(b pki.Bundle) (map[string][]byte, error) {
	cert, err := x509.ParseCertificate(b.Cert)
	if err != nil {
		return nil, pki.ErrNotCertificate
	}
	if b.Key == nil {
		return nil, pki.ErrNoKey
	}
	if !pki.Matches(cert, b.Key) {
		return nil, pki.ErrKeyMismatch
	}
	der, err := pki.MarshalKey(b.Key)
	if err != nil {
		return nil, err
	}
	certs := pemOf(b.Cert)
	for _, above := range b.Chain {
		one, err := x509.ParseCertificate(above)
		if err != nil {
			return nil, fmt.Errorf("chain: %w", pki.ErrNotCertificate)
		}
		if !bytes.Equal(one.RawSubject, one.RawIssuer) {
			certs = append(certs, pemOf(above)...)
		}
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return map[string][]byte{tlsCert: certs, tlsKey: key}, nil
}

func pemOf(cert []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
}

// read finds certificates in PEM; none where there is something else.
func read(text []byte) deploy.Found {
	var certs [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			certs = append(certs, block.Bytes)
		}
	}
	if len(certs) == 0 {
		return deploy.Found{}
	}
	return deploy.Found{Cert: certs[0], Chain: certs[1:]}
}

// pair is what is ours of the data of a Secret.
func pair(data map[string][]byte) map[string][]byte {
	return map[string][]byte{tlsCert: data[tlsCert], tlsKey: data[tlsKey]}
}

func fingerprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
