package core

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Limits of failed logins: so many in a row, then one more for every pause. From
// one address for one account there are few; for one account from everywhere and
// from one address for all accounts there are more, so that nobody is locked out
// for the mistakes of others too easily.
const (
	maxOwnFailures   = 10
	maxOtherFailures = 50
	failurePause     = 30 * time.Second
	maxTracked       = 100_000 // accounts and addresses that are remembered
)

// failures counts failed logins. A count shrinks by one with every pause that passes.
type failures struct {
	mu    sync.Mutex
	until map[string]time.Time // when the count of the key will be zero again
}

// count is what is counted for one key.
type count struct {
	key  string
	most time.Duration // as much of it as there may be, in pauses
}

func countsOf(account, address string) []count {
	account, address = strings.ToLower(account), network(address)
	return []count{
		{"both " + address + " " + account, maxOwnFailures * failurePause},
		{"account " + account, maxOtherFailures * failurePause},
		{"address " + address, maxOtherFailures * failurePause},
	}
}

// network is the address, or of IPv6 the part of it that is one subscriber's.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// begin counts a try before it is known how it ends, so that tries at the same
// time count as well. It reports whether there may be one.
func (f *failures) begin(now time.Time, account, address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := countsOf(account, address)
	for _, c := range counts {
		if f.until[c.key].Sub(now) > c.most-failurePause {
			return false
		}
	}
	if f.until == nil || len(f.until) > maxTracked {
		f.forget(now)
	}
	for _, c := range counts {
		if f.until[c.key].Before(now) {
			f.until[c.key] = now
		}
		f.until[c.key] = f.until[c.key].Add(failurePause)
	}
	return true
}

// succeed takes back what the try has counted, and forgets the account's failures
// from that address.
func (f *failures) succeed(account, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range countsOf(account, address) {
		if i == 0 {
			delete(f.until, c.key)
		} else {
			f.until[c.key] = f.until[c.key].Add(-failurePause)
		}
	}
}

// forget drops the counts that have come to zero; if that is not enough, all.
func (f *failures) forget(now time.Time) {
	for key, until := range f.until {
		if until.Before(now) {
			delete(f.until, key)
		}
	}
	if f.until == nil || len(f.until) > maxTracked/2 {
		f.until = map[string]time.Time{}
	}
}
