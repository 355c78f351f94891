package estate

import (
	"context"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// An object is one of a class that has no section of its own.
type object struct {
	thing
	class clm.Class
}

// sectionOf says in which section objects of a class stand, and of all that derive
// from it.
var sectionOf = []struct {
	class   clm.Class
	section string
}{
	{clm.Folder, "folders"}, {clm.CertificateBase, "certificates"}, {clm.Authority, "authorities"}, {clm.Device, "devices"},
	{clm.Application, "devices"}, {clm.CustomField, "fields"}, {clm.Credential, "credentials"}, {clm.Workflow, "workflows"},
	{clm.User, "users"}, {clm.Group, "groups"}, {clm.SSHTemplate, "sshTemplates"}, {clm.SSHKeyPair, "sshKeyPairs"},
}

// runtime are the classes whose objects come and go by themselves.
var runtime = []clm.Class{clm.Ticket, clm.SSHCertificate}

// hasSection is the section of the class; empty where there is none. Of workflows the
// derived classes have none.
func hasSection(class clm.Class) string {
	for _, s := range sectionOf {
		if class == s.class || s.class != clm.Workflow && class.Is(s.class) {
			return s.section
		}
	}
	return ""
}

// isGeneric reports whether there are objects of the class that stand in the section
// objects.
func isGeneric(d *names.ClassDef) bool {
	isKnown := !strings.HasPrefix(string(d.Class), names.Unknown) && d.Class != ""
	return isKnown && !d.Abstract && !d.Class.IsAbstract() && hasSection(d.Class) == "" && !slices.ContainsFunc(runtime, d.Class.Is)
}

// genericClass reads the class of an object that has no section.
func genericClass(v value) (clm.Class, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	d, ok := names.ClassNamed(s)
	switch {
	case !ok:
		return "", v.fail("there is no class %q", short(s))
	case hasSection(d.Class) != "":
		return "", v.fail("objects of class %s stand in the section %s", d.Name, hasSection(d.Class))
	case !isGeneric(d):
		return "", v.fail("there are no objects of class %s that a file makes", d.Name)
	}
	return d.Class, nil
}

var objectKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"disabled", clm.Off, nil, onlyYes},
}

func readObject(v value) (object, error) {
	o := object{thing: newThing(v)}
	known := merged(o.keys(objectKeys), keys{"dn": to(&o.dn, anyDN), "class": to(&o.class, genericClass)})
	err := o.read(v, merged(known, o.policyKeys()))
	switch {
	case err != nil:
		return o, err
	case o.dn == "" || o.class == "":
		return o, o.fail("has no %s", missing("dn", string(o.dn), "class"))
	case len(o.policy) > 0 && !o.class.HoldsPolicy():
		return o, o.fail("objects of class %s say nothing about what is below them", names.ClassName(o.class))
	case o.dn.Key() == clm.RootDN.Key() && o.class != clm.Root:
		return o, o.fail("%s is of class %s", clm.RootDN, names.ClassName(clm.Root))
	}
	return o, nil
}

// anyDN reads the DN of any object.
func anyDN(v value) (clm.DN, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	d, err := clm.ParseDN(s)
	if err != nil || d.Key() != clm.RootDN.Key() && !d.IsBelow(clm.RootDN) {
		return "", v.fail(`%s is not a DN such as %s\Shop`, short(s), clm.PolicyDN)
	}
	return clm.RootDN + d[len(clm.RootDN):], nil
}

// objects makes what has no section, what is above before what is below.
func (a *applying) objects(ctx context.Context) error {
	for _, o := range a.file.objects {
		if err := a.thing(ctx, &o.thing, o.class); err != nil {
			return err
		}
	}
	return nil
}

// orderObjects puts objects before those that stand below them.
func (f *File) orderObjects() error {
	depth := func(o object) int { return strings.Count(string(o.dn), `\`) }
	slices.SortStableFunc(f.objects, func(x, y object) int { return depth(x) - depth(y) })
	return nil
}
