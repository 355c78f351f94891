package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// issue gives a certificate a version in use.
func (n node) issue(o *clm.Object, v clm.Version, names clm.Names) clm.Version {
	n.t.Helper()
	v.Certificate = o.ID
	n.do("issue", func(tx *store.Tx) error {
		return errors.Join(tx.AddVersion(&v), tx.Activate(v, clm.Facts{Names: names}, time.Time{}))
	})
	return v
}

func dnsNames(names ...string) map[clm.Attr][]string { return map[clm.Attr][]string{clm.SANDNS: names} }

func isDisabled(is bool) func(*store.Cohort) bool {
	return func(k *store.Cohort) bool { return k.Disabled == is }
}

// stock is a tree to search: certificates in \Shop, below it, in its sibling
// \Shop2, one that is disabled and one that has nothing yet.
func stock(n node) {
	for _, dn := range []clm.DN{`\Shop`, `\Shop\Web`, `\Shop2`} {
		n.add(clm.Folder, dn)
	}
	for _, c := range []struct {
		dn    clm.DN
		v     clm.Version
		names clm.Names
	}{
		{`\Shop\www`, clm.Version{Thumbprint: "AA01", Serial: "01", Cert: []byte{1}, NotAfter: newYear}, clm.Names{CommonName: "WWW.Example.com", DNS: []string{"www.example.com", "Shop.example.com"}, Email: []string{"mail.example.com"}}},
		{`\Shop\Web\WWW`, clm.Version{Thumbprint: "AA02", Serial: "02", Cert: []byte{2}, NotAfter: newYear.AddDate(0, 1, 0)}, clm.Names{CommonName: "www.example.com"}},
		{`\Shop2\LÄDEN`, clm.Version{Thumbprint: "AA03", Serial: "03", Cert: []byte{3}, NotAfter: newYear.AddDate(0, 2, 0)}, clm.Names{CommonName: "läden.example.com", DNS: []string{"shop.example.com"}}},
	} {
		n.issue(n.add(clm.ServerCertificate, c.dn), c.v, c.names)
	}
	n.do("off", func(tx *store.Tx) error {
		return put(tx, &clm.Object{DN: `\Shop2\off`, Class: clm.DeviceCertificate, Own: map[clm.Attr][]string{clm.Off: {"1"}}})
	})
	n.add(clm.ServerCertificate, `\Shop\new`)
}

// Each filter finds what it says and nothing else; all that are given must match.
func TestFind(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		stock(n)
		www, www2, laden, off, fresh := `\Shop\www`, `\Shop\Web\WWW`, `\Shop2\LÄDEN`, `\Shop2\off`, `\Shop\new`
		ids := map[string]clm.ObjectID{}
		n.look(func(tx *store.Tx) error {
			for _, dn := range []string{`\Shop`, `\Shop\Web`, `\Shop2`, www, www2, laden, off, fresh} {
				path, err := tx.Path(clm.DN(dn))
				if err != nil {
					return err
				}
				ids[dn] = path.Last().ID
			}
			return nil
		})
		for _, test := range []struct {
			name   string
			filter store.Filter
			want   []string
		}{
			{"everything", store.Filter{}, []string{fresh, off, laden, www2, www}},
			{"thumbprint", store.Filter{Thumbprints: []string{"aa01"}}, []string{www}},
			{"one of two thumbprints", store.Filter{Thumbprints: []string{"AA01", "AA03", "FFFF"}}, []string{laden, www}},
			{"serial number", store.Filter{Serials: []string{"02"}}, []string{www2}},
			{"common name, in any case", store.Filter{CommonNames: []string{"WWW.EXAMPLE.com"}}, []string{www2, www}},
			{"common name beyond ASCII", store.Filter{CommonNames: []string{"LÄDEN.example.com"}}, []string{laden}},
			{"part of a common name", store.Filter{CommonNames: []string{"www"}}, nil},
			{"DNS name", store.Filter{SANs: dnsNames("SHOP.example.com")}, []string{laden, www}},
			{"a DNS name is not an e-mail address", store.Filter{SANs: dnsNames("mail.example.com")}, nil},
			{"name of the object", store.Filter{Names: []string{"www"}}, []string{www2, www}},
			{"name of the object beyond ASCII", store.Filter{Names: []string{"läden"}}, []string{laden}},
			{"end of a name", store.Filter{Names: []string{"ww"}}, nil},
			{"a name longer than some DNs", store.Filter{Names: []string{"Shop2-Shop2-Shop2-Shop2-off"}}, nil},
			{"in a folder", store.Filter{Folders: []clm.DN{`\SHOP`}}, []string{fresh, www}},
			{"in one of two folders", store.Filter{Folders: []clm.DN{`\Shop`, `\Shop\Web`}}, []string{fresh, www2, www}},
			{"in a folder that is not there", store.Filter{Folders: []clm.DN{`\Shop3`}}, nil},
			{"below a folder, not below its sibling", store.Filter{Trees: []clm.DN{`\shop`}}, []string{fresh, www2, www}},
			{"below one of two folders", store.Filter{Trees: []clm.DN{`\Shop\Web`, `\Shop2`}}, []string{off, laden, www2}},
			{"below a certificate", store.Filter{Trees: []clm.DN{`\Shop\www`}}, nil},
			{"expires after", store.Filter{Ends: store.Span{After: newYear}}, []string{laden, www2}},
			{"expires before; what has no end does not", store.Filter{Ends: store.Span{Before: newYear.AddDate(0, 1, 0)}}, []string{www}},
			{"expires between", store.Filter{Ends: store.Span{After: newYear, Before: newYear.AddDate(0, 1, 1)}}, []string{www2}},
			{"disabled", store.Filter{Match: isDisabled(true)}, []string{off}},
			{"not disabled", store.Filter{Match: isDisabled(false)}, []string{fresh, laden, www2, www}},
			{"all must match", store.Filter{CommonNames: []string{"www.example.com"}, Trees: []clm.DN{`\Shop\Web`}}, []string{www2}},
			{"nothing matches all", store.Filter{CommonNames: []string{"www.example.com"}, Trees: []clm.DN{`\Shop2`}}, nil},
			{"who sees nothing", store.Filter{Visible: &store.Visible{}}, nil},
			{"who sees a folder", store.Filter{Visible: &store.Visible{Folders: map[clm.ObjectID]bool{ids[`\Shop`]: true}}}, []string{fresh, www}},
			{"but for what is hidden", store.Filter{Visible: &store.Visible{Folders: map[clm.ObjectID]bool{ids[`\Shop`]: true}, Hidden: map[clm.ObjectID]bool{ids[www]: true}}}, []string{fresh}},
			{"and what is shown elsewhere", store.Filter{Visible: &store.Visible{Folders: map[clm.ObjectID]bool{ids[`\Shop\Web`]: true}, Shown: map[clm.ObjectID]bool{ids[off]: true}, Hidden: map[clm.ObjectID]bool{ids[laden]: true}}}, []string{off, www2}},
			{"visible and selected", store.Filter{Visible: &store.Visible{Folders: map[clm.ObjectID]bool{ids[`\Shop`]: true}}, CommonNames: []string{"www.example.com"}}, []string{www}},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.filter.Limit = 100
				n.look(func(tx *store.Tx) error {
					hits, total, err := tx.Find(test.filter)
					slices.Sort(test.want)
					if diff := cmp.Diff(test.want, dns(hits)); diff != "" || total != len(test.want) {
						t.Errorf("total %d (-want +got):\n%s", total, diff)
					}
					return err
				})
			})
		}
	})
}

// dns lists the DNs of what was found, sorted.
func dns(hits []store.Hit) (list []string) {
	for _, h := range hits {
		list = append(list, string(h.Object.DN))
	}
	slices.Sort(list)
	return list
}

// What is found comes with its version in use, if it has one.
func TestFindBringsTheVersion(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		stock(n)
		n.look(func(tx *store.Tx) error {
			hits, _, err := tx.Find(store.Filter{Folders: []clm.DN{`\Shop`}, Limit: 10})
			for _, h := range hits {
				if (h.Version != nil) != (h.Object.DN == `\Shop\www`) || h.Version != nil && h.Version.Thumbprint != "AA01" {
					t.Errorf("got %+v with %s", h.Version, h.Object.DN)
				}
			}
			return err
		})
	})
}

// Pages follow one another in one order, without gaps, and all know the total.
func TestPages(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		stock(n)
		n.look(func(tx *store.Tx) error {
			all, _, err := tx.Find(store.Filter{Limit: 100})
			if err != nil || len(all) != 5 {
				t.Fatalf("got %d, %v", len(all), err)
			}
			if !slices.IsSortedFunc(all, func(a, b store.Hit) int { return cmpID(a.Object.ID, b.Object.ID) }) {
				t.Error("they are not in the order of their IDs")
			}
			for limit := 1; limit <= 6; limit++ {
				for offset := range 7 {
					page, total, err := tx.Find(store.Filter{Limit: limit, Offset: offset})
					want := all[min(offset, 5):min(offset+limit, 5)]
					if diff := cmp.Diff(ids(want), ids(page)); diff != "" || total != 5 || err != nil {
						t.Errorf("limit %d, offset %d: total %d, %v (-want +got):\n%s", limit, offset, total, err, diff)
					}
				}
			}
			if page, total, err := tx.Find(store.Filter{}); len(page) != 0 || total != 5 || err != nil {
				t.Errorf("without a limit: got %d of %d, %v; want the total only", len(page), total, err)
			}
			return nil
		})
	})
}

func cmpID(a, b clm.ObjectID) int {
	if a < b {
		return -1
	}
	return 1
}

func ids(hits []store.Hit) []clm.ObjectID {
	list := []clm.ObjectID{}
	for _, h := range hits {
		list = append(list, h.Object.ID)
	}
	return list
}

// A certificate is found by what its version in use says, and no longer by what
// an earlier one said.
func TestFindKnowsTheVersionInUse(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := n.add(clm.ServerCertificate, `\a`)
		first := clm.Names{CommonName: "first", DNS: []string{"first", "both", "BOTH"}}
		second := clm.Names{CommonName: "second", DNS: []string{"both", "second"}}
		found := func(f store.Filter) (is bool) {
			n.look(func(tx *store.Tx) error {
				_, total, err := tx.Find(f)
				is = total == 1
				return err
			})
			return is
		}
		name := func(s string) store.Filter { return store.Filter{CommonNames: []string{s}} }
		dns := func(s string) store.Filter { return store.Filter{SANs: dnsNames(s)} }
		n.issue(o, clm.Version{Thumbprint: "01", NotAfter: newYear}, first)
		for range 2 { // the second time with the same names
			n.issue(o, clm.Version{Thumbprint: "02", NotAfter: newYear.AddDate(1, 0, 0)}, second)
			for what, want := range map[string]struct {
				filter store.Filter
				want   bool
			}{
				"old common name": {name("first"), false}, "new common name": {name("second"), true},
				"old DNS name": {dns("first"), false}, "new DNS name": {dns("second"), true}, "DNS name of both": {dns("both"), true},
				"old thumbprint": {store.Filter{Thumbprints: []string{"01"}}, false}, "new thumbprint": {store.Filter{Thumbprints: []string{"02"}}, true},
				"old end": {store.Filter{Ends: store.Span{Before: newYear.AddDate(0, 1, 0)}}, false}, "new end": {store.Filter{Ends: store.Span{After: newYear}}, true},
			} {
				if got := found(want.filter); got != want.want {
					t.Errorf("by its %s: got %v, want %v", what, got, want.want)
				}
			}
		}
		n.issue(o, clm.Version{Thumbprint: "03", NotAfter: newYear}, first)
		if !found(name("first")) || found(name("second")) || !found(dns("first")) || found(dns("second")) {
			t.Error("back to the first names it is not found by them")
		}
	})
}

// A change of the object is known to the filter of disabled ones.
func TestFindKnowsWhatWasDisabled(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := *n.add(clm.ServerCertificate, `\a`)
		for _, off := range []bool{true, false, true} {
			o.Own = map[clm.Attr][]string{clm.Off: {map[bool]string{true: "1", false: "0"}[off]}}
			n.do("save", func(tx *store.Tx) error { return tx.SaveObject(&o) })
			n.look(func(tx *store.Tx) error {
				if _, total, err := tx.Find(store.Filter{Match: isDisabled(off)}); total != 1 || err != nil {
					t.Errorf("disabled %v: got %d, %v", off, total, err)
				}
				return nil
			})
		}
	})
}

// A page that is read in several parts is whole and in order.
func TestLongPagesAreWhole(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const many = 2*200 + 5
		n.add(clm.Folder, `\Bulk`)
		for i := range many {
			n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\Bulk\c%d`, i)))
		}
		n.look(func(tx *store.Tx) error {
			hits, total, err := tx.Find(store.Filter{Limit: many})
			if len(hits) != many || total != many {
				t.Errorf("got %d hits of %d, want %d", len(hits), total, many)
			}
			for i, hit := range hits {
				if hit.Object == nil || hit.Version != nil || i > 0 && hits[i-1].Object.ID >= hit.Object.ID {
					t.Fatalf("hit %d is missing, out of order or has a version: %+v", i, hit)
				}
			}
			return err
		})
	})
}

// Who asks for page after page misses nothing and sees nothing twice, although
// certificates before the page come and go. Who begins anew sees how it is now.
func TestPagesGoOn(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\Shop`)
		var objects []*clm.Object
		for i := range 7 {
			n.turn(time.Second)
			objects = append(objects, n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\Shop\c%d`, i))))
		}
		page := func(offset int, want ...int) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				hits, _, err := tx.Find(store.Filter{Trees: []clm.DN{`\Shop`}, Key: "k", Offset: offset, Limit: 2})
				wanted := []clm.ObjectID{}
				for _, i := range want {
					wanted = append(wanted, objects[i].ID)
				}
				if diff := cmp.Diff(wanted, ids(hits)); diff != "" {
					t.Errorf("offset %d (-want +got):\n%s", offset, diff)
				}
				return err
			})
		}
		page(0, 0, 1)
		n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(objects[0]) })
		page(2, 2, 3)
		page(4, 4, 5)
		page(0, 1, 2)
		page(1, 2, 3)
		n.turn(time.Hour)
		page(4, 5, 6)
	})
}
