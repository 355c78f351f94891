package store_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// What is learnt about a version is kept, part by part.
func TestVersionsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := n.add(clm.ServerCertificate, `\a`)
		first, second := clm.Version{Certificate: o.ID}, clm.Version{Certificate: o.ID, UserCSR: true, CSR: []byte{1}, KeyHash: []byte{2}}
		n.do("add", func(tx *store.Tx) error { return errors.Join(tx.AddVersion(&first), tx.AddVersion(&second)) })
		if second.ID <= first.ID {
			t.Errorf("got version %d after %d", second.ID, first.ID)
		}
		first.Sealed, first.CSR, first.KeyHash, first.Authority, first.Ref = []byte{3}, []byte{4}, []byte{5}, "ca", "order 7"
		first.Cert, first.Chain, first.Thumbprint, first.Serial = []byte{6}, []byte{7}, "AA", "BB"
		first.NotBefore, first.NotAfter = newYear, newYear.Add(time.Microsecond)
		n.do("save", func(tx *store.Tx) error { return tx.SaveVersion(first) })
		n.look(func(tx *store.Tx) error {
			got, err := tx.Versions(o.ID)
			for i := range got {
				if len(got[i].Chain) == 0 {
					got[i].Chain = nil
				}
			}
			if diff := cmp.Diff([]clm.Version{first, second}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := tx.Version(1); !errors.Is(err, clm.NotFound) {
				t.Errorf("got %v for no version, want NotFound", err)
			}
			return err
		})
	})
}

// A key has been seen when a certificate was issued for it or another place has
// asked for one; what the place itself asked for in vain does not count.
func TestKeySeen(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		asked, issued := []byte("asked"), []byte("issued")
		n.do("add", func(tx *store.Tx) error {
			return errors.Join(
				tx.AddVersion(&clm.Version{Certificate: "here", KeyHash: asked}),
				tx.AddVersion(&clm.Version{Certificate: "here", KeyHash: issued, Cert: []byte{1}}))
		})
		for _, test := range []struct {
			name  string
			hash  []byte
			place clm.ObjectID
			want  bool
		}{
			{"a new key", []byte("new"), "here", false},
			{"a key that this place has asked for", asked, "here", false},
			{"a key that another place has asked for", asked, "there", true},
			{"a key that this place has a certificate for", issued, "here", true},
			{"a key that another place has a certificate for", issued, "there", true},
		} {
			n.look(func(tx *store.Tx) error {
				if got, err := tx.KeySeen(test.hash, test.place); got != test.want || err != nil {
					t.Errorf("%s: got %v, %v; want %v", test.name, got, err, test.want)
				}
				return nil
			})
		}
	})
}

// A chain is found again by its first link, however many chains share links, and
// what came to nothing is not remembered.
func TestChains(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		root, one, two := []byte("root"), []byte("one"), []byte("two")
		n.Write(context.Background(), store.Entry{Action: "fail"}, func(tx *store.Tx) error {
			print, err := tx.SaveChain([][]byte{one, two})
			if chain, err2 := tx.Chain(print); err != nil || err2 != nil || len(chain) != 2 {
				t.Errorf("got %q, %v, %v", chain, err, err2)
			}
			return clm.Denied
		})
		for _, chain := range [][][]byte{{one, root}, {two, root}, {root}, {one, root}} {
			var print []byte
			n.do("save", func(tx *store.Tx) (err error) { print, err = tx.SaveChain(chain); return err })
			for range 2 { // the second time it may be remembered
				n.look(func(tx *store.Tx) error {
					got, err := tx.Chain(print)
					if diff := cmp.Diff(chain, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					return err
				})
			}
		}
		n.look(func(tx *store.Tx) error {
			if chain, err := tx.Chain(nil); len(chain) != 0 || err != nil {
				t.Errorf("got %q, %v for no chain", chain, err)
			}
			if _, err := tx.Chain([]byte("unknown")); !errors.Is(err, clm.NotFound) {
				t.Errorf("got %v for an unknown chain, want NotFound", err)
			}
			return nil
		})
	})
}

// An issuer's name is given once.
func TestIssuers(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		for i, want := range []bool{true, false} {
			n.do("add", func(tx *store.Tx) error {
				added, err := tx.AddIssuer(store.Issuer{Name: "rsa", Fingerprint: []byte{1}, Sealed: []byte{byte(i)}})
				if added != want {
					t.Errorf("try %d: added %v, want %v", i, added, want)
				}
				return err
			})
		}
		n.do("reseal", func(tx *store.Tx) error { return tx.ResealIssuer("rsa", []byte{9}) })
		n.look(func(tx *store.Tx) error {
			got, err := tx.Issuers()
			if diff := cmp.Diff([]store.Issuer{{Name: "rsa", Fingerprint: []byte{1}, Sealed: []byte{9}}}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return err
		})
	})
}

// Resealing goes through every sealed key once, in batches, leaves alone what
// needs nothing, and goes on where it had got to.
func TestResealVersions(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const many = 7
		n.do("add", func(tx *store.Tx) error {
			for i := range many {
				v := clm.Version{Certificate: "a"}
				if i != 3 {
					v.Sealed = []byte{byte(i)}
				}
				if err := tx.AddVersion(&v); err != nil {
					return err
				}
			}
			return nil
		})
		seen := map[clm.VersionID]int{}
		for after, first := clm.VersionID(0), true; first || after != 0; first = false {
			n.do("reseal", func(tx *store.Tx) (err error) {
				after, err = tx.ResealVersions(after, 3, func(id clm.VersionID, sealed []byte) ([]byte, error) {
					seen[id]++
					if sealed[0] == 5 {
						return nil, nil
					}
					return append(bytes.Clone(sealed), 'x'), nil
				})
				return err
			})
		}
		n.look(func(tx *store.Tx) error {
			versions, err := tx.Versions("a")
			for i, v := range versions {
				want := []byte{byte(i), 'x'}
				switch i {
				case 3:
					want = nil
				case 5:
					want = []byte{5}
				}
				if !bytes.Equal(v.Sealed, want) || seen[v.ID] != len(want[:min(1, len(want))]) {
					t.Errorf("version %d: got %q, seen %d times; want %q", i, v.Sealed, seen[v.ID], want)
				}
			}
			return err
		})
	})
}
