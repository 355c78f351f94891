package store

import "github.com/certwright/certwright/internal/clm"

// A Preference is how a user wants something to be.
type Preference struct {
	Number   int64 // what it is known by; it stays while the preference does
	Product  string
	Category string
	Name     string
	Value    string
}

// Preferences lists what the user prefers, by product, category and name.
func (tx *Tx) Preferences(of clm.PrincipalID) ([]Preference, error) {
	return all(tx, func(r row) (p Preference, err error) {
		err = r.Scan(&p.Number, &p.Product, &p.Category, &p.Name, &p.Value)
		return p, err
	}, "SELECT id, product, category, name, value FROM preferences WHERE principal = $1 ORDER BY product, category, name", string(of))
}

// SavePreference writes down what the user prefers, in place of what stands there of
// the same product, category and name. One that is new gets its number.
func (tx *Tx) SavePreference(of clm.PrincipalID, p Preference) error {
	number := p.Number
	if number == 0 {
		var err error
		if number, err = tx.newNumber(); err != nil {
			return err
		}
	}
	_, err := tx.c.exec(`INSERT INTO preferences (id, principal, product, category, name, value) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (principal, product, category, name) DO UPDATE SET value = excluded.value`,
		number, string(of), p.Product, p.Category, p.Name, p.Value)
	return err
}

// DeletePreference forgets the user's preference with the number.
func (tx *Tx) DeletePreference(of clm.PrincipalID, number int64) error {
	_, err := tx.c.exec("DELETE FROM preferences WHERE principal = $1 AND id = $2", string(of), number)
	return err
}
