package clm

import "strings"

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
)

// ApplicationClass is the class of the applications of one driver.
func ApplicationClass(driver string) Class { return applicationPrefix + Class(driver) }

const applicationPrefix = Application + "/"

// superclass is the whole hierarchy.
var superclass = map[Class]Class{
	AnyCertificate:         CertificateBase,
	ServerCertificate:      AnyCertificate,
	DeviceCertificate:      AnyCertificate,
	UserCertificate:        AnyCertificate,
	CodeSigningCertificate: AnyCertificate,
}

// containment says which classes an object may hold, with all that derive from them.
var containment = map[Class][]Class{
	Root:      {Folder, FieldRoot},
	Folder:    {Folder, CertificateBase, Authority, Device},
	Device:    {Application},
	FieldRoot: {CustomField},
}

// abstract lists the classes of which there are no objects.
var abstract = map[Class]bool{CertificateBase: true, Application: true}

// up is the class that c derives from directly.
func (c Class) up() (Class, bool) {
	if strings.HasPrefix(string(c), string(applicationPrefix)) {
		return Application, true
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
	return c.Is(CertificateBase) || c == Device || c.Is(Application)
}

// MayHold reports whether an object of class c may contain one of class child.
func (c Class) MayHold(child Class) bool {
	for _, allowed := range containment[c] {
		if child.Is(allowed) && !abstract[child] {
			return true
		}
	}
	return false
}
