package core_test

import (
	"bytes"
	"context"
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
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

const (
	sshPair   = core.SSHKeyPairsDN + `\Users`
	sshFolder = `\VED\Policy\SSH`
)

// sshRig is a rig with a key pair, and a template of that name for it with the settings.
func sshRig(t *testing.T, d coretest.Database, name string, own map[clm.Attr][]string) *coretest.Rig {
	t.Helper()
	r := coretest.New(t, d, coretest.Options{Idle: true})
	if _, err := r.PutSSHKeyPair(context.Background(), r.Admin, core.PutSSHKeyPair{DN: sshPair, Algorithm: "ED25519"}); err != nil {
		t.Fatal(err)
	}
	putSSH(t, r, core.Put{DN: sshFolder, Class: clm.Folder})
	addSSHTemplate(t, r, name, own)
	return r
}

func putSSH(t *testing.T, r *coretest.Rig, p core.Put) {
	t.Helper()
	if _, err := r.Put(context.Background(), r.Admin, p); err != nil {
		t.Fatal(err)
	}
}

func addSSHTemplate(t *testing.T, r *coretest.Rig, name string, own map[clm.Attr][]string) {
	t.Helper()
	all := map[clm.Attr][]string{
		clm.SSHSigner: {sshPair}, clm.SSHFolder: {sshFolder}, clm.KeyAlgorithm: {"ED25519"}, clm.SSHPrincipals: {"nobody"}, clm.SSHOwnPrincipals: {"1"},
	}
	for a, values := range own {
		all[a] = values
	}
	putSSH(t, r, core.Put{DN: core.SSHTemplatesDN + `\` + name, Class: clm.SSHTemplate, Own: all})
}

func sshLine(t *testing.T, algorithm, comment string) string {
	t.Helper()
	key, err := pki.GenerateSSHKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	line, err := pki.EncodeSSHPublicKey(key.Public(), comment)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func requestSSH(t *testing.T, r *coretest.Rig, q core.SSHRequest) core.SSHIssued {
	t.Helper()
	got, err := r.RequestSSH(context.Background(), r.Admin, q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A template's settings hold for requests that say nothing, bound those that do, and
// nothing is issued past them.
func TestSSHTemplatesBindRequests(t *testing.T) {
	t.Parallel()
	settings := map[clm.Attr][]string{
		clm.SSHValidity: {"8h"}, clm.SSHMaxValidity: {"10h"}, clm.SSHPrincipals: {"ops"}, clm.SSHPrincipalsIn: {"ops", "app-*", "d?v"}, clm.SSHOwnPrincipals: nil,
		clm.SSHExtensions: {"permit-pty", "login@github.com:ops"}, clm.SSHExtensionsIn: {"permit-pty", "login@github.com:ops"},
		clm.SSHForceCommand: {"/bin/false"}, clm.SSHForceCommandsIn: {"/usr/bin/*"},
		clm.SSHSourceAddresses: {"10.0.0.0/8"}, clm.SSHSourceNetworksIn: {"10.0.0.0/8", "2001:db8::/32"}, clm.SSHKeys: {"ED25519", "P256"},
	}
	const client = "client"
	d := coretest.SQLite(t)
	r := sshRig(t, d, client, settings)
	for _, flag := range []clm.Attr{clm.SSHOwnKeyID, clm.SSHOwnPrincipals, clm.SSHOwnExtensions, clm.SSHOwnForceCommand, clm.SSHOwnSourceAddresses} {
		addSSHTemplate(t, r, string(flag), map[clm.Attr][]string{flag: {"0"}})
	}
	for name, own := range map[string]map[clm.Attr][]string{
		"any": nil, "host": {clm.SSHType: {"Host"}, clm.SSHPrincipals: {"web1"}}, "clients": {clm.SSHKeyFrom: {"client"}}, "services": {clm.SSHKeyFrom: {"Service"}},
		"badmax": {clm.SSHMaxValidity: {"long"}}, "badkey": {clm.KeyAlgorithm: {"DSA"}}, "nobody": {clm.SSHPrincipals: nil}, "fixed": {
			clm.SSHKeyID: {"it"}, clm.SSHOwnPrincipals: nil, clm.SSHExtensions: {"permit-pty"}, clm.SSHForceCommand: {"/bin/true"}, clm.SSHSourceAddresses: {"10.0.0.1"},
		},
		"badtype": {clm.SSHType: {"hosts"}}, "badfrom": {clm.SSHKeyFrom: {"me"}}, "badword": {clm.SSHOwnKeyID: {"maybe"}}, "nay": {clm.SSHOwnPrincipals: {"No"}},
		"sources": {clm.SSHSourceNetworksIn: {"10.0.0.0/8", "2001:db8::/32"}}, "commands": {clm.SSHForceCommandsIn: {"/bin/*"}},
		"hosts": {
			clm.SSHType: {"host"}, clm.SSHPrincipals: {"*.test"}, clm.SSHPrincipalsIn: {"*.example.com", "web?"},
			clm.SSHSourceNetworksIn: {"10.0.0.0/8"}, clm.SSHForceCommandsIn: {"/bin/*"},
		},
	} {
		addSSHTemplate(t, r, name, own)
	}
	ed, rsa := sshLine(t, "ED25519", "alice"), sshLine(t, "RSA2048", "alice")
	for _, c := range []struct {
		name     string
		template string
		ask      core.SSHRequest
		kind     clm.Kind // Internal: none
		field    string
		check    func(pki.SSHFacts) bool
	}{
		{name: "nothing asked", check: func(f pki.SSHFacts) bool {
			return slices.Equal(f.Principals, []string{"ops"}) && f.Extensions["login@github.com"] == "ops" && len(f.Extensions) == 2 &&
				f.ForceCommand == "/bin/false" && slices.Equal(f.SourceAddresses, []string{"10.0.0.0/8"}) && f.NotAfter.Sub(f.NotBefore) == 8*time.Hour
		}},
		{name: "all that is allowed", ask: core.SSHRequest{
			Principals: []string{"app-1", "dev"}, Extensions: map[string]string{"permit-pty": ""}, ForceCommand: "/usr/bin/id",
			Sources: []string{"10.1.0.0/16", "2001:db8::1"}, Validity: "1h", KeyID: "mine",
		}, check: func(f pki.SSHFacts) bool {
			return slices.Equal(f.Principals, []string{"app-1", "dev"}) && len(f.Extensions) == 1 && f.ForceCommand == "/usr/bin/id" &&
				slices.Equal(f.SourceAddresses, []string{"10.1.0.0/16", "2001:db8::1"}) && f.NotAfter.Sub(f.NotBefore) == time.Hour && f.KeyID == "mine" && !f.Host
		}},
		{name: "longer than allowed", ask: core.SSHRequest{Validity: "11h"}, check: func(f pki.SSHFacts) bool { return f.NotAfter.Sub(f.NotBefore) == 10*time.Hour }},
		{name: "longer than any", template: "any", ask: core.SSHRequest{Validity: "1000d"}, check: func(f pki.SSHFacts) bool { return f.NotAfter.Sub(f.NotBefore) == core.DefaultSSHMaxValidity }},
		{name: "no validity anywhere", template: "any", check: func(f pki.SSHFacts) bool { return f.NotAfter.Sub(f.NotBefore) == core.DefaultSSHValidity }},
		{name: "a host", template: "host", check: func(f pki.SSHFacts) bool { return f.Host }},
		{name: "a host with a command", template: "host", ask: core.SSHRequest{ForceCommand: "x"}, kind: clm.Invalid, field: "order"},
		{name: "a principal that is not allowed", ask: core.SSHRequest{Principals: []string{"dev", "root"}}, kind: clm.Violation, field: "principal"},
		{name: "a principal in another case", ask: core.SSHRequest{Principals: []string{"OPS"}}, kind: clm.Violation, field: "principal"},
		{name: "a principal that begins well", ask: core.SSHRequest{Principals: []string{"ops\nroot"}}, kind: clm.Violation, field: "principal"},
		{name: "more principals than fit", ask: core.SSHRequest{Principals: numbers(257)}, kind: clm.Invalid, field: "order"},
		{name: "the same principal too often", ask: core.SSHRequest{Principals: slices.Repeat([]string{"dev"}, 257)}, kind: clm.Invalid, field: "order"},
		{name: "a principal longer than fits", ask: core.SSHRequest{Principals: []string{strings.Repeat("x", 256)}}, kind: clm.Invalid, field: "order"},
		{name: "more sources than fit", ask: core.SSHRequest{Sources: numbers(257)}, kind: clm.Invalid, field: "order"},
		{name: "more extensions than fit", ask: core.SSHRequest{Extensions: valueless(65)}, kind: clm.Invalid, field: "order"},
		{name: "a command longer than fits", ask: core.SSHRequest{ForceCommand: strings.Repeat("x", 4097)}, kind: clm.Invalid, field: "order"},
		{name: "no sources where some are allowed", template: "sources", check: func(f pki.SSHFacts) bool {
			return slices.Equal(f.SourceAddresses, []string{"10.0.0.0/8", "2001:db8::/32"})
		}},
		{name: "no command where some are allowed", template: "commands", kind: clm.Violation, field: "no-force-command"},
		{name: "a command where some are allowed", template: "commands", ask: core.SSHRequest{ForceCommand: "/bin/id"}, check: func(f pki.SSHFacts) bool { return f.ForceCommand == "/bin/id" }},
		{name: "a host with nothing of what users have to have", template: "hosts", check: func(f pki.SSHFacts) bool {
			return f.Host && f.ForceCommand == "" && f.SourceAddresses == nil && slices.Equal(f.Principals, []string{"*.test"})
		}},
		{name: "all hosts of a domain", template: "hosts", ask: core.SSHRequest{Principals: []string{"*.example.com", "a.example.com"}}, check: func(f pki.SSHFacts) bool { return len(f.Principals) == 2 }},
		{name: "more hosts than the pattern has", template: "hosts", ask: core.SSHRequest{Principals: []string{"*?.example.com"}}, kind: clm.Violation, field: "principal"},
		{name: "any character of a host", template: "hosts", ask: core.SSHRequest{Principals: []string{"?.example.com"}}, kind: clm.Violation, field: "principal"},
		{name: "all hosts by a template that allows any", template: "host", ask: core.SSHRequest{Principals: []string{"*"}}, kind: clm.Violation, field: "principal"},
		{name: "a user with an asterisk", template: "any", ask: core.SSHRequest{Principals: []string{"*"}}, check: func(f pki.SSHFacts) bool { return f.Principals[0] == "*" }},
		{name: "a template with another word than yes and no", template: "badword", ask: core.SSHRequest{KeyID: "x"}, kind: clm.Unsupported, field: "template"},
		{name: "principals where the template says no", template: "nay", ask: core.SSHRequest{Principals: []string{"x"}}, kind: clm.Violation, field: "own-principals"},
		{name: "two principals in one", template: "any", ask: core.SSHRequest{Principals: []string{"a,root"}}, kind: clm.Invalid, field: "order"},
		{name: "no principals", template: "nobody", kind: clm.Invalid, field: "order"},
		{name: "another extension", ask: core.SSHRequest{Extensions: map[string]string{"permit-user-rc": ""}}, kind: clm.Violation, field: "extension"},
		{name: "another value of an extension", ask: core.SSHRequest{Extensions: map[string]string{"login@github.com": "root"}}, kind: clm.Violation, field: "extension"},
		{name: "a critical option as extension", template: "any", ask: core.SSHRequest{Extensions: map[string]string{"force-command": "x"}}, kind: clm.Invalid, field: "order"},
		{name: "another command", ask: core.SSHRequest{ForceCommand: "/bin/sh"}, kind: clm.Violation, field: "force-command"},
		{name: "an address outside", ask: core.SSHRequest{Sources: []string{"192.0.2.1"}}, kind: clm.Violation, field: "source-address"},
		{name: "a wider network", ask: core.SSHRequest{Sources: []string{"10.0.0.0/7"}}, kind: clm.Violation, field: "source-address"},
		{name: "a host name as source", template: "any", ask: core.SSHRequest{Sources: []string{"test.com"}}, kind: clm.Invalid, field: "source-address"},
		{name: "a validity that is none", ask: core.SSHRequest{Validity: "soon"}, kind: clm.Invalid, field: "validity"},
		{name: "a key of an allowed kind", ask: core.SSHRequest{PublicKey: ed}, check: func(pki.SSHFacts) bool { return true }},
		{name: "a key of another kind", ask: core.SSHRequest{PublicKey: rsa}, kind: clm.Violation, field: "key-algorithm"},
		{name: "no key", template: "any", ask: core.SSHRequest{PublicKey: "ssh-rsa nonsense"}, kind: clm.Invalid, field: "public-key"},
		{name: "a key for those who have theirs made", template: "services", ask: core.SSHRequest{PublicKey: ed}, kind: clm.Violation, field: "key-from"},
		{name: "a key to be made for those who have their own", template: "clients", kind: clm.Violation, field: "key-from"},
		{name: "a key of theirs", template: "clients", ask: core.SSHRequest{PublicKey: ed}, check: func(pki.SSHFacts) bool { return true }},
		{name: "its own key id", template: string(clm.SSHOwnKeyID), ask: core.SSHRequest{KeyID: "x"}, kind: clm.Violation, field: "own-key-id"},
		{name: "its own principals", template: string(clm.SSHOwnPrincipals), ask: core.SSHRequest{Principals: []string{"x"}}, kind: clm.Violation, field: "own-principals"},
		{name: "its own extensions", template: string(clm.SSHOwnExtensions), ask: core.SSHRequest{Extensions: map[string]string{"x": ""}}, kind: clm.Violation, field: "own-extensions"},
		{name: "its own command", template: string(clm.SSHOwnForceCommand), ask: core.SSHRequest{ForceCommand: "x"}, kind: clm.Violation, field: "own-force-command"},
		{name: "its own sources", template: string(clm.SSHOwnSourceAddresses), ask: core.SSHRequest{Sources: []string{"10.0.0.1"}}, kind: clm.Violation, field: "own-source-addresses"},
		{name: "a key id beside that of the template", template: "fixed", ask: core.SSHRequest{KeyID: "x"}, kind: clm.Violation, field: "own-key-id"},
		{name: "principals beside those of the template", template: "fixed", ask: core.SSHRequest{Principals: []string{"x"}}, kind: clm.Violation, field: "own-principals"},
		{name: "extensions beside those of the template", template: "fixed", ask: core.SSHRequest{Extensions: map[string]string{"x": ""}}, kind: clm.Violation, field: "own-extensions"},
		{name: "a command beside that of the template", template: "fixed", ask: core.SSHRequest{ForceCommand: "x"}, kind: clm.Violation, field: "own-force-command"},
		{name: "sources beside those of the template", template: "fixed", ask: core.SSHRequest{Sources: []string{"10.0.0.1"}}, kind: clm.Violation, field: "own-source-addresses"},
		{name: "what the template says", template: "fixed", check: func(f pki.SSHFacts) bool { return f.KeyID == "it" && f.ForceCommand == "/bin/true" }},
		{name: "a template with a bad validity", template: "badmax", kind: clm.Unsupported, field: "template"},
		{name: "a template with a bad algorithm", template: "badkey", kind: clm.Unsupported, field: "template"},
		{name: "a template of no type", template: "badtype", kind: clm.Unsupported, field: "template"},
		{name: "a template for keys of nobody", template: "badfrom", kind: clm.Unsupported, field: "template"},
		{name: "a template that is not there", template: "nothing", kind: clm.NotFound, field: "template"},
		{name: "a folder that is none", ask: core.SSHRequest{Folder: sshPair}, kind: clm.NotFound, field: "folder"},
		{name: "a bad name", ask: core.SSHRequest{Name: `a\b`}, kind: clm.Invalid, field: "name"},
		{name: "a forged reference", template: "any", ask: core.SSHRequest{Principals: []string{clm.Ref("00000000-0000-0000-0000-000000000000")}}, kind: clm.Invalid, field: "value"},
		{name: "too many destinations", ask: core.SSHRequest{Destinations: numbers(core.MaxSSHDestinations + 1)}, kind: clm.Invalid, field: "destinations"},
		{name: "a long destination", ask: core.SSHRequest{Destinations: []string{strings.Repeat("x", core.MaxSSHText+1)}}, kind: clm.Invalid, field: "destinations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.ask.Template = c.template
			if c.template == "" {
				c.ask.Template = client
			}
			if c.ask.Name == "" {
				c.ask.Name = strings.ReplaceAll(c.name, "'", "")
			}
			got, err := r.RequestSSH(context.Background(), r.Admin, c.ask)
			if c.check == nil {
				if e := clm.AsError(err); err == nil || e.Kind != c.kind || e.Field != c.field {
					t.Fatalf("got %v, want %v of %s", err, c.kind, c.field)
				}
				if _, err := r.Object(context.Background(), r.Admin, sshFolder+`\`+c.ask.Name); !errors.Is(err, clm.NotFound) && !errors.Is(err, clm.Invalid) {
					t.Errorf("something was left behind: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got.Facts) {
				t.Errorf("got %+v", got.Facts)
			}
		})
	}
}

func valueless(n int) map[string]string {
	values := map[string]string{}
	for _, name := range numbers(n) {
		values[name] = ""
	}
	return values
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// Private keys lie sealed in the vault and nowhere else, open after the master key was
// changed, and go with their object.
func TestSSHKeysAreSealed(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := sshRig(t, d, "users", nil)
		ctx := context.Background()
		issued := requestSSH(t, r, core.SSHRequest{Template: "users", KeyID: "alice", WithKey: true})
		key, err := pki.ParseSSHPrivateKey(issued.Key.Reveal(), nil)
		if err != nil || pki.SSHFingerprint(key.Public()) != issued.Facts.KeyFingerprint {
			t.Fatalf("got another key, %v", err)
		}
		for _, dn := range []string{sshPair, string(issued.DN)} {
			node, err := r.Object(ctx, r.Admin, dn)
			if err != nil {
				t.Fatal(err)
			}
			if text := fmt.Sprint(node.Own); strings.Contains(text, "PRIVATE") {
				t.Errorf("%s shows its private key", dn)
			}
			id, _ := strconv.ParseInt(node.Own[clm.SSHSecret][0], 10, 64)
			if err := r.DB.Read(ctx, func(tx *store.Tx) error {
				s, err := tx.Secret(id)
				if err == nil && (len(s.Sealed) == 0 || bytes.Contains(s.Sealed, []byte("PRIVATE"))) {
					err = errors.New("it is not sealed")
				}
				return err
			}); err != nil {
				t.Errorf("%s: %v", dn, err)
			}
		}
		if err := r.Box.Rotate(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Reseal(ctx, r.Admin); err != nil {
			t.Fatal(err)
		}
		if err := r.Box.DropOld(); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, r, "read private key"); len(got) != 1 || got[0].Subject != string(issued.DN) {
			t.Errorf("got %+v, want the key noted that came with the certificate", got)
		}
		again, err := r.RetrieveSSH(ctx, r.Admin, core.RetrieveSSH{ID: issued.ID, WithKey: true, Passphrase: secret.NewString("foobar")})
		if got := entries(t, r, "read private key"); len(got) != 2 || got[1].Actor != r.Admin.Name {
			t.Errorf("got %+v, want the key noted that was retrieved", got)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pki.ParseSSHPrivateKey(again.Key.Reveal(), nil); err == nil {
			t.Error("the key is not encrypted")
		}
		if key, err := pki.ParseSSHPrivateKey(again.Key.Reveal(), []byte("foobar")); err != nil || pki.SSHFingerprint(key.Public()) != issued.Facts.KeyFingerprint {
			t.Errorf("got another key, %v", err)
		}
		requestSSH(t, r, core.SSHRequest{Template: "users", KeyID: "bob"})
		secrets := func() (n int) {
			if err := r.DB.Read(ctx, func(tx *store.Tx) error {
				list, err := tx.SecretsOfKind(core.VaultBlob, 100)
				n = len(list)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if got := secrets(); got != 3 {
			t.Errorf("got %d secrets, want those of the key pair and of two certificates", got)
		}
		requestSSH(t, r, core.SSHRequest{Template: "users", KeyID: "bob"})
		requestSSH(t, r, core.SSHRequest{Template: "users", KeyID: "alice", PublicKey: sshLine(t, "ED25519", "")})
		if got := secrets(); got != 2 {
			t.Errorf("got %d secrets after a new key and one from outside, want 2", got)
		}
		if err := r.DeleteObject(ctx, r.Admin, sshFolder, true); err != nil {
			t.Fatal(err)
		}
		if got := secrets(); got != 1 {
			t.Errorf("got %d secrets after the folder went, want that of the key pair", got)
		}
	})
}

// A number on the object gives nobody a key that the object does not own, nor one that
// is not that of the certificate.
func TestSSHSecretsAreTheObjectsOwn(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := sshRig(t, d, "users", nil)
		ctx := context.Background()
		issued := requestSSH(t, r, core.SSHRequest{Template: "users", KeyID: "alice"})
		pair, err := r.Object(ctx, r.Admin, sshPair)
		if err != nil {
			t.Fatal(err)
		}
		number := pair.Own[clm.SSHSecret][0]
		putSSH(t, r, core.Put{DN: string(issued.DN), Class: clm.SSHUserCertificate, Own: map[clm.Attr][]string{clm.SSHSecret: {number}}})
		got, err := r.RetrieveSSH(ctx, r.Admin, core.RetrieveSSH{DN: string(issued.DN), WithKey: true})
		if err != nil || got.HasKey || !got.Key.IsEmpty() {
			t.Errorf("got %v, %v, want no key", got.HasKey, err)
		}
		id, _ := strconv.ParseInt(number, 10, 64)
		if err := r.DB.Write(ctx, store.Entry{Actor: clm.System, Action: "test"}, func(tx *store.Tx) error { return tx.OwnSecret(id, issued.ID) }); err != nil {
			t.Fatal(err)
		}
		got, err = r.RetrieveSSH(ctx, r.Admin, core.RetrieveSSH{DN: string(issued.DN), WithKey: true})
		if e := clm.AsError(err); err == nil || e.Kind != clm.NoKey || !got.Key.IsEmpty() {
			t.Errorf("got %v, want that the key is not that of the certificate", err)
		}
		putSSH(t, r, core.Put{DN: sshPair, Class: clm.SSHKeyPair, Own: map[clm.Attr][]string{clm.SSHPublicKey: {sshLine(t, "ED25519", "")}}})
		_, err = r.RequestSSH(ctx, r.Admin, core.SSHRequest{Template: "users"})
		if e := clm.AsError(err); err == nil || e.Kind != clm.NoKey || e.Field != "mismatch" {
			t.Errorf("got %v, want that nothing is signed with a key that is not the one that is shown", err)
		}
		putSSH(t, r, core.Put{DN: string(issued.DN), Class: clm.SSHUserCertificate, Own: map[clm.Attr][]string{clm.SSHText: {"nonsense"}}})
		if _, err = r.RetrieveSSH(ctx, r.Admin, core.RetrieveSSH{DN: string(issued.DN)}); !errors.Is(err, clm.NotIssued) {
			t.Errorf("got %v, want that there is no certificate", err)
		}
	})
}

// However many ask at the same time, for one name or for none, every certificate has
// a serial number of its own, and there is one object for each name.
func TestSSHSerialsAreUnique(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := sshRig(t, d, "users", nil)
		const many = 8
		serials, ids := map[uint64]bool{}, map[clm.ObjectID]bool{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 2 * many {
			all.Go(func() {
				q := core.SSHRequest{Template: "users"}
				if i%2 == 0 {
					q.Name = "same"
				}
				got, err := r.RequestSSH(context.Background(), r.Admin, q)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				serials[got.Facts.Serial], ids[got.ID] = true, true
			})
		}
		all.Wait()
		if len(serials) != 2*many || serials[0] || len(ids) != many+1 {
			t.Errorf("got %d serial numbers and %d objects, want %d and %d", len(serials), len(ids), 2*many, many+1)
		}
	})
}

// A key pair that is there keeps its key; another one in its place is refused.
func TestSSHKeyPairsArePutOnce(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		mine, err := pki.GenerateSSHKey("P384")
		if err != nil {
			t.Fatal(err)
		}
		text, err := pki.EncodeSSHPrivateKey(mine, "", []byte("pass"))
		if err != nil {
			t.Fatal(err)
		}
		own := core.PutSSHKeyPair{DN: core.SSHKeyPairsDN + `\Mine`, Key: secret.NewPlain(text), Passphrase: secret.NewString("pass")}
		planned := own
		planned.Plan = true
		for i, c := range []struct {
			p       core.PutSSHKeyPair
			changed bool
			kind    clm.Kind // Internal: none
		}{
			{planned, true, 0}, {planned, true, 0}, {own, true, 0}, {own, false, 0}, {planned, false, 0},
			{core.PutSSHKeyPair{DN: own.DN, Algorithm: "ED25519"}, false, 0},
			{core.PutSSHKeyPair{DN: sshPair, Algorithm: "ED25519"}, true, 0},
			{core.PutSSHKeyPair{DN: sshPair, Algorithm: "ED25519"}, false, 0},
			{core.PutSSHKeyPair{DN: sshPair, Key: own.Key, Passphrase: own.Passphrase}, false, clm.Exists},
			{core.PutSSHKeyPair{DN: core.DefaultZone}, false, clm.Exists},
			{core.PutSSHKeyPair{DN: own.DN + "2", Algorithm: "DSA"}, false, clm.Invalid},
			{core.PutSSHKeyPair{DN: own.DN + "2", Key: own.Key}, false, clm.Invalid},
			{core.PutSSHKeyPair{DN: `\VED\Policy\Nowhere\Pair`, Algorithm: "ED25519"}, false, clm.NotFound},
		} {
			changed, err := r.PutSSHKeyPair(ctx, r.Admin, c.p)
			if changed != c.changed || (err == nil) != (c.kind == 0) || err != nil && clm.AsError(err).Kind != c.kind {
				t.Errorf("%d: got %v, %v, want %v, %v", i, changed, err, c.changed, c.kind)
			}
		}
		node, err := r.Object(ctx, r.Admin, own.DN)
		if pair := (core.SSHKeyPair{Object: node.Object}); err != nil || pair.Fingerprint() != pki.SSHFingerprint(mine.Public()) || pair.Algorithm() != "ECDSA384" {
			t.Errorf("got %s %s, %v", pair.Algorithm(), pair.Fingerprint(), err)
		}
	})
}

// Rights are asked for at every step, and a right that is taken away is gone.
func TestSSHRights(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := sshRig(t, d, "users", nil)
		ctx := context.Background()
		alice := user(t, r, "alice")
		grant := func(dn string, class clm.Class, rights clm.Rights) {
			t.Helper()
			putSSH(t, r, core.Put{DN: dn, Class: class, Rights: map[string]clm.Rights{"alice": rights}})
		}
		template := core.SSHTemplatesDN + `\users`
		const other = `\VED\Policy\Other`
		putSSH(t, r, core.Put{DN: other, Class: clm.Folder})
		line := sshLine(t, "ED25519", "")
		for _, c := range []struct {
			name             string
			template, folder clm.Rights
			ask              core.SSHRequest
			kind             clm.Kind // Internal: none
			field            string
		}{
			{name: "nothing", kind: clm.NotFound, field: "template"},
			{name: "the template may only be read", template: clm.Read, kind: clm.Denied, field: "template"},
			{name: "the template may be used", template: clm.Create, ask: core.SSHRequest{Name: "a"}},
			{name: "not to write what is there", template: clm.Create, folder: clm.Create, ask: core.SSHRequest{Name: "a"}, kind: clm.Denied, field: "object"},
			{name: "to write what is there", template: clm.Create, folder: clm.Write, ask: core.SSHRequest{Name: "a"}},
			{name: "not to read the key", template: clm.Create, folder: clm.Write | clm.Create, ask: core.SSHRequest{Name: "b", WithKey: true}, kind: clm.Denied, field: "key"},
			{name: "to read the key", template: clm.Create, folder: clm.KeyRead, ask: core.SSHRequest{Name: "b", WithKey: true}},
			{name: "a key from outside", template: clm.Create, ask: core.SSHRequest{Name: "c", WithKey: true, PublicKey: line}},
			{name: "another folder that is not seen", template: clm.Create, ask: core.SSHRequest{Folder: other}, kind: clm.NotFound, field: "folder"},
		} {
			grant(template, clm.SSHTemplate, c.template)
			grant(sshFolder, clm.Folder, c.folder)
			c.ask.Template = "users"
			_, err := r.RequestSSH(ctx, alice, c.ask)
			if e := clm.AsError(err); (err == nil) != (c.kind == 0) || err != nil && (e.Kind != c.kind || e.Field != c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
		}
		grant(other, clm.Folder, clm.Read)
		if _, err := r.RequestSSH(ctx, alice, core.SSHRequest{Template: "users", Folder: other}); clm.AsError(err).Field != "folder" || !errors.Is(err, clm.Denied) {
			t.Errorf("a folder that may only be read: got %v", err)
		}
		grant(other, clm.Folder, clm.Create)
		if _, err := r.RequestSSH(ctx, alice, core.SSHRequest{Template: "users", Folder: other}); err != nil {
			t.Errorf("a folder in which may be created: %v", err)
		}
		entries, err := r.Entries("issue SSH certificate")
		if err != nil || len(entries) != 5 {
			t.Errorf("got %d entries in the audit log, %v, want 5", len(entries), err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Detail, "serial number ") {
				t.Errorf("got %q", e.Detail)
			}
		}
	})
}

// An object has the name that its client gave it, as name or as key id. One that was
// made here is that of one certificate alone.
func TestSSHNamesKeepUsersApart(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := sshRig(t, d, "users", nil)
		addSSHTemplate(t, r, "team", map[clm.Attr][]string{clm.SSHKeyID: {`CORP\team`}})
		long := strings.Repeat("x", 200)
		addSSHTemplate(t, r, "long", map[clm.Attr][]string{clm.SSHKeyID: {long + strings.Repeat("y", 55)}})
		for _, c := range []struct {
			ask        core.SSHRequest
			name       string // {n}: the serial number
			keyID      string
			isReplaced bool // by a second request
		}{
			{core.SSHRequest{Template: "users", Name: "a", KeyID: `CORP\alice`}, "a", `CORP\alice`, true},
			{core.SSHRequest{Template: "users", KeyID: "alice"}, "alice", "alice", true},
			{core.SSHRequest{Template: "users", KeyID: `CORP\alice`}, "CORP_alice-{n}", `CORP\alice`, false},
			{core.SSHRequest{Template: "users"}, "ssh-{n}", "ssh-{n}", false},
			{core.SSHRequest{Template: "team"}, "CORP_team-{n}", `CORP\team`, false},
			{core.SSHRequest{Template: "team", Name: "b"}, "b", `CORP\team`, true},
		} {
			first, second := requestSSH(t, r, c.ask), requestSSH(t, r, c.ask)
			with := strings.NewReplacer("{n}", strconv.FormatUint(second.Facts.Serial, 10))
			if second.DN.Name() != with.Replace(c.name) || second.Facts.KeyID != with.Replace(c.keyID) || (first.ID == second.ID) != c.isReplaced {
				t.Errorf("%+v: got %s with key id %s, replaced %v", c.ask, second.DN, second.Facts.KeyID, first.ID == second.ID)
			}
		}
		if got := requestSSH(t, r, core.SSHRequest{Template: "long"}); !strings.HasPrefix(got.DN.Name(), long) || !strings.HasSuffix(got.DN.Name(), fmt.Sprintf("-%d", got.Facts.Serial)) {
			t.Errorf("got %s", got.DN)
		}
	})
}

// Serial numbers are random and not those of a counter: they do not come again when the
// database is one of yesterday.
func TestSSHSerialsAreRandom(t *testing.T) {
	t.Parallel()
	r := sshRig(t, coretest.SQLite(t), "users", nil)
	var all, same uint64 = 0, 1<<64 - 1
	for range 16 {
		serial := requestSSH(t, r, core.SSHRequest{Template: "users"}).Facts.Serial
		all, same = all|serial, same&serial
	}
	if all>>63 != 0 || all>>48 == 0 || all == same {
		t.Errorf("got the bits %x in all and %x in each, want 63 random ones", all, same)
	}
}

// What fits into a certificate until the real key signs it is refused as well.
func TestSSHCertificatesThatAreTooLongAreRefused(t *testing.T) {
	t.Parallel()
	r := sshRig(t, coretest.SQLite(t), "users", nil)
	const pair = core.SSHKeyPairsDN + `\RSA`
	if _, err := r.PutSSHKeyPair(context.Background(), r.Admin, core.PutSSHKeyPair{DN: pair, Algorithm: "RSA2048"}); err != nil {
		t.Fatal(err)
	}
	addSSHTemplate(t, r, "rsa", map[clm.Attr][]string{clm.SSHSigner: {pair}})
	extensions := map[string]string{}
	for i := range 11 {
		extensions[fmt.Sprintf("x%d@test", i)] = strings.Repeat("x", 4096)
	}
	var issued, refused int
	for n := 2000; n <= 4000; n += 200 {
		extensions["y@test"] = strings.Repeat("y", n)
		_, err := r.RequestSSH(context.Background(), r.Admin, core.SSHRequest{Template: "rsa", KeyID: "long", Extensions: extensions})
		switch e := clm.AsError(err); {
		case err == nil:
			issued++
		case e.Kind == clm.Invalid && e.Field == "order":
			refused++
		default:
			t.Errorf("%d bytes: got %v", n, err)
		}
	}
	if issued == 0 || refused == 0 {
		t.Errorf("%d were issued and %d refused, want some of both", issued, refused)
	}
}

// Who asks while a template or its key pair is changed gets a certificate by what holds
// when it is kept.
func TestSSHCertificatesFollowTheirTemplate(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := sshRig(t, d, "users", nil)
		const template = core.SSHTemplatesDN + `\users`
		for i, c := range []core.Put{
			{DN: template, Class: clm.SSHTemplate, Own: map[clm.Attr][]string{clm.SSHPrincipals: {"somebody"}}},
			{DN: sshPair, Class: clm.SSHKeyPair, Own: map[clm.Attr][]string{clm.Description: {"ours"}}},
		} {
			free := r.Occupy()
			before, err := r.Entries("request SSH certificate")
			if err != nil {
				t.Fatal(err)
			}
			var got core.SSHIssued
			var failed error
			var asking sync.WaitGroup
			asking.Go(func() {
				got, failed = r.RequestSSH(context.Background(), r.Admin, core.SSHRequest{Template: "users", KeyID: "alice"})
			})
			decided := func() int {
				entries, err := r.Entries("request SSH certificate")
				if err != nil {
					t.Error(err)
				}
				return len(entries) - len(before)
			}
			for until := time.Now().Add(time.Minute); decided() == 0 && time.Now().Before(until); {
				time.Sleep(10 * time.Millisecond)
			}
			putSSH(t, r, c)
			free()
			asking.Wait()
			if failed != nil || decided() != 2 || !slices.Equal(got.Facts.Principals, []string{"somebody"}) {
				t.Errorf("%d: got a certificate for %v, %v, after %d decisions, want somebody and 2", i, got.Facts.Principals, failed, decided())
			}
		}
	})
}
