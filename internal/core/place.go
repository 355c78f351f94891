package core

import (
	"errors"
	"strconv"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// find finds an object by the DN that a client wrote. What the actor may not see
// does not exist; who is asked to say yes to something about it may read it. It returns what the actor may do with the object besides.
func find(tx *store.Tx, who clm.Actor, dn string) (clm.Path, clm.Rights, error) {
	parsed, err := clm.ParseDN(dn)
	if err != nil {
		return nil, 0, clm.About(dn, err)
	}
	path, err := tx.Path(parsed)
	if err == nil {
		tx.Spelled(dn, path.Last().DN)
	}
	return seen(tx, path, err, who, dn)
}

// findByID is find for an object known by its GUID.
func findByID(tx *store.Tx, who clm.Actor, id clm.ObjectID) (clm.Path, clm.Rights, error) {
	path, err := tx.PathByID(id)
	return seen(tx, path, err, who, string(id))
}

func seen(tx *store.Tx, path clm.Path, err error, who clm.Actor, asked string) (clm.Path, clm.Rights, error) {
	if err != nil && !errors.Is(err, clm.NotFound) {
		return nil, 0, clm.About(asked, err)
	}
	var rights clm.Rights
	var id clm.ObjectID // none, which is looked for all the same: what is not there takes as long as what may not be seen
	if err == nil {
		rights, id = path.Rights(who), path.Last().ID
	}
	if !rights.Has(clm.Read) {
		isAsked, err := tx.IsAsked(id, who)
		if err != nil {
			return nil, 0, clm.About(asked, err)
		}
		if isAsked {
			rights |= clm.View | clm.Read
		}
	}
	if err != nil || !rights.Has(clm.View) {
		return nil, 0, clm.About(asked, clm.NotFound)
	}
	return path, rights, nil
}

// isCertificate reports whether the path ends at a place for certificates.
func isCertificate(path clm.Path) bool { return path.Last().Class.Is(clm.CertificateBase) }

// childDN is the DN of the object with the name directly below another.
func childDN(above *clm.Object, name string) (clm.DN, error) {
	if err := clm.CheckName(name); err != nil {
		return "", clm.About(string(above.DN), err)
	}
	dn, err := clm.ParseDN(string(above.DN.Child(name)))
	if err != nil {
		return "", clm.About(string(above.DN), clm.Fail(clm.Invalid, "name", name)) // it would be too deep
	}
	return dn, nil
}

// nameAttrs says where each part of a certificate's names is kept on an object.
var nameAttrs = []struct {
	attr clm.Attr
	one  func(*clm.Names) *string
	many func(*clm.Names) *[]string
}{
	{attr: clm.CommonName, one: func(n *clm.Names) *string { return &n.CommonName }},
	{attr: clm.Organization, one: func(n *clm.Names) *string { return &n.Organization }},
	{attr: clm.OrganizationalUnit, many: func(n *clm.Names) *[]string { return &n.OrganizationalUnit }},
	{attr: clm.Locality, one: func(n *clm.Names) *string { return &n.Locality }},
	{attr: clm.Province, one: func(n *clm.Names) *string { return &n.Province }},
	{attr: clm.Country, one: func(n *clm.Names) *string { return &n.Country }},
	{attr: clm.SANDNS, many: func(n *clm.Names) *[]string { return &n.DNS }},
	{attr: clm.SANEmail, many: func(n *clm.Names) *[]string { return &n.Email }},
	{attr: clm.SANIP, many: func(n *clm.Names) *[]string { return &n.IP }},
	{attr: clm.SANURI, many: func(n *clm.Names) *[]string { return &n.URI }},
	{attr: clm.SANUPN, many: func(n *clm.Names) *[]string { return &n.UPN }},
}

// namesOf is what the certificate at the end of the path is to say.
func namesOf(path clm.Path) (n clm.Names) {
	for _, a := range nameAttrs {
		if s := path.Value(a.attr); a.one != nil {
			*a.one(&n) = s.First()
		} else {
			*a.many(&n) = s.Values
		}
	}
	return n
}

// setNames writes the names on an object. Parts that are empty are removed.
func setNames(own map[clm.Attr][]string, n clm.Names) {
	for _, a := range nameAttrs {
		if a.one != nil {
			set(own, a.attr, *a.one(&n))
		} else {
			set(own, a.attr, *a.many(&n)...)
		}
	}
}

// set writes the values of an attribute; empty values are left out, and an
// attribute without values does not exist.
func set(own map[clm.Attr][]string, a clm.Attr, values ...string) {
	var kept []string
	for _, v := range values {
		if v != "" {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		delete(own, a)
		return
	}
	own[a] = kept
}

// demandOf is what the certificate at the end of the path demands of policy when
// its key is made here.
func demandOf(path clm.Path) clm.Demand {
	d := clm.Demand{Names: namesOf(path), KeyAlgorithm: path.Value(clm.KeyAlgorithm).First(), Curve: path.Value(clm.Curve).First()}
	// A locked size is the least; a place that asks for more gets more.
	for _, values := range [][]string{path.Value(clm.KeySize).Values, path.Last().Own[clm.KeySize]} {
		if len(values) > 0 {
			bits, _ := strconv.Atoi(values[0])
			d.KeySize = max(d.KeySize, bits)
		}
	}
	return d
}

// demandOfCSR is what a signing request demands of policy.
func demandOfCSR(csr *pki.CSR) clm.Demand {
	return clm.Demand{Names: csr.Names, KeyAlgorithm: csr.Key.Algorithm, KeySize: csr.Key.Bits, Curve: csr.Key.Curve}
}

// specOf is the key that a demand asks for.
func specOf(d clm.Demand) pki.KeySpec {
	if clm.Algorithm(d.KeyAlgorithm) == clm.RSA {
		return pki.KeySpec{Algorithm: clm.RSA, Bits: d.KeySize}
	}
	return pki.KeySpec{Algorithm: clm.Algorithm(d.KeyAlgorithm), Curve: clm.CurveName(d.Curve)}
}

// endDate is the end that was asked for: for authorities of the kind, or for any.
// It is zero where none was.
func endDate(path clm.Path, kind string) (time.Time, error) {
	text := path.Value(clm.EndDateFor(kind)).First()
	if text == "" {
		text = path.Value(clm.EndDate).First()
	}
	if text == "" {
		return time.Time{}, nil
	}
	if end, ok := clm.ParseEndDate(text); ok {
		return end, nil
	}
	return time.Time{}, clm.Fail(clm.Invalid, string(clm.EndDate), text)
}

// readable finds an object that the actor may read. It fails with Invalid, NotFound,
// and with Denied where it may only be seen.
func readable(tx *store.Tx, who clm.Actor, dn string) (clm.Path, error) {
	path, rights, err := find(tx, who, dn)
	if err == nil && !rights.Has(clm.Read) {
		err = clm.About(dn, clm.Denied)
	}
	return path, err
}
