package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// validate has the certificate looked for at the time.
func (n node) validate(id clm.ObjectID, at time.Time) {
	n.t.Helper()
	n.do("validate", func(tx *store.Tx) error { return tx.ValidateBy(id, at) })
}

// rounds claims all rounds that are due and wants them to be those of the certificates.
func (n node) rounds(want ...clm.ObjectID) []store.ValidationRound {
	n.t.Helper()
	got, err := n.ClaimValidations(context.Background(), 10, time.Minute)
	if err != nil {
		n.t.Fatal(err)
	}
	var ids []clm.ObjectID
	for _, v := range got {
		ids = append(ids, v.Certificate)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, want) {
		n.t.Fatalf("got %v, want %v", ids, want)
	}
	return got
}

// seen is what is known of the certificate.
func (n node) seen(id clm.ObjectID) (v store.ValidationRound, all []store.Validation) {
	n.t.Helper()
	n.look(func(tx *store.Tx) (err error) {
		if v, err = tx.ValidationRound(id); err == nil {
			all, err = tx.Validations(id)
		}
		return err
	})
	return v, all
}

// A certificate is due at the earliest time that anybody has asked for, nobody else's
// while it is claimed, and due again where the claim has run out.
func TestClaimValidations(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.validate("a", n.Now().Add(time.Hour))
		n.validate("a", n.Now().Add(2*time.Hour))
		n.rounds()
		n.turn(90 * time.Minute)
		n.validate("b", n.Now())
		n.rounds("a", "b")
		n.rounds()
		n.turn(2 * time.Minute)
		n.rounds("a", "b")
		n.validate("b", n.Now())
		n.rounds("b")
	})
}

// What was seen stands in place of what was seen before, all of it; since when it is so
// stays while it is so.
func TestSaveValidation(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		places := []store.Validation{
			{
				Number: 1, Applications: []clm.ObjectID{"x", "y"}, Names: []string{"www.example.com"}, Host: "www.example.com", Address: "192.0.2.1", Port: 443,
				Chain: 1 << 31, Leaf: 2, Versions: []uint16{771, 772}, At: n.Now(),
			},
			{Number: 2, File: true, Applications: []clm.ObjectID{"x"}, Said: "nothing", Leaf: 32, At: n.Now()},
		}
		n.validate("a", n.Now())
		first := n.rounds("a")[0]
		first.Last, first.State = n.Now(), 1
		before := len(n.outcomes(""))
		if err := n.KeepValidation(context.Background(), first, places, n.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := len(n.outcomes("")); got != before {
			t.Errorf("there are %d more entries", got-before)
		}
		got, all := n.seen("a")
		if diff := cmp.Diff(places, all, cmpopts.EquateEmpty()); diff != "" || !got.Last.Equal(first.Last) || !got.Since.Equal(first.Last) || got.State != 1 {
			t.Errorf("got %+v, want (-), got (+):\n%s", got, diff)
		}
		n.rounds()
		n.turn(2 * time.Hour)
		for n2, state := range []int{1, 2} {
			again := n.rounds("a")[0]
			again.Last, again.State = n.Now(), state
			n.do("validate", func(tx *store.Tx) error { return tx.SaveValidation(again, places[1:], n.Now().Add(time.Hour)) })
			got, all = n.seen("a")
			if since := []time.Time{first.Last, again.Last}[n2]; len(all) != 1 || !got.Since.Equal(since) || !got.Last.Equal(again.Last) {
				t.Errorf("got %+v, %+v; want it since %s", got, all, since)
			}
			n.turn(2 * time.Hour)
		}
	})
}

// Who asks while somebody looks is heard, whatever comes of the look.
func TestAskedForWhileLooking(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(n node, v store.ValidationRound, next time.Time) error{
		"saved": func(n node, v store.ValidationRound, next time.Time) error {
			return n.KeepValidation(ctx, v, nil, next)
		},
		"put off": func(n node, v store.ValidationRound, next time.Time) error { return n.PutValidationOff(ctx, v, next) },
		"ended":   func(n node, v store.ValidationRound, _ time.Time) error { return n.EndValidation(ctx, v) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, n node) {
				n.validate("a", n.Now())
				n.validate("b", n.Now())
				looking := n.rounds("a", "b")
				n.validate("a", n.Now())
				for _, v := range looking {
					v.Last = n.Now()
					if err := end(n, v, n.Now().Add(time.Hour)); err != nil {
						t.Fatal(err)
					}
				}
				n.rounds("a")
				n.turn(61 * time.Minute)
				if name == "ended" {
					n.rounds("a")
				} else {
					n.rounds("a", "b")
				}
			})
		})
	}
}

// Of what nobody looks for any more nothing is written down.
func TestSaveEndedValidation(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		ctx := context.Background()
		n.validate("a", n.Now())
		v := n.rounds("a")[0]
		v.Last = n.Now()
		if err := n.EndValidation(ctx, v); err != nil {
			t.Fatal(err)
		}
		if err := n.KeepValidation(ctx, v, []store.Validation{{Number: 1}}, n.Now()); err != nil {
			t.Fatal(err)
		}
		if got, all := n.seen("a"); !got.Last.IsZero() || len(all) != 0 {
			t.Errorf("got %+v, %+v", got, all)
		}
		n.rounds()
	})
}

// What is due is found without reading the whole table.
func TestDueValidationsAreLookedUp(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.do("fill", func(tx *store.Tx) error {
			for i := range 3000 {
				if err := tx.ValidateBy(clm.ObjectID(fmt.Sprint(i)), n.Now().Add(time.Hour)); err != nil {
					return err
				}
			}
			return nil
		})
		n.look(func(tx *store.Tx) error {
			plans, err := tx.Explain(func(tx *store.Tx) error {
				_, err := tx.DueValidations(n.Now(), 10)
				return err
			})
			for query, plan := range plans {
				if strings.Contains(query, "validation_rounds") && !strings.Contains(plan, "validation_rounds_due") {
					t.Errorf("%s\n%s", query, plan)
				}
			}
			return err
		})
	})
}

// Certificates that are used when an older release is upgraded are looked for.
func TestUpgradeLooksForCertificates(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		old, err := store.MigrateTo(ctx, d.Address, 5)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range []struct{ dn, class, own string }{
			{`\a`, "server-certificate", `{"consumers":["x"]}`}, {`\b`, "server-certificate", `{"common-name":["consumers"]}`}, {`\c`, "device", `{"consumers":["x"]}`},
		} {
			_, err := old.ExecContext(ctx, "INSERT INTO objects (id, number, parent, dn, dn_key, class, own, policy, grants, created, revision) VALUES ($1, $2, '', $3, $4, $5, $6, '', '', 0, 1)",
				o.dn, 100+i, o.dn, []byte(clm.DN(o.dn).Key()), o.class, o.own)
			if err != nil {
				t.Fatal(err)
			}
		}
		old.Close()
		open(t, d).rounds(`\a`)
	})
}
