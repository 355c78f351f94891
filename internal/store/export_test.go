package store

// Waiting is how many writes wait for a writer.
func (db *DB) Waiting() int { return len(db.jobs) }
