package wirehost

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// workflow makes a workflow that stops work at a point, with its approvers, and lets a
// folder name it.
func (h *Host) workflow(args []string) error {
	ctx, dn, folder, point := context.Background(), args[0], args[1], args[2]
	var approvers []string
	for _, name := range args[3:] {
		id, err := h.Rig.PrincipalNamed(ctx, name)
		if err != nil {
			return err
		}
		approvers = append(approvers, string(id))
	}
	_, err := h.Rig.Put(ctx, h.Rig.Admin, core.Put{DN: dn, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.PointOf: {point}, clm.Approvers: approvers}})
	if err == nil {
		_, err = h.Rig.Put(ctx, h.Rig.Admin, core.Put{DN: folder, Class: clm.Folder, Own: map[clm.Attr][]string{clm.Workflows: {dn}}})
	}
	return err
}

// asked waits until there are so many tickets about an object.
func (h *Host) asked(args []string) error {
	want, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	n := 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		tickets, err := h.Rig.Tickets(context.Background(), h.Rig.Admin, args[0])
		if n = len(tickets); err != nil || n == want {
			return err
		}
	}
	return fmt.Errorf("got %d tickets", n)
}
