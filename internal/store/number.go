package store

import (
	"errors"
	"fmt"
)

// numbers hands out the numbers of versions, of objects and of secrets. Clients see them and some keep them in 32
// bits, so they do not come from ids: they count, over all nodes. Each node takes a
// block at a time; what it has not used when it ends is lost. They are multiples of
// four: the three that follow each stand for its parts. Only
// the writer uses them.
type numbers struct{ next, end int64 }

const (
	numberStep   = 4
	numberBlock  = 4096         // numbers taken at a time
	numbersAhead = 8 * maxBatch // numbers that must be left when a transaction begins
	takeNumbers  = "UPDATE counters SET value = value + $1 WHERE name = 'version' RETURNING value"
)

// take takes a block when the numbers come to an end. It is a transaction of its own,
// so that no number is handed out twice when another is given up.
func (n *numbers) take(db *DB, c *conn) (err error) {
	if n.next+numbersAhead*numberStep <= n.end {
		return nil
	}
	for range maxRetries {
		if err = c.begin(db.dialect.beginWrite); err == nil {
			var first int64
			if first, err = (&Tx{Now: db.Now(), db: db, c: c}).TakeVersions(numberBlock); err == nil {
				if _, err = c.exec("COMMIT"); err == nil {
					n.next, n.end = first, first+numberBlock*numberStep
					return nil
				}
			}
		}
		lost := c.lost != nil
		if c.rollback(); !lost {
			break
		}
	}
	return fmt.Errorf("take numbers: %w", err)
}

// give is the next number; zero when a transaction has used up all.
func (n *numbers) give() int64 {
	if n.next >= n.end {
		return 0
	}
	n.next += numberStep
	return n.next - numberStep
}

var errNoNumbers = errors.New("a transaction has used up all numbers")

// newNumber is the next number. Where many writes that share a transaction have used
// up what was taken ahead, each is run again by itself.
func (tx *Tx) newNumber() (int64, error) {
	number := tx.db.numbers.give()
	if number == 0 {
		tx.c.lost = errNoNumbers
		return 0, errNoNumbers
	}
	return number, nil
}

// TakeVersions takes numbers for so many versions, and returns the first; the
// others follow in steps of four. It is for those who load versions in bulk.
func (tx *Tx) TakeVersions(n int) (first int64, err error) {
	end, err := one(tx, scanOne[int64], takeNumbers, int64(n*numberStep))
	return end - int64(n-1)*numberStep, err
}
