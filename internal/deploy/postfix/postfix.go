// Package postfix puts certificates where the SMTP servers of a Postfix use them.
//
// An smtpd reads the files once, when it starts, and Postfix starts and ends them as
// it pleases: some read a new certificate before anybody has said so, others show the
// old one until they are told. In main.cf there is best
//
//	smtpd_tls_chain_files = {both files in one}
//
// which is read in one go. With two files, or with smtpd_tls_cert_file and
// smtpd_tls_key_file, an smtpd that reads the one before a switch and the other
// behind it has no pair, and goes on without TLS until the reload that follows.
//
// To reload twice, or from two sides at once, is harmless: it breaks no connection.
package postfix

import (
	"bytes"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/shelf"
	"github.com/certwright/certwright/internal/pki"
)

// Driver is the driver of Postfix.
var Driver = shelf.Kind{
	Fields:    fields,
	Arguments: []clm.Attr{clm.ServiceProgram, clm.ServiceConfig},
	LayOut:    layOut,
	Service:   func(s deploy.Settings) (deploy.Service, error) { return newService(s), nil },
}.Driver(look.SMTP, 25)

var fields = slices.Concat([]deploy.Field{
	{Attr: clm.ServiceProgram, Label: "Program"},                // without it, postfix from the path
	{Attr: clm.ServiceConfig, Label: "Configuration Directory"}, // without it, the one that Postfix was built with
}, shelf.PEMFieldsBut(clm.ChainFile, clm.ReplaceChain, clm.KeyCredential), shelf.OwnerFields)

// layOut puts the key first in its file: chain files want that order.
func layOut(s deploy.Settings) (shelf.Layout, error) {
	layout, err := shelf.PEM(s)
	for i, f := range layout.Files {
		if f.Key {
			layout.Files[i].Data = keyFirst(f.Data)
		}
	}
	return layout, err
}

func newService(s deploy.Settings) deploy.Programs {
	program, config := s.Value(clm.ServiceProgram, "postfix"), s.Value(clm.ServiceConfig, "")
	ask := func(what string) []string {
		if config != "" {
			return []string{program, "-c", config, what}
		}
		return []string{program, what}
	}
	return deploy.Programs{
		Service: strings.Join([]string{"postfix", s.Machine(), program, config}, "\n"),
		Host:    s.Host,
		Checks:  ask("check"),
		Reloads: ask("reload"),
		Noise:   []string{"warning: ", "refreshing the Postfix mail system"},
	}
}

// keyFirst puts the key before the certificates that are in the same file, where
// smtpd_tls_chain_files wants it; all else that reads such files takes it anywhere.
func keyFirst(data func(pki.Bundle, []byte) ([]byte, error)) func(pki.Bundle, []byte) ([]byte, error) {
	return func(b pki.Bundle, old []byte) ([]byte, error) {
		text, err := data(b, old)
		if err != nil {
			return nil, err
		}
		var keys, others bytes.Buffer
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			to := &others
			if strings.HasSuffix(block.Type, "PRIVATE KEY") {
				to = &keys
			}
			if err := pem.Encode(to, block); err != nil {
				return nil, err
			}
		}
		return slices.Concat(keys.Bytes(), others.Bytes()), nil
	}
}
