// Package all lists the connectors that this program has.
package all

import (
	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/embedded"
)

// Registry holds every connector under the name of its folder.
var Registry = ca.Registry{
	"embedded": embedded.Connector,
}
