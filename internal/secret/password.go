package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// PasswordCost is what the hash of a password costs whoever makes or guesses it.
type PasswordCost struct {
	Passes uint32
	Memory uint32 // KiB
}

// UsualCost has the least memory that OWASP's password storage sheet recommends. It
// takes some tens of milliseconds.
var UsualCost = PasswordCost{Passes: 2, Memory: 19 * 1024}

const (
	passwordThreads = 1
	passwordSalt    = 16
	passwordLength  = 32
)

// HashPassword makes an argon2id hash that CheckPassword knows again, in the PHC string
// format, with its parameters and a salt of its own.
func (c PasswordCost) HashPassword(password Plain) string {
	salt := make([]byte, passwordSalt)
	rand.Read(salt)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, passwordThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(c.sum(password, salt)))
}

func (c PasswordCost) sum(password Plain, salt []byte) []byte {
	return argon2.IDKey(password.Reveal(), salt, c.Passes, c.Memory, passwordThreads, passwordLength)
}

// CheckPassword reports whether the hash, of whatever cost, is of the password. A hash
// that cannot be read is of no password; the time for one of this cost is spent on it.
func (c PasswordCost) CheckPassword(password Plain, hash string) bool {
	var version int
	var memory, time uint32
	var threads uint8
	parts := strings.Split(hash, "$")
	salt, sum, err := []byte(nil), []byte(nil), errors.New("not a hash")
	if len(parts) == 6 && parts[1] == "argon2id" {
		_, err = fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &threads)
		salt, _ = base64.RawStdEncoding.DecodeString(parts[4])
		sum, _ = base64.RawStdEncoding.DecodeString(parts[5])
	}
	if err != nil || version != argon2.Version || len(sum) == 0 || time == 0 || threads == 0 || memory > 1<<20 {
		c.sum(password, make([]byte, passwordSalt))
		return false
	}
	return subtle.ConstantTimeCompare(sum, argon2.IDKey(password.Reveal(), salt, time, memory, threads, uint32(len(sum)))) == 1
}
