// Package estate reads estate files and applies them. An estate file says in YAML
// what an administrator has set up: issuing CAs, users and groups, service accounts,
// applications, authorities, custom fields, folders with their policy and rights, workflows,
// credentials, devices, other objects, and certificates that are to exist. Folders and
// their policy are written in the vendor's words, which administrators know;
// docs/estate.md has all of it. Export writes such a file.
//
// Everything goes through the use cases of package core, as it would coming from a
// dialect. What the file does not speak of stays as it is, so that a file may be
// applied again and again, and a part of the tree may be left to people.
package estate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/certwright/certwright/internal/clm"
)

// Limits of an estate file.
const (
	MaxSize     = 16 << 20 // bytes
	MaxItems    = 20_000   // of one section
	MaxEntries  = 500      // of one list or mapping within an item
	MaxValues   = 500_000  // keys and single values altogether, each alias counted anew
	MaxText     = 4096     // characters of one text
	MaxPassword = 1024     // bytes of a password
)

// A File is an estate file that makes sense by itself. Whether it fits an
// installation is seen when it is applied.
type File struct {
	server       map[clm.Attr][]string
	vouchers     []reference // the issuers among the server's settings
	reasons      *reasonList // and what is kept at the root of tickets
	issuers      []issuer
	groups       []group
	users        []user
	services     []serviceAccount
	applications []application
	authorities  []authority
	fields       []field
	folders      []folder
	workflows    []workflow
	credentials  []credential
	sshKeyPairs  []sshKeyPair
	sshTemplates []sshTemplate
	devices      []device
	objects      []object
	certificates []certificate
}

// A reference is a name that must be known when the file is applied.
type reference struct {
	place
	name string
}

// Load reads an estate file and checks all that can be checked without an
// installation. Its errors are of one line and name the place; they never repeat
// a password, or what might be a part of one.
func Load(data []byte) (*File, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the file is larger than %d MiB", MaxSize>>20)
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return &File{}, nil
	} else if err != nil {
		return nil, syntaxError(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("line %d: there is a second document", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(err)
	}
	f := &File{}
	budget := MaxValues
	root := value{node: document.Content[0], left: &budget}
	if root.isNull() {
		return f, nil
	}
	if err := root.object(f.sections()); err != nil {
		return nil, err
	}
	if err := f.agree(); err != nil {
		return nil, err
	}
	return f, nil
}

var (
	unknownAnchor = regexp.MustCompile(`unknown anchor '.*' referenced`)
	parserName    = regexp.MustCompile(`^yaml: `)
)

// syntaxError is the parser's error without the only part of the file that it
// ever repeats: a password that begins with an asterisk looks like an alias.
func syntaxError(err error) error {
	text := unknownAnchor.ReplaceAllLiteralString(err.Error(), "a value that begins with * must stand in quotes")
	return fmt.Errorf("not YAML: %s", parserName.ReplaceAllLiteralString(text, ""))
}
