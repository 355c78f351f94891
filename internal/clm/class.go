package clm

import (
	"slices"
	"strings"
)

// A Class says what an object is. Names that an edge does not know in our terms
// are kept under a prefix of that edge; they have no parents and no rules.
type Class string

// The classes that have rules.
const (
	Root                   Class = "root"
	Folder                 Class = "folder"
	CertificateBase        Class = "certificate-base"
	AnyCertificate         Class = "certificate"
	ServerCertificate      Class = "server-certificate"
	DeviceCertificate      Class = "device-certificate"
	UserCertificate        Class = "user-certificate"
	CodeSigningCertificate Class = "code-signing-certificate"
	Authority              Class = "authority"   // a template by which certificates are ordered from a CA
	Device                 Class = "device"      // a host, or whatever else holds applications
	Application            Class = "application" // what uses certificates on a device; each driver has a class of its own below it
	FieldRoot              Class = "field-root"  // holds the custom fields
	CustomField            Class = "custom-field"

	Credential       Class = "credential" // what is needed to log in somewhere; each kind has a class of its own below it
	Workflow         Class = "workflow"   // who has to say yes before a stage begins, for the folders that name it
	TicketRoot       Class = "ticket-root"
	Ticket           Class = "ticket" // the question to those who have to say yes
	IdentityRoot     Class = "identity-root"
	User             Class = "user"
	Group            Class = "group"
	EngineRoot       Class = "engine-root"
	Engine           Class = "engine" // a process that carries work out
	Module           Class = "module" // a part of an engine, with settings; each kind has a class of its own below it
	SSHRoot          Class = "ssh-root"
	SSHTemplate      Class = "ssh-template" // by which SSH certificates are issued
	SSHKeyPair       Class = "ssh-key-pair" // with which SSH certificates are signed
	SSHCertificate   Class = "ssh-certificate"
	ApplicationGroup Class = "application-group"
	TrustStore       Class = "trust-store"
	BulkApplication  Class = "bulk-application"
	JumpServer       Class = "jump-server"
	RootCertificate  Class = "root-certificate"
	TrustBundle      Class = "trust-bundle"
	Key              Class = "key"
	Container        Class = "container" // a root of something that has no rules; each kind has a class of its own below it
)

// ApplicationClass is the class of the applications of one driver.
func ApplicationClass(driver string) Class { return Application.Kind(driver) }

// Kind is the class of that name directly below c.
func (c Class) Kind(name string) Class { return c + "/" + Class(name) }

// superclass is the whole hierarchy.
var superclass = map[Class]Class{
	AnyCertificate:         CertificateBase,
	ServerCertificate:      AnyCertificate,
	DeviceCertificate:      AnyCertificate,
	UserCertificate:        AnyCertificate,
	CodeSigningCertificate: AnyCertificate,
	SSHKeyPair:             Key,
}

// containment says which classes an object may hold, with all that derive from them.
var containment = map[Class][]Class{
	Root: {Folder, FieldRoot, IdentityRoot, EngineRoot, TicketRoot, SSHRoot, Container},
	Folder: {
		Folder, CertificateBase, Authority, Device, JumpServer, Credential, Workflow, ApplicationGroup, RootCertificate, TrustBundle,
		SSHCertificate, Key,
	},
	Device:       {Application, TrustStore, BulkApplication},
	FieldRoot:    {CustomField, Container},
	IdentityRoot: {User, Group},
	EngineRoot:   {Engine},
	Engine:       {Module},
	TicketRoot:   {Ticket},
	SSHRoot:      {SSHRoot, SSHTemplate, SSHKeyPair},
}

// abstract lists the classes of which there are no objects.
var abstract = map[Class]bool{
	CertificateBase: true, Application: true, Credential: true, Module: true, ApplicationGroup: true, TrustStore: true, BulkApplication: true,
	Key: true, SSHCertificate: true,
}

// IsAbstract reports whether there are no objects of the class itself.
func (c Class) IsAbstract() bool { return abstract[c] }

// up is the class that c derives from directly.
func (c Class) up() (Class, bool) {
	if at := strings.LastIndexByte(string(c), '/'); at >= 0 {
		return c[:at], true
	}
	above, ok := superclass[c]
	return above, ok
}

// Is reports whether c is other or derives from it.
func (c Class) Is(other Class) bool { return c.distance(other) >= 0 }

// distance is the number of steps from c up to other, or -1.
func (c Class) distance(other Class) int {
	for n := 0; ; n++ {
		if c == other {
			return n
		}
		above, ok := c.up()
		if !ok {
			return -1
		}
		c = above
	}
}

// IsNumerous reports whether there may be as many objects of the class as there
// are certificates: such objects stand at the ends of the tree, and nothing about
// it changes when they do.
func (c Class) IsNumerous() bool {
	return c.Is(CertificateBase) || c == Device || c.Is(Application) || c == Ticket || c.Is(SSHCertificate)
}

// HoldsPolicy reports whether objects of the class may say something about what
// lies below them.
func (c Class) HoldsPolicy() bool {
	return c == Folder || c == Device || c == EngineRoot || c == Engine || c.Is(Module)
}

// Classes lists the classes of which c may hold objects, or of classes below which.
func (c Class) Classes() []Class { return slices.Clone(containment[c]) }

// MayHold reports whether an object of class c may contain one of class child.
func (c Class) MayHold(child Class) bool {
	for _, allowed := range containment[c] {
		if child.Is(allowed) && !abstract[child] {
			return true
		}
	}
	return false
}
