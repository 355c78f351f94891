package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// What objects of an older release say by the vendor's names they say by ours since
// those have a meaning; what has none, and values that only look like names, stay.
func TestAttributesGetTheirNames(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		old, err := store.MigrateTo(ctx, d.Address, 5)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range []struct{ dn, class, own, policy string }{
			{`\Web`, "device",
				`{"description":["\"tpp:Timeout\":[\"1\"]"],"host":["web"],"tpp:Credential":["@x"],"tpp:File Owner: User":["root"],"tpp:Notes":["tpp:Timeout"],"tpp:Timeout":["10"]}`,
				`[{"class":"application/apache","attr":"tpp:Key Store Credential","values":["\"attr\":\"tpp:Timeout\""],"locked":true},{"class":"application/jks","attr":"tpp:Key Store","values":["/k"]},{"class":"device","attr":"tpp:Notes","values":["x"]}]`},
			{`\Login`, "credential/passwordcredential", `{"tpp:Username":["bob"],"tpp:Vault Id":["7"]}`, ""},
			{`\Plain`, "folder", "", ""},
		} {
			_, err := old.ExecContext(ctx, "INSERT INTO objects (id, number, parent, dn, dn_key, class, own, policy, grants, created, revision) VALUES ($1, $2, '', $3, $4, $5, $6, $7, '', 0, 1)",
				o.dn, 100+i, o.dn, []byte(clm.DN(o.dn).Key()), o.class, o.own, o.policy)
			if err != nil {
				t.Fatal(err)
			}
		}
		old.Close()
		n := open(t, d)
		type said struct {
			Own    map[clm.Attr][]string
			Policy map[clm.PolicyKey]clm.Rule
		}
		for dn, want := range map[clm.DN]said{
			`\Web`: {
				Own: map[clm.Attr][]string{
					clm.Description: {`"tpp:Timeout":["1"]`}, clm.Host: {"web"}, clm.CredentialOf: {"@x"}, clm.FileUser: {"root"},
					"tpp:Notes": {"tpp:Timeout"}, clm.Timeout: {"10"},
				},
				Policy: map[clm.PolicyKey]clm.Rule{
					{Class: clm.ApplicationClass("apache"), Attr: clm.StoreCredential}: {Values: []string{`"attr":"tpp:Timeout"`}, Locked: true},
					{Class: clm.ApplicationClass("jks"), Attr: clm.KeyStore}:           {Values: []string{"/k"}},
					{Class: clm.Device, Attr: "tpp:Notes"}:                             {Values: []string{"x"}},
				},
			},
			`\Login`: {Own: map[clm.Attr][]string{clm.Username: {"bob"}, clm.SecretNumber: {"7"}}},
			`\Plain`: {},
		} {
			n.look(func(tx *store.Tx) error {
				path, err := tx.Path(dn)
				if err != nil {
					return err
				}
				o := path.Last()
				if diff := cmp.Diff(want, said{o.Own, o.Policy}); diff != "" {
					t.Errorf("%s: want (-), got (+):\n%s", dn, diff)
				}
				return nil
			})
		}
	})
}
