package store

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// census keeps all cohorts in memory with how many certificates each has. There
// are few and most searches go through all of them. It is brought up to date by
// whoever reads it, with what has changed since.
type census struct {
	mu     sync.RWMutex
	shards map[int64]int64 // the revision of each shard as far as it was read
	parts  map[part]int64  // what each shard has counted
	at     map[int64]int   // the cohorts' places in all
	all    []counted
	total  int64
	moved  int64 // grows with every change of what is above
}

type part struct{ shard, cohort int64 }

// counted is a cohort with the number of its certificates.
type counted struct {
	Cohort
	id, n int64
}

// certificates is how many there were when the census was last brought up to date.
func (c *census) certificates() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.total
}

// knows reports whether the cohort is in the database for certain.
func (c *census) knows(id int64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, known := c.at[id]
	return known
}

func (c *census) cohort(id int64) (Cohort, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i, known := c.at[id]
	if !known {
		return Cohort{}, false
	}
	return c.all[i].Cohort, true
}

// update reads what has changed since the census was last brought up to date. It
// never goes back: to a snapshot that is older by a moment it shows what is newer.
// When it fails, what was known stays as it is.
func (c *census) update(tx *Tx) error {
	shards, err := all(tx, func(r row) (s shard, err error) { return s, r.Scan(&s.id, &s.revision) }, "SELECT id, revision FROM shards")
	if err != nil {
		return err
	}
	c.mu.RLock()
	current := c.has(shards)
	c.mu.RUnlock()
	if current {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has(shards) {
		return nil
	}
	fresh := c.at == nil || mergedAt(shards) > c.shards[merger]
	since, known := c.shards, c.at
	if fresh {
		since, known = nil, nil
	}
	changes, err := changesSince(tx, shards, since)
	if err != nil {
		return err
	}
	met, err := meet(tx, changes, known)
	if err != nil {
		return err
	}
	if fresh {
		c.shards, c.parts, c.at, c.all, c.total = map[int64]int64{}, map[part]int64{}, map[int64]int{}, nil, 0
	}
	for _, k := range met {
		c.at[k.id] = len(c.all)
		c.all = append(c.all, k)
	}
	for _, ch := range changes {
		more := ch.n - c.parts[ch.part]
		c.parts[ch.part] = ch.n
		c.total += more
		if i, known := c.at[ch.cohort]; known { // it always is, or nobody could say what is selected
			c.all[i].n += more
		}
	}
	for _, s := range shards {
		c.shards[s.id] = max(c.shards[s.id], s.revision)
	}
	c.moved++
	return nil
}

// shard is what a snapshot says of a shard.
type shard struct{ id, revision int64 }

// mergedAt is the revision of the last merger before the snapshot; zero for none.
func mergedAt(shards []shard) int64 {
	for _, s := range shards {
		if s.id == merger {
			return s.revision
		}
	}
	return 0
}

// has reports whether the census knows all that a snapshot with these shards shows.
// To one from before the last merger it does: what stood in shards that are gone
// has been counted with those into which they were merged.
func (c *census) has(shards []shard) bool {
	if c.at == nil {
		return false
	}
	if mergedAt(shards) < c.shards[merger] {
		return true
	}
	return !slices.ContainsFunc(shards, func(s shard) bool { return c.shards[s.id] < s.revision })
}

// changed is what a shard has come to count of a cohort.
type changed struct {
	part
	n int64
}

// changesSince reads what the shards have counted since each was last read.
func changesSince(tx *Tx, shards []shard, since map[int64]int64) (changes []changed, err error) {
	for _, s := range shards {
		if since[s.id] >= s.revision {
			continue
		}
		some, err := all(tx, func(r row) (ch changed, err error) {
			ch.shard = s.id
			return ch, r.Scan(&ch.cohort, &ch.n)
		}, "SELECT key, n FROM tallies WHERE kind = 'cohort' AND shard = $1 AND revision > $2", s.id, since[s.id])
		if err != nil {
			return nil, err
		}
		changes = append(changes, some...)
	}
	return changes, nil
}

// meet reads the cohorts of the changes that are not known.
func meet(tx *Tx, changes []changed, known map[int64]int) (met []counted, err error) {
	wanted := map[int64]bool{} // others may come to nothing, if this is a write
	for _, ch := range changes {
		if _, is := known[ch.cohort]; !is {
			wanted[ch.cohort] = true
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	query, args := "SELECT "+CohortColumns+" FROM cohorts", []any(nil)
	if len(wanted) <= 1000 {
		query += " WHERE id " + fmt.Sprintf(tx.db.dialect.among, tx.db.dialect.numbers("$1"))
		args = []any{toJSON(slices.Collect(maps.Keys(wanted)), 1)}
	}
	texts := map[string]string{}
	shared := func(s *string) {
		if known, ok := texts[*s]; ok {
			*s = known
		} else {
			texts[*s] = *s
		}
	}
	_, err = all(tx, func(r row) (none struct{}, err error) {
		id, k, err := scanCohort(r)
		if err != nil || !wanted[id] {
			return none, err
		}
		for _, s := range []*string{(*string)(&k.Folder), (*string)(&k.Class), &k.Management, &k.Country, &k.Province, &k.Locality, &k.Organization,
			&k.Issuer, &k.KeyAlgorithm, &k.SignatureAlgorithm} {
			shared(s)
		}
		met = append(met, counted{Cohort: k, id: id})
		return none, nil
	}, query, args...)
	return met, err
}
