// Package command puts certificates where any application uses them, and tells it by
// programs that an administrator names. No shell reads what he writes.
//
// How often a program may be run without harm is up to it. It is run again when it
// is not known whether it has ended.
package command

import (
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of applications that are told by commands.
var Driver = shelf.Kind{Fields: fields, LayOut: shelf.PEM, Service: newService}.Driver("", 0)

var fields = slices.Concat(deploy.CommandFields, []deploy.Field{
	{Attr: clm.LookAt, Label: "Look At"},
	{Attr: clm.ListenPort, Label: "SSL Listen Port"},
}, shelf.PEMFields, shelf.OwnerFields)

func newService(s deploy.Settings) (deploy.Service, error) {
	programs, err := s.Commands("reload-or-restart")
	if err == nil && programs.Reloads == nil && s.Value(clm.LookAt, "") == "" && s.Value(clm.ListenPort, "") == "" {
		err = errors.New("neither Reload Command nor Look At is set: nobody would know whether the certificate is used")
	}
	if err != nil {
		return nil, err
	}
	return s.Told("reload-or-restart")
}
