package estate

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// An sshKeyPair signs SSH certificates.
type sshKeyPair struct {
	thing
	name      string
	algorithm string      // of a key that is made here
	key       outsideFile // that is brought along
	password  password    // with which that is encrypted
}

// An sshTemplate says how SSH certificates are issued.
type sshTemplate struct {
	thing
	name string
}

var sshKeyPairKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"contacts", clm.Contact, line, manyValues},
}

var sshTemplateKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"contacts", clm.Contact, line, manyValues},
	{"keyPair", clm.SSHSigner, sshPairDN, oneValue},
	{"folder", clm.SSHFolder, dnText, oneValue},
	{"type", clm.SSHType, one(clm.SSHForUsers, clm.SSHForHosts), oneValue},
	{"keyFrom", clm.SSHKeyFrom, one(clm.SSHKeyOfClient, clm.SSHKeyOfService), oneValue},
	{"keyAlgorithm", clm.KeyAlgorithm, sshAlgorithm, oneValue},
	{"keyAlgorithms", clm.SSHKeys, sshAlgorithm, manyValues},
	{"validity", clm.SSHValidity, sshValidity, oneValue},
	{"maxValidity", clm.SSHMaxValidity, sshValidity, oneValue},
	{"keyId", clm.SSHKeyID, line, oneValue},
	{"principals", clm.SSHPrincipals, line, manyValues},
	{"allowedPrincipals", clm.SSHPrincipalsIn, line, manyValues},
	{"extensions", clm.SSHExtensions, line, manyValues},
	{"allowedExtensions", clm.SSHExtensionsIn, line, manyValues},
	{"forceCommand", clm.SSHForceCommand, line, oneValue},
	{"allowedForceCommands", clm.SSHForceCommandsIn, line, manyValues},
	{"sourceAddresses", clm.SSHSourceAddresses, line, manyValues},
	{"allowedSourceAddresses", clm.SSHSourceNetworksIn, line, manyValues},
	{"mayAskKeyId", clm.SSHOwnKeyID, nil, onlyNo},
	{"mayAskPrincipals", clm.SSHOwnPrincipals, nil, onlyNo},
	{"mayAskExtensions", clm.SSHOwnExtensions, nil, onlyNo},
	{"mayAskForceCommand", clm.SSHOwnForceCommand, nil, onlyNo},
	{"mayAskSourceAddresses", clm.SSHOwnSourceAddresses, nil, onlyNo},
}

// sshPairDN reads the name of a key pair, or its DN.
func sshPairDN(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if !isDN(s) {
		s = string(clm.DN(core.SSHKeyPairsDN).Child(s))
	}
	d, err := clm.ParseDN(s)
	if err != nil {
		return "", v.fail("%q is neither the name of a key pair nor a DN", short(s))
	}
	return string(d), nil
}

func sshAlgorithm(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if _, err := pki.SSHKeySpec(s); err != nil {
		return "", v.fail("%q is not a kind of key such as ED25519, RSA3072 or ECDSA256", short(s))
	}
	return s, nil
}

func sshValidity(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if _, err := pki.ParseSSHValidity(s, time.Now()); err != nil {
		return "", v.fail("%q is not a validity such as 8h or 90d", short(s))
	}
	return s, nil
}

func readSSHKeyPair(v value) (sshKeyPair, error) {
	v.secret = true
	p := sshKeyPair{thing: newThing(v), password: password{place: v.place()}}
	err := p.read(v, merged(merged(p.keys(sshKeyPairKeys), p.password.keys(p.place)), keys{
		"name":           to(&p.name, name),
		"algorithm":      to(&p.algorithm, sshAlgorithm),
		"privateKeyFile": p.key.read(line),
	}))
	p.dn = clm.DN(core.SSHKeyPairsDN).Child(p.name)
	switch {
	case err != nil:
		return p, err
	case p.name == "":
		return p, p.fail("has no name")
	case p.algorithm != "" && p.key.name != "":
		return p, p.fail("has both algorithm and privateKeyFile")
	case p.password.isThere() && p.key.name == "":
		return p, p.fail("has a password, and no privateKeyFile")
	}
	return p, nil
}

func readSSHTemplate(v value) (sshTemplate, error) {
	t := sshTemplate{thing: newThing(v)}
	err := t.read(v, merged(t.keys(sshTemplateKeys), keys{"name": to(&t.name, name)}))
	t.dn = clm.DN(core.SSHTemplatesDN).Child(t.name)
	if err == nil && t.name == "" {
		err = t.fail("has no name")
	}
	return t, err
}

// load reads the key that is brought along, and looks whether it can be read. Errors
// repeat nothing of it.
func (p sshKeyPair) load(dir string) (key, passphrase secret.Plain, err error) {
	if key, err = p.key.raw(dir, pki.MaxKeySize); err != nil || key.IsEmpty() {
		return key, passphrase, err
	}
	if passphrase, err = p.password.read(dir); err != nil {
		return key, passphrase, err
	}
	if _, err := pki.ParseSSHPrivateKey(key.Reveal(), passphrase.Reveal()); err != nil {
		return key, passphrase, p.key.fail("%w", err)
	}
	return key, passphrase, nil
}

// lookForSSHKeys makes sure that the keys are there that the file brings along.
func (a *applying) lookForSSHKeys(context.Context) error {
	for _, p := range a.file.sshKeyPairs {
		if _, _, err := p.load(a.opt.Dir); err != nil {
			return err
		}
	}
	return nil
}

// ssh makes key pairs and templates. A key pair that is there keeps its key.
func (a *applying) ssh(ctx context.Context) error {
	for i := range a.file.sshKeyPairs {
		p := &a.file.sshKeyPairs[i]
		if err := a.sshKeyPair(ctx, p); err != nil {
			return err
		}
		if err := a.object(ctx, &p.thing, clm.SSHKeyPair); err != nil {
			return err
		}
	}
	for i := range a.file.sshTemplates {
		if err := a.object(ctx, &a.file.sshTemplates[i].thing, clm.SSHTemplate); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) sshKeyPair(ctx context.Context, p *sshKeyPair) error {
	node, err := a.core.Object(ctx, a.who, string(p.dn))
	switch {
	case err == nil:
		return p.isLike(core.SSHKeyPair{Object: node.Object})
	case !errors.Is(err, clm.NotFound):
		return p.refused(p.name, err)
	}
	a.made[p.dn.Key()] = true
	a.say("create SSH key pair " + p.name)
	if a.opt.Plan {
		return nil
	}
	n := core.NewSSHKeyPair{Name: p.name, Algorithm: p.algorithm}
	if n.Key, n.Passphrase, err = p.load(a.opt.Dir); err != nil {
		return err
	}
	if _, err := a.core.CreateSSHKeyPair(ctx, a.who, n); err != nil {
		return p.refused(p.name, err)
	}
	return nil
}

// isLike refuses to take a key pair that is there already for one of another kind of
// key: keys do not change.
func (p *sshKeyPair) isLike(known core.SSHKeyPair) error {
	if p.algorithm == "" {
		return nil
	}
	wanted, _ := pki.SSHKeySpec(p.algorithm) // it was read
	is, err := pki.SSHKeySpec(cmp.Or(known.Algorithm(), "none"))
	if err == nil && is != wanted {
		return p.fail("the key pair %s is there already, with a key of %s, and keys do not change", p.name, strings.ToUpper(known.Algorithm()))
	}
	return nil
}
