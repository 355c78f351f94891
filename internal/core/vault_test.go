package core_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// keep keeps a password for the object.
func keep(t testing.TB, r *coretest.Rig, owner, password string) int64 {
	t.Helper()
	id, err := r.AddSecret(context.Background(), r.Admin, core.AddSecret{Owner: owner, Kind: core.VaultPassword, Content: secret.NewString(password)})
	check(t, err)
	return id
}

// kept reads the secret with the number.
func kept(t testing.TB, r *coretest.Rig, id int64) string {
	t.Helper()
	_, content, err := r.RetrieveSecret(context.Background(), r.Admin, id)
	check(t, err)
	return string(content.Reveal())
}

const numberAttr clm.Attr = "tpp:Vault Id"

// credential is a credential with a password.
func credential(dn, password string) core.Credential {
	return core.Credential{
		DN: dn, Class: clm.Credential.Kind("passwordcredential"), Own: map[clm.Attr][]string{clm.Description: {"of a shop"}}, Vault: core.VaultPassword,
		Number: numberAttr, Values: map[string]secret.Plain{"Password": secret.NewString(password)},
	}
}

// Nothing of a secret stands in the database as it is, or as somebody would write it,
// nor does a hash by which guesses could be tried.
func TestSecretsAreSealedAtRest(t *testing.T) {
	t.Parallel()
	const password, other = "correct-Donkey-9-staple", "wrong-Mule-3-needle"
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		r.Secret(secret.NewString(password))
		r.Secret(secret.NewString(other))
		keep(t, r, core.DefaultZone, password)
		check(t, r.CreateCredential(context.Background(), r.Admin, credential(core.DefaultZone+`\login`, other)))
		k := credential(core.DefaultZone+`\login`, password+other)
		check(t, r.UpdateCredential(context.Background(), r.Admin, k))
		for _, table := range []string{"secrets", "secret_owners", "secret_facts", "objects", "audit", "counters"} {
			for _, cell := range cells(t, d, table) {
				for _, plain := range []string{password, other} {
					for _, spelling := range []string{plain, hex.EncodeToString([]byte(plain)), base64.StdEncoding.EncodeToString([]byte(plain))} {
						if bytes.Contains(cell, []byte(spelling)) {
							t.Errorf("a secret stands in the table %s", table)
						}
					}
				}
			}
		}
		for _, hash := range column(t, d, "SELECT hash FROM secrets") {
			if len(hash) > 0 {
				t.Error("there is a hash of a password")
			}
		}
	})
}

// cells are all values in the table.
func cells(t testing.TB, d coretest.Database, table string) [][]byte {
	return column(t, d, "SELECT * FROM "+table)
}

// column are all values that the query finds.
func column(t testing.TB, d coretest.Database, query string) (cells [][]byte) {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(d.Address, "postgres://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, d.Address)
	check(t, err)
	defer db.Close()
	rows, err := db.Query(query)
	check(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	check(t, err)
	for rows.Next() {
		row := make([]any, len(names))
		for i := range row {
			row[i] = new(sql.RawBytes)
		}
		check(t, rows.Scan(row...))
		for _, cell := range row {
			cells = append(cells, bytes.Clone(*cell.(*sql.RawBytes)))
		}
	}
	check(t, rows.Err())
	return cells
}

// Once secrets are sealed anew, over several batches, the old master key is not
// needed any more.
func TestResealSecretsThenForget(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		var ids []int64
		var all sync.WaitGroup
		var mu sync.Mutex
		for range 3 * core.ResealBatch / 2 {
			all.Go(func() {
				id := keep(t, r, core.DefaultZone, "a password that is kept")
				mu.Lock()
				defer mu.Unlock()
				ids = append(ids, id)
			})
		}
		all.Wait()
		check(t, r.CreateCredential(ctx, r.Admin, credential(core.DefaultZone+`\login`, "a password to log in")))
		check(t, r.Box.Rotate())
		done, err := r.Reseal(ctx, r.Admin)
		if want := len(ids) + 1 + 4; err != nil || done != want { // and the four CAs
			t.Errorf("got %d sealed anew, %v; want %d", done, err, want)
		}
		if again, err := r.Reseal(ctx, r.Admin); err != nil || again != 0 {
			t.Errorf("the second time: got %d, %v; want none", again, err)
		}
		check(t, r.Box.DropOld())
		for _, id := range ids {
			if got := kept(t, r, id); got != "a password that is kept" {
				t.Fatalf("got another secret")
			}
		}
		got, err := r.RetrieveCredential(ctx, r.Admin, core.Credential{DN: core.DefaultZone + `\login`, Number: numberAttr})
		if err != nil || string(got.Values["Password"].Reveal()) != "a password to log in" {
			t.Errorf("the credential is lost: %v", err)
		}
	})
}

// A secret that somebody has moved to another row does not open there.
func TestSwappedSecretsDoNotOpen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		one, two := keep(t, r, core.DefaultZone, "the first password"), keep(t, r, core.DefaultZone, "the second password")
		check(t, r.DB.Write(ctx, store.Entry{Action: "swap"}, func(tx *store.Tx) error {
			s, err := tx.Secret(one)
			if err != nil {
				return err
			}
			return tx.ReplaceSecret(two, s.Sealed)
		}))
		if _, got, err := r.RetrieveSecret(ctx, r.Admin, two); !errors.Is(err, secret.ErrCannotOpen) || !got.IsEmpty() {
			t.Errorf("got %v, want that it does not open", err)
		}
	})
}

// A credential uses its own secret and no other, whatever number is written on it.
func TestCredentialsDoNotBorrowSecrets(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const dn = core.DefaultZone + `\login`
		k := credential(dn, "a password of its own")
		check(t, r.CreateCredential(ctx, r.Admin, k))
		foreign := keep(t, r, core.DefaultZone, `{"Password":"c29tZWJvZHkgZWxzZSdz"}`)
		put(t, r, dn, k.Class, map[clm.Attr][]string{numberAttr: {strconv.FormatInt(foreign, 10)}})
		got, err := r.RetrieveCredential(ctx, r.Admin, k)
		if e := clm.AsError(err); e == nil || e.Kind != clm.Unsupported || e.Field != "secret" || len(got.Values) > 0 {
			t.Errorf("got %d values, %v; want that it has no such secret", len(got.Values), err)
		}
	})
}

// A credential tells which certificate it is about.
func TestCredentialTellsItsCertificate(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const dn, certificate = core.DefaultZone + `\login`, core.DefaultZone + `\www`
		k := credential(dn, "a password of its own")
		check(t, r.CreateCredential(ctx, r.Admin, k))
		id := put(t, r, certificate, clm.ServerCertificate, nil)
		for value, want := range map[string]clm.DN{string(id): certificate, clm.Ref(id): certificate, `\VED\Policy\Nothing`: ""} {
			put(t, r, dn, k.Class, map[clm.Attr][]string{clm.Bound: {value}})
			if got, err := r.RetrieveCredential(ctx, r.Admin, k); err != nil || got.Bound != want {
				t.Errorf("%s: got %q, %v; want %q", value, got.Bound, err, want)
			}
		}
	})
}

// What is refused leaves no secret behind, and a credential takes its own with it.
func TestNoSecretIsLeftBehind(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const dn = core.DefaultZone + `\login`
		count := func(when string, want int) {
			t.Helper()
			if ids, err := r.VaultEntries(ctx, r.Admin, 0); err != nil || len(ids) != want {
				t.Errorf("%s: got %d secrets, %v; want %d", when, len(ids), err, want)
			}
		}
		check(t, r.CreateCredential(ctx, r.Admin, credential(dn, "the first password")))
		if err := r.CreateCredential(ctx, r.Admin, credential(dn, "the second password")); !errors.Is(err, clm.Exists) {
			t.Errorf("got %v, want %v", err, clm.Exists)
		}
		count("after one that was there", 1)
		id := objectID(t, r, dn)
		share(t, r, onlySecret(t, r, dn), objectID(t, r, core.DefaultZone))
		check(t, r.DeleteCredential(ctx, r.Admin, dn))
		count("while somebody else owns it", 1)
		check(t, r.DisownSecrets(ctx, r.Admin, core.DefaultZone))
		count("without an owner", 0)
		if _, err := r.ObjectByID(ctx, r.Admin, id); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want %v", err, clm.NotFound)
		}
	})
}

// share gives the secret one more owner, past all rules.
func share(t testing.TB, r *coretest.Rig, id int64, owner clm.ObjectID) {
	t.Helper()
	check(t, r.DB.Write(context.Background(), store.Entry{Action: "share"}, func(tx *store.Tx) error { return tx.OwnSecret(id, owner) }))
}

func onlySecret(t testing.TB, r *coretest.Rig, owner string) int64 {
	t.Helper()
	ids, err := r.VaultEntriesOf(context.Background(), r.Admin, owner, 0)
	check(t, err)
	if len(ids) != 1 {
		t.Fatalf("got %d secrets, want one", len(ids))
	}
	return ids[0]
}

// What is handed out by calls of its own gets no other owner, and is not taken from the
// one that it has by itself, so that it cannot be read like any secret.
func TestKeptSecretsAreNotShared(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const login = core.DefaultZone + `\login`
		check(t, r.CreateCredential(ctx, r.Admin, credential(login, "a password to log in")))
		_, err := r.PutSSHKeyPair(ctx, r.Admin, core.PutSSHKeyPair{DN: sshPair, Algorithm: "ED25519"})
		check(t, err)
		const issued = core.DefaultZone + `\issued`
		put(t, r, issued, clm.SSHUserCertificate, nil)
		keep(t, r, issued, "a private key")
		zone := keep(t, r, core.DefaultZone, "a password of the folder")
		for _, dn := range []string{login, sshPair, issued} {
			id := onlySecret(t, r, dn)
			for doing, err := range map[string]error{
				"sharing it": r.OwnSecret(ctx, r.Admin, id, core.DefaultZone), "sharing with it": r.OwnSecret(ctx, r.Admin, zone, dn),
				"taking it away": r.DisownSecret(ctx, r.Admin, id, dn),
			} {
				if !errors.Is(err, clm.Denied) {
					t.Errorf("%s: %s: got %v, want %v", dn, doing, err, clm.Denied)
				}
			}
			if _, _, err := r.RetrieveSecret(ctx, r.Admin, id); !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v, want %v", dn, err, clm.Denied)
			}
			check(t, r.DisownSecrets(ctx, r.Admin, dn))
			if _, _, err := r.RetrieveSecret(ctx, r.Admin, id); !errors.Is(err, clm.NotFound) {
				t.Errorf("%s, without its secrets: got %v, want %v", dn, err, clm.NotFound)
			}
		}
	})
}

// An update of a credential leaves what others own to them, and makes of its own secret
// what it should be.
func TestUpdateOfACredentialMendsItsSecret(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const dn = core.DefaultZone + `\login`
		k := credential(dn, "the first password")
		check(t, r.CreateCredential(ctx, r.Admin, k))
		id := onlySecret(t, r, dn)
		check(t, r.ChangeSecretKind(ctx, r.Admin, id, core.VaultBlob))
		k = credential(dn, "the second password")
		k.Keyname = core.NoProtection
		check(t, r.UpdateCredential(ctx, r.Admin, k))
		got, err := r.RetrieveCredential(ctx, r.Admin, k)
		if used, usedErr := r.ProtectionsInUse(ctx); err != nil || usedErr != nil || got.Vault != core.VaultPassword || !slices.Equal(used, []string{core.NoProtection}) {
			t.Errorf("got one of kind %d, %v, and the keys %v, %v; want %d and %s", got.Vault, err, used, usedErr, core.VaultPassword, core.NoProtection)
		}
		if now := onlySecret(t, r, dn); now != id {
			t.Errorf("got the secret %d, want %d", now, id)
		}
		share(t, r, id, objectID(t, r, core.DefaultZone))
		check(t, r.UpdateCredential(ctx, r.Admin, credential(dn, "the third password")))
		if now := onlySecret(t, r, dn); now == id {
			t.Error("the update has changed what somebody else owns too")
		}
		if !strings.Contains(kept(t, r, id), base64.StdEncoding.EncodeToString([]byte("the second password"))) {
			t.Error("somebody else's secret is another")
		}
	})
}

// What may be seen of a credential cannot look like a reference to an object.
func TestCredentialsTakeNoForgedReferences(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		k := credential(core.DefaultZone+`\login`, "a password to log in")
		check(t, r.CreateCredential(ctx, r.Admin, k))
		forged := credential(core.DefaultZone+`\other`, "a password to log in")
		forged.Own[clm.Description] = []string{clm.Ref(objectID(t, r, core.DefaultZone))}
		if err := r.CreateCredential(ctx, r.Admin, forged); !errors.Is(err, clm.Invalid) {
			t.Errorf("creating: got %v, want %v", err, clm.Invalid)
		}
		forged.DN = k.DN
		if err := r.UpdateCredential(ctx, r.Admin, forged); !errors.Is(err, clm.Invalid) {
			t.Errorf("updating: got %v, want %v", err, clm.Invalid)
		}
	})
}

// Who owns a certificate together with others reads it, but changes nothing of it that
// the others see; and it is found by its numbers in any case.
func TestSharedCertificatesAreNobodysOwn(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		alice := user(t, r, "alice")
		ctx := context.Background()
		const one, two = core.DefaultZone + `\one`, core.DefaultZone + `\two`
		put(t, r, one, clm.Device, nil)
		put(t, r, two, clm.Device, nil)
		give(t, r, two, "alice", clm.View|clm.Read|clm.Write)
		add := core.AddCertificates{Owner: one, Certificates: [][]byte{foreignLeaf(t, "www.example.com", 0, nil).der}}
		id, _, err := r.AddCertificates(ctx, r.Admin, add)
		check(t, err)
		add.Owner = two
		if _, existed, err := r.AddCertificates(ctx, alice, add); err != nil || !existed {
			t.Fatalf("got %v, %v; want that it was there", existed, err)
		}
		fact := core.Fact{Name: "Purpose", Value: "none"}
		withFacts := add
		withFacts.Facts = []core.Fact{fact}
		_, _, added := r.AddCertificates(ctx, alice, withFacts)
		for doing, err := range map[string]error{
			"another kind": r.ChangeSecretKind(ctx, alice, id, core.VaultCertificate|core.Archived), "a fact": r.AddFact(ctx, alice, id, fact),
			"no facts": r.DropFacts(ctx, alice, id, core.Fact{}), "facts with it": added,
		} {
			if !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v, want %v", doing, err, clm.Denied)
			}
		}
		facts, err := r.Facts(ctx, alice, id)
		check(t, err)
		for _, f := range facts {
			if f.Name != "Hash" && f.Name != "Serial" {
				continue
			}
			f.Value = strings.ToLower(f.Value.(string))
			ids, err := r.VaultEntriesWith(ctx, alice, f)
			if err != nil || !slices.Equal(ids, []int64{id}) {
				t.Errorf("%s: got %v, %v; want %d", f.Name, ids, err, id)
			}
			if found, err := r.CertificatesWith(ctx, alice, f); err != nil || len(found) != 1 || found[0].ID != id {
				t.Errorf("%s: got %d certificates, %v; want one", f.Name, len(found), err)
			}
		}
	})
}

// noise is text of so many bytes that cannot be made shorter.
func noise(n int) string {
	var text []byte
	for sum := sha256.Sum256(nil); len(text) < n; sum = sha256.Sum256(sum[:]) {
		text = hex.AppendEncode(text, sum[:])
	}
	return string(text[:n])
}

// The longest fact is kept in every database, and a certificate with a longer name is
// kept without it.
func TestLongFactsAreKept(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		id := keep(t, r, core.DefaultZone, "a password with a fact")
		for size, want := range map[int]error{2000: nil, 2001: clm.Invalid, 4096: clm.Invalid} {
			if err := r.AddFact(ctx, r.Admin, id, core.Fact{Name: "x", Value: noise(size - 1)}); !errors.Is(err, want) {
				t.Errorf("%d bytes: got %v, want %v", size, err, want)
			}
		}
		leaf := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: noise(3500)}}, nil)
		id, _, err := r.AddCertificates(ctx, r.Admin, core.AddCertificates{Owner: core.DefaultZone, Certificates: [][]byte{leaf.der}})
		check(t, err)
		facts, err := r.Facts(ctx, r.Admin, id)
		if isCN := func(f core.Fact) bool { return f.Name == "CN" }; err != nil || len(facts) == 0 || slices.ContainsFunc(facts, isCN) {
			t.Errorf("got %d facts, %v; want some, without the long name", len(facts), err)
		}
	})
}

// What lookups read is bounded, and of the right kind.
func TestLookupsAreBounded(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		var ids []int64
		for n := range int64(4) {
			id := keep(t, r, core.DefaultZone, "a password")
			check(t, r.AddFact(ctx, r.Admin, id, core.Fact{Name: "Rank", Value: 9 - n}))
			check(t, r.AddFact(ctx, r.Admin, id, core.Fact{Name: "Purpose", Value: "none"}))
			ids = append(ids, id)
		}
		check(t, r.ChangeSecretKind(ctx, r.Admin, ids[0], core.VaultBlob))
		imported := take(t, r, core.Import{Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		zone := objectID(t, r, core.DefaultZone)
		check(t, r.DB.Read(ctx, func(tx *store.Tx) error {
			for _, of := range []struct {
				fact store.Fact
				want []int64
			}{
				{store.Fact{Name: "Purpose", Kind: "string", Value: "none"}, ids[:2]}, {store.Fact{Name: "Rank"}, ids[2:]},
			} {
				found, err := tx.SecretsWithFact(of.fact, 2)
				check(t, err)
				if len(found) != 2 || found[0].ID != of.want[0] || found[1].ID != of.want[1] || found[0].Owner != zone {
					t.Errorf("%s: got %v, want %v", of.fact.Name, found, of.want)
				}
			}
			owned, err := tx.FirstSecretsOf(zone, core.VaultPassword, 2)
			if err != nil || len(owned) != 2 || owned[0].ID != ids[1] {
				t.Errorf("got %v, %v; want two from %d on", owned, err, ids[1])
			}
			for has, want := range map[store.PartFilter]int{store.AnyPart: 1, store.WithKey: 0, store.WithCSR: 0} {
				if found, err := tx.PartsAfter(0, has, 10); err != nil || len(found) != want {
					t.Errorf("%q: got %d versions, %v; want %d", has, len(found), err, want)
				}
			}
			return nil
		}))
		if ids, err := r.VaultEntries(ctx, r.Admin, core.VaultCertificate); err != nil || !slices.Equal(ids, []int64{int64(imported.Version)}) {
			t.Errorf("got %v, %v; want %d", ids, err, imported.Version)
		}
	})
}

// A secret of which no owner is there is an orphan, which masters find.
func TestOrphansAreFound(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		keep(t, r, core.DefaultZone, "a password with an owner")
		id := keep(t, r, core.DefaultZone, "a password without one")
		zone := objectID(t, r, core.DefaultZone)
		check(t, r.DB.Write(ctx, store.Entry{Action: "orphan"}, func(tx *store.Tx) error {
			if err := tx.OwnSecret(id, "00000000-0000-0000-0000-000000000000"); err != nil {
				return err
			}
			return tx.DisownSecret(id, zone)
		}))
		if ids, err := r.VaultOrphans(ctx, r.Admin, core.VaultPassword); err != nil || !slices.Equal(ids, []int64{id}) {
			t.Errorf("got %v, %v; want %d", ids, err, id)
		}
		if ids, err := r.VaultOrphans(ctx, r.Admin, core.VaultBlob); err != nil || len(ids) > 0 {
			t.Errorf("of another kind: got %v, %v; want none", ids, err)
		}
	})
}

// The same certificate that many add at a time is kept once.
func TestCertificateIsKeptOnce(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		der := foreignLeaf(t, "www.example.com", 0, nil).der
		ids := make([]int64, 20)
		var all sync.WaitGroup
		for i := range ids {
			put(t, r, fmt.Sprintf(`%s\host%d`, core.DefaultZone, i), clm.Device, nil)
		}
		for i := range ids {
			all.Go(func() {
				id, _, err := r.AddCertificates(ctx, r.Admin, core.AddCertificates{Owner: fmt.Sprintf(`%s\host%d`, core.DefaultZone, i), Certificates: [][]byte{der}})
				if err != nil {
					t.Error(err)
				}
				ids[i] = id
			})
		}
		all.Wait()
		if different := slices.Compact(slices.Clone(ids)); len(different) != 1 {
			t.Errorf("got the numbers %v, want one", ids)
		}
		owners, err := r.VaultOwners(ctx, r.Admin, ids[0])
		if err != nil || len(owners) != len(ids) {
			t.Errorf("got %d owners, %v; want %d", len(owners), err, len(ids))
		}
	})
}

// What becomes a certificate is found by it from then on, and what is none any more is not.
func TestKindChangesTheHash(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		der := foreignLeaf(t, "www.example.com", 0, nil).der
		id, err := r.AddSecret(ctx, r.Admin, core.AddSecret{Owner: core.DefaultZone, Kind: core.VaultBlob, Content: secret.NewPlain(der)})
		check(t, err)
		for _, step := range []struct {
			kind int64
			want []int64
		}{
			{core.VaultCertificate, []int64{id}}, {core.VaultCertificate | core.Archived, []int64{id}}, {core.VaultBlob, nil},
		} {
			check(t, r.ChangeSecretKind(ctx, r.Admin, id, step.kind))
			if ids, err := r.CertificateEntries(ctx, r.Admin, der); !slices.Equal(ids, step.want) || (err == nil) != (step.want != nil) {
				t.Errorf("as kind %d: got %v, %v; want %v", step.kind, ids, err, step.want)
			}
		}
	})
}

// Facts come back as they were given, times to the microsecond.
func TestFactsComeBack(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		id := keep(t, r, core.DefaultZone, "a password with facts")
		facts := []core.Fact{
			{Name: "a", Value: "text"}, {Name: "b", Value: int64(-7)}, {Name: "c", Value: time.Date(2031, 5, 6, 7, 8, 9, 123456000, time.UTC)},
		}
		for _, f := range facts {
			check(t, r.AddFact(ctx, r.Admin, id, f))
		}
		got, err := r.Facts(ctx, r.Admin, id)
		if err != nil || !slices.Equal(got, facts) {
			t.Errorf("got %v, %v; want %v", got, err, facts)
		}
		for name, f := range map[string]core.Fact{
			"without a name": {Value: "x"}, "without a value": {Name: "x"}, "a long name": {Name: strings.Repeat("x", 256), Value: "x"},
			"a long value": {Name: "x", Value: strings.Repeat("x", 2000)}, "long together": {Name: strings.Repeat("ä", 255), Value: strings.Repeat("€", 500)}, "no text": {Name: "x", Value: "\xff"}, "a zero": {Name: "x", Value: "a\x00b"},
			"far away": {Name: "x", Value: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			if err := r.AddFact(ctx, r.Admin, id, f); !errors.Is(err, clm.Invalid) {
				t.Errorf("%s: got %v, want %v", name, err, clm.Invalid)
			}
		}
	})
}

// What is too large, or empty, is no secret.
func TestSecretsHaveASize(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	for size, want := range map[int]error{0: clm.Invalid, 1 << 10: nil, core.MaxSecret: nil, core.MaxSecret + 1: clm.Invalid} {
		_, err := r.AddSecret(context.Background(), r.Admin, core.AddSecret{
			Owner: core.DefaultZone, Kind: core.VaultBlob, Content: secret.NewPlain(bytes.Repeat([]byte{0xc3, 0x28}, (size+1)/2)[:size]),
		})
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: got %v, want %v", size, err, want)
		}
	}
}

// The numbers of the parts of a version lead back to it, and those of old versions,
// which leave no room, to their certificate.
func TestPartNumbers(t *testing.T) {
	const old = clm.VersionID(1<<32 + 7)
	for part := range core.Part(4) {
		id, ok := core.VaultID(4096, part)
		v, p := core.PartOf(id)
		if !ok || v != 4096 || p != part {
			t.Errorf("part %d: got part %d of %d", part, p, v)
		}
		if id, ok := core.VaultID(old, part); id != int64(old) || ok != (part == core.CertificatePart) {
			t.Errorf("part %d of an old version: got %d, %v", part, id, ok)
		}
	}
	if v, p := core.PartOf(int64(old)); v != old || p != core.CertificatePart {
		t.Errorf("got part %d of %d, want the certificate of %d", p, v, old)
	}
}
