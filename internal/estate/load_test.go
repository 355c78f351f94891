package estate

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// badFiles are files that make no sense, with what Load says of them.
var badFiles = []struct{ name, text, want string }{
	{"not YAML", "users: [", `not YAML: line 1: did not find expected node content`},
	{"a text", "hello", `line 1: must be a mapping of keys to values`},
	{"two documents", "users: []\n---\nusers: []", `line 2: there is a second document`},
	{"a misspelt section", "folder: []", `line 1: unknown key "folder"; did you mean "folders"?`},
	{"a section nobody knows", "processes: []", `line 1: unknown key "processes"; known are applications, authorities, certificates, credentials, devices, fields, folders, groups, issuers, objects, server, serviceAccounts, sshKeyPairs, sshTemplates, users, workflows`},
	{"a misspelt key", "folders:\n  - dn: \\VED\\Policy\\A\n    polcy: {}", `line 3: folders[0]: unknown key "polcy"; did you mean "policy"?`},
	{"a key nobody knows", "server:\n  port: 443", `line 2: server: unknown key "port"; known are clientAuthorities, lateCertificates, listSameKey, ocspNonce, reasons, selfApproval, workToDoTimeout`},
	{"a key twice", "folders:\n  - dn: \\VED\\Policy\\A\n    dn: \\VED\\Policy\\B", `line 3: folders[0]: the key "dn" is there twice`},
	{"a section that is no list", "users: {name: bob}", `line 1: users: must be a list`},
	{"an item that is no mapping", "users: [bob]", `line 1: users[0]: must be a mapping of keys to values`},
	{"a list where one value goes", "users: [{name: [bob]}]", `line 1: users[0].name: must be a single value`},
	{"nothing where a value goes", "users:\n  - name:", `line 2: users[0].name: has no value`},
	{"a tag", "folders: [{dn: !foo x}]", `line 1: folders[0].dn: has a tag; a value that begins with ! must stand in quotes`},
	{"control characters", `folders: [{dn: '\VED\Policy\A', description: "a\tb\x07"}]`, `line 1: folders[0].description: has control characters`},

	{"a wait that is too long", "server: {workToDoTimeout: 121}", `line 1: server.workToDoTimeout: "121" is not a whole number from 0 to 120`},
	{"a wait that is no number", "server: {workToDoTimeout: soon}", `line 1: server.workToDoTimeout: "soon" is not a whole number from 0 to 120`},
	{"an issuer without a name", "issuers: [{commonName: X}]", `line 1: issuers[0]: has no name`},
	{"an issuer without a common name", "issuers: [{name: x}]", `line 1: issuers[0]: has no commonName`},
	{"an issuer with a small key", "issuers: [{name: x, commonName: X, size: 1024}]", `line 1: issuers[0].size: "1024" is not one of 2048, 3072, 4096, 8192`},
	{"an RSA issuer with a curve", "issuers: [{name: x, commonName: X, curve: P256}]", `line 1: issuers[0]: an RSA key has a size, not a curve`},
	{"an ECC issuer with a size", "issuers: [{name: x, commonName: X, key: ECC, size: 2048}]", `line 1: issuers[0]: an ECC key has a curve, not a size`},
	{"an issuer of a strange algorithm", "issuers: [{name: x, commonName: X, key: DSA}]", `line 1: issuers[0].key: "DSA" is not one of RSA, ECC`},
	{"an issuer with two roots", "issuers: [{name: x, commonName: X, root: y, makeRoot: true}]", `line 1: issuers[0]: has both root and makeRoot`},
	{"an issuer below an issuer", "issuers:\n  - {name: x, commonName: X, makeRoot: true}\n  - {name: y, commonName: Y, root: x}", `line 3: issuers[1]: "x" is no root`},
	{"an issuer twice", "issuers:\n  - {name: x, commonName: X}\n  - {name: x, commonName: X}", `line 3: issuers[1]: is the same as issuers[0] in line 2`},
	{"an issuer called as another's root", "issuers:\n  - {name: x, commonName: X, makeRoot: true}\n  - {name: x-root, commonName: X}", `line 3: issuers[1]: is the same as issuers[0] in line 2`},
	{"a country of three letters", "issuers: [{name: x, commonName: X, country: USA}]", `line 1: issuers[0].country: "USA" is not a country's code of two letters`},

	{"a group without a name", "groups: [{members: []}]", `line 1: groups[0]: has no name`},
	{"a user of a group's name", "groups:\n  - name: ops\nusers:\n  - name: Ops", `line 4: users[0]: is the same as groups[0] in line 2`},
	{"a user whose name is a path", `users: [{name: 'a\b'}]`, `line 1: users[0].name: a\b is not a legal name`},
	{"groups in a circle", "groups:\n  - {name: a, members: [b]}\n  - {name: b, members: [c]}\n  - {name: c, members: [A]}", `line 3: groups[1].members[0]: makes c a member of itself`},
	{"two passwords", "users: [{name: bob, password: x, passwordEnv: Y}]", `line 1: users[0]: has more than one of password, passwordFile and passwordEnv`},
	{"an empty password", "users: [{name: bob, password: ''}]", `line 1: users[0].password: is empty`},
	{"no password after the colon", "users:\n  - name: bob\n    password:", `line 3: users[0].password: has no value`},
	{"a master neither true nor false", "users: [{name: bob, master: perhaps}]", `line 1: users[0].master: "perhaps" is neither true nor false`},

	{"an application without an id", "applications: [{name: x}]", `line 1: applications[0]: has no id`},
	{"an application twice", "applications:\n  - {id: x, scope: ssh}\n  - {id: x, scope: ssh}", `line 3: applications[1]: is the same as applications[0] in line 2`},
	{"a scope that cannot be read", "applications: [{id: x, scope: 'certificate:'}]", `line 1: applications[0].scope: "certificate:" is not a scope such as certificate:manage,revoke;configuration`},
	{"a validity that cannot be read", "applications: [{id: x, accessValidity: 90}]", `line 1: applications[0].accessValidity: "90" is not a duration such as 90d, 12h or 30m, of up to 3650d`},
	{"access beyond its grant", "applications: [{id: x, accessValidity: 2d, grantValidity: 1d}]", `line 1: applications[0]: accessValidity is longer than grantValidity`},

	{"an authority without a DN", "authorities: [{issuer: rsa}]", `line 1: authorities[0]: has no dn`},
	{"an authority that is the policy root", `authorities: [{dn: '\VED\Policy\'}]`, `line 1: authorities[0].dn: must be below \VED\Policy`},
	{"an authority elsewhere", `authorities: [{dn: '\VED\CAs\X'}]`, `line 1: authorities[0].dn: \VED\CAs\X is not below \VED\Policy`},
	{"an authority of a strange profile", `authorities: [{dn: '\VED\Policy\X', profile: mail}]`, `line 1: authorities[0].profile: "mail" is not one of server, client, both`},
	{"an authority of a strange kind", `authorities: [{dn: '\VED\Policy\X', kind: Policy}]`, `line 1: authorities[0].kind: "Policy" is not a kind of authority such as Microsoft CA`},
	{"an authority slow beyond reason", `authorities: [{dn: '\VED\Policy\X', issueAfter: 30h}]`, `line 1: authorities[0].issueAfter: "30h" is not a duration such as 300ms or 2m, of up to 24h`},
	{"an authority with an HTTPS address", `authorities: [{dn: '\VED\Policy\X', ocspURL: 'https://x'}]`, `line 1: authorities[0].ocspURL: "https://x" is not an http:// address`},
	{"an authority that exceeds itself", `authorities: [{dn: '\VED\Policy\X', validityDays: 90, maxValidityDays: 30}]`, `line 1: authorities[0]: validityDays is more than maxValidityDays`},

	{"a folder that is no DN", "folders: [{dn: Shop}]", `line 1: folders[0].dn: Shop is not a DN such as \VED\Policy\Shop`},
	{"a folder elsewhere", `folders: [{dn: '\VED\Engines'}]`, `line 1: folders[0].dn: \VED\Engines is not below \VED\Policy`},
	{"a folder twice", "folders:\n  - dn: \\VED\\Policy\\A\n  - dn: \\ved\\policy\\a\\", `line 3: folders[1]: is the same as folders[0] in line 2`},
	{"a folder below a certificate", `{folders: [{dn: '\VED\Policy\A\B'}], certificates: [{dn: '\VED\Policy\A', commonName: a}]}`, `line 1: folders[0]: \VED\Policy\A is no folder`},
	{"a percent sign", policy("Field 100%s: {locked: true}"), `line 1: folders[0].policy["Field 100%s"]: has no value`},
	{"a misspelt attribute", policy("Key Bit Strenght: 2048"), `line 1: folders[0].policy["Key Bit Strenght"]: there is no such attribute; did you mean "Key Bit Strength"?`},
	{"an attribute in another case twice", policy("{City: Ghent, city: Ghent}"), `line 1: folders[0].policy["city"]: there is such a rule already`},
	{"an attribute of certificates", policy("X509 Subject: www"), `line 1: folders[0].policy["X509 Subject"]: cannot be said by a folder for what is in it`},
	{"an attribute that nobody inherits", policy("Disabled: 1"), `line 1: folders[0].policy["Disabled"]: cannot be said by a folder for what is in it`},
	{"a strange management type", policy("Management Type: Sometimes"), `line 1: folders[0].policy["Management Type"]: "Sometimes" is not one of Unassigned, Monitoring, Enrollment, Provisioning`},
	{"a strange key size", policy("Key Bit Strength: 2047"), `line 1: folders[0].policy["Key Bit Strength"]: "2047" is not one of 1024, 2048, 3072, 4096, 8192`},
	{"a strange curve", policy("Elliptic Curve: P255"), `line 1: folders[0].policy["Elliptic Curve"]: "P255" is not one of P256, P384, P521`},
	{"a strange SAN type", policy("Prohibited SAN Types: [DNS, Phone]"), `line 1: folders[0].policy["Prohibited SAN Types"][1]: "Phone" is not one of DNS, Email, IP, UPN, URI`},
	{"a strange truth", policy("Manual Csr: maybe"), `line 1: folders[0].policy["Manual Csr"]: "maybe" is neither true nor false`},
	{"an authority that is no DN", policy("Certificate Authority: Default"), `line 1: folders[0].policy["Certificate Authority"]: Default is not a DN such as \VED\Policy\Shop`},
	{"a whitelist with a wildcard", policy("Domain Suffix Whitelist: ['*.example.com']"), `line 1: folders[0].policy["Domain Suffix Whitelist"][0]: "*.example.com" is not a domain such as example.com, which stands for what is below it too`},
	{"too many values", policy("City: [Ghent, Bruges]"), `line 1: folders[0].policy["City"]: can have one value only`},
	{"a negative number", policy("Renewal Window: -1"), `line 1: folders[0].policy["Renewal Window"]: "-1" is not a whole number from 1 to 3650`},
	{"an attribute without a value", policy("City: ~"), `line 1: folders[0].policy["City"]: has no value`},
	{"a lock without a value", policy("City: {locked: true}"), `line 1: folders[0].policy["City"]: has no value`},
	{"a lock on nothing", policy("City: {values: [], locked: true}"), `line 1: folders[0].policy["City"]: a rule without values cannot be locked`},
	{"both value and values", policy("City: {value: Ghent, values: [Ghent]}"), `line 1: folders[0].policy["City"].values: there are both value and values`},
	{"a misspelt lock", policy("City: {value: Ghent, lock: true}"), `line 1: folders[0].policy["City"]: unknown key "lock"; known are locked, value, values`},
	{"a misspelt class", `folders: [{dn: '\VED\Policy\A', policyFor: {X509 Certficate: {City: Ghent}}}]`, `line 1: folders[0].policyFor["X509 Certficate"]: there is no class "X509 Certficate"; did you mean "X509 Certificate"?`},
	{"policy for one kind of authority", `folders: [{dn: '\VED\Policy\A', policyFor: {Microsoft CA: {Description: x}}}]`, `line 1: folders[0].policyFor["Microsoft CA"]: policy holds for templates of all kinds: say "Certificate Authority Base"`},
	{"a right nobody knows", rights("{to: bob, allow: [view, fly]}"), `line 1: folders[0].rights[0].allow[1]: "fly" is not one of view, read, write, create, delete, rename, associate, revoke, private-key-read, private-key-write, manage-policy, manage-permissions, all, R, RW`},
	{"rights of nobody", rights("{allow: [view]}"), `line 1: folders[0].rights[0]: must have both to and allow`},
	{"rights twice", rights("{to: bob, allow: [view]}, {to: Bob, allow: []}"), `line 1: folders[0].rights[1]: "Bob" has rights here already`},

	{"a misspelt attribute that is no custom field", "fields: [{name: Contract}]\n" + policy("{Contract: x, Contacts: y}"), `line 2: folders[0].policy["Contacts"]: there is no such attribute; did you mean "Contact"?`},
	{"a strange cipher", policy("'Certificate Download: PBES2 Algorithm': DES"), `line 1: folders[0].policy["Certificate Download: PBES2 Algorithm"]: "DES" is not the OID of a cipher such as 2.16.840.1.101.3.4.1.42`},

	{"a service account without a name", "serviceAccounts: [{clientId: x}]", `line 1: serviceAccounts[0]: has no name`},
	{"a service account twice", "serviceAccounts: [{name: x}, {name: X}]", `line 1: serviceAccounts[1]: is the same as serviceAccounts[0] in line 1`},
	{"a client twice", "serviceAccounts: [{name: x, clientId: c}, {name: y, clientId: c}]", `line 1: serviceAccounts[1]: is the same as serviceAccounts[0] in line 1`},
	{"a client with a colon", "serviceAccounts: [{name: x, clientId: 'a:b'}]", `line 1: serviceAccounts[0].clientId: must not have a colon`},
	{"two secrets", "serviceAccounts: [{name: x, secret: a, secretEnv: B}]", `line 1: serviceAccounts[0]: has more than one of secret, secretFile and secretEnv`},
	{"a service account with a password", "{users: [{name: x, password: y}], serviceAccounts: [{name: X}]}", `line 1: users[0]: is a service account, and has no password`},
	{"a service account whose groups are said twice", "{users: [{name: x}], serviceAccounts: [{name: X, groups: []}]}", `line 1: serviceAccounts[0]: is among the users: say its groups there`},
	{"a service account that is a group", "{groups: [{name: x}], serviceAccounts: [{name: X}]}", `line 1: serviceAccounts[0]: is the same as groups[0] in line 1`},
	{"a service account that may do nothing", "serviceAccounts: [{name: x, functions: []}]", `line 1: serviceAccounts[0].functions: is empty: an account that may do everything has the function all`},
	{"a name of what is no group", `folders: [{dn: '\VED\Policy', groupName: x}]`, `line 1: folders[0].groupName: \VED\Policy is no group: only what is below \VED\Policy is one`},
	{"a name of two groups", `folders: [{dn: '\VED\Policy\a', groupName: x}, {dn: '\VED\Policy\b', groupName: X}]`, `line 1: folders[1].groupName: is the same as folders[0].groupName in line 1`},
	{"an authority that does something strange", `authorities: [{dn: '\VED\Policy\a', actions: [renew, explode]}]`, `line 1: authorities[0].actions[1]: "explode" is not one of create, renew, regenerate, reissue, revoke, suspend, reinstate`},
	{"a record of nothing", certificateText("commonName: x, resourceId: 5f5641a7e74e187a7e3d5266"), `line 1: certificates[0]: has a resourceId, and no certificateFile`},
	{"a record of a strange form", certificateText("certificateFile: x.pem, resourceId: 5f56"), `line 1: certificates[0].resourceId: "5f56" is not 24 hexadecimal digits`},

	{"a custom field without a name", "fields: [{label: x}]", `line 1: fields[0]: has no name`},
	{"a custom field of a strange kind", "fields: [{name: x, kind: number}]", `line 1: fields[0].kind: "number" is not one of text, list, date, identity`},
	{"a list without values", "fields: [{name: x, kind: list}]", `line 1: fields[0]: a list needs values`},
	{"values of a text", "fields: [{name: x, values: [a]}]", `line 1: fields[0]: values are for the kind list only`},
	{"a pattern of a date", "fields: [{name: x, kind: date, pattern: a}]", `line 1: fields[0]: a date has no pattern`},
	{"a pattern that is none", "fields: [{name: x, pattern: '[0-9'}]", `line 1: fields[0].pattern: "[0-9" is not a regular expression`},
	{"a custom field of a strange class", "fields: [{name: x, for: X509}]", `line 1: fields[0].for: "X509" is not a class such as X509 Certificate or Device`},
	{"a label that is another's name", "fields:\n  - {name: x}\n  - {name: y, label: X}", `line 3: fields[1]: is the same as fields[0] in line 2`},

	{"a device without a DN", "devices: [{host: x}]", `line 1: devices[0]: has no dn`},
	{"a device at a strange place", `devices: [{dn: '\VED\Policy\x', host: 'a b'}]`, `line 1: devices[0].host: "a b" is not a host name or an IP address`},
	{"a device in a device", `{devices: [{dn: '\VED\Policy\x'}, {dn: '\VED\Policy\x\y'}]}`, `line 1: devices[1]: \VED\Policy\x is no folder`},
	{"an application of no name", deviceText("{port: 443}"), `line 1: devices[0].applications[0]: has no name`},
	{"an application twice on a device", deviceText("{name: x}, {name: X}"), `line 1: devices[0].applications[1]: is the same as devices[0].applications[0] in line 1`},
	{"an application of a strange class", deviceText("{name: x, class: Device}"), `line 1: devices[0].applications[0].class: "Device" is not a class of applications such as Basic or Apache`},
	{"an application of no class at all", deviceText("{name: x, class: Application Base}"), `line 1: devices[0].applications[0].class: "Application Base" is not a class of applications such as Basic or Apache`},
	{"an application at a strange port", deviceText("{name: x, port: 65536}"), `line 1: devices[0].applications[0].port: "65536" is not a whole number from 1 to 65535`},

	{"a certificate of a strange class", certificateText("commonName: x, class: Policy"), `line 1: certificates[0].class: "Policy" is not a class of certificates such as X509 Server Certificate`},
	{"a certificate renewed for ever", certificateText("commonName: x, validityDays: 30, renewalWindow: 30"), `line 1: certificates[0]: renewalWindow is not less than validityDays, 30`},
	{"a signing request that is none", certificateText(`csr: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"`), `line 1: certificates[0].csr: not a certificate signing request: asn1: structure error: tags don't match (16 vs {class:0 tag:0 length:0 isCompound:false}) {optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false} certificateRequest @2`},
	{"a signing request and names", certificateText("csr: x.csr, commonName: x"), `line 1: certificates[0]: names and key are those of the csr`},
	{"an imported certificate and a key size", certificateText("certificateFile: x.pem, keySize: 2048"), `line 1: certificates[0]: names and key are those of the certificateFile`},
	{"an imported certificate and a signing request", certificateText("certificateFile: x.pem, csr: x.csr"), `line 1: certificates[0]: has both csr and certificateFile`},
	{"an imported certificate that is not issued", certificateText("certificateFile: x.pem, issue: false"), `line 1: certificates[0]: has a certificateFile, which leaves nothing to be said by class or issue`},
	{"a key without its certificate", certificateText("commonName: x, keyFile: x.key"), `line 1: certificates[0]: has a keyFile or password, and no certificateFile`},
	{"two passwords of a key", certificateText("certificateFile: x.pem, password: x, passwordEnv: Y"), `line 1: certificates[0]: has more than one of password, passwordFile and passwordEnv`},
	{"a rehearsal of nothing", certificateText("commonName: x, rehearsal: {stage: 500}"), `line 1: certificates[0].rehearsal: has no state`},
	{"a rehearsal of a strange state", certificateText("commonName: x, rehearsal: {state: lost}"), `line 1: certificates[0].rehearsal.state: "lost" is not one of in-error, queued, processing, waiting-csr, ticket, key-mismatch, key-missing, key-foreign, no-certificate, revocation-requested, revocation-done, revocation-failed, idle`},
	{"a rehearsal at a strange stage", certificateText("commonName: x, rehearsal: {state: processing, stage: 800}"), `line 1: certificates[0].rehearsal.stage: "800" is not one of 300, 400, 500, 700`},
	{"a rehearsal at a stage that it has not", certificateText("commonName: x, rehearsal: {state: queued, stage: 500}"), `line 1: certificates[0].rehearsal: queued has no stage`},
	{"an error without a text", certificateText("commonName: x, rehearsal: {state: in-error}"), `line 1: certificates[0].rehearsal: in-error needs a text`},
	{"a failed revocation without a text", certificateText("commonName: x, rehearsal: {state: revocation-failed}"), `line 1: certificates[0].rehearsal: revocation-failed needs a text`},
	{"a foreign key of nobody", certificateText("commonName: x, rehearsal: {state: key-foreign}"), `line 1: certificates[0].rehearsal: key-foreign needs another certificate`},
	{"another certificate that nothing is about", certificateText("commonName: x, rehearsal: {state: queued, other: '\\VED\\Policy\\A\\y'}"), `line 1: certificates[0].rehearsal: queued is about no other certificate`},
	{"an application at a stage of certificates", `devices: [{dn: '\VED\Policy\d', applications: [{name: a, rehearsal: {state: processing, stage: 500}}]}]`, `line 1: devices[0].applications[0].rehearsal.stage: "500" is not one of 800, 900, 1000, 1100, 1200`},
	{"an application that lacks a key", `devices: [{dn: '\VED\Policy\d', applications: [{name: a, rehearsal: {state: key-missing}}]}]`, `line 1: devices[0].applications[0].rehearsal.state: "key-missing" is not one of in-error, queued, processing, ticket, idle`},
	{"a lost key of nothing", certificateText("commonName: x, issue: false, rehearsal: {state: key-missing}"), `line 1: certificates[0].rehearsal: key-missing needs a certificate, and none is issued`},

	{"a certificate without a DN", "certificates: [{commonName: x}]", `line 1: certificates[0]: has no dn`},
	{"a certificate without a name", certificateText("keySize: 2048"), `line 1: certificates[0]: has neither a commonName nor another name`},
	{"a certificate for no address", certificateText("ip: 300.1.1.1"), `line 1: certificates[0].ip: "300.1.1.1" is not an IP address`},
	{"a certificate for a strange host", certificateText("dns: [www.example.com, 'a b']"), `line 1: certificates[0].dns[1]: "a b" is not a host name such as www.example.com or *.example.com`},
	{"a certificate for no e-mail address", certificateText("email: bob"), `line 1: certificates[0].email: "bob" is not an e-mail address`},
	{"a certificate for no URI", certificateText("uri: shop"), `line 1: certificates[0].uri: "shop" is not a URI such as spiffe://example.com/shop`},
	{"a certificate with two ends", certificateText("commonName: x, validityDays: 3, endDate: 2040-01-01"), `line 1: certificates[0]: has both validityDays and endDate`},
	{"a certificate without an end", certificateText("commonName: x, endDate: never"), `line 1: certificates[0].endDate: "never" is not a date such as 2027-01-31 or 2027-01-31 12:00:00`},
	{"a certificate with an RSA curve", certificateText("commonName: x, keyAlgorithm: RSA, curve: P256"), `line 1: certificates[0]: an RSA key has a keySize, not a curve`},
	{"a certificate with an ECC size", certificateText("commonName: x, keyAlgorithm: ECC, keySize: 2048"), `line 1: certificates[0]: an ECC key has a curve, not a keySize`},
	{"a certificate of no validity", certificateText("commonName: x, validityDays: 0"), `line 1: certificates[0].validityDays: "0" is not a whole number from 1 to 36500`},

	{"an attribute twice", folderText("attributes: {Notes: a, notes: b}"), `line 1: folders[0].attributes["notes"]: is there already`},
	{"an attribute that has a key, which is there", folderText("description: a, attributes: {Description: b}"), `line 1: folders[0].attributes["Description"]: says the same as folders[0].description`},
	{"an attribute that the server says", folderText("attributes: {Created By: x}"), `line 1: folders[0].attributes["Created By"]: is what the server says by itself`},
	{"a misspelt attribute of an object", folderText("attributes: {Discription: x}"), `line 1: folders[0].attributes["Discription"]: there is no such attribute; did you mean "Description"?`},
	{"two values of an attribute that has one", folderText("attributes: {Notes: [a, b]}"), `line 1: folders[0].attributes["Notes"]: can have one value only`},
	{"an attribute that is neither true nor false", deviceAttribute("Enforce Known Host: maybe"), `line 1: devices[0].attributes["Enforce Known Host"]: "maybe" is neither true nor false`},
	{"a custom field by its GUID", folderText("attributes: {'{0f9f8e26-0d51-4e4b-b7d5-2f41b4f1c7a8}': x}"), `line 1: folders[0].attributes["{0f9f8e26-0d51-4e4b-b7d5-2f41b4f1c7a8}"]: is a custom field: say it by its label, under customFields`},
	{"a secret that is not shown", folderText("attributes: {Scep Challenge Password: [a, b]}"), `line 1: folders[0].attributes["Scep Challenge Password"]: can have one value only`},
	{"what an application uses, as an attribute", deviceText("{name: x, attributes: {Certificate: '\\VED\\Policy\\x'}}"), `line 1: devices[0].applications[0]: the certificate that it uses is said by the key certificate`},

	{"a device at no port", deviceKey("port: 65536"), `line 1: devices[0].port: "65536" is not a whole number from 1 to 65535`},
	{"a device reached strangely", deviceKey("connection: telnet"), `line 1: devices[0].connection: "telnet" is not one of Local, SSH`},
	{"a device reached strangely, as an attribute", deviceAttribute("Connection Method: telnet"), `line 1: devices[0].attributes["Connection Method"]: "telnet" is not one of Local, SSH, Agent, Agentless, HTTPS, WinRM, WinRMs`},
	{"a credential that is no DN", deviceKey("credential: bob"), `line 1: devices[0].credential: bob is not a DN such as \VED\Policy\Shop`},
	{"a host key that is no fingerprint", deviceKey("hostKeys: ['MD5:00:11']"), `line 1: devices[0].hostKeys[0]: "MD5:00:11" is not a fingerprint as ssh-keygen -l prints it, SHA256: and 43 characters`},
	{"a host key that is cut off", deviceKey("hostKeys: SHA256:AAAA"), `line 1: devices[0].hostKeys: "SHA256:AAAA" is not a fingerprint as ssh-keygen -l prints it, SHA256: and 43 characters`},
	{"a known host neither true nor false", deviceKey("enforceKnownHost: first"), `line 1: devices[0].enforceKnownHost: "first" is neither true nor false`},
	{"no time to connect", deviceKey("timeout: 0"), `line 1: devices[0].timeout: "0" is not a whole number from 1 to 3600`},
	{"too many connections", deviceKey("connectionLimit: 1001"), `line 1: devices[0].connectionLimit: "1001" is not a whole number from 1 to 1000`},
	{"a setting twice", deviceKey("sudo: true, attributes: {Global sudo: false}"), `line 1: devices[0].attributes["Global sudo"]: says the same as devices[0].sudo`},
	{"a syntax of keys that nobody knows", programKey("keySyntax: DER"), `line 1: devices[0].applications[0].keySyntax: "DER" is not one of PKCS#1, PKCS#8`},
	{"a mode by which nobody could read", programKey("fileUserMode: 0200"), `line 1: devices[0].applications[0].fileUserMode: "0200" is not one of 0400, 0600`},
	{"a mode in letters", programKey("fileGroupMode: rw-r-----"), `line 1: devices[0].applications[0].fileGroupMode: "rw-r-----" is not one of 0000, 0040, 0060`},
	{"a look in a strange protocol", programKey("lookAt: ['ftp://a:21', 'http://a:80']"), `line 1: devices[0].applications[0].lookAt[1]: "http" is not one of tls, smtp, imap, pop3, ftp, ldap, postgresql`},
	{"a look at no port", programKey("lookAt: www.shop.example"), `line 1: devices[0].applications[0].lookAt: "www.shop.example" is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587`},
	{"a look at a strange port", programKey("lookAt: 'a:https'"), `line 1: devices[0].applications[0].lookAt: "a:https" is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587`},
	{"a look at no host", programKey("lookAt: ':443'"), `line 1: devices[0].applications[0].lookAt: ":443" is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587`},
	{"a look for no name", programKey("lookAt: 'a:443/'"), `line 1: devices[0].applications[0].lookAt: "a:443/" is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587`},
	{"a look for any name", programKey("lookAt: 'a:443/*.a'"), `line 1: devices[0].applications[0].lookAt: "a:443/*.a" is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587`},
	{"a look at an address without brackets", programKey("lookAt: '2001:db8::1:443'"), `line 1: devices[0].applications[0].lookAt: "2001:db8::1:443" is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587`},
	{"looks for ever", programKey("lookTime: 3601"), `line 1: devices[0].applications[0].lookTime: "3601" is not a whole number from 1 to 3600`},
	{"a restart neither true nor false", programKey("restart: later"), `line 1: devices[0].applications[0].restart: "later" is neither true nor false`},
	{"a strange setting in policy", `folders: [{dn: '\VED\Policy\A', policyFor: {NGINX: {Certwright:look-time: soon}}}]`, `line 1: folders[0].policyFor["NGINX"]["Certwright:look-time"]: "soon" is not a whole number from 1 to 3600`},
	{"several settings in policy where one may be", `folders: [{dn: '\VED\Policy\A', policyFor: {JKS: {Key Store: [/a, /b]}}}]`, `line 1: folders[0].policyFor["JKS"]["Key Store"]: can have one value only`},
	{"a certificate neither on all nor not", certificateText("commonName: x, allOrNothing: most"), `line 1: certificates[0].allOrNothing: "most" is neither true nor false`},

	{"a workflow at a strange stage", "workflows: [{dn: '\\VED\\Policy\\w', stage: 550}]", `line 1: workflows[0].stage: "550" is not one of 0, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1400`},
	{"a workflow without a DN", "workflows: [{stage: 500}]", `line 1: workflows[0]: has no dn`},
	{"a reason without a name", "server: {reasons: [{code: 1}]}", `line 1: server.reasons[0]: has no name`},
	{"a reason twice", "server: {reasons: [{code: 1, name: a}, {code: 1, name: b}]}", `line 1: server.reasons[1]: is the same as server.reasons[0] in line 1`},
	{"a reason with a comma", "server: {reasons: [{code: 1, name: 'a,b'}]}", `line 1: server.reasons[0]: a name has no comma`},
	{"assets of no team", "groups: [{name: ops, assets: ['\\VED\\Policy\\A']}]", `line 1: groups[0]: has assets, and is no team`},
	{"a team no more", "groups: [{name: ops, team: false}]", `line 1: groups[0].team: a group that is a team stays one: leave it out`},

	{"a credential of a strange kind", credentialText("kind: Key"), `line 1: credentials[0].kind: is not one of Password, UsernamePassword, Certificate, PrivateKey, Generic, Amazon, Google, nor a class of credentials`},
	{"a credential of no kind", credentialText("password: x"), `line 1: credentials[0]: has no kind`},
	{"a file of a password", credentialText("kind: Password, file: x"), `line 1: credentials[0]: Password has no file`},
	{"a password of a key that is not there", credentialText("kind: PrivateKey, password: x"), `line 1: credentials[0]: has a password and no file`},
	{"a password of another class", credentialText("kind: Automatic Password Credential, password: x"), `line 1: credentials[0]: Automatic Password Credential has no password`},
	{"nothing instead of a secret", credentialText("kind: Password, replace: true"), `line 1: credentials[0]: has nothing to replace the secret by`},

	{"a key pair of a strange kind", "sshKeyPairs: [{name: x, algorithm: DSA}]", `line 1: sshKeyPairs[0].algorithm: "DSA" is not a kind of key such as ED25519, RSA3072 or ECDSA256`},
	{"a key pair of two keys", "sshKeyPairs: [{name: x, algorithm: ED25519, privateKeyFile: y}]", `line 1: sshKeyPairs[0]: has both algorithm and privateKeyFile`},
	{"a template of a strange validity", "sshTemplates: [{name: x, validity: long}]", `line 1: sshTemplates[0].validity: "long" is not a validity such as 8h or 90d`},
	{"a template without a name", "sshTemplates: [{type: host}]", `line 1: sshTemplates[0]: has no name`},

	{"an object of a class that has a section", "objects: [{dn: '\\VED\\Policy\\x', class: Apache}]", `line 1: objects[0].class: objects of class Apache stand in the section devices`},
	{"an object of an abstract class", "objects: [{dn: '\\VED\\Policy\\x', class: Top}]", `line 1: objects[0].class: there are no objects of class Top that a file makes`},
	{"an object that comes by itself", "objects: [{dn: '\\VED\\Policy\\x', class: Workflow Ticket}]", `line 1: objects[0].class: there are no objects of class Workflow Ticket that a file makes`},
	{"an object of a class that is not there", "objects: [{dn: '\\VED\\Policy\\x', class: Jumper}]", `line 1: objects[0].class: there is no class "Jumper"`},
	{"an object of no class", "objects: [{dn: '\\VED\\Policy\\x'}]", `line 1: objects[0]: has no class`},
	{"an object elsewhere", "objects: [{dn: '\\Elsewhere', class: Jump Server}]", `line 1: objects[0].dn: \Elsewhere is not a DN such as \VED\Policy\Shop`},
	{"policy of a jump server", "objects: [{dn: '\\VED\\Policy\\x', class: Jump Server, policy: {City: Ghent}}]", `line 1: objects[0]: objects of class Jump Server say nothing about what is below them`},
	{"a module in a folder", "{folders: [{dn: '\\VED\\Policy\\x'}], objects: [{dn: '\\VED\\Policy\\x\\y', class: Certificate Manager}]}", `line 1: objects[0]: \VED\Policy\x is no place for it`},

	{"a shortest text that is too long", "fields: [{name: x, minLength: 3, maxLength: 2}]", `line 1: fields[0]: minLength is more than maxLength`},
	{"a date of the day and of the time", "fields: [{name: x, kind: date, dateOnly: true, timeOnly: true}]", `line 1: fields[0]: has both dateOnly and timeOnly`},
	{"a default that is no value", "fields: [{name: x, kind: list, values: [a], defaults: [b]}]", `line 1: fields[0]: the default "b" is none of the values`},
	{"names of a request as attributes", certificateText("commonName: x, attributes: {X509 SubjectAltName DNS: y}"), `line 1: certificates[0].attributes["X509 SubjectAltName DNS"]: is said by a key of its own, unless nothing is ordered`},
}

func folderText(keys string) string { return `folders: [{dn: '\VED\Policy\A', ` + keys + `}]` }

func credentialText(keys string) string {
	return `credentials: [{dn: '\VED\Policy\A\c', ` + keys + `}]`
}

func deviceAttribute(entry string) string {
	return `devices: [{dn: '\VED\Policy\A\d', attributes: {` + entry + `}}]`
}

func deviceKey(entry string) string { return `devices: [{dn: '\VED\Policy\A\d', ` + entry + `}]` }

func programKey(entry string) string { return deviceText("{name: x, class: NGINX, " + entry + "}") }

func policy(entry string) string {
	if !strings.HasPrefix(entry, "{") {
		entry = "{" + entry + "}"
	}
	return `folders: [{dn: '\VED\Policy\A', policy: ` + entry + `}]`
}

func rights(grants string) string {
	return `folders: [{dn: '\VED\Policy\A', rights: [` + grants + `]}]`
}

func deviceText(applications string) string {
	return `devices: [{dn: '\VED\Policy\A\x', applications: [` + applications + `]}]`
}

func certificateText(keys string) string {
	return `certificates: [{dn: '\VED\Policy\A\x', ` + keys + `}]`
}

// TestBadFiles has every kind of mistake told in one line that says where it is.
func TestBadFiles(t *testing.T) {
	for _, c := range badFiles {
		_, err := Load([]byte(c.text))
		switch {
		case err == nil:
			t.Errorf("%s: got no error, want %s", c.name, c.want)
		case err.Error() != c.want:
			t.Errorf("%s:\n got %s\nwant %s", c.name, err, c.want)
		}
	}
}

// TestPasswordsAreNotRepeated puts passwords where a forgotten quote makes YAML of
// them, and looks for them in the errors.
func TestPasswordsAreNotRepeated(t *testing.T) {
	for _, text := range []string{
		"users: [{name: bob, password: *Sesame}]",
		"users: [{name: bob, password: &Sesame}]",
		"users: [{name: bob, password: &Open Sesame}]",
		"users: [{name: bob, password: !Sesame}]",
		"users: [{name: bob, password: !Open Sesame}]",
		"users: [{name: bob, password: x,Sesame}]",
		"users: [{name: bob, password: x, Sesame}]",
		"users: [{name: bob, password: x, Sesame: y}]",
		"users: [{name: bob, password: x, Sesame, Sesame}]",
		"users: [{name: bob, password: {Sesame}}]",
		"users: [{name: bob, password: [Sesame}]",
		"users: [{name: bob, password: x: Sesame}]",
		"users: [{name: bob, password: Sesame, password: Sesame}]",
		"users: [{name: bob, password: Sesame, pasword: Sesame}]",
		"users: [{name: bob, password: Sesame, passwordEnv: Sesame}]",
		"users:\n- name: bob\n  password: x: Sesame",
		"users:\n- name: bob\n  password: \"Sesame",
		"users:\n- name: bob\n  password: 'Sesame'Sesame'",
		"users:\n- name: bob\n  password: @Sesame",
		"users:\n- name: bob\n  password: `Sesame",
		"users:\n- name: bob\n  password: %Sesame\n  x: y",
		"users:\n- name: bob\n  password: |Sesame",
		"users:\n- name: bob\n  password:\n    Sesame: x",
		"users:\n- name: bob\n  password:\n    - Sesame",
		"users: [{name: bob, password: Sesame" + strings.Repeat("x", MaxPassword) + "}]",
	} {
		for _, text := range []string{text, strings.NewReplacer("users:", "certificates:", "name: bob", "certificateFile: x").Replace(text), strings.NewReplacer("users:", "serviceAccounts:", "password", "secret", "pasword", "secrt").Replace(text)} {
			_, err := Load([]byte(text))
			if err == nil {
				t.Errorf("got no error for %s", text)
			} else if strings.Contains(err.Error(), "Sesame") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want no password and one line", err)
			}
		}
	}
}

// TestLimits refuses files that are larger than anybody needs, those among them
// that only become so by aliases.
func TestLimits(t *testing.T) {
	many := func(n int, item string) string { return strings.Repeat(item, n) }
	for _, c := range []struct{ name, text, want string }{
		{"a huge file", many(MaxSize+1, " "), "the file is larger than 16 MiB"},
		{"many items", "groups:\n" + many(MaxItems+1, "- {}\n"), "line 2: groups: has more than 20000 items"},
		{"many values", policy("Domain Suffix Whitelist: [" + many(MaxEntries+1, "x,") + "]"), `line 1: folders[0].policy["Domain Suffix Whitelist"]: has more than 500 items`},
		{"long text", "folders: [{description: " + many(MaxText+1, "x") + "}]", "line 1: folders[0].description: is longer than 4096 characters"},
		{
			"a file that grows by aliases",
			"groups:\n- {name: a, members: &m [" + many(MaxItems, "x,") + "]}\n" + many(50, "- {name: a, members: *m}\n"),
			"line 2: groups[24].members[19924]: the file has more than 500000 values",
		},
	} {
		if _, err := Load([]byte(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

// TestEmptyFiles lets a file say nothing at all.
func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "---\n", "users:\nfolders: []\n", `folders: [{dn: '\VED\Policy\A', policy: , rights: }]`} {
		if _, err := Load([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestKeySizes keeps the sizes of estate files those that can be made.
func TestKeySizes(t *testing.T) {
	known := map[string]bool{}
	for _, size := range keySizes {
		known[size] = true
	}
	for bits := 512; bits <= 16384; bits += 512 {
		can := pki.KeySpec{Algorithm: clm.RSA, Bits: bits}.Check() == nil
		if listed := known[strconv.Itoa(bits)]; listed != can {
			t.Errorf("%d bits: listed %v, can be made %v", bits, listed, can)
		}
	}
}

// FuzzLoad wants every file to be refused in one line or to be read without harm,
// and what is read as a password to be in no error.
func FuzzLoad(f *testing.F) {
	for _, c := range badFiles {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(exampleText(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Load(data)
		if (file == nil) == (err == nil) {
			t.Errorf("got %v and %v, want one of them", file, err)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || !utf8.ValidString(err.Error())) {
			t.Errorf("got %q, want one line of text", err)
		}
		const sesame = "Open-Sesame-3-Thieves"
		for _, head := range []string{"users: [{name: bob", "certificates: [{certificateFile: x"} {
			whole := bytes.Join([][]byte{[]byte(head + ", password: " + sesame), data, []byte("}]")}, nil)
			if _, err := Load(whole); err != nil && strings.Contains(err.Error(), sesame) {
				t.Errorf("got %q, which repeats a password", err)
			}
		}
	})
}
