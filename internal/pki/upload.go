package pki

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// ReadUpload is the file that somebody has sent as base64: PEM as it is, with a key beside
// the certificate if there is one, and anything else as base64, as ParseImport takes it.
// PEM may be sent as it is, too. known: it is one or the other.
func ReadUpload(sent []byte) (file []byte, known bool) {
	text := strings.TrimSpace(string(sent))
	if strings.Contains(text, "-----BEGIN") {
		return []byte(text), true
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(squeeze(text), "="))
	if err != nil || len(data) == 0 {
		return nil, false
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return data, true
	}
	return []byte(base64.StdEncoding.EncodeToString(data)), true
}

// SplitUpload takes a PEM file with several certificates apart: for each that no CA's is,
// a file that begins with it and has all those of CAs behind it. A file with one such
// certificate or none, with a key, or of another kind stays whole.
func SplitUpload(file []byte) [][]byte {
	if !bytes.Contains(file, []byte("-----BEGIN")) || bytes.Contains(file, []byte("PRIVATE KEY-----")) {
		return [][]byte{file}
	}
	var leaves, others [][]byte
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certs, err := readCertificates(block.Bytes)
		if err != nil || len(certs) != 1 {
			return [][]byte{file}
		}
		text := pem.EncodeToMemory(block)
		if certs[0].BasicConstraintsValid && certs[0].IsCA {
			others = append(others, text)
		} else {
			leaves = append(leaves, text)
		}
	}
	if len(leaves) < 2 {
		return [][]byte{file}
	}
	for i := range leaves {
		leaves[i] = bytes.Join(append([][]byte{leaves[i]}, others...), nil)
	}
	return leaves
}
