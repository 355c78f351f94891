package tpp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// attributeChange is what PUT Certificates/{guid} takes.
type attributeChange struct {
	AttributeData attributeData
}

// attributeData lists attributes with their new values. One client sends other
// things in between, which are passed over.
type attributeData struct {
	lenient.Presence
	items []attribute
}

type attribute struct {
	Name  lenient.String
	Value lenient.StringList
}

// UnmarshalJSON takes one attribute alone for a list of it.
func (d *attributeData) UnmarshalJSON(data []byte) error {
	*d = attributeData{}
	if d.Null = string(data) == "null"; d.Null {
		return nil
	}
	d.Set = true
	items := []json.RawMessage{data}
	if bytes.HasPrefix(data, []byte("[")) {
		if err := json.Unmarshal(data, &items); err != nil {
			return err
		}
	}
	for _, item := range items {
		if !bytes.HasPrefix(item, []byte("{")) {
			continue
		}
		var a attribute
		if err := json.Unmarshal(item, &a); err != nil {
			return err
		}
		d.items = append(d.items, a)
	}
	return nil
}

// values are the new values under our names. What certificates do not have, and
// what is not for clients to say, is refused.
func (d attributeData) values() (map[clm.Attr][]string, error) {
	if !d.Set {
		return nil, clm.Fail(clm.Invalid, fieldMissing, "AttributeData")
	}
	values := map[clm.Attr][]string{}
	for _, item := range d.items {
		name := item.Name.Trimmed()
		a, known, mayWrite := names.CertificateAttr(name)
		switch {
		case name == "":
			return nil, clm.Fail(clm.Invalid, fieldMissing, "Name")
		case !known:
			return nil, clm.Fail(clm.Invalid, fieldAttribute, name)
		case !mayWrite:
			return nil, clm.Fail(clm.Unsupported, fieldAttribute, name)
		}
		values[a] = item.Value.Values
		if a == clm.Contact || a == clm.Approver {
			values[a] = principalsOf(item.Value.Values)
		}
	}
	return values, nil
}

func principalsOf(texts []string) (ids []string) {
	for _, text := range texts {
		ids = append(ids, principalOf(text))
	}
	return ids
}

// change serves PUT Certificates/{guid}: new values for attributes of a
// certificate. Those that policy locks are left alone, and the answer says so.
func (a *api) change(c *call, in *attributeChange) answer {
	return a.withGUID(c, changing, func(id clm.ObjectID) (answer, error) {
		values, err := in.AttributeData.values()
		if err != nil {
			return answer{}, err
		}
		kept, err := a.core.Change(c.Context(), c.who(), id, values)
		if err != nil {
			return answer{}, err
		}
		body := map[string]any{"Success": true}
		var warnings []string
		for _, k := range kept {
			warnings = append(warnings, fmt.Sprintf(textLocked, names.AttrName(k.Attr), k.By))
		}
		if len(warnings) > 0 {
			body["Warnings"] = warnings
		}
		return ok(body), nil
	})
}

// remove serves DELETE Certificates/{guid}.
func (a *api) remove(c *call) answer {
	return a.withGUID(c, detailing, func(id clm.ObjectID) (answer, error) {
		err := a.core.Remove(c.Context(), c.who(), id)
		return ok(map[string]any{"Success": true}), err
	})
}

// withGUID does what a call is about with the object that its path names. Every
// failure is told of that object, by the name that the caller has for it.
func (a *api) withGUID(c *call, o operation, do func(clm.ObjectID) (answer, error)) answer {
	sent := c.param("guid")
	if !isGUID.MatchString(sent) {
		return a.refuse(c, o, sent, clm.Fail(clm.Invalid, "guid", sent))
	}
	id := guidOf(sent)
	done, err := do(id)
	if err != nil {
		return a.refuse(c, o, braced(id), renamed(err, braced(id)))
	}
	return done
}
