package estate

import (
	"maps"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// A thing is what may be said of an object of the tree, whatever it is.
type thing struct {
	place
	dn     clm.DN
	own    map[clm.Attr][]string
	policy map[clm.PolicyKey]clm.Rule
	rights map[string]clm.Rights
	fields []fieldValues

	said   map[clm.Attr]place // where own values stand that have a key
	attrs  []saidAttr         // those that go by the vendor's names
	people []reference        // the users and groups that any of it names
	links  []link             // the objects that any of it names
	slips  []slip
}

func newThing(v value) thing { return emptyThing(v.place()) }

// emptyThing is a thing of which nothing is said yet.
func emptyThing(at place) thing {
	return thing{
		place: at, own: map[clm.Attr][]string{}, policy: map[clm.PolicyKey]clm.Rule{}, rights: map[string]clm.Rights{},
		said: map[clm.Attr]place{},
	}
}

// with is the thing with one more own value.
func (t thing) with(a clm.Attr, values ...string) *thing {
	t.own = maps.Clone(t.own)
	t.own[a] = values
	return &t
}

// A link names an object of a class, or of any.
type link struct {
	reference
	attr clm.Attr
}

// An attrKey is a key that stands for an own value of the object.
type attrKey struct {
	key   string
	attr  clm.Attr
	check check
	form  form
}

// A form is how an attribute holds what a key says.
type form uint8

const (
	oneValue form = iota
	manyValues
	onlyYes // "1" for yes, and nothing for no
	onlyNo  // "0" for no, and nothing for yes
)

// keys are those of the table and those that every thing has.
func (t *thing) keys(table []attrKey) keys {
	known := keys{
		"attributes":   orNothing(t.readAttributes),
		"rights":       orNothing(func(v value) error { return v.list(MaxEntries, t.readGrant) }),
		"customFields": readFieldValues(&t.fields),
	}
	for _, k := range table {
		known[k.key] = t.attr(k)
	}
	return known
}

// policyKeys are the keys of things that say something about what is below them.
func (t *thing) policyKeys() keys {
	return keys{"policy": orNothing(t.policyOf(clm.AnyCertificate)), "policyFor": orNothing(t.policyFor)}
}

// read reads an object, and what its attributes say under the vendor's names.
func (t *thing) read(v value, known keys) error {
	if err := v.object(known); err != nil {
		return err
	}
	for _, s := range t.attrs {
		if at, twice := t.said[s.attr]; twice {
			return s.fail("says the same as %s", at.path)
		}
		t.own[s.attr] = s.values
	}
	return nil
}

// attr reads what a key of a table says.
func (t *thing) attr(k attrKey) reader {
	return func(v value) (err error) {
		t.said[k.attr] = v.place()
		switch k.form {
		case oneValue:
			return own(t.own, k.attr, t.noting(k.attr, k.check))(v)
		case manyValues:
			return owns(t.own, k.attr, t.noting(k.attr, k.check))(v)
		}
		is, err := truth(v)
		t.own[k.attr] = nil
		switch {
		case is && k.form == onlyYes:
			t.own[k.attr] = []string{"1"}
		case !is && k.form == onlyNo:
			t.own[k.attr] = []string{"0"}
		}
		return err
	}
}

// noting is a check that keeps what the values of an attribute name, to be looked up
// in the installation.
func (t *thing) noting(a clm.Attr, c check) check {
	return func(v value) (string, error) {
		s, err := c(v)
		if err == nil {
			t.note(a, s, v.place())
		}
		return s, err
	}
}

func (t *thing) note(a clm.Attr, s string, at place) {
	switch {
	case isPrincipals(a) && !isForeign(s):
		t.people = append(t.people, reference{at, s})
	case isLink(a) && (isDN(s) || a == clm.Engines):
		t.links = append(t.links, link{reference{at, s}, a})
	}
}

// isPrincipals reports whether the values of an attribute are users and groups.
func isPrincipals(a clm.Attr) bool {
	return a == clm.Contact || a == clm.Approver || a == clm.Approvers || a == clm.Owners
}

// isForeign reports whether a principal is of another directory, or a macro that
// stands for one: it is kept as it is.
func isForeign(principal string) bool {
	return strings.Contains(principal, ":") || strings.HasPrefix(principal, "$")
}

// referring are the attributes of ours with references, beside clm.Referring.
var referring = []clm.Attr{clm.Engines, clm.TeamFolder, clm.SSHSigner, clm.SSHFolder}

// isLink reports whether the values of an attribute are objects.
func isLink(a clm.Attr) bool {
	if clm.Referring[a] || slices.Contains(referring, a) {
		return true
	}
	d, ok := names.AttrNamed(names.AttrName(a))
	return ok && d.Syntax == names.SyntaxDN
}

func isDN(s string) bool {
	root := string(clm.RootDN)
	return len(s) >= len(root) && strings.EqualFold(s[:len(root)], root)
}

// A saidAttr is what a file says of an attribute under the vendor's name.
type saidAttr struct {
	place
	attr   clm.Attr
	values []string
}

// readAttributes reads own values by the vendor's names.
func (t *thing) readAttributes(v value) error {
	return v.mapping(func(vendor string, _ int, entry value) error {
		vendor = strings.TrimSpace(vendor)
		attr := names.Attr(vendor)
		about, err := aboutAttr(vendor, attr, entry)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(t.attrs, func(s saidAttr) bool { return s.attr == attr }) {
			return entry.fail("is there already")
		}
		entry.secret = entry.secret || isSecret(vendor)
		s := saidAttr{place: entry.place(), attr: attr}
		if s.values, err = several(t.noting(attr, about.check))(entry); err != nil {
			return err
		}
		if len(s.values) > 1 && !about.several {
			return entry.fail("can have one value only")
		}
		t.attrs = append(t.attrs, s)
		return nil
	})
}

// aboutAttr is what is known of the own values of an attribute.
func aboutAttr(vendor string, attr clm.Attr, v value) (about attribute, err error) {
	d, known := names.AttrNamed(vendor)
	_, isField := clm.FieldOf(attr)
	switch {
	case vendor == "":
		return about, v.fail("an attribute has no name")
	case isField:
		return about, v.fail("is a custom field: say it by its label, under customFields")
	case isInternal(attr):
		return about, v.fail("is what the server says by itself")
	}
	if about, ok := attributes[attr]; ok {
		about.several = about.several || !known || !d.Single()
		return about, nil
	}
	if !known {
		if near := nearest(vendor, attrNames); near != "" {
			return about, v.fail("there is no such attribute; did you mean %q?", near)
		}
		return attribute{text, true}, nil
	}
	about = attribute{text, !d.Single()}
	switch {
	case d.Flag:
		about.check = flag
	case d.Classes:
		about.check = anyClass
	}
	return about, nil
}

// attrNames are the vendor's names of all attributes that his classes have.
var attrNames = func() (list []string) {
	for _, d := range names.Attrs() {
		list = append(list, d.Name)
	}
	return list
}()

// kept are the attributes that the server keeps for itself, or has settings of their
// own for.
var kept = []clm.Attr{
	clm.CreatedBy, clm.RenewedBy, clm.KeyHolder, clm.HeldCSR, clm.Retreats, clm.RuleVault, clm.PublishURL, clm.TeamFolder,
	clm.OwnerOf, clm.TicketState, clm.Approvals, clm.Explanation, clm.Requester, clm.UserData, clm.DecidedBy, clm.Changed,
	clm.SSHSecret, clm.SSHPublicKey,
}

// isInternal reports whether it is not for files to say an attribute.
func isInternal(a clm.Attr) bool {
	if slices.Contains(kept, a) {
		return true
	}
	d, ok := names.AttrNamed(names.AttrName(a))
	return ok && (d.Computed || d.ReadOnly() || d.Trigger || d.Hidden())
}

// secretAttrs are the attributes that hold secrets without hiding them.
var secretAttrs = []string{
	"Scep Challenge Password", "Scep Intune Application Secret", "Secret Key", "Secret Access Key", "API Key", "Password 1",
	"HSM:Token Password",
}

// isSecret reports whether the values of an attribute are not to be shown. Of those
// that have no meaning here and that the vendor does not have, the name tells.
func isSecret(vendor string) bool {
	if slices.ContainsFunc(secretAttrs, func(s string) bool { return strings.EqualFold(s, vendor) }) {
		return true
	}
	d, known := names.AttrNamed(vendor)
	if known && (!strings.HasPrefix(string(d.Attr), names.Unknown) || !strings.Contains(vendor, ":")) {
		return false
	}
	low := strings.ToLower(vendor)
	return strings.Contains(low, "password") || strings.Contains(low, "secret") || strings.Contains(low, "passphrase")
}
