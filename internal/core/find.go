package core

import (
	"context"
	"strconv"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Node is an object as seen from outside the tree.
type Node struct {
	clm.Object
	Above []clm.ObjectID // the objects above it, the root first
}

// Object finds an object by its DN. It fails with Invalid or NotFound.
func (c *Core) Object(ctx context.Context, who clm.Actor, dn string) (Node, error) {
	return c.node(ctx, func(tx *store.Tx) (clm.Path, clm.Rights, error) { return find(tx, who, dn) })
}

// ObjectByID finds an object by its GUID. It fails with NotFound.
func (c *Core) ObjectByID(ctx context.Context, who clm.Actor, id clm.ObjectID) (Node, error) {
	return c.node(ctx, func(tx *store.Tx) (clm.Path, clm.Rights, error) { return findByID(tx, who, id) })
}

func (c *Core) node(ctx context.Context, find func(*store.Tx) (clm.Path, clm.Rights, error)) (n Node, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, _, err := find(tx)
		if err != nil {
			return err
		}
		n = Node{Object: *path.Last()}
		for _, o := range path[:len(path)-1] {
			n.Above = append(n.Above, o.ID)
		}
		return nil
	})
	return n, err
}

// Details is all there is to know about one certificate: unlike Retrieve, the
// version in use is given even while a new one is on its way.
type Details struct {
	Issued
}

// Details finds a certificate by its GUID. It fails with NotFound, also when the
// actor may not read it or the object is none.
func (c *Core) Details(ctx context.Context, who clm.Actor, id clm.ObjectID) (d Details, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := findByID(tx, who, id)
		if err != nil {
			return err
		}
		if !isCertificate(path) || !rights.Has(clm.Read) {
			return clm.About(string(id), clm.NotFound)
		}
		if d.Issued, err = c.inUse(tx, path); err != nil || d.Open == nil || d.Place.Current == 0 {
			return err
		}
		return c.version(tx, &d.Issued)
	})
	return d, err
}

// Filter selects certificates. Values of one field are alternatives, fields must
// all match; an empty field matches everything. Texts match whole and without
// regard to case.
type Filter struct {
	Thumbprints   []string // SHA-1, hex
	CommonNames   []string
	DNSNames      []string
	Serials       []string // hex
	Names         []string // of the objects
	Folders       []string // DNs; certificates directly in one of them
	Trees         []string // DNs; certificates anywhere below one of them
	ExpiresAfter  time.Time
	ExpiresBefore time.Time
	Disabled      *bool

	Limit  int // at most so many; zero asks for the total only
	Offset int
}

// MaxAlternatives is how many values a field of a Filter may have.
const MaxAlternatives = 500

// Page is a part of what a filter selects, in the order of the objects' GUIDs.
type Page struct {
	Found []Found
	Total int // how many the whole filter selects
}

// Found is one certificate of a page.
type Found struct {
	clm.Object
	Version *clm.Version // nil before the first was issued, or when the actor may not read it
}

// Find lists certificates that the actor may see. It fails with Invalid when a
// DN cannot be read; a folder that is not there holds nothing.
func (c *Core) Find(ctx context.Context, who clm.Actor, f Filter) (page Page, err error) {
	query := store.Filter{
		Thumbprints: f.Thumbprints, CommonNames: f.CommonNames, DNSNames: f.DNSNames, Serials: f.Serials, Names: f.Names,
		ExpiresAfter: f.ExpiresAfter, ExpiresBefore: f.ExpiresBefore, Disabled: f.Disabled, Limit: f.Limit, Offset: f.Offset,
	}
	for _, values := range [][]string{f.Thumbprints, f.CommonNames, f.DNSNames, f.Serials, f.Names, f.Folders, f.Trees} {
		if len(values) > MaxAlternatives {
			return page, clm.Fail(clm.Invalid, "values", strconv.Itoa(len(values)))
		}
	}
	if query.Folders, err = parseDNs(f.Folders); err != nil {
		return page, err
	}
	if query.Trees, err = parseDNs(f.Trees); err != nil {
		return page, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		page = Page{}
		if query.Visible, err = visible(tx, who); err != nil {
			return err
		}
		hits, total, err := tx.Find(query)
		if err != nil {
			return err
		}
		page.Total = total
		for _, hit := range hits {
			found := Found{Object: *hit.Object, Version: hit.Version}
			path, err := tx.Path(hit.Object.DN.Parent())
			if err != nil {
				return err
			}
			if !append(path[:len(path):len(path)], hit.Object).Rights(who).Has(clm.Read) {
				found.Version = nil
			}
			page.Found = append(page.Found, found)
		}
		return nil
	})
	return page, err
}

func parseDNs(texts []string) (dns []clm.DN, err error) {
	for _, text := range texts {
		dn, err := clm.ParseDN(text)
		if err != nil {
			return nil, err
		}
		dns = append(dns, dn)
	}
	return dns, nil
}

// visible says what the actor may see: nil for everything.
func visible(tx *store.Tx, who clm.Actor) (*store.Visible, error) {
	if who.Master {
		return nil, nil
	}
	folders, err := tx.Folders()
	if err != nil {
		return nil, err
	}
	var v store.Visible
	for _, folder := range folders {
		path, err := tx.Path(folder.DN)
		if err != nil {
			return nil, err
		}
		if path.Rights(who).Has(clm.View) {
			v.Folders = append(v.Folders, folder.ID)
		}
	}
	granted, err := tx.GrantedCertificates()
	if err != nil {
		return nil, err
	}
	for _, o := range granted {
		path, err := tx.Path(o.DN)
		if err != nil {
			return nil, err
		}
		if path.Rights(who).Has(clm.View) {
			v.Shown = append(v.Shown, o.ID)
		} else {
			v.Hidden = append(v.Hidden, o.ID)
		}
	}
	if len(v.Folders)+len(v.Shown)+len(v.Hidden) > store.MaxVisible {
		return nil, clm.Fail(clm.Limited, "visible", "")
	}
	return &v, nil
}
