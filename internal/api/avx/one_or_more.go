package avx

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// fieldsAct makes attributes or changes them.
type fieldsAct func(*core.Core, context.Context, clm.Actor, []core.FieldDefinition) ([]core.Field, error)

// oneOrMore is a list of objects, or a single one where clients leave the brackets out.
type oneOrMore[T any] []T

// UnmarshalJSON reads null as an empty list.
func (l *oneOrMore[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0 || string(data) == "null" || string(data) == `""`:
		return nil
	case data[0] == '[':
		return json.Unmarshal(data, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*l = oneOrMore[T]{one}
	return nil
}

// wrapped is a list of objects or a single one, which clients may wrap in a payload.
type wrapped[T any] []T

// UnmarshalJSON reads what is in the payload, if there is one.
func (w *wrapped[T]) UnmarshalJSON(data []byte) error {
	var in struct{ Payload json.RawMessage }
	if data = bytes.TrimSpace(data); data[0] == '{' && json.Unmarshal(data, &in) == nil && len(in.Payload) > 0 {
		data = in.Payload
	}
	return json.Unmarshal(data, (*oneOrMore[T])(w))
}

// valuesOrNames are values by the names of attributes, or the names alone.
type valuesOrNames struct{ values attributes }

// UnmarshalJSON reads an object with the values, or a list or text with the names.
func (v *valuesOrNames) UnmarshalJSON(data []byte) error {
	v.values = attributes{}
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '{' {
		return json.Unmarshal(data, &v.values)
	}
	var names lenient.StringList
	if err := json.Unmarshal(data, &names); err != nil {
		return err
	}
	for _, name := range eachOf(names) {
		v.values[name] = lenient.StringList{}
	}
	return nil
}
