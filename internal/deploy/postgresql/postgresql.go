// Package postgresql puts certificates where a PostgreSQL server uses them. In
// postgresql.conf there is
//
//	ssl_cert_file = '{Certificate File}'
//	ssl_key_file = '{Private Key File}'
//
// where both may be one file. The server reads them when it is told. What it cannot
// use then it leaves, and stays with what it has; nobody learns that but its log, so
// what it is particular about is checked before: whose the key is, and who may read it.
// To tell it twice, or from two sides at once, is harmless: no connection is broken.
package postgresql

import (
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of PostgreSQL.
var Driver = shelf.Kind{
	Fields:    fields,
	Arguments: []clm.Attr{clm.ServiceConfig, clm.ServiceUnit},
	LayOut:    shelf.PEM,
	Service:   func(s deploy.Settings) (deploy.Service, error) { return newService(s), nil },
}.Driver(look.Postgres, 5432)

var fields = slices.Concat([]deploy.Field{
	{Attr: clm.ServiceConfig, Label: "Data Directory", Required: true}, // as SHOW data_directory has it
	{Attr: clm.ServiceUnit, Label: "Systemd Unit"},                     // without it, the server's process is told
}, shelf.PEMFieldsBut(clm.ChainFile, clm.ReplaceChain), shelf.OwnerFields)
