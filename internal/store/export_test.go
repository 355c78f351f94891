package store

// Waiting is how many writes wait for a writer.
func (db *DB) Waiting() int { return len(db.jobs) }

// Writers is how many transactions can write at a time.
func (db *DB) Writers() int { return db.dialect.writers }
