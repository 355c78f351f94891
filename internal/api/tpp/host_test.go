package tpp

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/api/wirehost"
	"github.com/certwright/certwright/internal/api/wiretest"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
)

func TestMain(m *testing.M) { os.Exit(coretest.Main(m)) }

// TestConversations holds every conversation of this folder with a core on a
// database of its own, of each kind.
func TestConversations(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		wiretest.Run(t, "testdata", func(t *testing.T) *wiretest.Host { return newHost(t, coretest.CopyOf(t, d)).Wire })
	})
}

// TestEveryRowHasAConversation wants a file for each row of the lists of what calls
// answer and do.
func TestEveryRowHasAConversation(t *testing.T) {
	wirehost.WantConversations(t, []wirehost.List{
		{Folder: "renew", Prefix: "REN", Rows: 100},
		{Folder: "reset", Prefix: "RES", Rows: 40},
		{Folder: "revoke", Prefix: "REV", Rows: 45},
		{Folder: "push", Prefix: "PUSH", Rows: 59},
	})
}

// host is a server for one conversation in this dialect.
type host struct{ *wirehost.Host }

func newHost(t *testing.T, on coretest.Database) *host {
	var opt Options
	return &host{wirehost.New(t, on, wirehost.Dialect{
		Handler: func(rig *coretest.Rig, log *slog.Logger) http.Handler {
			opt.Log = log
			return Handler(rig.Core, opt)
		},
		Expand:    Expand,
		Stages:    stageNumbers(),
		Principal: universal,
		Setups: map[string]wirehost.Command{
			// nokeys: no API keys
			"nokeys": {Before: true, Do: func(*wirehost.Host, []string) error { opt.NoLegacyKeys = true; return nil }},
			// timeout STATUS: what a Request that has waited in vain answers
			"timeout": {Before: true, Do: func(_ *wirehost.Host, args []string) (err error) {
				opt.RequestTimeoutStatus, err = strconv.Atoi(args[0])
				return err
			}},
			// rule VAR STAGE REASON [USER…]: the definition of a workflow, in base64
			"rule": {Do: rule},
		},
	})}
}

// stageNumbers are how conversations call stages.
func stageNumbers() map[clm.Stage]string {
	numbers := map[clm.Stage]string{}
	for stage, s := range stages {
		numbers[stage] = strconv.Itoa(s.number)
	}
	return numbers
}

// rule writes the definition of a workflow as pytpp does, in base64.
func rule(h *wirehost.Host, args []string) error {
	stage, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	reason, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var approvers []string
	for _, name := range args[3:] {
		id, err := h.Rig.PrincipalNamed(context.Background(), name)
		if err != nil {
			return err
		}
		approvers = append(approvers, universal(id))
	}
	r := workflowRule{Driver: standardDriver, Stage: stage, Approvers: strings.Join(approvers, ","), Reason: reason}
	h.Wire.Vars[args[0]] = base64.StdEncoding.EncodeToString([]byte(r.String()))
	return r.check()
}
