package avx

import (
	"encoding/json"

	"github.com/certwright/certwright/internal/core"
)

// Identifiers say which certificate a call is about that changes something: all that are
// given must be those of the same record.
type identifiers struct {
	ResourceID   identifier `json:"resourceId"`
	CommonName   identifier `json:"commonName"`
	SerialNumber identifier `json:"serialNumber"`
}

// An identifier is a string. What is missing, null or blank was not given.
type identifier struct {
	text
	wrong bool // something else was given
}

// UnmarshalJSON does not fail.
func (i *identifier) UnmarshalJSON(data []byte) error {
	i.wrong = len(data) > 0 && data[0] != '"' && string(data) != "null"
	return i.text.UnmarshalJSON(data)
}

// ref is the record that they name. ok is false where they cannot name one, whatever there
// is.
func (i identifiers) ref() (ref core.RecordRef, ok bool) {
	ref = core.RecordRef{ID: string(i.ResourceID.text), CommonName: string(i.CommonName.text), Serial: string(i.SerialNumber.text)}
	return ref, !i.ResourceID.wrong && !i.CommonName.wrong && !i.SerialNumber.wrong && (ref.ID != "" || ref.Serial != "")
}

// An upload is a signing request that was made elsewhere. It is judged when its turn
// comes, however little it looks like one.
type upload struct {
	text string
}

// notCSR is no signing request, and is refused as such.
const notCSR = "-"

// UnmarshalJSON does not fail.
func (u *upload) UnmarshalJSON(data []byte) error {
	var in struct {
		CSR identifier `json:"csrContent"`
	}
	u.text = notCSR
	if blank := new(text); data[0] == '"' && blank.UnmarshalJSON(data) == nil && *blank == "" {
		u.text = "" // as good as none
	} else if json.Unmarshal(data, &in) == nil && !in.CSR.wrong {
		u.text = string(in.CSR.text)
	}
	return nil
}
