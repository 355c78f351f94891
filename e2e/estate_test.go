package e2e

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// passwords of those who have one. Alice may do everything below the folders,
// bob may look, carol may do nothing.
var passwords = map[string]string{
	"admin": "Admin-of-the-tests-1",
	"alice": "Alice-of-the-tests-1",
	"bob":   "Bob-of-the-tests-1",
	"carol": "Carol-of-the-tests-1",
}

// keyPassword protects private keys on their way to the client, storePassword the
// key stores that they lie in, and importPassword those on their way here.
const (
	keyPassword    = "Correct-Horse-7-Battery"
	storePassword  = "Stable-Door-9-Bolted"
	importPassword = "Foreign-Horse-3-Staple"
)

// slowness is how long the authority of the folder Slow takes.
const slowness = 6 * time.Second

// bulkFolders is how many folders there are below Bulk: F000, F001, …
const bulkFolders = 100

const estateHead = `
users:
  - {name: alice, password: %q}
  - {name: bob, password: %q}
  - {name: carol, password: %q}
groups:
  - {name: ops, members: [alice]}
applications:
  - {id: e2e, scope: "certificate:manage,revoke;configuration:manage"}
  - {id: reader, scope: "certificate"}
  - {id: janitor, scope: "certificate:manage,delete"}
fields:
  - {name: Cost Centre, single: true, pattern: '[0-9]+'}
  - {name: env, label: Environment, kind: list, values: [Test, Production]}
server: {clientAuthorities: [logins]}
issuers:
  - {name: logins, commonName: e2e Logins CA, organization: e2e, country: BE, key: ECC, curve: P256, makeRoot: true}
authorities:
  - {dn: '\VED\Policy\CAs\Logins', issuer: logins, profile: client, validityDays: 90}
  - {dn: '\VED\Policy\CAs\Slow', issuer: rsa, issueAfter: %s, profile: server, validityDays: 90}
  - {dn: '\VED\Policy\CAs\Curves', issuer: ecdsa, profile: server, validityDays: 90}
  - {dn: '\VED\Policy\CAs\People', issuer: rsa, profile: client, validityDays: 90}
folders:
  - dn: '\VED\Policy\Shop'
    policy:
      Organization: {value: Acme, locked: true}
      City: Ghent
      Country: BE
      Domain Suffix Whitelist: {values: [example.com]}
      Certificate Authority: '\VED\Policy\CAs\Default'
    rights:
      - {to: ops, allow: [view, read, write, create, private-key-read]}
      - {to: bob, allow: [view, read]}
  - dn: '\VED\Policy\Open'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default'}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read, private-key-write]}]
  - dn: '\VED\Policy\Slow'
    policy: {Certificate Authority: '\VED\Policy\CAs\Slow'}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Curves'
    policy:
      Key Algorithm: {value: ECC, locked: true}
      Elliptic Curve: {value: P384, locked: true}
      Certificate Authority: '\VED\Policy\CAs\Curves'
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Logins'
    policy: {Certificate Authority: '\VED\Policy\CAs\Logins'}
  - dn: '\VED\Policy\People'
    policy: {Certificate Authority: '\VED\Policy\CAs\People'}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Fleet'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default', Management Type: Provisioning}
    rights: [{to: alice, allow: [view, read, write, create, associate, private-key-read]}]
  - dn: '\VED\Policy\Killed'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default'}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Search'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default'}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Rules'
    policy:
      Organization: Acme
      Organizational Unit: {values: [Web, Ops], locked: true}
      City: {value: Ghent, locked: true}
      State: East Flanders
      Country: {value: BE, locked: true}
      Key Algorithm: {value: RSA, locked: true}
      Key Bit Strength: {value: 3072, locked: true}
      Domain Suffix Whitelist: [example.com, .example.org]
      Prohibited SAN Types: [Email, UPN]
      Prohibit Wildcard: true
      Certificate Authority: '\VED\Policy\CAs\Default'
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Keep'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default', Allow Private Key Reuse: true, Want Renewal: true}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
  - dn: '\VED\Policy\Workshop'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default'}
    rights:
      - {to: alice, allow: [view, read, write, create, delete, private-key-read, private-key-write]}
      - {to: bob, allow: [view, read]}
  - dn: '\VED\Policy\Crowd'
    rights: [{to: alice, allow: [view, read, write, create, private-key-write]}]
  - dn: '\VED\Policy\Crowd\Back Row'
  - dn: '\VED\Policy\Bulk'
    policy: {Certificate Authority: '\VED\Policy\CAs\Default'}
    rights: [{to: alice, allow: [view, read, write, create, private-key-read]}]
`

const estateTail = `certificates:
  - {dn: '\VED\Policy\Shop\www', commonName: www.example.com, dns: [www.example.com, example.com], keyAlgorithm: ECC, curve: P256, validityDays: 30}
`

// estateFile is what every server of these tests is set up with.
func estateFile() string {
	var b strings.Builder
	fmt.Fprintf(&b, estateHead, passwords["alice"], passwords["bob"], passwords["carol"], slowness)
	for i := range bulkFolders {
		fmt.Fprintf(&b, "  - {dn: '\\VED\\Policy\\Bulk\\F%03d'}\n", i)
	}
	return b.String() + estateTail
}

// tokens remembers what was handed out, so that logs can be searched for it.
var tokens seen

type seen struct {
	mu   sync.Mutex
	what []string
}

func (s *seen) add(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.what = append(s.what, secrets...)
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.what...)
}
