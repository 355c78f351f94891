package core_test

import (
	"context"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// Everything below an object that is renamed or moved goes along, keeps its ID and is
// found where it is now; names in any script are no trouble.
func TestRename(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop, target := r.Folder(`\VED\Policy\Läden İ`, nil), r.Folder(`\VED\Policy\Neu`, nil)
		put(t, r, shop+`\host`, clm.Device, nil)
		app := put(t, r, shop+`\host\app`, basic, nil)
		done := take(t, r, core.Import{Folder: shop, Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		beside := put(t, r, shop+`x`, clm.Folder, nil)
		for _, c := range []struct{ from, to, now string }{
			{shop, `\ved\policy\LÄDEN`, `\VED\Policy\LÄDEN`},
			{`\VED\Policy\läden`, `\VED\Policy\läden`, `\VED\Policy\läden`},
			{`\VED\Policy\läden`, strings.ToUpper(target) + `\Shop (1)*`, target + `\Shop (1)*`},
		} {
			check(t, r.Rename(ctx, r.Admin, c.from, c.to))
			for id, below := range map[clm.ObjectID]string{app: `\host\app`, done.ID: `\www.example.com`} {
				if node, err := r.ObjectByID(ctx, r.Admin, id); err != nil || string(node.DN) != c.now+below {
					t.Errorf("got %s, %v, want %s", node.DN, err, c.now+below)
				}
				if node, err := r.Object(ctx, r.Admin, c.now+below); err != nil || node.ID != id {
					t.Errorf("%s: got %s, %v, want %s", c.now+below, node.ID, err, id)
				}
			}
		}
		if node, err := r.ObjectByID(ctx, r.Admin, beside); err != nil || string(node.DN) != shop+`x` {
			t.Errorf("the folder beside it: got %s, %v", node.DN, err)
		}
		page, err := r.Find(ctx, r.Admin, core.Filter{Trees: []string{target}, Limit: 10})
		if err != nil || page.Total != 1 || len(page.Found) != 1 {
			t.Errorf("the inventory finds %d below the new place, %v", page.Total, err)
		}
	})
}

// A certificate that is moved by itself is in the new folder for the inventory too, and
// found by its new name.
func TestMovedCertificateIsInTheInventory(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		from, to := r.Folder(`\VED\Policy\From`, nil), r.Folder(`\VED\Policy\To`, nil)
		done := take(t, r, core.Import{Folder: from, Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		check(t, r.Rename(ctx, r.Admin, string(done.DN), to+`\other`))
		for _, c := range []struct {
			name   string
			filter core.Filter
			want   int
		}{
			{"the old folder", core.Filter{Folders: []string{from}}, 0},
			{"the new folder", core.Filter{Folders: []string{to}}, 1},
			{"the old name", core.Filter{Names: []string{"www.example.com"}}, 0},
			{"the new name", core.Filter{Names: []string{"other"}}, 1},
		} {
			c.filter.Limit = 10
			if page, err := r.Find(ctx, r.Admin, c.filter); err != nil || page.Total != c.want {
				t.Errorf("%s: got %d, %v, want %d", c.name, page.Total, err, c.want)
			}
		}
	})
}

// What is refused stays where it is.
func TestRenameRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop, there := r.Folder(`\VED\Policy\Shop`, nil), r.Folder(`\VED\Policy\There`, nil)
		put(t, r, shop+`\a\b`, clm.Folder, nil)
		put(t, r, there+`\b`, clm.Folder, nil)
		put(t, r, there+`\host`, clm.Device, nil)
		deep := there + strings.Repeat(`\x`, clm.MaxDepth-3)
		put(t, r, deep, clm.Folder, nil)
		mover := user(t, r, "mover")
		give(t, r, shop, "mover", clm.Rename|clm.View)
		give(t, r, there, "mover", clm.View)
		writer := user(t, r, "writer")
		give(t, r, shop, "writer", clm.AllRights&^clm.Rename)
		for _, c := range []struct {
			name     string
			who      clm.Actor
			from, to string
			kind     clm.Kind
			field    string
		}{
			{"nothing", r.Admin, shop + `\no`, shop + `\yes`, clm.NotFound, ""},
			{"to no DN", r.Admin, shop + `\a`, `a`, clm.Invalid, "name"},
			{"to a long name", r.Admin, shop + `\a`, shop + `\` + strings.Repeat("x", 256), clm.Invalid, "length"},
			{"to nowhere", r.Admin, shop + `\a`, shop + `\no\a`, clm.NotFound, "parent"},
			{"to the top", r.Admin, shop + `\a`, `\a`, clm.NotFound, "parent"},
			{"a root", r.Admin, `\VED\Policy`, `\VED\Policies`, clm.Unsupported, "object"},
			{"the root", r.Admin, `\VED`, `\VED\Policy\x`, clm.Unsupported, "object"},
			{"into itself", r.Admin, shop, shop + `\a\shop`, clm.Unsupported, "within"},
			{"onto a device", r.Admin, shop, there + `\host\shop`, clm.Unsupported, "place"},
			{"onto another", r.Admin, shop + `\a\b`, there + `\B`, clm.Exists, ""},
			{"too deep", r.Admin, shop + `\a`, deep + `\a`, clm.Invalid, "depth"},
			{"without the right", writer, shop + `\a`, shop + `\z`, clm.Denied, ""},
			{"without a right there", mover, shop + `\a`, there + `\a`, clm.Denied, ""},
		} {
			if err := r.Rename(ctx, c.who, c.from, c.to); !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
		}
		for _, dn := range []string{shop + `\a\b`, there + `\b`} {
			objectID(t, r, dn)
		}
		check(t, r.Rename(ctx, mover, shop+`\a`, shop+`\z`)) // where it stays it takes no right to create
		objectID(t, r, shop+`\z\b`)
	})
}

// An object keeps what it says when it is given another class, and its certificates are
// counted as what they are now.
func TestMutate(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, shop+`\www`, clm.ServerCertificate, map[clm.Attr][]string{clm.Description: {"x"}})
		put(t, r, shop+`\ca`, clm.Authority, map[clm.Attr][]string{clm.AuthorityKind: {"Microsoft CA"}})
		put(t, r, shop+`\host`, clm.Device, nil)
		put(t, r, shop+`\host\app`, basic, nil)
		creator := user(t, r, "creator")
		give(t, r, shop, "creator", clm.AllRights&^clm.Delete)
		for _, c := range []struct {
			name  string
			who   clm.Actor
			dn    string
			class clm.Class
			kind  clm.Kind
			field string
		}{
			{"an abstract class", r.Admin, `\www`, clm.CertificateBase, clm.Unsupported, "class"},
			{"what the folder does not hold", r.Admin, `\www`, basic, clm.Unsupported, "place"},
			{"without the right to delete", creator, `\www`, clm.DeviceCertificate, clm.Denied, ""},
			{"a certificate becomes a device", r.Admin, `\www`, clm.Device, clm.Unsupported, "class"},
			{"a device becomes a certificate", r.Admin, `\ca`, clm.ServerCertificate, clm.Unsupported, "class"},
			{"a device with applications becomes a jump server", r.Admin, `\host`, clm.JumpServer, clm.Unsupported, "place"},
			{"nothing", r.Admin, `\no`, clm.Device, clm.NotFound, ""},
			{"an application becomes another", r.Admin, `\host\app`, clm.ApplicationClass("pem"), 0, ""},
			{"a certificate becomes another", r.Admin, `\www`, clm.DeviceCertificate, 0, ""},
			{"a device becomes what is not numerous", r.Admin, `\ca`, clm.JumpServer, 0, ""},
		} {
			if err := r.Mutate(ctx, c.who, shop+c.dn, c.class, nil); !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
			if node, err := r.Object(ctx, r.Admin, shop+c.dn); c.kind == 0 && (err != nil || node.Class != c.class) {
				t.Errorf("%s: got %s, %v", c.name, node.Class, err)
			}
		}
		if got := ownOf(t, r, shop+`\www`)[clm.Description]; len(got) != 1 {
			t.Errorf("got %q", got)
		}
		for class, want := range map[clm.Class]int{clm.ServerCertificate: 0, clm.DeviceCertificate: 1} {
			page, err := r.Find(ctx, r.Admin, core.Filter{Trees: []string{shop}, Classes: []clm.Class{class}, Limit: 10})
			if err != nil || page.Total != want {
				t.Errorf("%s: the inventory finds %d, %v, want %d", class, page.Total, err, want)
			}
		}
	})
}

// Moving a folder or what is in it gives nobody the private keys.
func TestRenameKeepsKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		alice, all := user(t, r, "alice"), clm.AllRights&^clm.ManagePermissions
		theirs, mine := r.Folder(`\VED\Policy\Theirs`, nil), r.Folder(`\VED\Policy\Mine`, nil)
		r.Folder(theirs+`\Empty`, nil)
		give(t, r, theirs, "alice", all&^clm.KeyRead)
		give(t, r, mine, "alice", all)
		leaf := foreignLeaf(t, "www.example.com", 0, nil)
		take(t, r, core.Import{Folder: r.Folder(theirs+`\Shop`, nil), Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		public := take(t, r, core.Import{Folder: theirs, Certificate: bundle(foreignLeaf(t, "public.example.com", 0, nil))})
		_, err := r.AddSecret(ctx, r.Admin, core.AddSecret{Owner: r.Folder(theirs+`\Vault`, nil), Kind: core.VaultPassword, Content: secret.NewString("Hidden-1")})
		check(t, err)
		for _, c := range []struct {
			name     string
			from, to string
			denied   bool
		}{
			{"a folder with a secret", theirs + `\Vault`, mine + `\Vault`, true},
			{"the certificate", theirs + `\Shop\www.example.com`, mine + `\www`, true},
			{"its folder", theirs + `\Shop`, mine + `\Shop`, true},
			{"a certificate without a key", string(public.DN), mine + `\public`, false},
			{"a folder without keys", theirs + `\Empty`, mine + `\Empty`, false},
			{"within the folder", theirs + `\Shop`, theirs + `\Store`, false},
		} {
			switch err := r.Rename(ctx, alice, c.from, c.to); {
			case c.denied:
				fails(t, c.name, err, clm.Denied, "key")
			case err != nil:
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}
