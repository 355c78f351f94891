package clm

// Names are the subject and the alternative names of a certificate, as they were
// asked for or as they stand in it. All are text: an IP is in its usual notation,
// a URI as it is written. What is empty is left out of the certificate.
type Names struct {
	CommonName         string
	Organization       string
	OrganizationalUnit []string
	Locality           string
	Province           string
	Country            string
	DNS                []string
	Email              []string
	IP                 []string
	URI                []string
	UPN                []string
}
