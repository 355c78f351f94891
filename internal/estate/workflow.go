package estate

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A workflow says who has to say yes before a stage begins, for the folders that name it.
type workflow struct{ thing }

// points are where a workflow may stop work, by the vendor's numbers.
var points = map[string]clm.Stage{
	"0": clm.Start, "300": clm.CreateKey, "400": clm.CreateCSR, "500": clm.Submit, "600": clm.Approval, "700": clm.Collect, "800": clm.Place,
	"900": clm.Inspect, "1000": clm.Configure, "1100": clm.Reload, "1200": clm.Verify, "1400": clm.RevokeAt,
}

// pointNumber is the vendor's number of a point.
func pointNumber(point string) string {
	for n, stage := range points {
		if string(stage) == point {
			return n
		}
	}
	return point
}

// numbersOf lists the numbers of stages in their order.
func numbersOf(stages map[string]clm.Stage) (numbers []string) {
	for n := range stages {
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return numbers
}

const maxReason = 999

var workflowKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"stage", clm.PointOf, point, oneValue},
	{"applicationClass", clm.ForClass, applicationClass, oneValue},
	{"approvers", clm.Approvers, line, manyValues},
	{"reason", clm.ReasonOf, number(0, maxReason), oneValue},
	{"command", clm.Command, line, oneValue},
	{"disabled", clm.Off, nil, onlyYes},
}

// point reads where a workflow stops work.
func point(v value) (string, error) {
	n, err := one(numbersOf(points)...)(v)
	return string(points[n]), err
}

func readWorkflow(v value) (workflow, error) {
	w := workflow{newThing(v)}
	err := w.read(v, merged(w.keys(workflowKeys), keys{"dn": to(&w.dn, dn)}))
	if err == nil && w.dn == "" {
		err = w.fail("has no dn")
	}
	return w, err
}

func (a *applying) workflows(ctx context.Context) error {
	for i := range a.file.workflows {
		if err := a.thing(ctx, &a.file.workflows[i].thing, clm.Workflow); err != nil {
			return err
		}
	}
	return nil
}

// readReasons reads the reasons that workflows may give, which are values of the root
// of tickets.
func (f *File) readReasons(v value) error {
	f.reasons = &reasonList{place: v.place()}
	seen := distinct{}
	return v.list(MaxEntries, func(v value) error {
		var code, name, description string
		err := v.object(keys{"code": to(&code, number(0, maxReason)), "name": to(&name, line), "description": to(&description, line)})
		switch {
		case err != nil:
			return err
		case code == "" || name == "":
			return v.fail("has no %s", missing("code", code, "name"))
		case strings.Contains(name, ","):
			return v.fail("a name has no comma")
		}
		f.reasons.values = append(f.reasons.values, strings.Join([]string{code, name, cmp.Or(description, name)}, ","))
		return seen.add(code, v.place())
	})
}

// A reasonList is all reasons that there are to be.
type reasonList struct {
	place
	values []string
}

func (a *applying) putReasons(ctx context.Context) error {
	if a.file.reasons == nil {
		return nil
	}
	p := core.Put{DN: core.TicketsDN, Class: clm.TicketRoot, Own: map[clm.Attr][]string{clm.Reasons: a.file.reasons.values}}
	return a.put(ctx, a.file.reasons.place, p)
}
