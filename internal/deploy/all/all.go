// Package all lists the drivers that this program has.
package all

import (
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/apache"
	"github.com/certwright/certwright/internal/deploy/command"
	"github.com/certwright/certwright/internal/deploy/dovecot"
	"github.com/certwright/certwright/internal/deploy/file"
	"github.com/certwright/certwright/internal/deploy/haproxy"
	"github.com/certwright/certwright/internal/deploy/kubernetes"
	"github.com/certwright/certwright/internal/deploy/nginx"
	"github.com/certwright/certwright/internal/deploy/postfix"
	"github.com/certwright/certwright/internal/deploy/postgresql"
	"github.com/certwright/certwright/internal/deploy/tomcat"
)

// Registry holds every driver under the kind of the class of its applications.
var Registry = deploy.Registry{
	"apache":     apache.Driver,
	"command":    command.Driver,
	"dovecot":    dovecot.Driver,
	"haproxy":    haproxy.Driver,
	"jks":        file.JKS,
	"kubernetes": kubernetes.Driver,
	"nginx":      nginx.Driver,
	"pem":        file.PEM,
	"pkcs#12":    file.PKCS12,
	"postfix":    postfix.Driver,
	"postgresql": postgresql.Driver,
	"tomcat":     tomcat.Driver,
}
