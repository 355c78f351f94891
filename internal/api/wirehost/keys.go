package wirehost

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

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
func (h *Host) csr(args []string) error {
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
	h.Wire.Vars[args[0]] = base64.StdEncoding.EncodeToString(der)
	h.Wire.Vars[args[0]+".pem"] = strings.ReplaceAll(text, "\n", `\n`)
	h.Wire.Vars[args[0]+".escaped"] = strings.ReplaceAll(text, "\n", `\\n`)
	h.Wire.Vars[args[0]+".line"] = strings.ReplaceAll(text, "\n", "")
	h.Wire.Vars[args[0]+".hash"] = strings.ToUpper(hex.EncodeToString(pki.PublicKeyHash(key.Public())))
	der[len(der)-1] ^= 1
	h.Wire.Vars[args[0]+".forged"] = base64.StdEncoding.EncodeToString(der)
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
func (h *Host) client(args []string) error {
	ctx := context.Background()
	key, err := pki.GenerateKey(keySpecs["p256"])
	if err != nil {
		return err
	}
	der, err := pki.CreateCSR(clm.Names{CommonName: args[0]}, key)
	if err != nil {
		return err
	}
	_, err = h.Rig.Put(ctx, h.Rig.Admin, core.Put{DN: clientCA, Class: clm.Authority, Own: map[clm.Attr][]string{
		clm.Driver: {core.DriverName}, clm.Issuer: {core.RSAIssuer}, clm.Profile: {"client"},
	}})
	if err != nil {
		return err
	}
	done, err := h.Rig.Request(ctx, h.Rig.Admin, core.Request{
		Folder: core.DefaultZone, Authority: clientCA, CSR: base64.StdEncoding.EncodeToString(der),
	})
	if err != nil {
		return err
	}
	if _, err := h.Rig.Wait(ctx, done.Work, time.Minute); err != nil {
		return err
	}
	issued, err := h.Rig.Retrieve(ctx, h.Rig.Admin, core.Retrieve{DN: string(done.DN)})
	h.Wire.Clients[args[0]] = tls.Certificate{Certificate: [][]byte{issued.Version.Cert}, PrivateKey: key}
	return err
}

const clientCA = `\VED\Policy\CAs\Clients`
