package estate

import (
	"cmp"

	"go.yaml.in/yaml/v3"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

const (
	yamlMapping = yaml.MappingNode
	yamlScalar  = yaml.ScalarNode
)

// to is a reader that puts what it reads into dst.
func to[T any](dst *T, read func(value) (T, error)) reader {
	return func(v value) (err error) {
		*dst, err = read(v)
		return err
	}
}

// maybe is a reader that remembers whether there was something to read.
func maybe[T any](dst **T, read func(value) (T, error)) reader {
	return func(v value) error {
		got, err := read(v)
		*dst = &got
		return err
	}
}

// several reads one value or a list of them. An empty text or list is none.
func several(c check) func(value) ([]string, error) {
	return func(v value) (all []string, err error) {
		add := func(v value) error {
			s, err := c(v)
			all = append(all, s)
			return err
		}
		if v.node.Kind == yaml.ScalarNode && v.node.Value == "" && !v.isNull() {
			return nil, nil
		}
		err = v.items(MaxEntries, add)
		return all, err
	}
}

// own is a reader of an own value of an object. An empty text removes it.
func own(dst map[clm.Attr][]string, a clm.Attr, c check) reader {
	return func(v value) (err error) {
		if v.node.Kind == yaml.SequenceNode {
			return v.fail("must be a single value")
		}
		dst[a], err = several(c)(v)
		return err
	}
}

// owns is a reader of own values of an object. An empty text or list removes them.
func owns(dst map[clm.Attr][]string, a clm.Attr, c check) reader {
	return func(v value) (err error) {
		dst[a], err = several(c)(v)
		return err
	}
}

// references reads a list of names.
func references(dst *[]reference) reader {
	return func(v value) error {
		return v.items(MaxItems, func(v value) error {
			n, err := name(v)
			*dst = append(*dst, reference{v.place(), n})
			return err
		})
	}
}

// maybeReference reads a name or a DN that must be known later.
func maybeReference(dst **reference, c check) reader {
	return func(v value) error {
		s, err := c(v)
		*dst = &reference{v.place(), s}
		return err
	}
}

// section reads a list of items of one kind; nothing at all is an empty one.
func section[T any](dst *[]T, item func(value) (T, error)) reader {
	return orNothing(func(v value) error {
		return v.list(MaxItems, func(v value) error {
			got, err := item(v)
			*dst = append(*dst, got)
			return err
		})
	})
}

func orNothing(read reader) reader {
	return func(v value) error {
		if v.isNull() {
			return nil
		}
		return read(v)
	}
}

func (f *File) sections() keys {
	return keys{
		"server":          orNothing(f.readServer),
		"issuers":         section(&f.issuers, readIssuer),
		"groups":          section(&f.groups, readGroup),
		"users":           section(&f.users, readUser),
		"serviceAccounts": section(&f.services, readServiceAccount),
		"applications":    section(&f.applications, readApplication),
		"authorities":     section(&f.authorities, readAuthority),
		"fields":          section(&f.fields, readField),
		"folders":         section(&f.folders, readFolder),
		"workflows":       section(&f.workflows, readWorkflow),
		"credentials":     section(&f.credentials, readCredential),
		"sshKeyPairs":     section(&f.sshKeyPairs, readSSHKeyPair),
		"sshTemplates":    section(&f.sshTemplates, readSSHTemplate),
		"devices":         section(&f.devices, readDevice),
		"objects":         section(&f.objects, readObject),
		"certificates":    section(&f.certificates, readCertificate),
	}
}

// A placed is a thing and the class of its object.
type placed struct {
	*thing
	class clm.Class
}

// things are all objects of which the file says something.
func (f *File) things() (all []placed) {
	add := func(t *thing, class clm.Class) { all = append(all, placed{t, class}) }
	for i := range f.folders {
		add(&f.folders[i].thing, clm.Folder)
	}
	for i := range f.authorities {
		add(&f.authorities[i].thing, clm.Authority)
	}
	for i := range f.workflows {
		add(&f.workflows[i].thing, clm.Workflow)
	}
	for i := range f.credentials {
		add(&f.credentials[i].thing, f.credentials[i].class())
	}
	for i := range f.devices {
		d := &f.devices[i]
		add(&d.thing, clm.Device)
		for j := range d.programs {
			add(&d.programs[j].thing, d.programs[j].class())
		}
	}
	for i := range f.sshKeyPairs {
		add(&f.sshKeyPairs[i].thing, clm.SSHKeyPair)
	}
	for i := range f.sshTemplates {
		add(&f.sshTemplates[i].thing, clm.SSHTemplate)
	}
	for i := range f.objects {
		add(&f.objects[i].thing, f.objects[i].class)
	}
	for i := range f.certificates {
		add(&f.certificates[i].thing, cmp.Or(f.certificates[i].request.Class, clm.AnyCertificate))
	}
	for i := range f.groups {
		add(&f.groups[i].thing, clm.Group)
	}
	for i := range f.users {
		add(&f.users[i].thing, clm.User)
	}
	for i := range f.fields {
		add(&f.fields[i].thing, clm.CustomField)
	}
	return all
}

func (f *File) readServer(v value) error {
	f.server = map[clm.Attr][]string{}
	return v.object(keys{
		"workToDoTimeout":  own(f.server, clm.WaitSetting, number(0, int(core.MaxWait.Seconds()))),
		"lateCertificates": own(f.server, clm.LateOrders, one(clm.RevokeLate, clm.KeepLate)),
		"listSameKey":      own(f.server, clm.ListSameKey, flag),
		"ocspNonce":        own(f.server, clm.OCSPNonce, flag),
		"selfApproval":     own(f.server, clm.SelfApproval, flag),
		"reasons":          f.readReasons,
		"clientAuthorities": func(v value) error {
			if err := references(&f.vouchers)(v); err != nil {
				return err
			}
			f.server[clm.LoginIssuers] = namesOf(f.vouchers)
			return nil
		},
	})
}

func namesOf(list []reference) (names []string) {
	for _, r := range list {
		names = append(names, r.name)
	}
	return names
}
