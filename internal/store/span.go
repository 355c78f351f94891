package store

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// createdColumn is where the time stands at which an object was made. It has no
// index: the IDs begin with the same time, to the millisecond.
const createdColumn = "(SELECT o.created FROM objects o WHERE o.id = c.id)"

// A span is a part of time in a column: from <= column < until.
type span struct {
	column      string
	kind        tallyKind
	from, until int64
	rows        int64 // certificates in it, as far as their days tell
}

// within adds that the column is in the span.
func (s *selection) within(column string, kind tallyKind, t Span) error {
	if len(t.At) > 0 {
		var texts []string
		var values []any
		for _, at := range t.At {
			text, more := span{column: column, from: micros(at), until: micros(at) + 1}.sql(true)
			texts, values = append(texts, text), append(values, more...)
		}
		s.few.and("("+strings.Join(texts, " OR ")+")", values...)
	}
	if t.After.IsZero() && t.Before.IsZero() {
		return nil
	}
	p := span{column: column, kind: kind, from: math.MinInt64, until: math.MaxInt64}
	if !t.After.IsZero() {
		p.from = t.After.UnixMicro() + 1
	}
	if !t.Before.IsZero() {
		p.until = t.Before.UnixMicro()
	}
	var err error
	p.rows, err = s.tx.days(kind, dayOf(p.from), dayOf(p.until)+1)
	s.spans = append(s.spans, p)
	return err
}

// sql says that a certificate is in the span: plainly, so that an index is used,
// or in a way that no index knows.
func (p span) sql(plainly bool) (string, []any) {
	if p.column != createdColumn {
		column := p.column
		if !plainly {
			column += " + 0"
		}
		return column + " >= ? AND " + column + " < ? AND " + column + " <> 0", []any{p.from, p.until}
	}
	id := "c.id"
	if !plainly {
		id = aside
	}
	// Only in the first and the last millisecond the ID alone does not tell.
	first, last := millisecond(p.from), millisecond(p.until)
	return id + " >= ? AND " + id + " < ? AND (" + id + " >= ? AND " + id + " < ? OR " + createdColumn + " >= ? AND " + createdColumn + " < ?)",
		[]any{lowestID(first), lowestID(last + 1), lowestID(first + 1), lowestID(last), p.from, p.until}
}

func millisecond(micros int64) int64 { return time.UnixMicro(micros).UnixMilli() }

// lowestID is below every ID made at that millisecond and above all that are older.
func lowestID(ms int64) string {
	switch {
	case ms < 0:
		return ""
	case ms >= 1<<48:
		return "g" // after every hexadecimal digit
	}
	return fmt.Sprintf("%08x-%04x-0000-0000-000000000000", ms>>16, ms&0xffff)
}
