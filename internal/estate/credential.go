package estate

import (
	"cmp"
	"context"
	"slices"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// A credential is what is needed to log in somewhere.
type credential struct {
	thing
	kind     *credentialKind
	password password
	file     outsideFile
	replace  bool // write the secret although there is one
}

// A credentialKind is what the vendor calls by a friendly name. The values are those
// of the secret that a password and a file stand for; empty where there are none.
type credentialKind struct {
	name     string
	vendor   string // the name of the class
	vault    int64
	password string
	file     string
	hasKey   bool
}

var credentialKinds = []credentialKind{
	{name: "Password", vendor: "Password Credential", vault: core.VaultPassword, password: "Password"},
	{name: "UsernamePassword", vendor: "Username Password Credential", vault: core.VaultPassword, password: "Password"},
	{name: "Certificate", vendor: "Certificate Credential", vault: core.VaultPKCS12, password: "Password", file: "Certificate", hasKey: true},
	{name: "PrivateKey", vendor: "Private Key Credential", vault: core.VaultKey, password: "Password", file: "Key", hasKey: true},
	{name: "Generic", vendor: "Generic Credential", vault: core.VaultBlob, password: "Password", file: "Generic"},
	{name: "Amazon", vendor: "Amazon Credential", vault: core.VaultPassword, password: "SecretKey"},
	{name: "Google", vendor: "Google Credential", vault: core.VaultPassword, file: "Json"},
}

var credentialKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"username", clm.Username, line, oneValue},
	{"contacts", clm.Contact, line, manyValues},
}

// class is the class of credentials of the kind; that of all kinds where none is said.
func (c *credential) class() clm.Class {
	if c.kind == nil {
		return clm.Credential
	}
	class, _ := names.Class(c.kind.vendor)
	return class
}

// hasSecret reports whether the file says a secret.
func (c *credential) hasSecret() bool { return c.password.isThere() || c.file.name != "" }

func readCredential(v value) (credential, error) {
	v.secret = true
	c := credential{thing: newThing(v), password: password{place: v.place()}}
	err := c.read(v, merged(merged(c.keys(credentialKeys), c.password.keys(c.place)), keys{
		"dn":      to(&c.dn, dn),
		"kind":    c.readKind,
		"file":    c.file.read(line),
		"replace": to(&c.replace, truth),
	}))
	switch {
	case err != nil:
		return c, err
	case c.dn == "" || c.kind == nil:
		return c, c.fail("has no %s", missing("dn", string(c.dn), "kind"))
	case c.password.isThere() && c.kind.password == "":
		return c, c.fail("%s has no password", c.kind.name)
	case c.file.name != "" && c.kind.file == "":
		return c, c.fail("%s has no file", c.kind.name)
	case c.password.isThere() && c.kind.file != "" && c.file.name == "":
		return c, c.fail("has a password and no file")
	case c.replace && !c.hasSecret():
		return c, c.fail("has nothing to replace the secret by")
	}
	return c, nil
}

// readKind reads a kind by its friendly name, or by the vendor's class that has none.
func (c *credential) readKind(v value) error {
	s, err := line(v)
	if err != nil {
		return err
	}
	for i, k := range credentialKinds {
		if fold(s) == fold(k.name) || fold(s) == fold(k.vendor) {
			c.kind = &credentialKinds[i]
			return nil
		}
	}
	d, ok := names.ClassNamed(s)
	if !ok || !d.Class.Is(clm.Credential) || d.Abstract {
		var known []string
		for _, k := range credentialKinds {
			known = append(known, k.name)
		}
		return v.fail("is not one of %s, nor a class of credentials", joined(known))
	}
	c.kind = &credentialKind{name: d.Name, vendor: d.Name}
	return nil
}

// kindOfCredential is what files call the kind of credentials of the class.
func kindOfCredential(class clm.Class) string {
	vendor := names.ClassName(class)
	at := slices.IndexFunc(credentialKinds, func(k credentialKind) bool { return k.vendor == vendor })
	if at < 0 {
		return vendor
	}
	return credentialKinds[at].name
}

// values reads what the secret of the credential is to hold. Errors repeat nothing of it.
func (c *credential) values(dir string) (map[string]secret.Plain, error) {
	values := map[string]secret.Plain{}
	if c.password.isThere() {
		text, err := c.password.read(dir)
		if err != nil {
			return nil, err
		}
		values[c.kind.password] = text
	}
	if c.file.name != "" {
		content, err := c.file.raw(dir, core.MaxSecret)
		if err != nil {
			return nil, err
		}
		values[c.kind.file] = content
	}
	return values, nil
}

// putCredentials makes credentials. The secret of one that has any is written only if
// the file wants it replaced: to compare the two, it would have to be opened.
func (a *applying) putCredentials(ctx context.Context) error {
	for i := range a.file.credentials {
		c := &a.file.credentials[i]
		if err := a.thing(ctx, &c.thing, c.class()); err != nil {
			return err
		}
		values := a.secrets[c.dn.Key()]
		if len(values) == 0 {
			continue
		}
		node, err := a.node(ctx, reference{c.place, ""}, string(c.dn))
		if err != nil {
			return err
		}
		if len(node.Own[clm.SecretNumber]) > 0 && !c.replace {
			continue
		}
		if !a.opt.Plan {
			k := core.Credential{DN: string(c.dn), Class: c.class(), Values: values, Vault: c.kind.vault, Number: clm.SecretNumber, HasKey: c.kind.hasKey}
			if err := a.core.UpdateCredential(ctx, a.who, k); err != nil {
				return c.refused(string(c.dn), err)
			}
		}
		a.say(string(cmp.Or(node.DN, c.dn)) + ": secret")
	}
	return nil
}
