package core

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// NewObject is an object that is to be made.
type NewObject struct {
	DN    string
	Class clm.Class
	Own   []Edit   // what it says of itself
	Read  ReadRule // needed where the rule of a workflow may be among it

	// Refuse is what the edge has to say against the values, when everything else is as
	// it should be; nil has nothing to say.
	Refuse error
}

// CreateKinds are the ways in which Create fails, in the order in which that is looked
// at. Field of Unsupported: "class" of which there are no objects, or "place" that holds
// none of the class; of Invalid: "name", "length" or "depth" of the DN, or as for
// EditKinds; of NotFound: "parent"; Exists: the object is there.
var CreateKinds = EditKinds

// Create makes an object below one that is there. A user or group becomes a principal,
// with no password as yet. Where an application names a certificate, that certificate
// names the application from then on.
func (c *Core) Create(ctx context.Context, who clm.Actor, n NewObject) (node Node, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "create", Subject: n.DN, Detail: string(n.Class)}, func(tx *store.Tx) error {
		if n.Class.IsAbstract() || n.Class == clm.Ticket {
			return clm.About(n.DN, clm.Fail(clm.Unsupported, "class", string(n.Class)))
		}
		dn, err := clm.ParseDN(n.DN)
		if err != nil {
			return clm.About(n.DN, wrongDN(n.DN, err))
		}
		parent, rights, err := findParent(tx, who, dn)
		if err != nil {
			return err
		}
		above := parent.Last()
		switch {
		case !above.Class.MayHold(n.Class):
			return clm.About(string(dn), clm.Fail(clm.Unsupported, "place", string(above.DN)))
		case !rights.Has(clm.Create):
			return clm.About(string(dn), clm.Denied)
		}
		o := &clm.Object{DN: above.DN.Child(dn.Name()), Class: n.Class, Own: map[clm.Attr][]string{}}
		if _, err := tx.Path(o.DN); err == nil {
			return clm.About(string(dn), clm.Exists)
		} else if !errors.Is(err, clm.NotFound) {
			return err
		}
		if n.Refuse != nil {
			return clm.About(string(dn), n.Refuse)
		}
		if isPrincipal(n.Class) {
			if err := addPrincipal(tx, o); err != nil {
				return err
			}
		} else {
			if n.Class.Is(clm.CertificateBase) || n.Class.Is(clm.Application) || n.Class == clm.Device {
				set(o.Own, clm.CreatedBy, string(who.ID))
			}
			if err := tx.AddObject(o, above.ID); err != nil {
				return err
			}
		}
		path := append(parent[:len(parent):len(parent)], o)
		if err := c.edit(tx, who, path, n.Own, n.Read); err != nil {
			return clm.About(string(o.DN), err)
		}
		made, err := tx.PathByID(o.ID)
		if err == nil {
			err = clm.About(string(o.DN), mayAim(tx, who, nil, made))
		}
		if err == nil {
			node, err = nodeAt(tx, made)
		}
		return err
	})
	return node, err
}

// findParent finds what is, or is to be, directly above the DN. It fails with NotFound,
// of the Field "parent".
func findParent(tx *store.Tx, who clm.Actor, dn clm.DN) (clm.Path, clm.Rights, error) {
	path, rights, err := find(tx, who, string(dn.Parent()))
	if kind := clm.AsError(err); err != nil && (kind.Kind == clm.NotFound || kind.Kind == clm.Invalid) {
		err = clm.About(string(dn), clm.Fail(clm.NotFound, "parent", string(dn.Parent())))
	}
	return path, rights, err
}

// wrongDN says what is wrong with a DN that cannot be read: its depth, the length of a
// name in it, or a name.
func wrongDN(dn string, err error) error {
	if clm.AsError(err).Kind != clm.Invalid {
		return err
	}
	names := strings.FieldsFunc(dn, func(r rune) bool { return r == '\\' })
	long := func(name string) bool { return utf8.RuneCountInString(name) > clm.MaxNameLength }
	switch at := slices.IndexFunc(names, long); {
	case at >= 0:
		return clm.Fail(clm.Invalid, "length", names[at])
	case len(names) > clm.MaxDepth:
		return clm.Fail(clm.Invalid, "depth", dn)
	}
	return clm.Fail(clm.Invalid, "name", dn)
}

func isPrincipal(class clm.Class) bool { return class == clm.User || class == clm.Group }

// An EditMode says what an edit does with the values that are there.
type EditMode uint8

// The modes.
const (
	Replace    EditMode = iota // they give way; no values: the attribute goes
	AddTo                      // the values are added; one that is there fails with Exists, of field "value"
	RemoveFrom                 // the values are removed; one that is not there fails with NotFound, of field "value"
)

// An Edit changes the values of one attribute.
type Edit struct {
	Attr      clm.Attr
	Values    []string
	Mode      EditMode
	Reference bool // values are DNs of objects, which must be there
	Single    bool // there is one value at most: Invalid, of field "single"
}

// EditKinds are the ways in which EditObject fails. Field of Invalid: "reference" that
// names nothing, or nothing that would do, "single", "value", "custom-field", "rule",
// "owners" where a team would have none, or the attribute whose value makes no sense; of
// Denied: "read-only" for what only masters write, and as for Bind where it is about who
// uses which certificate, "reference" to a credential that the actor cannot use, and
// empty also where he cannot use that with which the object is reached; of Exists and NotFound: "value", "vault-id" of a rule, or empty
// where it is about the object; of Unsupported: "object" that has calls of its own;
// Limited: an attribute would have more than MaxValues.
var EditKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Exists, clm.Unsupported, clm.Limited}

// MaxValues is how many values an attribute may have.
const MaxValues = 10_000

// ReadRule reads the definition of a workflow as clients write it.
type ReadRule func(definition []byte) (Rule, error)

// A Rule is what a workflow says.
type Rule struct {
	Point     clm.Stage // where it stops work
	Class     clm.Class // only for applications of this class; empty: for all
	Approvers []string  // principals, or macros
	Reason    string    // its code
	Command   string    // to be run on the device
}

// EditObject changes own values of an object: all that the edits say or, when one
// makes no sense, nothing. What a policy locks is kept, and does not count until it is
// unlocked. read is needed where a workflow may be written. Which workflows hold is for
// those to say who may manage policy.
func (c *Core) EditObject(ctx context.Context, who clm.Actor, dn string, edits []Edit, read ReadRule) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "edit", Subject: dn}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		if !rights.Has(clm.Write) {
			return clm.About(dn, clm.Denied)
		}
		return clm.About(dn, c.edit(tx, who, path, edits, read))
	})
}

// edit changes own values of the last object of the path.
func (c *Core) edit(tx *store.Tx, who clm.Actor, path clm.Path, edits []Edit, read ReadRule) error {
	if path.Last().Class == clm.Ticket {
		return clm.Fail(clm.Unsupported, "object", string(path.Last().DN))
	}
	o := cloned(path.Last())
	changed := map[clm.Attr][]string{}
	for _, e := range edits {
		if err := forged(e.Values); err != nil {
			return err
		}
		if stopsWork(map[clm.Attr][]string{e.Attr: nil}) && !path.Rights(who).Has(clm.PolicyWrite) {
			return clm.Denied
		}
		if e.relinks(o) {
			relinked, err := relink(tx, who, o, e)
			if err != nil {
				return err
			}
			if !slices.Equal(relinked.Own[e.Attr], o.Own[e.Attr]) {
				changed[e.Attr] = relinked.Own[e.Attr]
			}
			o = relinked
			continue
		}
		values, err := e.apply(tx, who, o)
		if err != nil {
			return err
		}
		if !slices.Equal(values, o.Own[e.Attr]) {
			if err := checkGroupEdit(tx, who, o, e.Attr, values); err != nil {
				return err
			}
			changed[e.Attr] = values
			set(o.Own, e.Attr, values...)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	was, path := path, under(path[:len(path)-1], o)
	if isReached(o.Class) && slices.ContainsFunc(sorted(changed), isAim) {
		if err := mayAim(tx, who, was, path); err != nil {
			return err
		}
		if err := mayAimBelow(tx, who, was, path); err != nil {
			return err
		}
	}
	if err := c.checkEdited(tx, path, changed, read); err != nil {
		return err
	}
	var changes []Change
	for _, a := range sorted(changed) {
		values, err := dereferred(tx, changed[a])
		if err != nil {
			return err
		}
		changes = append(changes, Change{DN: o.DN, Attr: a, Values: values})
	}
	tx.About(string(o.DN), describe(changes))
	if err := tx.SaveObject(o); err != nil {
		return err
	}
	return replanAfter(tx, path, changes)
}

// checkEdited checks what the changes say together with what holds besides, and reads
// the rule of a workflow that has come to have another.
func (c *Core) checkEdited(tx *store.Tx, path clm.Path, changed map[clm.Attr][]string, read ReadRule) error {
	o := path.Last()
	_, window := changed[clm.RenewalWindow]
	_, lifetime := changed[clm.ValidityDays]
	if isCertificate(path) && (window || lifetime) {
		if err := checkWindow(tx, path[:len(path)-1], o.Class, o.Own); err != nil {
			return err
		}
	}
	if err := checkFields(tx, o, changed); err != nil {
		return err
	}
	if o.Class == clm.CustomField {
		if err := soundField(o); err != nil {
			return err
		}
		return FieldOf(o).isNew(tx)
	}
	if _, rule := changed[clm.RuleVault]; rule && o.Class.Is(clm.Workflow) {
		return c.takeRule(tx, o, read)
	}
	return nil
}

// apply is what the values of the attribute come to be.
func (e Edit) apply(tx *store.Tx, who clm.Actor, o *clm.Object) (values []string, err error) {
	given := distinct(e.Values)
	if e.Single && len(given) > 1 && e.Mode != RemoveFrom {
		return nil, clm.Fail(clm.Invalid, "single", strings.Join(given, ", "))
	}
	if e.Reference || clm.Referring[e.Attr] {
		if given, err = refer(tx, who, given, e.Mode != RemoveFrom); err != nil {
			return nil, err
		}
		if err := checkReferred(tx, who, e.Attr, given); err != nil && e.Mode != RemoveFrom {
			return nil, err
		}
	}
	if o.Class.Is(clm.CertificateBase) && e.Mode != RemoveFrom && !clm.Referring[e.Attr] {
		if given, err = readValues(e.Attr, given); err != nil {
			return nil, err
		}
	}
	had := o.Own[e.Attr]
	values = given
	switch e.Mode {
	case AddTo:
		there := folded(had)
		for _, v := range given {
			if there[strings.ToLower(v)] {
				return nil, clm.Fail(clm.Exists, "value", v)
			}
		}
		values = append(slices.Clone(had), given...)
	case RemoveFrom:
		there, gone := folded(had), folded(given)
		for _, v := range given {
			if !there[strings.ToLower(v)] {
				return nil, clm.Fail(clm.NotFound, "value", v)
			}
		}
		values = slices.DeleteFunc(slices.Clone(had), func(v string) bool { return gone[strings.ToLower(v)] })
	}
	switch {
	case e.Single && len(values) > 1:
		return nil, clm.Fail(clm.Invalid, "single", strings.Join(values, ", "))
	case len(values) > MaxValues:
		return nil, clm.Fail(clm.Limited, "values", strconv.Itoa(len(values)))
	}
	return values, nil
}

// referredClasses says of what class that must be which an attribute refers to.
var referredClasses = map[clm.Attr]clm.Class{
	clm.IssuedBy: clm.Authority, clm.Workflows: clm.Workflow, clm.WorkflowBlocks: clm.Workflow, clm.Assets: clm.Folder,
	clm.CredentialOf: clm.Credential, clm.KeyCredential: clm.Credential, clm.StoreCredential: clm.Credential,
	clm.ServiceUser: clm.Credential,
}

// checkReferred makes sure that the values name what they should. Who names a credential
// lends it to whoever says to which host it is sent, and so must be able to use it.
func checkReferred(tx *store.Tx, who clm.Actor, a clm.Attr, values []string) error {
	class, ok := referredClasses[a]
	if !ok {
		return nil
	}
	for _, v := range values {
		path, err := referred(tx, v)
		switch kind := clm.AsError(err); {
		case err == nil && class == clm.Credential && path.Last().Class.Is(class) && !mayUse(path, who):
			return clm.Fail(clm.Denied, "reference", v)
		case err == nil && path.Last().Class.Is(class):
		case err == nil, kind.Kind == clm.NotFound, kind.Kind == clm.Invalid:
			return clm.Fail(clm.Invalid, "reference", v)
		default:
			return err
		}
	}
	return nil
}

func containsFold(list []string, value string) bool {
	return slices.ContainsFunc(list, func(v string) bool { return strings.EqualFold(v, value) })
}

// folded are the values without regard to case.
func folded(values []string) map[string]bool {
	set := make(map[string]bool, len(values))
	for _, v := range values {
		set[strings.ToLower(v)] = true
	}
	return set
}

// takeRule reads the definition that the workflow has come to have.
func (c *Core) takeRule(tx *store.Tx, o *clm.Object, read ReadRule) error {
	var rule Rule
	if id := firstOf(o, clm.RuleVault); id != "" && read != nil {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return clm.Fail(clm.Invalid, string(clm.RuleVault), id)
		}
		owners, err := tx.SecretOwners(n)
		if err != nil {
			return err
		}
		if !slices.Contains(owners, o.ID) {
			return clm.Fail(clm.Invalid, string(clm.RuleVault), id)
		}
		_, definition, err := c.openSecret(tx, n)
		if err != nil {
			return err
		}
		if rule, err = read(definition.Reveal()); err != nil {
			return err
		}
	}
	set(o.Own, clm.PointOf, string(rule.Point))
	set(o.Own, clm.ForClass, string(rule.Class))
	set(o.Own, clm.Approvers, rule.Approvers...)
	set(o.Own, clm.ReasonOf, rule.Reason)
	set(o.Own, clm.Command, rule.Command)
	return nil
}
