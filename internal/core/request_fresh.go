package core

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// orderHere sees to it that certificates are ordered for the place at the end of the path,
// with a key made here where no signing request was given. What policy has locked was
// looked at before.
func orderHere(path clm.Path, csr *pki.CSR) {
	own := path.Last().Own
	if !clm.IsManaged(path.Management()) {
		set(own, clm.ManagementType, clm.Enrollment)
	}
	if csr == nil && path.Value(clm.UserCSR).IsOn() {
		set(own, clm.UserCSR, "0")
	}
}

// note writes the values of custom fields on the place, and what there is no field for.
func (r Request) note(tx *store.Tx, folder clm.Path, place *clm.Object) error {
	values := slices.Clone(r.Fields)
	if len(r.Notes) > 0 {
		fields, err := fieldsFor(tx, place.Class)
		if err != nil {
			return err
		}
		for _, note := range r.Notes {
			if slices.ContainsFunc(fields, note.isOf) {
				values = append(values, note)
			} else {
				set(place.Own, r.NoteAs(note.Name), note.Values...)
			}
		}
	}
	return setFields(tx, folder, place, values)
}

// isOf reports whether the values are for the field.
func (v FieldValues) isOf(f Field) bool {
	return strings.EqualFold(f.Label, v.Name) || strings.EqualFold(f.DN.Name(), v.Name)
}

// nameless is the name of places whose certificates have none.
const nameless = "certificate"

// placeName is a name that a place can have for the one that was given, or else for those
// of the certificate.
func placeName(name string, n clm.Names) string {
	for _, other := range [][]string{n.URI, n.Email, n.UPN, n.IP, {nameless}} {
		if name == "" && len(other) > 0 {
			name = other[0]
		}
	}
	name = strings.Map(func(r rune) rune {
		if r == '\\' || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	runes := []rune(strings.TrimSpace(name))
	return strings.TrimSpace(string(runes[:min(len(runes), clm.MaxNameLength)]))
}

// freeDN is a DN in the folder that is not taken: the name itself or, with a number
// behind it, as many as there are of that name. Which numbers are taken is not asked one
// by one.
func freeDN(tx *store.Tx, folder *clm.Object, name string) (clm.DN, error) {
	numbered := func(n int) (clm.DN, error) {
		text := name
		if n > 1 {
			behind := "-" + strconv.Itoa(n)
			runes := []rune(name)
			text = strings.TrimSpace(string(runes[:min(len(runes), clm.MaxNameLength-len(behind))])) + behind
		}
		return childDN(folder, text)
	}
	free, err := freeNumber(tx, 1, numbered)
	if err != nil {
		return "", err
	}
	return numbered(free)
}
