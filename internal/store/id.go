package store

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// ids makes numbers that grow with time: milliseconds since 2025 in the upper 41
// bits, then 22 bits that start at a random value in each millisecond, so that
// several nodes rarely meet; where they do, the primary key refuses the second
// and its transaction runs again.
type ids struct {
	mu   sync.Mutex
	last int64
}

var idEpoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func (g *ids) next(now time.Time) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	var b [4]byte
	base := now.Sub(idEpoch).Milliseconds() << 22
	if base <= g.last&^(1<<22-1) {
		g.last++
		return g.last
	}
	rand.Read(b[:])
	g.last = base | int64(binary.BigEndian.Uint32(b[:])&(1<<21-1))
	return g.last
}

// NewObjectID makes a GUID that grows with time, so that new rows stand together in the
// indexes, and tells by the microsecond what is older.
func (tx *Tx) NewObjectID() clm.ObjectID { return clm.ObjectID(newGUID(tx.Now)) }

// newGUID makes a GUID of version 7, whose random bits begin with the fraction of the
// millisecond (RFC 9562, section 6.2, method 3).
func newGUID(now time.Time) string {
	var b [16]byte
	ms, micros := uint64(now.UnixMilli()), now.UnixMicro()%1000
	binary.BigEndian.PutUint16(b[:2], uint16(ms>>32))
	binary.BigEndian.PutUint32(b[2:6], uint32(ms))
	binary.BigEndian.PutUint16(b[6:8], 0x7000|uint16(micros*4096/1000))
	rand.Read(b[8:])
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
