package clm

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
	Authority              Class = "authority" // a template by which certificates are ordered from a CA
)

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
	Root:   {Folder},
	Folder: {Folder, CertificateBase, Authority},
}

// Is reports whether c is other or derives from it.
func (c Class) Is(other Class) bool { return c.distance(other) >= 0 }

// distance is the number of steps from c up to other, or -1.
func (c Class) distance(other Class) int {
	for n := 0; ; n++ {
		if c == other {
			return n
		}
		up, ok := superclass[c]
		if !ok {
			return -1
		}
		c = up
	}
}

// MayHold reports whether an object of class c may contain one of class child.
func (c Class) MayHold(child Class) bool {
	for _, allowed := range containment[c] {
		if child.Is(allowed) && child != CertificateBase {
			return true
		}
	}
	return false
}
