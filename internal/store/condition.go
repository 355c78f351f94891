package store

import (
	"fmt"
	"slices"
	"strings"
)

// A condition is SQL with the arguments that it refers to.
type condition struct {
	texts []string
	args  []any
}

// and adds a condition, in which each question mark stands for the next value.
func (c *condition) and(text string, values ...any) {
	var b strings.Builder
	for piece := range strings.SplitAfterSeq(text, "?") {
		if before, is := strings.CutSuffix(piece, "?"); is {
			c.args = append(c.args, values[0])
			values = values[1:]
			fmt.Fprintf(&b, "%s$%d", before, len(c.args))
		} else {
			b.WriteString(piece)
		}
	}
	c.texts = append(c.texts, b.String())
}

// in adds a condition, in which the format has "is one of the texts".
func (c *condition) in(d dialect, format string, values []string) {
	if len(values) == 1 {
		c.and(fmt.Sprintf(format, "= ?"), values[0])
	} else if len(values) > 1 {
		c.and(fmt.Sprintf(format, fmt.Sprintf(d.among, d.texts("?"))), toJSON(each(values, storable), len(values)))
	}
}

func (c condition) clone() condition {
	return condition{slices.Clip(c.texts), slices.Clip(c.args)}
}

// where is the condition from WHERE on; empty when there is none.
func (c condition) where() string {
	if len(c.texts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.texts, " AND ")
}
