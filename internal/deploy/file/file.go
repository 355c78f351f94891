// Package file holds the drivers that put certificates into files. Whatever reads them
// finds out by itself, unless there are commands that tell it.
package file

import (
	"slices"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// The drivers: a certificate, key and chain as PEM; a PKCS #12 file; a Java keystore.
var (
	PEM    = driver(shelf.PEMFields, shelf.PEM)
	PKCS12 = driver(shelf.PKCS12Fields, shelf.PKCS12)
	JKS    = driver(shelf.JKSFields, shelf.JKS)
)

func driver(fields []deploy.Field, layOut func(deploy.Settings) (shelf.Layout, error)) deploy.Driver {
	told := func(s deploy.Settings) (deploy.Service, error) { return s.Told("reload-or-restart") }
	return shelf.Kind{Fields: slices.Concat(fields, shelf.OwnerFields, deploy.CommandFields), LayOut: layOut, Service: told}.Driver("", 0)
}
