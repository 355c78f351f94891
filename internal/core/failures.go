package core

import (
	"strings"
	"sync"
	"time"
)

// Limits of failed logins: so many in a row for one account or one address, then
// one more for every pause.
const (
	maxFailures  = 10
	failurePause = 30 * time.Second
	maxTracked   = 100_000 // accounts and addresses that are remembered
)

// failures counts failed logins of accounts and of addresses, apart. A count
// shrinks by one with every pause that passes.
type failures struct {
	mu    sync.Mutex
	until map[string]time.Time // when the count of the key will be zero again
}

func keysOf(account, address string) [2]string {
	return [2]string{"account " + strings.ToLower(account), "address " + address}
}

// isOver reports whether the account or the address has failed too often.
func (f *failures) isOver(now time.Time, account, address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keysOf(account, address) {
		if f.until[key].Sub(now) > (maxFailures-1)*failurePause {
			return true
		}
	}
	return false
}

// count counts one more failure of the account and of the address.
func (f *failures) count(now time.Time, account, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil {
		f.until = map[string]time.Time{}
	}
	if len(f.until) > maxTracked {
		for key, until := range f.until {
			if until.Before(now) {
				delete(f.until, key)
			}
		}
	}
	for _, key := range keysOf(account, address) {
		if f.until[key].Before(now) {
			f.until[key] = now
		}
		f.until[key] = f.until[key].Add(failurePause)
	}
}
