package pki

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/pbkdf2"
	"software.sslmate.com/src/go-pkcs12"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func asPEMs(certs ...[]byte) string {
	var b strings.Builder
	for _, der := range certs {
		b.WriteString(asPEM("CERTIFICATE", der))
	}
	return b.String()
}

// onTheWay are the things that happen to PEM between a client's file and us.
var onTheWay = map[string]func(text string) string{
	"nothing":                func(text string) string { return text },
	"CRLF":                   func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") },
	`\n spelled out`:         func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) },
	`\r\n spelled out`:       func(text string) string { return strings.ReplaceAll(text, "\n", `\r\n`) },
	"no line ends at all":    func(text string) string { return strings.ReplaceAll(text, "\n", "") },
	"blanks for line ends":   func(text string) string { return strings.ReplaceAll(text, "\n", " ") },
	"doubled line ends":      func(text string) string { return strings.ReplaceAll(text, "\n", "\n\n") },
	"indented":               func(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n\t  ") },
	"byte order mark":        func(text string) string { return "\ufeff" + text },
	"base64":                 func(text string) string { return b64([]byte(text)) },
	"base64 in lines":        func(text string) string { return inLines(b64([]byte(text))) },
	`base64 with \n`:         func(text string) string { return strings.ReplaceAll(inLines(b64([]byte(text))), "\r\n", `\n`) },
	"base64 without padding": func(text string) string { return strings.TrimRight(b64([]byte(text)), "=") },
}

// Every form of certificate brings the same bytes, whatever happened to it.
func TestEveryFormOfCertificateIsTakenIn(t *testing.T) {
	want := threeCerts(t, rsaKey())
	want.Key = nil
	leaf := Bundle{Cert: want.Cert}
	p7, err := EncodePKCS7(want, true)
	if err != nil {
		t.Fatal(err)
	}
	chainWithText, err := EncodePEM(want, PEMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for form, c := range map[string]struct {
		text string
		want Bundle
	}{
		"PEM":                        {asPEMs(want.Cert), leaf},
		"PEM, X509 in its label":     {asPEM("X509 CERTIFICATE", want.Cert), leaf},
		"PEM with its chain":         {asPEMs(want.certs()...), want},
		"chain in disorder":          {asPEMs(want.Cert, want.Chain[1], want.Chain[0]), want},
		"chain with duplicates":      {asPEMs(want.Cert, want.Chain[0], want.Cert, want.Chain[1], want.Chain[0]), want},
		"names above each":           {string(chainWithText), want},
		"a key and others between":   {asPEMs(want.Cert) + asPEM("PRIVATE KEY", []byte("x")) + asPEMs(want.Chain...), want},
		"PKCS #7, the root first":    {asPEM("PKCS7", p7), want},
		"PKCS #7 with the label CMS": {asPEM("CMS", p7), want},
	} {
		for way, mangle := range onTheWay {
			t.Run(form+", "+way, func(t *testing.T) {
				got, err := ParseImport(mangle(c.text), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				sameBundle(t, form, got, c.want)
			})
		}
	}
	for form, c := range map[string]struct {
		der  []byte
		want Bundle
	}{"DER": {want.Cert, leaf}, "PKCS #7": {p7, want}} {
		for way, text := range map[string]string{"base64": b64(c.der), "in lines": inLines(b64(c.der)), `\n`: strings.ReplaceAll(inLines(b64(c.der)), "\r\n", `\n`)} {
			t.Run(form+", "+way, func(t *testing.T) {
				got, err := ParseImport(text, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				sameBundle(t, form, got, c.want)
			})
		}
	}
}

// A chain with a stranger in it is kept, what belongs together together.
func TestChainWithAGap(t *testing.T) {
	b := threeCerts(t, eccKey())
	stranger := newCert{names: fullNames, key: rsaKey()}.make(t)
	for name, c := range map[string]struct{ given, want [][]byte }{
		"stranger first":       {[][]byte{stranger.Raw, b.Chain[1], b.Chain[0]}, [][]byte{b.Chain[0], b.Chain[1], stranger.Raw}},
		"intermediate missing": {[][]byte{stranger.Raw, b.Chain[1]}, [][]byte{stranger.Raw, b.Chain[1]}},
	} {
		got, err := ParseImport(asPEMs(append([][]byte{b.Cert}, c.given...)...), nil, nil)
		if err != nil || !slices.EqualFunc(got.Chain, c.want, bytes.Equal) {
			t.Errorf("%s: got %d certificates in another order, %v", name, len(got.Chain), err)
		}
	}
}

// Of two issuers with the same name the one with the right key comes next.
func TestIssuersOfTheSameName(t *testing.T) {
	b := threeCerts(t, eccKey())
	middle, err := x509.ParseCertificate(b.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	names, err := ReadNames(middle.RawSubject, nil)
	if err != nil {
		t.Fatal(err)
	}
	former := newCert{names: names, key: rsaKey(), isCA: true}.make(t)
	got, err := ParseImport(asPEMs(b.Cert, former.Raw, b.Chain[1], b.Chain[0]), nil, nil)
	if err != nil || !bytes.Equal(got.Chain[0], b.Chain[0]) || !bytes.Equal(got.Chain[1], b.Chain[1]) {
		t.Errorf("the issuer does not follow, %v", err)
	}
}

// The files that openssl makes are opened, those of its past too, whatever comes first in them.
func TestWeOpenOpensslsPKCS12(t *testing.T) {
	t.Parallel()
	for spec, key := range testKeys() {
		b := threeCerts(t, key)
		plain := []byte(asPEM("PRIVATE KEY", mustKey(t, b)))
		for name, args := range map[string][]string{
			"of today":            {},
			"RC2 and 3DES":        {"-legacy", "-descert"},
			"RC2-40":              {"-legacy"},
			"AES-128":             {"-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"},
			"certificates plain":  {"-certpbe", "NONE"},
			"nothing encrypted":   {"-keypbe", "NONE", "-certpbe", "NONE"},
			"MAC of SHA-1":        {"-macalg", "sha1"},
			"root before leaf":    {"-certfile", inFile(t, []byte(asPEMs(b.Chain[1], b.Chain[0])))},
			"without a chain":     nil,
			"password is nothing": {"-passout", "pass:"},
		} {
			if spec.Bits != 2048 && name != "of today" && name != "RC2-40" {
				continue // the kind of key makes no difference
			}
			t.Run(spec.String()+" "+name, func(t *testing.T) {
				want, text := b, slices.Concat(plain, []byte(asPEMs(b.certs()...)))
				if args == nil || name == "root before leaf" {
					text = slices.Concat(plain, []byte(asPEMs(b.Cert)))
				}
				if args == nil {
					want.Chain = nil
				}
				pass := password
				if name == "password is nothing" {
					pass = ""
				}
				der := openssl(t, text, append([]string{"pkcs12", "-export", "-passout", "pass:" + pass}, args...)...)
				sameBundle(t, name, mustImport(t, name, []byte(der), pass), want)
				if got, err := ParseImport(b64([]byte(der)), nil, []byte("wrong")); !errors.Is(err, ErrBadKey) {
					t.Errorf("wrong password: got %v, %v, want %v", got, err, ErrBadKey)
				}
			})
		}
	}
}

// The leaf of a PKCS #12 file is the one that fits the key, wherever it stands.
func TestLeafOfPKCS12FitsTheKey(t *testing.T) {
	b := threeCerts(t, rsaKey())
	certs := make([]*x509.Certificate, 3)
	for i, der := range b.certs() {
		certs[2-i], _ = x509.ParseCertificate(der)
	}
	der, err := pkcs12.Modern.Encode(b.Key, certs[0], certs[1:], password)
	if err != nil {
		t.Fatal(err)
	}
	sameBundle(t, "root first", mustImport(t, "root first", der, password), b)
}

// What is wrong with an import is told apart, because clients are told different things.
func TestBadImportsAreToldApart(t *testing.T) {
	b := threeCerts(t, eccKey())
	cert := asPEMs(b.Cert)
	key := mustKey(t, b)
	noKey := b
	noKey.Key = nil
	store := func(b Bundle) string { return b64(mustPKCS12(t, b, AES256)) }
	other := b
	other.Key = rsaKey()
	for name, c := range map[string]struct {
		cert, key, password string
		want                error
	}{
		"nothing":                       {"", "", "", ErrNotCertificate},
		"prose":                         {"please!", "", "", ErrNotCertificate},
		"base64 of something":           {"aGVsbG8gd29ybGQ=", "", "", ErrNotCertificate},
		"a key":                         {asPEM("PRIVATE KEY", key), "", "", ErrNotCertificate},
		"a key in bare base64":          {b64(key), "", "", ErrNotCertificate},
		"a request":                     {asPEM("CERTIFICATE REQUEST", mustCSR(t)), "", "", ErrNotCertificate},
		"a request called certificate":  {asPEM("CERTIFICATE", mustCSR(t)), "", "", ErrNotCertificate},
		"certificate cut off":           {asPEM("CERTIFICATE", b.Cert[:99]), "", "", ErrNotCertificate},
		"chain cut off":                 {cert + asPEM("CERTIFICATE", b.Chain[0][:99]), "", "", ErrNotCertificate},
		"no base64 in PEM":              {"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----", "", "", ErrNotCertificate},
		"certificates too large":        {strings.Repeat("A", MaxImportSize+1), "", "", ErrTooLarge},
		"too many certificates":         {strings.Repeat(cert, MaxImportCerts+1), "", "", ErrTooLarge},
		"key too large":                 {cert, strings.Repeat("A", MaxKeySize+1), "", ErrTooLarge},
		"key of another certificate":    {asPEMs(b.Chain[0]), asPEM("PRIVATE KEY", mustKey(t, other)), "", ErrKeyMismatch},
		"a key that is prose":           {cert, "please!", "", ErrBadKey},
		"a key that is a certificate":   {cert, cert, "", ErrBadKey},
		"a key that is blank":           {cert, " ", "", ErrBadKey},
		"a key cut off":                 {cert, asPEM("PRIVATE KEY", key[:50]), "", ErrBadKey},
		"no password for a PKCS #12":    {store(b), "", "", ErrBadKey},
		"wrong password for a PKCS #12": {store(b), "", "wrong", ErrBadKey},
		"a PKCS #12 that does not fit":  {store(other), "", password, ErrKeyMismatch},
		"another key beside a PKCS #12": {store(b), asPEM("PRIVATE KEY", mustKey(t, other)), password, ErrKeyMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseImport(c.cert, []byte(c.key), []byte(c.password))
			if !errors.Is(err, c.want) || got.Cert != nil {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func mustKey(t testing.TB, b Bundle) []byte {
	t.Helper()
	der, err := MarshalKey(b.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// The MAC of a PKCS #12 file cannot make us compute for long; if it could, this
// test would not end. A file without a MAC is opened.
func TestRoundsOfAMAC(t *testing.T) {
	b := threeCerts(t, eccKey())
	var file pfx
	if !parse(mustPKCS12(t, b, AES256), &file) {
		t.Fatal("our own file is none")
	}
	file.MACData.Rounds = 1 << 40
	if _, err := ParseImport(b64(marshal(file)), nil, b.Password); !errors.Is(err, ErrBadKey) {
		t.Errorf("got %v, want %v", err, ErrBadKey)
	}
	file.MACData = macData{}
	sameBundle(t, "without MAC", mustImport(t, "without MAC", marshal(file), password), b)
}

// Parts that each ask for as much as one may have cannot ask for it together.
func TestRoundsOfAWholeFile(t *testing.T) {
	b := threeCerts(t, eccKey())
	salt := []byte{1}
	dear := algorithm(oidPBES2, pbes2Params{
		KDF:    algorithm(oidPBKDF2, pbkdf2Params{Salt: salt, Rounds: maxRounds, PRF: algorithm(oidHMACWithSHA256, asn1.NullRawValue)}),
		Cipher: algorithm(cbcs[AES256].oid, make([]byte, 16)),
	})
	key := pbkdf2.Key(b.Password, salt, maxRounds, 32, sha256.New)
	part := func(bags ...safeBag) contentInfo {
		data := cbcs[AES256].encrypt(key, make([]byte, 16), marshal(bags))
		return contentInfo{oidEncryptedData, explicit(marshal(encryptedData{Content: encryptedContent{oidData, dear, data}}))}
	}
	file := func(parts ...contentInfo) string {
		return b64(marshal(pfx{Version: 3, AuthSafe: dataOf(marshal(parts))}))
	}
	cert, plain := certBags(b, nil)[0], safeBag{Type: oidKeyBag, Value: explicit(mustKey(t, b))}
	if _, err := ParseImport(file(part(cert), part(plain), part()), nil, b.Password); err != nil {
		t.Errorf("as much as may be: %v", err)
	}
	if _, err := ParseImport(file(part(cert), part(plain), part(), part()), nil, b.Password); !errors.Is(err, ErrBadKey) {
		t.Errorf("more than may be: got %v, want %v", err, ErrBadKey)
	}
}

// An empty password is a zero character for some, and nothing at all for others.
func TestBothEmptyPasswords(t *testing.T) {
	b := threeCerts(t, eccKey())
	for name, empty := range map[string][]byte{"a zero character": bmp(nil), "nothing": nil} {
		o := opener{bmp: empty}
		params := pbeParams{Salt: []byte("saltsalt"), Rounds: 2}
		key, iv := derivePKCS12(cbcs[TripleDES], params, &o)
		locked := encryptedContent{oidData, algorithm(oidOldTripleDES, params), cbcs[TripleDES].encrypt(key, iv, marshal(certBags(b, nil)))}
		safe := marshal([]contentInfo{
			{oidEncryptedData, explicit(marshal(encryptedData{Content: locked}))},
			plainSafe([]safeBag{{Type: oidKeyBag, Value: explicit(mustKey(t, b))}}),
		})
		digest := digestInfo{algorithm(oidSHA1, asn1.NullRawValue), mac(sha1.New, safe, empty, params)}
		file := b64(marshal(pfx{Version: 3, AuthSafe: dataOf(safe), MACData: macData{digest, params.Salt, params.Rounds}}))
		got, err := ParseImport(file, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameBundle(t, name, got, b)
		if _, err := ParseImport(file, nil, []byte("x")); !errors.Is(err, ErrBadKey) {
			t.Errorf("%s, with a password: got %v, want %v", name, err, ErrBadKey)
		}
	}
}

// A PKCS #12 file whose certificates were exchanged is not opened.
func TestMACIsChecked(t *testing.T) {
	var file, other pfx
	b := threeCerts(t, eccKey())
	if !parse(mustPKCS12(t, b, AES256), &file) || !parse(mustPKCS12(t, b, AES256), &other) {
		t.Fatal("our own file is none")
	}
	file.AuthSafe = other.AuthSafe
	if _, err := ParseImport(b64(marshal(file)), nil, b.Password); !errors.Is(err, ErrBadKey) {
		t.Errorf("got %v, want %v", err, ErrBadKey)
	}
}

// Bags that make no sense together are refused, as what they are.
func TestBagsThatMakeNoSense(t *testing.T) {
	b := threeCerts(t, eccKey())
	key := safeBag{Type: oidKeyBag, Value: explicit(mustKey(t, b))}
	cert := certBags(b, nil)[0]
	for name, c := range map[string]struct {
		bags []safeBag
		want error
	}{
		"fine":              {[]safeBag{key, cert}, nil},
		"others among them": {[]safeBag{key, {Type: oidData, Value: explicit(marshal(1))}, cert}, nil},
		"no key":            {[]safeBag{cert}, ErrBadKey},
		"two keys":          {[]safeBag{key, cert, key}, ErrBadKey},
		"no certificate":    {[]safeBag{key}, ErrNotCertificate},
		"not X.509":         {[]safeBag{key, {Type: oidCertBag, Value: explicit(marshal(certBag{oidData, b.Cert}))}}, ErrNotCertificate},
		"broken":            {[]safeBag{key, {Type: oidCertBag, Value: explicit(marshal(certBag{oidX509Certificate, b.Cert[1:]}))}}, ErrNotCertificate},
	} {
		file := marshal(pfx{Version: 3, AuthSafe: dataOf(marshal([]contentInfo{plainSafe(c.bags)}))})
		if _, err := ParseImport(b64(file), nil, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	many := make([]contentInfo, maxSafes+1)
	for i := range many {
		many[i] = plainSafe([]safeBag{cert})
	}
	many[0] = plainSafe([]safeBag{cert, key})
	if _, err := ParseImport(b64(marshal(pfx{Version: 3, AuthSafe: dataOf(marshal(many))})), nil, nil); !errors.Is(err, ErrBadKey) {
		t.Errorf("too many parts: got %v, want %v", err, ErrBadKey)
	}
}

// The files of another library are opened, those of its past too.
func TestWeOpenTheFilesOfAnotherLibrary(t *testing.T) {
	b := threeCerts(t, rsaKey())
	b.Chain = nil
	leaf, _ := x509.ParseCertificate(b.Cert)
	for name, encoder := range map[string]*pkcs12.Encoder{"modern": pkcs12.Modern, "3DES": pkcs12.LegacyDES, "RC2": pkcs12.LegacyRC2} {
		der, err := encoder.Encode(b.Key, leaf, nil, password)
		if err != nil {
			t.Fatal(err)
		}
		sameBundle(t, name, mustImport(t, name, der, password), b)
	}
}

// No error repeats anything of the key or the password, and what was taken in is
// not shown when it is logged.
func TestImportsAreNotShown(t *testing.T) {
	b := threeCerts(t, rsaKey())
	der := mustKey(t, b)
	const wrong = "Wr0ng-password"
	locked, err := EncodePEM(b, PEMOptions{PKCS8: true})
	if err != nil {
		t.Fatal(err)
	}
	old, err := EncodePEM(b, PEMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{
		"cut off": []byte(asPEM("PRIVATE KEY", der[:len(der)/2])), "changed": []byte(b64(slices.Concat(der[:40], []byte("zz"), der[42:]))),
		"not base64": []byte("-----BEGIN PRIVATE KEY-----\n" + b64(der) + "%"), "locked": locked, "old": old, "the other way round": []byte(asPEMs(b.Cert)),
		"the password": []byte(wrong), "nonsense headers": []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " + b64(der)),
	}
	var said []string
	for name, key := range keys {
		_, err := ParseImport(asPEMs(b.Cert), key, []byte(wrong))
		if err == nil {
			t.Errorf("%s: taken in", name)
		}
		said = append(said, fmt.Sprint(err))
	}
	for _, text := range []string{asPEM("CERTIFICATE", der), b64(der), wrong, b64(mustPKCS12(t, b, AES256))} {
		_, err := ParseImport(text, nil, []byte(wrong))
		said = append(said, fmt.Sprint(err))
	}
	all := strings.Join(said, "\n")
	some := der[30:40]
	secrets := []string{wrong, "BEGIN", string(some)}
	for _, verb := range []string{"%x", "%X", "% x", "%v", "%q"} {
		secrets = append(secrets, strings.Trim(fmt.Sprintf(verb, some), `[]"`))
	}
	for _, secret := range secrets {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in:\n%s", secret, all)
		}
	}
	for line := range slices.Chunk([]byte(b64(der)), 12) {
		if strings.Contains(all, string(line)) {
			t.Errorf("%q is in:\n%s", line, all)
		}
	}
	got, err := ParseImport(asPEMs(b.Cert), []byte(b64(der)), nil)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(got)
	if err != nil || fmt.Sprintf("%+v %#v", got, &got) != "[bundle] [bundle]" || string(asJSON) != `"[bundle]"` {
		t.Errorf("got %+v, %s, %v", got, asJSON, err)
	}
}

// The PEM that we hand out we take in again; for other formats see their tests.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for spec, key := range testKeys() {
		b := threeCerts(t, key)
		for _, o := range []PEMOptions{{}, {PKCS8: true}} {
			text, err := EncodePEM(b, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseImport(string(text), text, b.Password)
			if err != nil {
				t.Fatalf("%s %+v: %v", spec, o, err)
			}
			sameBundle(t, spec.String(), got, b)
		}
	}
}

// No import makes us panic, errors are of the kinds that are promised, and what
// was taken in holds together and is taken in again.
func FuzzParseImport(f *testing.F) {
	b := threeCerts(f, eccKey())
	key := mustKey(f, b)
	p7, err := EncodePKCS7(b, false)
	if err != nil {
		f.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(b.Cert)
	plain12, err := pkcs12.Passwordless.Encode(b.Key, leaf, nil, "")
	if err != nil {
		f.Fatal(err)
	}
	for _, cert := range [][]byte{b.Cert, p7, plain12, mustPKCS12(f, b, AES256)} {
		f.Add(b64(cert), []byte{}, []byte(password))
	}
	for _, mangle := range onTheWay {
		f.Add(mangle(asPEMs(b.certs()...)), []byte(mangle(asPEM("PRIVATE KEY", key))), []byte{})
	}
	f.Fuzz(func(t *testing.T, cert string, key, password []byte) {
		got, err := ParseImport(cert, key, password)
		if err != nil {
			oneOf(t, err, ErrTooLarge, ErrNotCertificate, ErrBadKey, ErrKeyMismatch)
			return
		}
		all := got.certs()
		for i, der := range all {
			if slices.ContainsFunc(all[:i], func(other []byte) bool { return bytes.Equal(other, der) }) {
				t.Fatal("a certificate comes twice")
			}
		}
		got.Password, key = nil, nil
		if got.Key != nil {
			key = []byte(b64(mustKey(t, got)))
		}
		again, err := ParseImport(asPEMs(all...), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		sameBundle(t, "again", again, got)
	})
}

func oneOf(t *testing.T, err error, kinds ...error) {
	t.Helper()
	if !slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
		t.Fatalf("an error of no kind: %v", err)
	}
}
