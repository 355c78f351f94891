package clm

import "fmt"

// RecordSpread spreads the numbers of versions over all that 64 bits can say, modulo 2⁶⁴,
// so that neighbours do not look alike.
const RecordSpread uint64 = 0x9E3779B97F4A7C15

// RecordID is the ID of the version's record: that which it had in the system that it
// came from, or else the second in which it was made and its number, which is what looks
// like the IDs that clients know.
func RecordID(v Version) string {
	if v.Record != "" {
		return v.Record
	}
	return fmt.Sprintf("%08x%016x", uint32(v.Created.Unix()), uint64(v.ID)*RecordSpread)
}
