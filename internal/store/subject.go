package store

import (
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// TakeSubject writes down that the certificate is to have the subject, which
// policy wants to be there only once. Subjects are compared without regard to case.
func (tx *Tx) TakeSubject(certificate clm.ObjectID, subject string) error {
	_, err := tx.c.exec("INSERT INTO subjects (certificate, subject) VALUES ($1, $2) ON CONFLICT (certificate) DO UPDATE SET subject = excluded.subject",
		string(certificate), strings.ToLower(subject))
	return err
}

// SubjectTaken reports whether another certificate was written down for the subject.
func (tx *Tx) SubjectTaken(certificate clm.ObjectID, subject string) (bool, error) {
	n, err := one(tx, scanOne[int64], "SELECT COUNT(*) FROM subjects WHERE subject = $1 AND certificate <> $2", strings.ToLower(subject), string(certificate))
	return n > 0, err
}

// LeaveSubject forgets for which subject the certificate was written down.
func (tx *Tx) LeaveSubject(certificate clm.ObjectID) error {
	_, err := tx.c.exec("DELETE FROM subjects WHERE certificate = $1", string(certificate))
	return err
}

// CertificatesNamed lists what is in use, as DER, at other places with the common
// name, at most so many, the oldest places first.
func (tx *Tx) CertificatesNamed(cn string, but clm.ObjectID, most int) ([][]byte, error) {
	return all(tx, scanOne[[]byte], "SELECT v.cert FROM certificates c JOIN versions v ON v.id = c.current WHERE c.cn_key = $1 AND c.id <> $2 ORDER BY "+aside+" LIMIT $3",
		strings.ToLower(cn), string(but), most)
}
