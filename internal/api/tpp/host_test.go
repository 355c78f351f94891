package tpp

import (
	"context"
	"crypto"
	"crypto/tls"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/api/wiretest"
	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// TestConversations holds every conversation of this folder with a core on a
// database of its own, of each kind.
func TestConversations(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		whole := coretest.SetUp(t, d)
		wiretest.Run(t, "testdata", func(t *testing.T) *wiretest.Host { return newHost(t, coretest.CopyOf(t, whole)).wire })
	})
}

// rows are how many rows there are in the list of what each call answers and does.
var rows = []struct {
	folder, prefix string
	many           int
}{
	{"renew", "REN", 100}, {"reset", "RES", 40}, {"revoke", "REV", 45},
}

// TestEveryRowHasAConversation wants a file for each row of the lists of what calls
// answer and do, with a first line that says what the row claims.
func TestEveryRowHasAConversation(t *testing.T) {
	for _, list := range rows {
		for n := range list.many {
			wantConversation(t, filepath.Join("testdata", list.folder, fmt.Sprintf("%s-%02d.txtar", list.prefix, n+1)))
		}
	}
}

func wantConversation(t *testing.T, name string) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Error(err)
		return
	}
	if claim, _, _ := strings.Cut(string(archive.Comment), "\n"); strings.TrimSpace(claim) == "" {
		t.Errorf("%s does not say what it claims", name)
	}
	if !slices.ContainsFunc(archive.Files, func(f txtar.File) bool { return f.Name == "response" }) {
		t.Errorf("%s expects nothing", name)
	}
}

// host is a server for one conversation. Its section "setup" has a command in each
// line, its section "look" a claim about what is stored; see commands and claims.
type host struct {
	t    *testing.T
	wire *wiretest.Host
	opt  Options
	idle bool
	wait time.Duration // for a lock; zero: as long as usual
	on   coretest.Database

	faults faults
	faulty *coretest.Faulty
	held   map[string]held // calls of the faulty CA, by their name
	locked func()          // lets the row go that is locked

	once    sync.Once
	rig     *coretest.Rig
	handler http.Handler
}

func newHost(t *testing.T, on coretest.Database) *host {
	h := &host{t: t, on: on}
	h.wire = &wiretest.Host{Vars: map[string]string{}, Do: h.do, Clients: map[string]tls.Certificate{}}
	h.wire.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.start()
		h.handler.ServeHTTP(w, r)
	})
	return h
}

// start makes the core when it is first needed.
func (h *host) start() {
	h.once.Do(func() {
		h.rig = coretest.New(h.t, h.on, h.options())
		h.opt.Log = slog.New(slog.NewTextHandler(h.rig.Log, nil))
		h.handler = Handler(h.rig.Core, h.opt)
		if h.faulty != nil {
			h.rig.AddFaulty(nil)
		}
	})
}

func (h *host) options() coretest.Options {
	o := coretest.Options{Idle: h.idle, Connectors: connectors, Rehearsal: true, LockWait: h.wait, Fault: h.faults.at, Expand: Expand}
	if h.faulty != nil {
		o.Connectors = maps.Clone(o.Connectors)
		maps.Copy(o.Connectors, h.faulty.Connectors())
	}
	return o
}

// first is a database that has been set up, for tests that need SQLite alone.
var first = sync.OnceValues(func() (dir string, err error) {
	return os.MkdirTemp("", "certwright-tpp")
})

var (
	firstMade  sync.Once
	firstWhole coretest.Database
)

func copyOfFirst(t *testing.T) coretest.Database {
	t.Helper()
	dir, err := first()
	if err != nil {
		t.Fatal(err)
	}
	firstMade.Do(func() {
		firstWhole = coretest.SetUp(t, coretest.Database{Address: filepath.Join(dir, "certwright.db"), Dir: dir})
	})
	return coretest.CopyOf(t, firstWhole)
}

func TestMain(m *testing.M) {
	code := coretest.Main(m)
	if dir, err := first(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// connectors are further CAs for setups, by their Certwright:driver.
var connectors = ca.Registry{
	"refusing": {New: func(ca.Settings) (ca.CA, error) { return refusing{}, nil }},
}

// refusing is a CA that says no.
type refusing struct{}

func (refusing) Submit(context.Context, ca.Order) (string, error) {
	return "", clm.Permanent(errors.New("The certificate authority says no.")) //nolint:staticcheck // shown to users as it is
}
func (refusing) Collect(context.Context, ca.Order) (ca.Issued, error) { return ca.Issued{}, nil }

// do carries out a section.
func (h *host) do(t *testing.T, section, text string) {
	t.Helper()
	table := map[string]map[string]command{"setup": commands, "look": claims}[section]
	if table == nil {
		t.Fatalf("there is no section %s", section)
	}
	for line := range strings.Lines(text) {
		words := split(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		command, ok := table[words[0]]
		if !ok {
			t.Fatalf("there is no command %s", words[0])
		}
		if !command.before {
			h.start()
		}
		if err := command.do(h, words[1:]); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
	}
}

// split splits a line at blanks outside of double quotes.
func split(line string) []string {
	var words []string
	var b strings.Builder
	quoted, any := false, false
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteRune(r)
			any = true
		}
	}
	return words
}

// A command is a line of a section. One marked before must stand before all others.
type command struct {
	before bool
	do     func(h *host, args []string) error
}

// commands are what a setup can say.
var commands = map[string]command{
	// idle: nobody carries out work
	"idle": {true, func(h *host, _ []string) error { h.idle = true; return nil }},
	// faulty: there is a CA outside that does as it is told (see ca), at coretest.FaultyCA;
	// the certificates below coretest.FaultyZone are ordered from it
	"faulty": {true, func(h *host, _ []string) error { h.faulty = &coretest.Faulty{}; return nil }},
	// impatient: nobody waits long for what another transaction has locked
	"impatient": {true, func(h *host, _ []string) error { h.wait = 100 * time.Millisecond; return nil }},
	// nokeys: no API keys
	"nokeys": {true, func(h *host, _ []string) error { h.opt.NoLegacyKeys = true; return nil }},
	// timeout STATUS: what a Request that has waited in vain answers
	"timeout": {true, func(h *host, args []string) (err error) {
		h.opt.RequestTimeoutStatus, err = strconv.Atoi(args[0])
		return err
	}},
	// workflow DN FOLDER POINT [USER…]: a workflow, its approvers, and a folder that names it
	"workflow": {false, (*host).workflow},
	// rule VAR STAGE REASON [USER…]: the definition of a workflow, in base64
	"rule": {false, (*host).rule},
	// asked DN N: waits until there are so many tickets about the object
	"asked": {false, (*host).asked},
	// object DN CLASS [NAME=VALUE…]
	"object": {false, (*host).object},
	// policy DN NAME locked|default VALUE…
	"policy": {false, (*host).policy},
	// user NAME [PASSWORD]
	"user": {false, (*host).user},
	// rights DN USER RIGHT…
	"rights": {false, (*host).rights},
	// application ID SCOPE [norefresh]
	"application": {false, (*host).application},
	// token VAR USER SCOPE
	"token": {false, (*host).token},
	// csr VAR KEY [NAME=VALUE…]
	"csr": {false, (*host).csr},
	// foreign VAR KEY [NAME=VALUE…] [ago=DURATION] [eku=OID…]: a certificate issued elsewhere
	"foreign": {false, (*host).foreign},
	// client NAME: a client certificate for @client
	"client": {false, (*host).client},
	// turn DURATION: turns the clock
	"turn": {false, func(h *host, args []string) error {
		by, err := time.ParseDuration(args[0])
		h.rig.Clock.Turn(by)
		return err
	}},
	// scene DN SCENE [STAGE [TEXT]]: puts a certificate or application on stage, see
	// core.Rehearse; of key-foreign what follows is the other DN, of revocation-failed
	// STAGE is 1400
	"scene": {false, (*host).scene},
	// issued DN [NAME=VALUE…]: a certificate that has been issued; said again, it is renewed
	"issued": {false, (*host).issued},
	// version VAR DN [N]: VAR is the thumbprint of the certificate in use, or of the Nth;
	// VAR.lower, VAR.colons and VAR.blanks spell it otherwise, VAR.serial is the serial number
	"version": {false, (*host).version},
	// ca CALL refuses TEXT | unreachable TEXT | takes DURATION | well: what the faulty CA
	// makes of calls of the name, submit, collect or revoke, from now on. With holds it
	// keeps the answer to the next one to itself, asked waits for that, and answers lets
	// it go; with after N it answers when N calls of Revoke have been written down
	"ca": {false, (*host).ca},
	// bind APPLICATION CERTIFICATE: lets it use the certificate
	"bind": {false, func(h *host, args []string) error {
		_, err := h.rig.Bind(context.Background(), h.rig.Admin, args[0], args[1])
		return err
	}},
	// lock DN: another transaction has the object, until unlock
	"lock": {false, func(h *host, args []string) (err error) {
		if h.locked, err = h.rig.Lock(args[0]); err == nil {
			h.t.Cleanup(h.locked)
		}
		return err
	}},
	"unlock": {false, func(h *host, _ []string) error { h.locked(); return nil }},
	// audited ACTION NUMBER: waits until there are so many entries of it, or more, in the audit log
	"audited": {false, (*host).audited},
	// fault WORDS: the next statement of a write with these words in it fails
	"fault": {false, func(h *host, args []string) error { h.faults.next(args[0], errors.New("the disk is full")); return nil }},
	// vanish WORDS: the next statement of a write with these words in it finds nothing
	"vanish": {false, func(h *host, args []string) error { h.faults.next(args[0], sql.ErrNoRows); return nil }},
	// run: somebody carries out work from now on
	"run": {false, func(h *host, _ []string) error {
		h.rig.Stop()
		h.idle = false
		h.rig.Start(h.options())
		h.handler = Handler(h.rig.Core, h.opt)
		return nil
	}},
}

func (h *host) audited(args []string) error {
	wanted, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all, err := h.rig.DB.Audit(context.Background(), 0, 10_000)
		if err != nil {
			return err
		}
		n := 0
		for _, e := range all {
			if e.Action == args[0] {
				n++
			}
		}
		if n >= wanted {
			return nil
		}
	}
	return errors.New("there are not")
}

// held is a call whose answer the faulty CA keeps to itself.
type held struct {
	asked  <-chan struct{}
	answer func()
}

func (h *host) ca(args []string) error {
	answer := func(context.Context) error { return nil }
	text := strings.Join(args[2:], " ")
	switch args[1] {
	case "holds":
		asked, answer := h.faulty.Hold(h.t, args[0])
		if h.held == nil {
			h.held = map[string]held{}
		}
		h.held[args[0]] = held{asked, answer}
		return nil
	case "asked":
		select {
		case <-h.held[args[0]].asked:
			return nil
		case <-time.After(time.Minute):
			return errors.New("it was not asked")
		}
	case "answers":
		h.held[args[0]].answer()
		return nil
	case "after":
		calls, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		answer = h.after(calls)
	case "refuses":
		answer = func(context.Context) error { return clm.Permanent(errors.New(text)) }
	case "unreachable":
		answer = func(context.Context) error { return errors.New(text) }
	case "takes":
		wait, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		answer = func(ctx context.Context) error {
			select {
			case <-time.After(wait):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	h.faulty.At(func(ctx context.Context, c coretest.Call) error {
		if c.Name != args[0] || c.After {
			return nil
		}
		return answer(ctx)
	})
	return nil
}

func (h *host) scene(args []string) error {
	r := core.Rehearsal{DN: args[0], Scene: core.Scene(args[1])}
	if r.Scene == core.SceneKeyForeign {
		r.Other = args[2]
		args = args[:2]
	}
	for stage, s := range stages {
		if len(args) > 2 && strconv.Itoa(s.number) == args[2] && (r.Stage == "" || stage == clm.Collect) {
			r.Stage = stage
		}
	}
	r.Text = strings.Join(args[min(3, len(args)):], " ")
	_, err := h.rig.Rehearse(context.Background(), h.rig.Admin, r)
	return err
}

func (h *host) object(args []string) error {
	class, kind := names.Class(args[1])
	own := map[clm.Attr][]string{}
	if kind != "" {
		own[map[clm.Class]clm.Attr{clm.Authority: clm.AuthorityKind, clm.CustomField: clm.FieldKind}[class]] = []string{kind}
	}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		own[names.Attr(name)] = append(own[names.Attr(name)], value)
	}
	_, err := h.rig.Put(context.Background(), h.rig.Admin, core.Put{DN: args[0], Class: class, Own: own})
	return err
}

func (h *host) policy(args []string) error {
	key := clm.PolicyKey{Class: clm.AnyCertificate, Attr: names.Attr(args[1])}
	_, err := h.rig.Put(context.Background(), h.rig.Admin, core.Put{DN: args[0], Class: clm.Folder,
		Policy: map[clm.PolicyKey]clm.Rule{key: {Values: args[3:], Locked: args[2] == "locked"}}})
	return err
}

func (h *host) user(args []string) error {
	p := core.PutPrincipal{Name: args[0]}
	if len(args) > 1 {
		p.Password = secret.NewString(args[1])
	}
	_, err := h.rig.PutPrincipal(context.Background(), h.rig.Admin, p)
	return err
}

// rightNames are the rights as setups spell them.
var rightNames = map[string]clm.Rights{
	"view": clm.View, "read": clm.Read, "write": clm.Write, "create": clm.Create, "keyread": clm.KeyRead, "keywrite": clm.KeyWrite, "delete": clm.Delete,
	"all": clm.AllRights,
}

func (h *host) rights(args []string) error {
	var rights clm.Rights
	for _, name := range args[2:] {
		rights |= rightNames[name]
	}
	node, err := h.rig.Object(context.Background(), h.rig.Admin, args[0])
	if err != nil {
		return err
	}
	_, err = h.rig.Put(context.Background(), h.rig.Admin, core.Put{DN: args[0], Class: node.Class, Rights: map[string]clm.Rights{args[1]: rights}})
	return err
}

func (h *host) application(args []string) error {
	a := core.NewApplication(args[0], args[1])
	a.Refreshable = len(args) < 3
	_, err := h.rig.PutApplication(context.Background(), h.rig.Admin, a, false)
	return err
}

func (h *host) token(args []string) error {
	ctx := context.Background()
	who := h.rig.Admin
	if args[1] != core.Admin {
		password := secret.NewString("a Password 4 " + args[1])
		if _, err := h.rig.PutPrincipal(ctx, h.rig.Admin, core.PutPrincipal{Name: args[1], Password: password}); err != nil {
			return err
		}
		var err error
		if who, err = h.rig.Login(ctx, core.Login{Name: args[1], Password: password, Address: "127.0.0.1"}); err != nil {
			return err
		}
	}
	app, err := h.rig.Application(ctx, "vcert-sdk")
	if err != nil {
		return err
	}
	tokens, err := h.rig.Grant(ctx, who, app, args[2])
	h.wire.Vars[args[0]] = string(tokens.Access.Reveal())
	h.wire.Vars[args[0]+".refresh"] = string(tokens.Refresh.Reveal())
	h.wire.Vars[args[0]+".identity"] = universal(who.ID)
	return err
}

// keySpecs are the keys that setups can name.
var keySpecs = map[string]pki.KeySpec{
	"rsa1024": {Algorithm: clm.RSA, Bits: 1024}, "rsa2048": {Algorithm: clm.RSA, Bits: 2048}, "rsa3072": {Algorithm: clm.RSA, Bits: 3072},
	"p256": {Algorithm: clm.ECC, Curve: clm.P256}, "p384": {Algorithm: clm.ECC, Curve: clm.P384},
}

var (
	keysMu sync.Mutex
	keys   = map[string]crypto.Signer{}
)

// csr makes a signing request: VAR is its bare base64, VAR.pem its PEM with \n
// spelled out, VAR.line its PEM without line ends, VAR.forged one whose signature
// is false, VAR.hash that of its public key. A KEY such as p256/x is the same key
// wherever x is the same.
func (h *host) csr(args []string) error {
	kind, _, shared := strings.Cut(args[1], "/")
	keysMu.Lock()
	key, has := keys[args[1]]
	keysMu.Unlock()
	var err error
	if !has {
		if key, err = pki.GenerateKey(keySpecs[kind]); err != nil {
			return err
		}
	}
	if shared {
		keysMu.Lock()
		keys[args[1]] = key
		keysMu.Unlock()
	}
	n, rest := namesFrom(args[2:])
	if len(rest) > 0 {
		return errors.New("no such name: " + rest[0])
	}
	der, err := pki.CreateCSR(n, key)
	if err != nil {
		return err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	h.wire.Vars[args[0]] = base64.StdEncoding.EncodeToString(der)
	h.wire.Vars[args[0]+".pem"] = strings.ReplaceAll(text, "\n", `\n`)
	h.wire.Vars[args[0]+".escaped"] = strings.ReplaceAll(text, "\n", `\\n`)
	h.wire.Vars[args[0]+".line"] = strings.ReplaceAll(text, "\n", "")
	h.wire.Vars[args[0]+".hash"] = strings.ToUpper(hex.EncodeToString(pki.PublicKeyHash(key.Public())))
	der[len(der)-1] ^= 1
	h.wire.Vars[args[0]+".forged"] = base64.StdEncoding.EncodeToString(der)
	return nil
}

// namesFrom reads NAME=VALUE…; rest is what it does not know.
func namesFrom(args []string) (n clm.Names, rest []string) {
	fields := map[string]*string{"CN": &n.CommonName, "O": &n.Organization, "L": &n.Locality, "S": &n.Province, "C": &n.Country}
	lists := map[string]*[]string{"OU": &n.OrganizationalUnit, "DNS": &n.DNS, "Email": &n.Email, "IP": &n.IP, "URI": &n.URI, "UPN": &n.UPN}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if field := fields[name]; field != nil {
			*field = value
		} else if list := lists[name]; list != nil {
			*list = append(*list, value)
		} else {
			rest = append(rest, arg)
		}
	}
	return n, rest
}

// client has the installation issue a client certificate with the common name.
func (h *host) client(args []string) error {
	ctx := context.Background()
	key, err := pki.GenerateKey(keySpecs["p256"])
	if err != nil {
		return err
	}
	der, err := pki.CreateCSR(clm.Names{CommonName: args[0]}, key)
	if err != nil {
		return err
	}
	_, err = h.rig.Put(ctx, h.rig.Admin, core.Put{DN: clientCA, Class: clm.Authority, Own: map[clm.Attr][]string{
		clm.Driver: {core.DriverName}, clm.Issuer: {core.RSAIssuer}, clm.Profile: {"client"},
	}})
	if err != nil {
		return err
	}
	done, err := h.rig.Request(ctx, h.rig.Admin, core.Request{
		Folder: core.DefaultZone, Authority: clientCA, CSR: base64.StdEncoding.EncodeToString(der),
	})
	if err != nil {
		return err
	}
	if _, err := h.rig.Wait(ctx, done.Work, time.Minute); err != nil {
		return err
	}
	issued, err := h.rig.Retrieve(ctx, h.rig.Admin, core.Retrieve{DN: string(done.DN)})
	h.wire.Clients[args[0]] = tls.Certificate{Certificate: [][]byte{issued.Version.Cert}, PrivateKey: key}
	return err
}

const clientCA = `\VED\Policy\CAs\Clients`
