package avx

import (
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

var keyRoutes = []route{
	{method: http.MethodPost, name: "certificate/privatekey/download", handle: read((*api).downloadKey)},
	{method: http.MethodPost, name: "cert-download-key", handle: read((*api).downloadKeyOf)},
}

// payload is what calls of one kind wrap their members in.
type payload[T any] struct {
	Payload T
}

// keyBody says whose private key is wanted, and what it is to be locked with.
type keyBody struct {
	UUID                  lenient.String `json:"uuId"`
	Password              secret.Plain
	KeyEncryptionRequired lenient.Bool // it always is
}

// A keyReply is a private key, PEM. Clients go by the status.
type keyReply struct {
	PrivateKeyPEMEncoded string `json:"privateKeyPemEncoded"`
	Status               string `json:"status"`
}

// downloadKey answers with the private key of a record, locked with a password.
func (a *api) downloadKey(c *call, in *keyBody) answer {
	if in.UUID.Trimmed() == "" {
		return fail(mandatory("uuId"))
	}
	w := wish{format: "PK8", password: in.Password, encryptKey: true}
	issued, _, err := a.core.HandOut(c.Context(), c.who(), core.HandOut{UUID: in.UUID.Trimmed(), WithKey: true, Check: c.mayHandOut(true, w)})
	if err != nil {
		return a.refuseHandOut(c, err)
	}
	f, refused := w.encode(issued)
	if refused != nil {
		return fail(*refused)
	}
	return ok(http.StatusOK, keyReply{string(f.data), "Success"}, "Private key downloaded successfully.").with("Cache-Control", "no-store")
}

// downloadKeyOf is downloadKey for clients that wrap what they say.
func (a *api) downloadKeyOf(c *call, in *payload[keyBody]) answer {
	return a.downloadKey(c, &in.Payload)
}
