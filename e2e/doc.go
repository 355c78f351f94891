// Package e2e looks at Certwright from outside: it builds the program, starts it
// as an operator would, and lets real clients work with it, judged by openssl,
// Java's keytool and GnuTLS's certtool.
//
//	cd e2e && go test ./...
//
// It needs openssl; what needs PostgreSQL or another judge is skipped where there is
// none, unless CERTWRIGHT_NO_SKIP=1 says that nothing may be. It is a module of its
// own, so that the clients and what they bring along are not part of the product.
package e2e
