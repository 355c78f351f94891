package store

// An Issuer is a CA certificate whose key is held here, sealed.
type Issuer struct {
	Name        string
	Fingerprint []byte // of its certificate; see Tx.Chain
	Sealed      []byte
}

// AddIssuer writes a new issuer down; its chain was saved before. A name that is
// taken keeps its issuer; added says whether this one was written.
func (tx *Tx) AddIssuer(i Issuer) (added bool, err error) {
	n, err := tx.c.exec("INSERT INTO issuers (name, fingerprint, sealed, created) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
		i.Name, i.Fingerprint, i.Sealed, micros(tx.Now))
	return n > 0, err
}

// Issuers lists all issuers by name.
func (tx *Tx) Issuers() ([]Issuer, error) {
	return all(tx, func(r row) (i Issuer, err error) { return i, r.Scan(&i.Name, &i.Fingerprint, &i.Sealed) },
		"SELECT name, fingerprint, sealed FROM issuers ORDER BY name")
}

// ResealIssuer replaces the sealed key of an issuer.
func (tx *Tx) ResealIssuer(name string, sealed []byte) error {
	_, err := tx.c.exec("UPDATE issuers SET sealed = $1 WHERE name = $2", sealed, name)
	return err
}
