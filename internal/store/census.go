package store

import (
	"fmt"
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
func (c *census) update(tx *Tx) error {
	type shard struct{ id, revision int64 }
	shards, err := all(tx, func(r row) (s shard, err error) { return s, r.Scan(&s.id, &s.revision) }, "SELECT id, revision FROM shards")
	if err != nil {
		return err
	}
	c.mu.RLock()
	current := c.at != nil
	for _, s := range shards {
		current = current && c.shards[s.id] >= s.revision
	}
	c.mu.RUnlock()
	if current {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	merged := slices.ContainsFunc(shards, func(s shard) bool { return s.id == merger && c.shards[merger] < s.revision })
	if c.at == nil || merged {
		c.shards, c.parts, c.at, c.all, c.total = map[int64]int64{}, map[part]int64{}, map[int64]int{}, nil, 0
	}
	for _, s := range shards {
		if err := c.read(tx, s.id, s.revision); err != nil {
			c.at = nil // begin anew the next time
			return err
		}
	}
	c.moved++
	return nil
}

// read reads what the shard has counted since it was last read.
func (c *census) read(tx *Tx, shard, revision int64) error {
	if c.shards[shard] >= revision {
		return nil
	}
	type change struct{ cohort, n int64 }
	changes, err := all(tx, func(r row) (ch change, err error) { return ch, r.Scan(&ch.cohort, &ch.n) },
		"SELECT key, n FROM tallies WHERE kind = 'cohort' AND shard = $1 AND revision > $2", shard, c.shards[shard])
	if err != nil {
		return err
	}
	var fresh []int64
	for _, ch := range changes {
		if _, known := c.at[ch.cohort]; !known {
			fresh = append(fresh, ch.cohort)
		}
	}
	if err := c.meet(tx, fresh); err != nil {
		return err
	}
	for _, ch := range changes {
		p := part{shard, ch.cohort}
		more := ch.n - c.parts[p]
		c.parts[p] = ch.n
		c.all[c.at[ch.cohort]].n += more
		c.total += more
	}
	c.shards[shard] = revision
	return nil
}

// meet reads cohorts that are new.
func (c *census) meet(tx *Tx, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	query, args := "SELECT "+CohortColumns+" FROM cohorts WHERE id "+fmt.Sprintf(tx.db.dialect.among, tx.db.dialect.numbers("$1")), []any{toJSON(ids, 1)}
	if len(ids) > 1000 {
		query, args = "SELECT "+CohortColumns+" FROM cohorts", nil
	}
	wanted := make(map[int64]bool, len(ids)) // others may come to nothing, if this is a write
	for _, id := range ids {
		wanted[id] = true
	}
	texts := map[string]string{}
	shared := func(s *string) {
		if known, ok := texts[*s]; ok {
			*s = known
		} else {
			texts[*s] = *s
		}
	}
	_, err := all(tx, func(r row) (none struct{}, err error) {
		id, k, err := scanCohort(r)
		if err != nil {
			return none, err
		}
		for _, s := range []*string{(*string)(&k.Folder), (*string)(&k.Class), &k.Management, &k.Country, &k.Province, &k.Locality, &k.Organization,
			&k.Issuer, &k.KeyAlgorithm, &k.SignatureAlgorithm} {
			shared(s)
		}
		if wanted[id] {
			c.at[id] = len(c.all)
			c.all = append(c.all, counted{Cohort: k, id: id})
		}
		return none, nil
	}, query, args...)
	return err
}
