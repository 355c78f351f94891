package core

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Node is an object as seen from outside the tree: its values have DNs where it refers
// to others.
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
		if err == nil {
			n, err = nodeAt(tx, path)
		}
		return err
	})
	return n, err
}

// nodeAt is the last object of the path as seen from outside.
func nodeAt(tx *store.Tx, path clm.Path) (n Node, err error) {
	n = Node{Object: *path.Last()}
	for _, o := range path[:len(path)-1] {
		n.Above = append(n.Above, o.ID)
	}
	if n.Own, err = dereferredOwn(tx, n.Own); err != nil || len(n.Policy) == 0 {
		return n, err
	}
	n.Policy = copyOf(n.Policy)
	for key, rule := range n.Policy {
		if rule.Values, err = dereferred(tx, rule.Values); err != nil {
			return n, err
		}
		n.Policy[key] = rule
	}
	return n, nil
}

// Details is all there is to know about one certificate: unlike Retrieve, the
// version in use is given even while a new one is on its way.
type Details struct {
	Issued
	Fields    []FieldSetting // the custom fields that have a value
	Consumers []clm.DN       // the applications that use it, in the order in which they came
	Authority clm.Setting    // the template that the next certificate is ordered by

	Revocation clm.Revocation // of the version in use
	Refusal    string         // why it could not be revoked
	Key        KeyState       // how the private key stands to it
	Installing Installing     // how it comes to its applications
	Validation Validations    // whether it is where it should be in use; without the places
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
		if d.Fields, err = fieldsOf(tx, path, false); err != nil {
			return err
		}
		if d.Consumers, err = consumersOf(tx, who, path.Last()); err != nil {
			return err
		}
		if d.Authority, err = dereferredSetting(tx, path.Value(clm.IssuedBy)); err != nil {
			return err
		}
		if d.Issued, err = c.inUse(tx, path); err != nil || d.Place.Current == 0 {
			return err
		}
		if d.Open != nil {
			if err := d.read(tx, d.Place.Current); err != nil {
				return err
			}
		}
		if d.Revocation, err = tx.Revocation(d.Place.Current); err != nil {
			return err
		}
		if d.Refusal, err = refusalOf(tx, d.Version, d.Revocation); err != nil {
			return err
		}
		if d.Installing, err = installing(tx, path.Last().ID); err != nil {
			return err
		}
		if d.Validation, err = validationOf(tx, path.Last().ID); err != nil {
			return err
		}
		_, d.Key, err = keyHolder(tx, path.Last(), d.Version)
		if err == nil && len(path.Last().Own[clm.KeyHolder]) > 0 {
			d.Key, err = c.keyState(tx, path.Last(), d.Version)
		}
		return err
	})
	return d, err
}

// Filter selects certificates. Values of one field are alternatives, fields must
// all match; an empty field matches everything. Texts match whole and without
// regard to case.
type Filter struct {
	// What the certificate in use says.
	Thumbprints         []string // SHA-1, hex
	Serials             []string // hex
	CommonNames         []string
	SANs                map[clm.Attr][]string // by kind: clm.SANDNS and its like
	Countries           []string
	Provinces           []string
	Localities          []string
	Organizations       []string
	Units               []string // one of the certificate's
	Issuers             []string // whole names
	SignatureAlgorithms []string
	KeyAlgorithms       []string
	KeySizes            []int
	KeySizeAbove        *int
	KeySizeBelow        *int
	Keys                []KeySizeOf // algorithms, each with a size
	SelfSigned          *bool
	Wildcard            *bool
	Begins, Ends        Span

	// What holds for the object.
	Names           []string
	Classes         []clm.Class
	Folders         []string // DNs; directly in one of them
	Trees           []string // DNs; anywhere below one of them
	Created         Span
	Disabled        *bool
	ManagementTypes []string // as they hold, wherever they are set

	// How its open work stands.
	Stages  []clm.Stage // NotBegun is one of them
	InError *bool
	Gated   *bool // it waits for somebody's yes

	// How it was found where it should be in use.
	Seen       []ValidationState
	Leaf       LeafSeen  // something of this was said of it at one place
	Chain      ChainSeen // something of this was said of its chain at one place
	Versions   []uint16  // of TLS, as crypto/tls has them, of which one place speaks one
	NoLook     *bool     // services are not to be looked at for its sake: its own attribute says so
	NoValidate *bool     // nor is anything else

	Nothing bool // there is a condition that no certificate satisfies
	Limit   int  // at most so many; zero asks for the total only
	Offset  int
}

// A Span is a part of time.
type Span = store.Span

// NotBegun is where work stands that nobody has begun.
const NotBegun = store.NotBegun

// KeySizeOf is a kind of key.
type KeySizeOf struct {
	Algorithm string
	Size      int
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
	for _, values := range append(slices.Collect(maps.Values(f.SANs)), f.Thumbprints, f.Serials, f.CommonNames, f.Names, f.Folders, f.Trees) {
		if len(values) > MaxAlternatives {
			return page, clm.Fail(clm.Invalid, "values", strconv.Itoa(len(values)))
		}
	}
	query := store.Filter{
		Thumbprints: f.Thumbprints, Serials: f.Serials, CommonNames: f.CommonNames, SANs: f.SANs, Names: f.Names,
		Begins: f.Begins, Ends: f.Ends, Created: f.Created, Stages: f.Stages, InError: f.InError, Gated: f.Gated,
		Leaf: uint32(f.Leaf), Chain: uint32(f.Chain), Versions: f.Versions, NoLook: f.NoLook, NoValidate: f.NoValidate,
		Limit: f.Limit, Offset: f.Offset,
	}
	for _, state := range f.Seen {
		query.Seen = append(query.Seen, int(state))
	}
	if query.Folders, err = parseDNs(f.Folders); err != nil {
		return page, err
	}
	if query.Trees, err = parseDNs(f.Trees); err != nil {
		return page, err
	}
	if query.Key, err = f.key(who); err != nil || f.Nothing {
		return page, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		page = Page{}
		folders, err := tx.Folders()
		if err != nil {
			return err
		}
		query.Match = f.match(folders)
		if query.Visible, err = visible(tx, who, folders); err != nil {
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

// key names what is selected and for whom: it is the same for every page.
func (f Filter) key(who clm.Actor) (string, error) {
	f.Limit, f.Offset = 0, 0
	text, err := json.Marshal([]any{f, who})
	return string(text), err
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

// match is the part of the filter that many certificates have in common; nil
// where there is none.
func (f Filter) match(folders []store.FolderPath) func(*store.Cohort) bool {
	var all []func(*store.Cohort) bool
	for _, by := range []struct {
		wanted []string
		has    func(*store.Cohort) string
	}{
		{f.Countries, func(k *store.Cohort) string { return k.Country }},
		{f.Provinces, func(k *store.Cohort) string { return k.Province }},
		{f.Localities, func(k *store.Cohort) string { return k.Locality }},
		{f.Organizations, func(k *store.Cohort) string { return k.Organization }},
		{f.Issuers, func(k *store.Cohort) string { return k.Issuer }},
		{f.KeyAlgorithms, func(k *store.Cohort) string { return k.KeyAlgorithm }},
		{f.SignatureAlgorithms, func(k *store.Cohort) string { return k.SignatureAlgorithm }},
		{f.ManagementTypes, managements(folders)},
	} {
		if wanted := lower(by.wanted); len(wanted) > 0 {
			all = append(all, func(k *store.Cohort) bool { return slices.Contains(wanted, by.has(k)) })
		}
	}
	for _, by := range []struct {
		wanted *bool
		has    func(*store.Cohort) bool
	}{
		{f.Disabled, func(k *store.Cohort) bool { return k.Disabled }},
		{f.SelfSigned, func(k *store.Cohort) bool { return k.SelfSigned }},
		{f.Wildcard, func(k *store.Cohort) bool { return k.Wildcard }},
	} {
		if by.wanted != nil {
			all = append(all, func(k *store.Cohort) bool { return by.has(k) == *by.wanted })
		}
	}
	if units := lower(f.Units); len(units) > 0 {
		all = append(all, func(k *store.Cohort) bool {
			return slices.ContainsFunc(k.Units, func(u string) bool { return slices.Contains(units, u) })
		})
	}
	if len(f.Classes) > 0 {
		all = append(all, func(k *store.Cohort) bool { return slices.Contains(f.Classes, k.Class) })
	}
	if len(f.KeySizes) > 0 || f.KeySizeAbove != nil || f.KeySizeBelow != nil {
		all = append(all, func(k *store.Cohort) bool {
			return k.KeySize > 0 && (len(f.KeySizes) == 0 || slices.Contains(f.KeySizes, k.KeySize)) &&
				(f.KeySizeAbove == nil || k.KeySize > *f.KeySizeAbove) && (f.KeySizeBelow == nil || k.KeySize < *f.KeySizeBelow)
		})
	}
	if len(f.Keys) > 0 {
		all = append(all, func(k *store.Cohort) bool {
			return slices.ContainsFunc(f.Keys, func(w KeySizeOf) bool { return w.Size == k.KeySize && strings.EqualFold(w.Algorithm, k.KeyAlgorithm) })
		})
	}
	if len(all) == 0 {
		return nil
	}
	return func(k *store.Cohort) bool {
		for _, matches := range all {
			if !matches(k) {
				return false
			}
		}
		return true
	}
}

func lower(texts []string) []string {
	changed := make([]string, len(texts))
	for i, text := range texts {
		changed[i] = strings.ToLower(text)
	}
	return changed
}

// managements finds the management type that holds for certificates of a cohort,
// once for all of a folder that are alike.
func managements(folders []store.FolderPath) func(*store.Cohort) string {
	type kind struct {
		folder clm.ObjectID
		class  clm.Class
		own    string
	}
	paths, known := map[clm.ObjectID]clm.Path{}, map[kind]string{}
	return func(k *store.Cohort) string {
		if len(paths) == 0 {
			for _, folder := range folders {
				paths[folder.Last().ID] = folder.Path
			}
		}
		of := kind{k.Folder, k.Class, k.Management}
		holds, ok := known[of]
		if !ok {
			var own []string
			if k.Management != "" {
				own = []string{k.Management}
			}
			holds = strings.ToLower(cmp.Or(paths[k.Folder].ValueFor(k.Class, clm.ManagementType, own...).First(), clm.Enrollment))
			known[of] = holds
		}
		return holds
	}
}

// visible says what the actor may see: nil for everything.
func visible(tx *store.Tx, who clm.Actor, folders []store.FolderPath) (*store.Visible, error) {
	return visibleWith(tx, who, folders, clm.View)
}

// visibleWith says on which certificates the actor has the rights: nil for all.
func visibleWith(tx *store.Tx, who clm.Actor, folders []store.FolderPath, rights clm.Rights) (*store.Visible, error) {
	if who.Master {
		return nil, nil
	}
	v := store.Visible{Folders: map[clm.ObjectID]bool{}, Shown: map[clm.ObjectID]bool{}, Hidden: map[clm.ObjectID]bool{}}
	for _, folder := range folders {
		if folder.Rights(who).Has(rights) {
			v.Folders[folder.Last().ID] = true
		}
	}
	granted, err := tx.GrantedCertificates()
	if err != nil {
		return nil, err
	}
	for _, o := range granted {
		above, err := tx.Path(o.DN.Parent())
		if err != nil {
			return nil, err
		}
		if append(above[:len(above):len(above)], o).Rights(who).Has(rights) {
			v.Shown[o.ID] = true
		} else {
			v.Hidden[o.ID] = true
		}
	}
	return &v, nil
}
