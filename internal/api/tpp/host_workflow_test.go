package tpp

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// workflow makes a workflow that stops work at a point, with its approvers, and lets a
// folder name it.
func (h *host) workflow(args []string) error {
	ctx, dn, folder, point := context.Background(), args[0], args[1], args[2]
	var approvers []string
	for _, name := range args[3:] {
		id, err := h.rig.PrincipalNamed(ctx, name)
		if err != nil {
			return err
		}
		approvers = append(approvers, string(id))
	}
	_, err := h.rig.Put(ctx, h.rig.Admin, core.Put{DN: dn, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.PointOf: {point}, clm.Approvers: approvers}})
	if err == nil {
		_, err = h.rig.Put(ctx, h.rig.Admin, core.Put{DN: folder, Class: clm.Folder, Own: map[clm.Attr][]string{clm.Workflows: {dn}}})
	}
	return err
}

// asked waits until there are so many tickets about an object.
func (h *host) asked(args []string) error {
	want, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	n := 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		tickets, err := h.rig.Tickets(context.Background(), h.rig.Admin, args[0])
		if n = len(tickets); err != nil || n == want {
			return err
		}
	}
	return fmt.Errorf("got %d tickets", n)
}

// rule writes the definition of a workflow as pytpp does, in base64.
func (h *host) rule(args []string) error {
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
		id, err := h.rig.PrincipalNamed(context.Background(), name)
		if err != nil {
			return err
		}
		approvers = append(approvers, universal(id))
	}
	r := workflowRule{Driver: standardDriver, Stage: stage, Approvers: strings.Join(approvers, ","), Reason: reason}
	h.wire.Vars[args[0]] = base64.StdEncoding.EncodeToString([]byte(r.String()))
	return r.check()
}
