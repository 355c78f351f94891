package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A subject that a certificate has given up while nobody looked is free again.
func TestSubjectsAreLeft(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		const zone = `\VED\Policy\Unique`
		ask := func(name, cn, unit string) error {
			done, err := r.Request(context.Background(), r.Admin, core.Request{Folder: zone, Name: name, Names: clm.Names{CommonName: cn, OrganizationalUnit: []string{unit}}, KeyAlgorithm: clm.ECC})
			if err == nil {
				await(t, r, done)
			}
			return err
		}
		unique := func(flag string) {
			r.Folder(zone, map[clm.Attr]clm.Rule{clm.UniqueSubject: {Values: []string{flag}}})
		}
		unique("1")
		check(t, ask("one", "www.example.com", "IT"))
		unique("0")
		check(t, ask("one", "www.example.com", "Shop"))
		unique("1")
		if err := ask("two", "www.example.com", "Shop"); !errors.Is(err, clm.Violation) {
			t.Errorf("got %v for the subject that it has, want %v", err, clm.Violation)
		}
		if err := ask("two", "www.example.com", "IT"); err != nil {
			t.Errorf("got %v for the subject that it has no more", err)
		}
		// Without a common name only what was judged counts, and nobody else is looked at.
		check(t, ask("three", "", "IT"))
		if err := ask("four", "", "IT"); !errors.Is(err, clm.Violation) {
			t.Errorf("got %v for a subject without a common name, want %v", err, clm.Violation)
		}
		check(t, ask("four", "", "HR"))
	})
}
