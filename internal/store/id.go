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

// NewObjectID makes a GUID that grows with time (RFC 9562, version 7), so that
// new rows stand together in the indexes.
func (tx *Tx) NewObjectID() clm.ObjectID { return clm.ObjectID(newGUID(tx.Now)) }

func newGUID(now time.Time) string {
	var b [16]byte
	rand.Read(b[6:])
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(b[:2], uint16(ms>>32))
	binary.BigEndian.PutUint32(b[2:6], uint32(ms))
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
