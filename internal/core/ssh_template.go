package core

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// How long SSH certificates are valid by a template that does not say.
const (
	DefaultSSHValidity    = 24 * time.Hour
	DefaultSSHMaxValidity = 90 * 24 * time.Hour
)

// MaxSSHTemplates is how many templates are listed at most.
const MaxSSHTemplates = 1000

// An SSHTemplate is an object that says how SSH certificates are issued: its own
// values are the settings.
type SSHTemplate struct {
	clm.Object
	Signer SSHKeyPair // the zero one, where none is named that is there
	Folder clm.DN     // where certificates stand by themselves; empty: nowhere
}

// value is the only value of a setting; empty where there is none.
func (t SSHTemplate) value(a clm.Attr) string { return clm.Setting{Values: t.Own[a]}.First() }

// IsForHosts reports whether the certificates are for hosts, and not for users.
func (t SSHTemplate) IsForHosts() bool {
	return strings.EqualFold(t.value(clm.SSHType), clm.SSHForHosts)
}

// class is the class of the certificates.
func (t SSHTemplate) class() clm.Class {
	if t.IsForHosts() {
		return clm.SSHHostCertificate
	}
	return clm.SSHUserCertificate
}

// sshChoices are the settings of which only some values make sense, in lower case; who
// says anything else would get certificates that he does not expect.
var sshChoices = map[clm.Attr][]string{
	clm.SSHType:               {"", clm.SSHForUsers, "user", clm.SSHForHosts},
	clm.SSHKeyFrom:            {"", clm.SSHKeyOfClient, clm.SSHKeyOfService, "both"},
	clm.SSHOwnKeyID:           sshAnswers,
	clm.SSHOwnPrincipals:      sshAnswers,
	clm.SSHOwnExtensions:      sshAnswers,
	clm.SSHOwnForceCommand:    sshAnswers,
	clm.SSHOwnSourceAddresses: sshAnswers,
}

// sshYes are the words that allow, and sshAnswers all that are understood.
var (
	sshYes     = []string{"1", "yes", "true"}
	sshAnswers = append([]string{"", "0", "no", "false"}, sshYes...)
)

// check fails with Unsupported, of the Field "template", where a setting makes no sense.
func (t SSHTemplate) check() error {
	for _, a := range sorted(sshChoices) {
		if !slices.Contains(sshChoices[a], strings.ToLower(t.value(a))) {
			return clm.Fail(clm.Unsupported, "template", string(a))
		}
	}
	return nil
}

// sshOwn has, for each attribute that says whether requests may say something, what the
// template says of it, and which attribute lists what is allowed.
var sshOwn = map[clm.Attr]struct{ value, allowed clm.Attr }{
	clm.SSHOwnKeyID:           {clm.SSHKeyID, ""},
	clm.SSHOwnPrincipals:      {clm.SSHPrincipals, clm.SSHPrincipalsIn},
	clm.SSHOwnExtensions:      {clm.SSHExtensions, clm.SSHExtensionsIn},
	clm.SSHOwnForceCommand:    {clm.SSHForceCommand, clm.SSHForceCommandsIn},
	clm.SSHOwnSourceAddresses: {clm.SSHSourceAddresses, clm.SSHSourceNetworksIn},
}

// Lets reports whether requests may say something: own is one of the attributes of
// sshOwn. Unless the template says so or not, they may say what it leaves open, or has
// a list for: what it says without one is meant to hold.
func (t SSHTemplate) Lets(own clm.Attr) bool {
	word := strings.ToLower(t.value(own))
	if word == "" {
		return len(t.Own[sshOwn[own].value]) == 0 || len(t.Own[sshOwn[own].allowed]) > 0
	}
	return slices.Contains(sshYes, word)
}

// sshTemplateDN is the DN of the template that a client names, by its DN or by its
// name alone.
func sshTemplateDN(text string) string {
	text = strings.TrimSpace(text)
	if root := string(clm.RootDN); len(text) >= len(root) && strings.EqualFold(text[:len(root)], root) {
		return text
	}
	return SSHTemplatesDN + `\` + strings.TrimLeft(text, `\`)
}

// findSSHTemplate finds a template by its DN or name, by its ID or, where both are
// given, by both. It fails with NotFound, with the Field "template".
func findSSHTemplate(tx *store.Tx, who clm.Actor, name string, id clm.ObjectID) (clm.Path, clm.Rights, error) {
	path, rights, err := findNamed(tx, who, name, id, sshTemplateDN)
	switch kind := clm.AsError(err); {
	case err == nil && path.Last().Class == clm.SSHTemplate:
		return path, rights, nil
	case err == nil, kind.Kind == clm.NotFound, kind.Kind == clm.Invalid:
		return nil, 0, clm.Fail(clm.NotFound, "template", cmp.Or(name, string(id)))
	}
	return nil, 0, err
}

// findNamed finds what a client names by DN, by ID, or by both. toDN makes a DN of
// what it has written.
func findNamed(tx *store.Tx, who clm.Actor, name string, id clm.ObjectID, toDN func(string) string) (clm.Path, clm.Rights, error) {
	if name == "" {
		return findByID(tx, who, id)
	}
	path, rights, err := find(tx, who, toDN(name))
	if err == nil && id != "" && path.Last().ID != id {
		err = clm.About(name, clm.NotFound)
	}
	return path, rights, err
}

// readSSHTemplate reads the template with what it names.
func readSSHTemplate(tx *store.Tx, o *clm.Object) (t SSHTemplate, err error) {
	t.Object = *o
	signer, err := objectNamed(tx, t.value(clm.SSHSigner))
	if err != nil {
		return t, err
	}
	if signer != nil && signer.Class == clm.SSHKeyPair {
		t.Signer = SSHKeyPair{Object: *signer}
	}
	folder, err := objectNamed(tx, t.value(clm.SSHFolder))
	if folder != nil {
		t.Folder = folder.DN
	}
	return t, err
}

// isAs reports whether the template and its key pair are unchanged since they were read
// as before.
func (t SSHTemplate) isAs(before SSHTemplate) bool {
	return t.ID == before.ID && t.Revision == before.Revision && t.Signer.ID == before.Signer.ID && t.Signer.Revision == before.Signer.Revision
}

// objectNamed is the object that a value names; nil where there is none.
func objectNamed(tx *store.Tx, value string) (*clm.Object, error) {
	if value == "" {
		return nil, nil
	}
	path, err := referred(tx, value)
	if errors.Is(err, clm.NotFound) || errors.Is(err, clm.Invalid) {
		return nil, nil
	}
	return path.Last(), err
}

// order is what is to stand in the certificate of a request, but for its serial
// number and key id. It fails with Violation, whose Field is what the template does
// not allow, and Value what was asked for: "key-from" is who makes the key, one that
// begins with "own-" is what requests may not say at all, and "no-force-command" that
// there has to be one. And it fails with Invalid,
// and with Unsupported, of the Field "template", where a setting makes no sense.
func (t SSHTemplate) order(r SSHRequest, now time.Time) (o pki.SSHOrder, err error) {
	if err := t.check(); err != nil {
		return o, err
	}
	o = pki.SSHOrder{Host: t.IsForHosts(), NotBefore: now.Truncate(time.Second)}
	for _, take := range []func(SSHRequest, *pki.SSHOrder) error{t.takeKey, t.takePrincipals, t.takeExtensions, t.takeCommand, t.takeSources, t.takeValidity} {
		if err := take(r, &o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// takeKey makes sure that the key comes from where the template wants it.
func (t SSHTemplate) takeKey(r SSHRequest, o *pki.SSHOrder) error {
	from := strings.ToLower(t.value(clm.SSHKeyFrom))
	switch {
	case r.key == nil && from == clm.SSHKeyOfClient:
		return clm.Fail(clm.Violation, "key-from", clm.SSHKeyOfService)
	case r.key == nil:
		return nil
	case from == clm.SSHKeyOfService:
		return clm.Fail(clm.Violation, "key-from", clm.SSHKeyOfClient)
	}
	o.Key = r.key
	return t.mayHave(pki.SpecOf(r.key))
}

// mayHave fails with Violation where keys must not be like this.
func (t SSHTemplate) mayHave(spec pki.KeySpec) error {
	for _, name := range t.Own[clm.SSHKeys] {
		if allowed, err := pki.SSHKeySpec(name); err == nil && allowed == spec {
			return nil
		}
	}
	if len(t.Own[clm.SSHKeys]) == 0 {
		return nil
	}
	return clm.Fail(clm.Violation, "key-algorithm", sshKeyName(spec))
}

// algorithm is that of keys which are made here.
func (t SSHTemplate) algorithm() (name string, err error) {
	name = t.value(clm.KeyAlgorithm)
	if allowed := t.Own[clm.SSHKeys]; name == "" && len(allowed) > 0 {
		name = allowed[0]
	}
	if _, err = pki.SSHKeySpec(name); err != nil {
		return "", clm.Fail(clm.Unsupported, "template", string(clm.KeyAlgorithm))
	}
	return name, nil
}

func (t SSHTemplate) takePrincipals(r SSHRequest, o *pki.SSHOrder) error {
	if len(r.Principals) == 0 {
		o.Principals = t.Own[clm.SSHPrincipals]
		return nil
	}
	if !t.Lets(clm.SSHOwnPrincipals) {
		return clm.Fail(clm.Violation, "own-principals", strings.Join(r.Principals, ", "))
	}
	for _, p := range r.Principals {
		// Clients take the principals of a host for patterns of names.
		isPattern := o.Host && strings.ContainsAny(p, "*?")
		if !t.fits(clm.SSHPrincipalsIn, p) || isPattern && !slices.Contains(t.Own[clm.SSHPrincipalsIn], p) {
			return clm.Fail(clm.Violation, "principal", p)
		}
	}
	o.Principals = r.Principals
	return nil
}

// fits reports whether a text is like one of those of the setting, or there are none.
func (t SSHTemplate) fits(a clm.Attr, text string) bool {
	return len(t.Own[a]) == 0 || slices.ContainsFunc(t.Own[a], func(pattern string) bool { return isLike(pattern, text) })
}

// isLike reports whether the text is the pattern, in which * stands for any run of
// characters and ? for one. To SSH servers letters of another case are others. It takes
// at most as many steps as the pattern's length times that of the text.
func isLike(pattern, text string) bool {
	p, s := []rune(pattern), []rune(text)
	next, run, runEnd := 0, -1, 0 // run is what follows the last *, which stands for s up to runEnd
	for at := 0; at < len(s); {
		switch {
		case next < len(p) && p[next] == '*':
			next++
			run, runEnd = next, at
		case next < len(p) && (p[next] == '?' || p[next] == s[at]):
			next++
			at++
		case run >= 0: // let the last * have one character more
			runEnd++
			next, at = run, runEnd
		default:
			return false
		}
	}
	return strings.Trim(string(p[next:]), "*") == ""
}

func (t SSHTemplate) takeExtensions(r SSHRequest, o *pki.SSHOrder) error {
	o.Extensions = map[string]string{}
	if len(r.Extensions) == 0 {
		for _, e := range t.Own[clm.SSHExtensions] {
			name, value, _ := strings.Cut(e, ":")
			o.Extensions[name] = value
		}
		return nil
	}
	if !t.Lets(clm.SSHOwnExtensions) {
		return clm.Fail(clm.Violation, "own-extensions", strings.Join(sorted(r.Extensions), ", "))
	}
	allowed := t.Own[clm.SSHExtensionsIn]
	for _, name := range sorted(r.Extensions) {
		value := r.Extensions[name]
		if len(allowed) > 0 && !slices.Contains(allowed, name) && !slices.Contains(allowed, name+":"+value) {
			return clm.Fail(clm.Violation, "extension", name)
		}
		o.Extensions[name] = value
	}
	return nil
}

// takeCommand takes no certificate for any command where only some are allowed. Those of
// hosts have none at all.
func (t SSHTemplate) takeCommand(r SSHRequest, o *pki.SSHOrder) error {
	o.ForceCommand = cmp.Or(r.ForceCommand, t.value(clm.SSHForceCommand))
	switch {
	case o.ForceCommand == "" && len(t.Own[clm.SSHForceCommandsIn]) > 0 && !o.Host:
		return clm.Fail(clm.Violation, "no-force-command", "")
	case r.ForceCommand == "":
		return nil
	case !t.Lets(clm.SSHOwnForceCommand):
		return clm.Fail(clm.Violation, "own-force-command", r.ForceCommand)
	case !t.fits(clm.SSHForceCommandsIn, r.ForceCommand):
		return clm.Fail(clm.Violation, "force-command", r.ForceCommand)
	}
	return nil
}

// takeSources takes all that is allowed where nothing else is said. Certificates of
// hosts have no sources.
func (t SSHTemplate) takeSources(r SSHRequest, o *pki.SSHOrder) error {
	if len(r.Sources) == 0 {
		o.SourceAddresses = t.Own[clm.SSHSourceAddresses]
		if len(o.SourceAddresses) == 0 && !o.Host {
			o.SourceAddresses = t.Own[clm.SSHSourceNetworksIn]
		}
		return nil
	}
	if !t.Lets(clm.SSHOwnSourceAddresses) {
		return clm.Fail(clm.Violation, "own-source-addresses", strings.Join(r.Sources, ", "))
	}
	allowed := t.Own[clm.SSHSourceNetworksIn]
	for _, s := range r.Sources {
		network, ok := networkOf(s)
		if !ok {
			return clm.Fail(clm.Invalid, "source-address", s)
		}
		if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(around string) bool { return isWithin(network, around) }) {
			return clm.Fail(clm.Violation, "source-address", s)
		}
	}
	o.SourceAddresses = r.Sources
	return nil
}

// networkOf is an address or network as a network.
func networkOf(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == ""
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err == nil && !network.Addr().Is4In6()
}

func isWithin(network netip.Prefix, around string) bool {
	outer, ok := networkOf(around)
	return ok && outer.Bits() <= network.Bits() && outer.Contains(network.Addr())
}

// takeValidity shortens what is longer than the template allows.
func (t SSHTemplate) takeValidity(r SSHRequest, o *pki.SSHOrder) error {
	longest, err := t.validity(clm.SSHMaxValidity, DefaultSSHMaxValidity, o.NotBefore)
	if err != nil {
		return err
	}
	wanted, err := t.validity(clm.SSHValidity, DefaultSSHValidity, o.NotBefore)
	if r.Validity != "" {
		if wanted, err = pki.ParseSSHValidity(r.Validity, o.NotBefore); err != nil {
			return &clm.Error{Kind: clm.Invalid, Field: "validity", Value: r.Validity, Err: err}
		}
	}
	o.NotAfter = o.NotBefore.Add(min(wanted, longest))
	return err
}

func (t SSHTemplate) validity(a clm.Attr, otherwise time.Duration, from time.Time) (time.Duration, error) {
	text := t.value(a)
	if text == "" {
		return otherwise, nil
	}
	d, err := pki.ParseSSHValidity(text, from)
	if err != nil {
		return 0, clm.Fail(clm.Unsupported, "template", string(a))
	}
	return d, nil
}
