package tpp

import (
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// people are the attributes whose values are users and groups: here their IDs, on the
// wire prefixed universals.
var people = map[clm.Attr]bool{
	clm.Contact: true, clm.Approver: true, clm.Approvers: true, clm.Approvals: true, clm.Owners: true,
	names.Unknown + "Escalation Contact": true, names.Unknown + "Zone Contact": true,
	names.Unknown + "AWS EC2 Role Authorized Identities": true, names.Unknown + "Scep Allowed Identities": true,
}

// makers are the attributes that say who did something: somebody's ID, or whatever a
// client has said.
var makers = map[clm.Attr]bool{clm.CreatedBy: true, clm.RenewedBy: true}

func isPerson(at clm.Attr) bool { return people[at] || makers[at] }

// ofTickets are what the attributes of a name stand for that is used of tickets and,
// otherwise, of other objects.
var ofTickets = map[clm.Attr]clm.Attr{clm.Reasons: clm.ReasonOf, clm.Approver: clm.Approvers}

// settings are the attributes of ours that certificate authorities have: clients may
// read and write them under their own names.
var settings = map[clm.Attr]bool{
	clm.Driver: true, clm.Issuer: true, clm.Profile: true, clm.IssueAfter: true, clm.AIAURL: true, clm.OCSPURL: true, clm.CDPURL: true,
}

// attrNamed finds an attribute that objects of the class may have, if only by its being
// known at all. It fails with Unsupported, of the field "attribute".
func attrNamed(class clm.Class, name string) (*names.AttrDef, error) {
	def, ok := names.AttrNamed(name)
	if at := names.Attr(name); !ok && class == clm.Authority && settings[at] {
		def, ok = &names.AttrDef{Name: names.AttrName(at), Attr: at, Syntax: names.SyntaxText, Property: names.PropertySingle}, true
	}
	if !ok {
		return nil, clm.Fail(clm.Unsupported, fieldAttribute, name)
	}
	return def, nil
}

// policyAttr finds an attribute about which folders say something. Folders may say
// something about attributes that nobody knows. It fails as attrNamed.
func policyAttr(name string) (*names.AttrDef, error) {
	def, err := attrNamed("", name)
	at := names.Attr(name)
	if err != nil && strings.HasPrefix(string(at), names.Unknown) {
		return &names.AttrDef{Name: name, Attr: at, Syntax: names.SyntaxText}, nil
	}
	return def, err
}

// attrOf is what the attribute stands for on an object of the class.
func attrOf(class clm.Class, def *names.AttrDef) clm.Attr {
	if at, ok := ofTickets[def.Attr]; ok && class == clm.Ticket {
		return at
	}
	return def.Attr
}

// nameOf is the vendor's name of an own value of an object of the class. ok is false for
// what is kept on objects for our own purposes.
func nameOf(class clm.Class, at clm.Attr) (name string, ok bool) {
	for of, ours := range ofTickets {
		if class == clm.Ticket && at == ours {
			at = of
		}
	}
	name = names.AttrName(at)
	if def, known := names.AttrNamed(name); known {
		return name, !def.Hidden()
	}
	return name, strings.HasPrefix(string(at), names.Unknown) || class == clm.Authority && settings[at]
}

func isShown(class clm.Class, at clm.Attr) bool {
	_, ok := nameOf(class, at)
	return ok
}

// shown are values of an attribute as clients see them.
func shown(at clm.Attr, values []string) []string {
	def, _ := names.AttrNamed(names.AttrName(at))
	list := make([]string, 0, len(values))
	for _, v := range values {
		switch {
		case people[at], makers[at] && isGUID.MatchString(v):
			v = universal(clm.PrincipalID(v))
		case def != nil && def.Classes:
			v = names.ClassName(clm.Class(v))
		}
		list = append(list, v)
	}
	return list
}

// edit is a change of an attribute of an object of the class, or of what folders say
// about it for such objects. It fails with Invalid when a value makes no sense.
func edit(class clm.Class, def *names.AttrDef, values []string, mode core.EditMode) (core.Edit, error) {
	e := core.Edit{Attr: attrOf(class, def), Mode: mode, Reference: def.Syntax == names.SyntaxDN, Single: def.Single()}
	for _, v := range values {
		switch {
		case isPerson(e.Attr):
			v = principalOf(v)
		case def.Classes:
			known, ok := fieldClass(strings.TrimSpace(v))
			if !ok {
				return e, clm.Fail(clm.Invalid, "value", v)
			}
			v = string(known)
		case def.Flag:
			flag, ok := asFlag(v)
			if !ok && !strings.HasPrefix(string(def.Attr), names.Unknown) {
				return e, clm.Fail(clm.Invalid, "value", v)
			}
			v = flag
		}
		e.Values = append(e.Values, v)
	}
	return e, nil
}

// yesNo has the ways in which clients write yes and no.
var yesNo = map[string]string{"1": "1", "true": "1", "yes": "1", "0": "0", "false": "0", "no": "0"}

// asFlag is a yes or no as it is kept. What is neither stays as it is: where it is only
// kept for clients, drivers of theirs may have a use for it.
func asFlag(v string) (flag string, ok bool) {
	if flag, ok = yesNo[strings.ToLower(strings.TrimSpace(v))]; ok {
		return flag, true
	}
	return v, false
}
