package pki

import (
	"bytes"
	"crypto/des"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"hash"
	"unicode/utf16"

	"golang.org/x/crypto/pbkdf2"
	"golang.org/x/crypto/scrypt"
)

// kdfRounds make guessing a password dear and cost about 30 ms for each key that
// is derived from one. maxRounds is how many we do for one key in a stranger's
// file, maxAllRounds for all that is in it: its MAC, its certificates, its key.
const (
	kdfRounds    = 100_000
	maxRounds    = 1_000_000
	maxAllRounds = 3 * maxRounds
)

// maxScrypt bounds the product of the parameters of scrypt, and so its memory to
// less than 100 MiB. OpenSSL uses half of that.
const maxScrypt = 1 << 18

// What passwords encrypt with (RFC 8018, appendices A and B; RFC 7292, appendix C;
// RFC 7914, section 7).
var (
	oidPBES2          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidHMACWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidOldTripleDES   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
)

// oldSchemes are those from before PBES2 that are still met with, by their OIDs.
// They derive the initialization vector too.
var oldSchemes = map[string]struct {
	cbc
	derive func(c cbc, p pbeParams, o *opener) (key, iv []byte)
}{
	"1.2.840.113549.1.12.1.3": {cbcs[TripleDES], derivePKCS12},
	"1.2.840.113549.1.12.1.5": {cbc{keySize: 16, ivSize: 8, block: newRC2}, derivePKCS12},
	"1.2.840.113549.1.12.1.6": {cbc{keySize: 5, ivSize: 8, block: newRC2}, derivePKCS12},
	"1.2.840.113549.1.5.3":    {cbc{keySize: 8, ivSize: 8, block: des.NewCipher}, derivePBES1(md5.New)},
	"1.2.840.113549.1.5.10":   {cbc{keySize: 8, ivSize: 8, block: des.NewCipher}, derivePBES1(sha1.New)},
}

// pseudorandom are the hashes under the functions that PBKDF2 may use.
var pseudorandom = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
	"1.2.840.113549.2.12": sha512.New512_224,
	"1.2.840.113549.2.13": sha512.New512_256,
}

// The parameters of the schemes, for encoding/asn1.
type (
	pbes2Params struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	pbeParams   struct {
		Salt   []byte
		Rounds int
	}
	pbkdf2Params struct {
		Salt      []byte
		Rounds    int
		KeyLength int                      `asn1:"optional"`
		PRF       pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	scryptParams struct {
		Salt      []byte
		N, R, P   int
		KeyLength int `asn1:"optional"`
	}
)

// An opener is a password that opens a file, and how many rounds of key derivation
// may still be done for that.
type opener struct {
	password []byte
	bmp      []byte // the password as PKCS #12 has it
	rounds   int
}

func newOpener(password []byte) *opener { return &opener{password, bmp(password), maxAllRounds} }

// mayDo reports whether a key may be derived in so many rounds, and counts them.
func (o *opener) mayDo(rounds int) bool {
	if rounds < 1 || rounds > min(maxRounds, o.rounds) {
		return false
	}
	o.rounds -= rounds
	return true
}

// A lock encrypts under a password and says how it did.
type lock func(plain []byte) (pkix.AlgorithmIdentifier, []byte)

// newLock derives the key once for all that the lock will encrypt. With PBES2
// that is safe, because every time has an initialization vector of its own.
func newLock(password []byte, c Cipher) lock {
	if c == OldTripleDES {
		return func(plain []byte) (pkix.AlgorithmIdentifier, []byte) { return lockOld(password, plain) }
	}
	is, salt := cbcs[c], random(16)
	key := pbkdf2.Key(password, salt, kdfRounds, is.keySize, sha256.New)
	prf := algorithm(oidHMACWithSHA256, asn1.NullRawValue)
	kdf := algorithm(oidPBKDF2, pbkdf2Params{Salt: salt, Rounds: kdfRounds, PRF: prf})
	return func(plain []byte) (pkix.AlgorithmIdentifier, []byte) {
		iv := random(is.ivSize)
		return algorithm(oidPBES2, pbes2Params{kdf, algorithm(is.oid, iv)}), is.encrypt(key, iv, plain)
	}
}

// lockOld derives key and vector from the salt, which therefore is new each time.
func lockOld(password, plain []byte) (pkix.AlgorithmIdentifier, []byte) {
	is, params := cbcs[TripleDES], pbeParams{Salt: random(20), Rounds: kdfRounds}
	key, iv := derivePKCS12(is, params, newOpener(password))
	return algorithm(oidOldTripleDES, params), is.encrypt(key, iv, plain)
}

// unlock decrypts what a lock encrypted, ours or another's, old or new. It is not
// ok if the password is wrong, the scheme unknown or its parameters unreasonable.
func (o *opener) unlock(a pkix.AlgorithmIdentifier, data []byte) (plain []byte, ok bool) {
	if a.Algorithm.Equal(oidPBES2) {
		return o.unlockPBES2(a.Parameters.FullBytes, data)
	}
	var p pbeParams
	is, known := oldSchemes[a.Algorithm.String()]
	if !known || !parse(a.Parameters.FullBytes, &p) || !o.mayDo(p.Rounds) {
		return nil, false
	}
	key, iv := is.derive(is.cbc, p, o)
	return is.decrypt(key, iv, data)
}

func (o *opener) unlockPBES2(params, data []byte) (plain []byte, ok bool) {
	var p pbes2Params
	if !parse(params, &p) {
		return nil, false
	}
	for _, is := range cbcs {
		var iv []byte
		if !is.oid.Equal(p.Cipher.Algorithm) || !parse(p.Cipher.Parameters.FullBytes, &iv) {
			continue
		}
		key, ok := o.deriveKey(p.KDF, is.keySize)
		if !ok {
			return nil, false
		}
		return is.decrypt(key, iv, data)
	}
	return nil, false
}

// deriveKey is the key for PBES2, if the function is known and not too costly.
func (o *opener) deriveKey(kdf pkix.AlgorithmIdentifier, size int) (key []byte, ok bool) {
	params := kdf.Parameters.FullBytes
	var p pbkdf2Params
	if kdf.Algorithm.Equal(oidPBKDF2) && parse(params, &p) {
		h, known := pseudorandom[p.PRF.Algorithm.String()]
		if !known || !o.mayDo(p.Rounds) {
			return nil, false
		}
		return pbkdf2.Key(o.password, p.Salt, p.Rounds, size, h), true
	}
	var s scryptParams
	if !kdf.Algorithm.Equal(oidScrypt) || !parse(params, &s) || !s.isReasonable() || !o.mayDo(s.N*s.R*s.P) {
		return nil, false
	}
	key, err := scrypt.Key(o.password, s.Salt, s.N, s.R, s.P, size)
	return key, err == nil
}

func (s scryptParams) isReasonable() bool {
	return min(s.N, s.R, s.P) > 0 && max(s.N, s.R, s.P) <= maxScrypt && s.N*s.R*s.P <= maxScrypt // the first two, lest the product overflow
}

// derivePKCS12 is for the schemes of PKCS #12 (RFC 7292, appendix C).
func derivePKCS12(c cbc, p pbeParams, o *opener) (key, iv []byte) {
	derive := func(purpose byte, size int) []byte {
		return pkcs12KDF(sha1.New, purpose, o.bmp, p, size)
	}
	return derive(kdfForKey, c.keySize), derive(kdfForIV, c.ivSize)
}

// derivePBES1 is for PBES1 (RFC 8018, sections 5.1 and 6.1).
func derivePBES1(h func() hash.Hash) func(c cbc, p pbeParams, o *opener) (key, iv []byte) {
	return func(c cbc, p pbeParams, o *opener) (key, iv []byte) {
		t := repeatHash(h, p.Rounds, o.password, p.Salt)
		return t[:c.keySize], t[c.keySize : c.keySize+c.ivSize]
	}
}

// What pkcs12KDF derives (RFC 7292, appendix B.3).
const (
	kdfForKey = 1
	kdfForIV  = 2
	kdfForMAC = 3
)

// pkcs12KDF derives from a password, as bmp encodes it, what PKCS #12 needs (RFC
// 7292, appendix B.2).
func pkcs12KDF(h func() hash.Hash, purpose byte, password []byte, p pbeParams, size int) []byte {
	v := h().BlockSize()
	diversifier := bytes.Repeat([]byte{purpose}, v)
	input := append(fill(p.Salt, v), fill(password, v)...)
	var out []byte
	for {
		a := repeatHash(h, p.Rounds, diversifier, input)
		if out = append(out, a...); len(out) >= size {
			return out[:size]
		}
		b := fill(a, v)[:v]
		for block := input; len(block) > 0; block = block[v:] {
			addOne(block[:v], b)
		}
	}
}

// addOne sets sum, a big-endian number, to sum + b + 1.
func addOne(sum, b []byte) {
	carry := 1
	for i := len(sum) - 1; i >= 0; i-- {
		carry += int(sum[i]) + int(b[i])
		sum[i], carry = byte(carry), carry>>8
	}
}

// fill repeats pattern up to the next multiple of n.
func fill(pattern []byte, n int) []byte {
	size := (len(pattern) + n - 1) / n * n
	out := make([]byte, size)
	for i := range out {
		out[i] = pattern[i%len(pattern)]
	}
	return out
}

// repeatHash hashes the input, and then what it got, rounds times altogether.
func repeatHash(h func() hash.Hash, rounds int, input ...[]byte) []byte {
	d := h()
	for _, in := range input {
		d.Write(in)
	}
	sum := d.Sum(nil)
	for range rounds - 1 {
		d.Reset()
		d.Write(sum)
		sum = d.Sum(sum[:0])
	}
	return sum
}

// bmp is a password in the form that PKCS #12 derives keys from: ended by a zero
// character (RFC 7292, appendix B.1).
func bmp(password []byte) []byte { return append(utf16BE(string(password)), 0, 0) }

// utf16BE is the text as Java and BMPString have it. Characters beyond the basic
// plane become two, as other software does it too.
func utf16BE(text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.BigEndian.AppendUint16(out, unit)
	}
	return out
}

func algorithm(oid asn1.ObjectIdentifier, params any) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: marshal(params)}}
}

// marshal is for what always has an encoding.
func marshal(value any) []byte {
	der, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return der
}

// parse reports whether der, all of it, is a value like that; then it is read.
func parse(der []byte, value any) bool {
	rest, err := asn1.Unmarshal(der, value)
	return err == nil && len(rest) == 0
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, says its documentation
	return b
}
