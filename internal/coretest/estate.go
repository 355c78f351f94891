package coretest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// An Estate is a stock of certificates such as a large company has, to be put
// into a database that is set up and that nobody has open: folders by region,
// site and team; five issuers; RSA and EC keys; lifetimes of ninety days to two
// years; a few that are disabled, renewed before, in error or not issued yet. The
// certificates are real, and so are their keys, of which many share one. The same
// size gives the same estate, but for keys and serial numbers.
type Estate struct {
	Address string
	Size    int
	Box     *secret.Box                      // seals the keys; nil: none are kept
	Tell    func(format string, args ...any) // nil: says nothing
}

// The shape of an estate.
const (
	regions      = 8
	estateSpan   = 3 * 365 * 24 * time.Hour // the oldest certificate was made so long ago
	perTeam      = 300                      // certificates of a team, on the mean
	loadedAtOnce = 5000
	estateFolder = clm.PolicyDN + `\Estate`
	rsaKeys      = 4
)

// A team has a folder, and what its certificates have in common.
type team struct {
	id     clm.ObjectID
	dn     clm.DN
	names  clm.Names
	issuer int
	rsa    int // per cent of its keys
}

type estateIssuer struct {
	cert  *x509.Certificate
	key   crypto.Signer
	chain []byte
}

// Fill makes the estate.
func (e Estate) Fill(ctx context.Context) error {
	if e.Tell == nil {
		e.Tell = func(string, ...any) {}
	}
	f := &filler{Estate: e, now: time.Now().UTC().Truncate(time.Second), random: random.New(random.NewPCG(1, uint64(e.Size)))}
	if err := f.prepare(ctx); err != nil {
		return err
	}
	e.Tell("%d folders\n", len(f.teams))
	load, done, err := store.Load(ctx, f.Address)
	if err != nil {
		return err
	}
	defer done()
	var bulk store.Bulk
	begun := time.Now()
	for at := 0; at < e.Size; at += loadedAtOnce {
		for _, h := range f.make(at, min(at+loadedAtOnce, e.Size)) {
			bulk.Add(h)
		}
		if err := load(bulk.Take()); err != nil {
			return err
		}
		if n := at + loadedAtOnce; n%100_000 == 0 {
			e.Tell("%d certificates after %s\n", n, time.Since(begun).Round(time.Second))
		}
	}
	return load(bulk.Tallies())
}

type filler struct {
	Estate
	now     time.Time
	random  *random.Rand
	first   clm.VersionID // of the numbers that its versions have
	teams   []team
	issuers []estateIssuer
	rsa, ec []poolKey
}

// maxVersions is how many versions a certificate may have.
const maxVersions = 4

// A poolKey is a key that many certificates share.
type poolKey struct {
	crypto.Signer
	pkcs8, hash []byte
}

// prepare makes issuers, keys and folders, by ordinary writes.
func (f *filler) prepare(ctx context.Context) error {
	for n := range rsaKeys + 64 {
		var key crypto.Signer
		var err error
		if n < rsaKeys {
			key, err = rsa.GenerateKey(rand.Reader, []int{2048, 2048, 2048, 3072}[n])
		} else {
			key, err = ecdsa.GenerateKey([]elliptic.Curve{elliptic.P256(), elliptic.P384()}[n/60], rand.Reader)
		}
		if err != nil {
			return err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		k := poolKey{key, pkcs8, pki.PublicKeyHash(key.Public())}
		if n < rsaKeys {
			f.rsa = append(f.rsa, k)
		} else {
			f.ec = append(f.ec, k)
		}
	}
	db, err := store.Open(ctx, f.Address, store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Write(ctx, store.Entry{Actor: clm.System, Action: "make an estate"}, func(tx *store.Tx) error {
		f.issuers, f.teams = nil, nil
		for n := range 5 {
			if err := f.addIssuer(tx, n); err != nil {
				return err
			}
		}
		first, err := tx.TakeVersions(f.Size * maxVersions)
		f.first = clm.VersionID(first)
		return errors.Join(err, f.addFolders(tx))
	})
}

func (f *filler) addIssuer(tx *store.Tx, n int) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(n + 1)), Subject: pkix.Name{CommonName: fmt.Sprintf("Estate Issuing CA %d", n+1), Organization: []string{"Estate Trust"}, Country: []string{"DE"}},
		NotBefore: f.now.Add(-2 * estateSpan), NotAfter: f.now.Add(3 * estateSpan), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	chain, err := tx.SaveChain([][]byte{der})
	f.issuers = append(f.issuers, estateIssuer{cert, key, chain})
	return err
}

// addFolders makes the regions, their sites and the teams' folders. Where there
// is no policy tree yet, it makes that too.
func (f *filler) addFolders(tx *store.Tx) error {
	folder := func(dn clm.DN, policy map[clm.PolicyKey]clm.Rule) (clm.ObjectID, error) {
		o := &clm.Object{DN: dn, Class: clm.Folder, Policy: policy}
		if path, err := tx.Path(dn); err == nil {
			return path.Last().ID, nil
		}
		parent := clm.ObjectID("")
		if path, err := tx.Path(dn.Parent()); err == nil {
			parent = path.Last().ID
		}
		return o.ID, tx.AddObject(o, parent)
	}
	for _, dn := range []clm.DN{clm.RootDN, clm.PolicyDN, estateFolder} {
		if _, err := folder(dn, nil); err != nil {
			return err
		}
	}
	for n := range max(f.Size/perTeam, regions) {
		region := n % regions
		site := n / regions % 20
		at := estateFolder.Child(fmt.Sprintf("Region %d", region))
		if _, err := folder(at, map[clm.PolicyKey]clm.Rule{{Class: clm.AnyCertificate, Attr: clm.Organization}: {Values: []string{"Estate Region " + fmt.Sprint(region)}, Locked: region%2 == 0}}); err != nil {
			return err
		}
		at = at.Child(fmt.Sprintf("Site %02d", site))
		if _, err := folder(at, nil); err != nil {
			return err
		}
		t := team{
			dn: at.Child(fmt.Sprintf("Team %04d", n)), issuer: n % 5, rsa: []int{100, 50, 10}[n%3],
			names: clm.Names{
				Organization: fmt.Sprintf("Estate Region %d", region), OrganizationalUnit: []string{fmt.Sprintf("Department %d", n%40)},
				Locality: fmt.Sprintf("City %d", site), Province: fmt.Sprintf("Province %d", region), Country: []string{"DE", "US", "FR", "JP"}[region%4],
			},
		}
		var err error
		if t.id, err = folder(t.dn, nil); err != nil {
			return err
		}
		f.teams = append(f.teams, t)
	}
	return nil
}

// make makes the certificates from one number up to another, on all cores.
func (f *filler) make(from, until int) []store.Holding {
	seeds := make([]uint64, until-from)
	for i := range seeds {
		seeds[i] = f.random.Uint64()
	}
	made := make([]store.Holding, len(seeds))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(seeds); i += workers {
				made[i] = f.holding(from+i, random.New(random.NewPCG(seeds[i], 0)))
			}
		})
	}
	wg.Wait()
	return made
}

// holding makes the certificate with the number. They follow one another in time;
// neighbours are often of one team, as after an import.
func (f *filler) holding(n int, r *random.Rand) store.Holding {
	created := f.now.Add(-estateSpan).Add(time.Duration(float64(estateSpan) * float64(n) / float64(f.Size))).Truncate(time.Microsecond)
	t := f.teams[(n/20*7919+r.IntN(8))%len(f.teams)]
	name := fmt.Sprintf("host-%07d.team%s.estate.example", n, t.dn[len(t.dn)-4:])
	o := &clm.Object{ID: estateID(created, n, r), DN: t.dn.Child(name), Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.CommonName: {name}}, Created: created.UnixMicro(), Revision: int64(n)}
	switch p := r.IntN(100); {
	case p < 2:
		o.Own[clm.Off] = []string{"1"}
	case p < 5:
		o.Class = clm.DeviceCertificate
	case p < 8:
		o.Own[clm.ManagementType] = []string{clm.Monitoring}
	}
	h := store.Holding{Object: o, Folder: t.id}
	if r.IntN(200) == 0 { // asked for in vain
		h.Work = f.work(o, n, r)
		return h
	}
	h.Facts = clm.Facts{Names: t.names, KeyAlgorithm: clm.ECC, KeySize: 256, SignatureAlgorithm: "sha256ECDSA", Issuer: pki.FormatName(f.issuers[t.issuer].cert.RawSubject), IssuedBy: f.issuers[t.issuer].cert.Subject.CommonName}
	h.Facts.CommonName = name
	h.Facts.DNS = []string{name, "www." + name}[:1+r.IntN(2)]
	if r.IntN(50) == 0 {
		h.Facts.DNS = append(h.Facts.DNS, "*."+name)
	}
	if r.IntN(20) == 0 {
		h.Facts.IP = []string{fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
	}
	versions := 1
	if r.IntN(10) == 0 {
		versions += 1 + r.IntN(2)
	}
	life := []time.Duration{90, 90, 90, 180, 398, 398, 398, 398, 398, 730}[r.IntN(10)] * 24 * time.Hour
	begin := f.now.Add(-time.Duration(r.Int64N(int64(life + life/20)))).Truncate(time.Second) // one in twenty has run out
	for v := range versions {
		h.Versions = append(h.Versions, f.version(&h, t, begin.Add(-life*time.Duration(versions-1-v)), life, n*maxVersions+v, r))
	}
	if r.IntN(100) == 0 {
		h.Work = f.work(o, n, r)
	} else if h.Work = f.done(o, h.Versions[versions-1]); o.Class == clm.ServerCertificate {
		h.RenewAt = h.Versions[versions-1].NotAfter.Add(-30 * 24 * time.Hour)
		if h.RenewAt.Before(f.now) {
			h.RenewAt = time.Time{} // a server would begin at once to renew them all
		}
	}
	return h
}

// estateID is a GUID as the store makes them, in the order of the numbers.
func estateID(created time.Time, n int, r *random.Rand) clm.ObjectID {
	ms := uint64(created.UnixMilli())
	return clm.ObjectID(fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x", ms>>16, ms&0xffff, n&0xfff, 0x8000|n>>12&0x3fff, r.Uint64()&(1<<48-1)))
}

func (f *filler) version(h *store.Holding, t team, begin time.Time, life time.Duration, number int, r *random.Rand) clm.Version {
	key := f.ec[r.IntN(len(f.ec))]
	if r.IntN(100) < t.rsa {
		key = f.rsa[r.IntN(len(f.rsa))]
	}
	spec := pki.SpecOf(key.Public())
	h.Facts.KeyAlgorithm, h.Facts.KeySize = spec.Algorithm, spec.Bits
	if spec.Bits == 0 {
		fmt.Sscanf(spec.Curve, "P%d", &h.Facts.KeySize)
	}
	serial := make([]byte, 16)
	binary.BigEndian.PutUint64(serial, r.Uint64()|1<<62)
	binary.BigEndian.PutUint64(serial[8:], uint64(number))
	issuer := f.issuers[t.issuer]
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject: pkix.Name{
			CommonName: h.Facts.CommonName, Organization: []string{h.Facts.Organization}, OrganizationalUnit: h.Facts.OrganizationalUnit,
			Locality: []string{h.Facts.Locality}, Province: []string{h.Facts.Province}, Country: []string{h.Facts.Country},
		},
		DNSNames: h.Facts.DNS, NotBefore: begin, NotAfter: begin.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, ip := range h.Facts.IP {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		panic(err) // the template is ours
	}
	v := clm.Version{
		ID: f.first + clm.VersionID(number*4), Certificate: h.Object.ID, Created: begin, KeyHash: key.hash, Cert: der, Chain: issuer.chain,
		Thumbprint: pki.Thumbprint(der), Serial: strings.ToUpper(fmt.Sprintf("%x", template.SerialNumber.Bytes())), NotBefore: begin, NotAfter: begin.Add(life),
	}
	if f.Box != nil {
		sealed, err := f.Box.Seal(secret.NewPlain(key.pkcs8), fmt.Sprintf("version/%d", v.ID))
		if err != nil {
			panic(err)
		}
		v.Sealed = sealed
	}
	return v
}

// work is open work: mostly it has stopped.
func (f *filler) work(o *clm.Object, n int, r *random.Rand) *clm.Work {
	w := clm.Begin(clm.Enroll, []clm.Stage{clm.Submit, clm.Collect, clm.CreateKey}[r.IntN(3)], f.now)
	w.ID, w.Subject, w.Begun, w.Epoch, w.Actor, w.NotBefore = clm.WorkID(n*16+18), o.ID, true, 1, "admin", clm.Never
	if r.IntN(5) > 0 {
		w.Failure = "the authority refused the request"
	}
	return &w
}

// done is the work that has brought the version.
func (f *filler) done(o *clm.Object, v clm.Version) *clm.Work {
	w := clm.Begin(clm.Enroll, clm.CreateKey, v.Created)
	w.ID, w.Subject, w.Version, w.Stage, w.Begun, w.Done, w.Epoch, w.Actor = clm.WorkID(v.ID), o.ID, v.ID, clm.End, true, true, 1, "admin"
	return &w
}
