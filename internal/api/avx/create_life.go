package avx

import (
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// lifetime says how long a certificate is valid, and whether another follows it by itself.
type lifetime struct {
	ValidityInDays         lenient.Int64
	ValidityUnit           lenient.String
	ValidityUnitValue      lenient.Int64
	IsAutoRenewal          lenient.Bool
	RenewBefore            lenient.Int64
	AutoRegenerateEnabled  lenient.Bool
	RegenerateBeforeInDays lenient.Int64
}

// maxValidity is the longest validity that makes sense to ask for, in days.
const maxValidity = 100 * 365

// units are the units of validity: how many days so many of them are. A month is the
// twelfth part of a year of 365 days.
var units = map[string]func(n int64) int64{
	"day": func(n int64) int64 { return n }, "month": func(n int64) int64 { return n * 365 / 12 }, "year": func(n int64) int64 { return n * 365 },
}

// write writes on the place what is asked for. A number that is zero was not given.
func (l lifetime) write(want *core.Request) *failure {
	days, f := l.days()
	if f != nil {
		return f
	}
	if days > 0 {
		want.Own[clm.ValidityDays] = []string{strconv.FormatInt(days, 10)}
	}
	return l.writeRenewal(want)
}

// days is the validity in days; zero: nothing was said.
func (l lifetime) days() (int64, *failure) {
	isCount := func(n lenient.Int64) bool { return n.Wrong == "" && n.Value >= 0 && n.Value <= maxValidity }
	switch {
	case !isCount(l.ValidityInDays):
		return 0, new(mandatory("validityInDays"))
	case l.ValidityInDays.Value > 0:
		return l.ValidityInDays.Value, nil
	case !isCount(l.ValidityUnitValue):
		return 0, new(mandatory("validityUnitValue"))
	case l.ValidityUnitValue.Value == 0:
		return 0, nil
	}
	inDays, known := units[strings.TrimSuffix(strings.ToLower(l.ValidityUnit.Trimmed()), "s")]
	if !known {
		return 0, new(mandatory("validityUnit"))
	}
	days := inDays(l.ValidityUnitValue.Value)
	if days > maxValidity {
		return 0, new(mandatory("validityUnitValue"))
	}
	return days, nil
}

// writeRenewal writes whether another certificate follows by itself, with a new key where
// it is to be regenerated. Only one of the two can be.
func (l lifetime) writeRenewal(want *core.Request) *failure {
	if !l.IsAutoRenewal.Set && !l.AutoRegenerateEnabled.Set {
		return nil
	}
	on, before, field := l.IsAutoRenewal.Value, l.RenewBefore, "renewBefore"
	if l.AutoRegenerateEnabled.Value {
		if on {
			return new(mandatory("autoRegenerateEnabled"))
		}
		on, before, field = true, l.RegenerateBeforeInDays, "regenerateBeforeInDays"
		want.Own[clm.ReuseKeyWanted] = []string{"0"}
	}
	if !on {
		want.Own[clm.NoAutoRenewal] = []string{"1"}
		return nil
	}
	if before.Wrong != "" || before.Value < 1 || before.Value > maxValidity {
		return new(mandatory(field))
	}
	want.Own[clm.NoAutoRenewal] = []string{"0"}
	want.Own[clm.RenewalWindow] = []string{strconv.FormatInt(before.Value, 10)}
	return nil
}
