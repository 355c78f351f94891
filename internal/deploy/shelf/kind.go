package shelf

import (
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
)

// A Kind is what drivers differ in whose applications read files.
type Kind struct {
	Fields    []deploy.Field
	Arguments []clm.Attr // the fields that become arguments of programs
	LayOut    func(deploy.Settings) (Layout, error)
	Service   func(deploy.Settings) (deploy.Service, error) // which may be nil: nothing has to be told
}

// Driver is the driver of the kind; its service is looked at in the protocol and at the
// port, unless said otherwise.
func (k Kind) Driver(protocol string, port int) deploy.Driver {
	return deploy.Driver{Fields: k.Fields, WantsKey: true, Protocol: protocol, Port: port, New: k.target}
}

// PEMFieldsBut are PEMFields without those that a service has nothing for.
func PEMFieldsBut(attrs ...clm.Attr) []deploy.Field {
	return slices.DeleteFunc(slices.Clone(PEMFields), func(f deploy.Field) bool { return slices.Contains(attrs, f.Attr) })
}

func (k Kind) target(s deploy.Settings) (t deploy.Target, err error) {
	if err := Check(s, k.Fields); err != nil {
		return t, err
	}
	if err := s.CheckArguments(k.Fields, k.Arguments...); err != nil {
		return t, err
	}
	service, err := k.Service(s)
	if err != nil {
		return t, err
	}
	layout, err := k.LayOut(s)
	if err != nil {
		return t, err
	}
	store, err := New(s, layout)
	if err != nil {
		return t, err
	}
	return deploy.Target{Store: store, Service: service, Bare: layout.Bare}, nil
}
