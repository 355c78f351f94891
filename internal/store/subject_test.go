package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Those that hold a certificate come in the order in which they came, not in that
// of their numbers; nobody holds a certificate without a thumbprint.
func TestHolders(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		young, old, none := clm.Version{Certificate: "a", Thumbprint: "AA"}, clm.Version{Certificate: "b", Thumbprint: "AA"}, clm.Version{Certificate: "c"}
		n.do("young", func(tx *store.Tx) error { return errors.Join(tx.AddVersion(&young), tx.AddVersion(&none)) })
		n.turn(-time.Hour)
		n.do("old", func(tx *store.Tx) error { return tx.AddVersion(&old) })
		n.look(func(tx *store.Tx) error {
			got, err := tx.Holders("AA")
			if len(got) != 2 || got[0].ID != old.ID || got[1].ID != young.ID {
				t.Errorf("got %+v", got)
			}
			nobody, err2 := tx.Holders("")
			if len(nobody) != 0 {
				t.Errorf("%d hold nothing", len(nobody))
			}
			return errors.Join(err, err2)
		})
	})
}

// A subject is another's for as long as it is written down, and what is in use
// under a common name is found in any case.
func TestSubjects(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		a := n.add(clm.ServerCertificate, `\a`)
		n.turn(time.Microsecond) // by which IDs tell what is older
		b := n.add(clm.ServerCertificate, `\b`)
		n.issue(a, clm.Version{Cert: []byte{1}}, clm.Names{CommonName: "WWW"})
		n.issue(b, clm.Version{Cert: []byte{2}}, clm.Names{CommonName: "www"})
		taken := func(want bool) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				if got, err := tx.SubjectTaken(b.ID, "cn=WWW"); got != want || err != nil {
					t.Errorf("got %v, %v; want %v", got, err, want)
				}
				return nil
			})
		}
		n.do("take", func(tx *store.Tx) error { return tx.TakeSubject(a.ID, "CN=www") })
		taken(true)
		n.do("leave", func(tx *store.Tx) error { return tx.LeaveSubject(a.ID) })
		taken(false)
		n.look(func(tx *store.Tx) error {
			got, err := tx.CertificatesNamed("Www", b.ID, 10)
			first, err2 := tx.CertificatesNamed("www", "x", 1)
			if diff := cmp.Diff([][][]byte{{{1}}, {{1}}}, [][][]byte{got, first}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return errors.Join(err, err2)
		})
	})
}
