package wirehost

import (
	"strconv"
	"strings"
	"sync"
)

// faults lets statements fail once.
type faults struct {
	mu    sync.Mutex
	words string // of the statement that is to fail
	after int    // so many of them
	err   error  // what it comes to
}

// next takes the words, and after them the number of the statement if it is not the first.
func (f *faults) next(args []string, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.words, f.after, f.err = args[0], 0, err
	if len(args) < 2 {
		return nil
	}
	n, err := strconv.Atoi(args[1])
	f.after = n - 1
	return err
}

func (f *faults) at(statement string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.words == "" || !strings.Contains(statement, f.words) {
		return nil
	}
	if f.after > 0 {
		f.after--
		return nil
	}
	f.words = ""
	return f.err
}
