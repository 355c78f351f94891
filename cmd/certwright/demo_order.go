package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// orderPause is how long the demonstration waits before it asks again how an order stands.
const orderPause = 50 * time.Millisecond

// order speaks the other dialect: it orders another certificate for the place, with a new
// key, and gives the two approvals that this takes.
func (d *demonstration) order(ctx context.Context, name string) error {
	type object = map[string]any
	d.begin("Speak AppViewX's API to the same server: log in, and look for the certificate")
	login, err := d.send(ctx, 200, "POST", "/avxapi/login?gwsource=external", object{}, func(object) (string, error) { return "a session", nil })
	if err != nil {
		return err
	}
	d.session, _ = member(login, "response", "sessionId").(string)
	search := func(condition object) (object, error) {
		return d.send(ctx, 200, "POST", "/avxapi/certificate/search?gwsource=external", object{
			"input": condition, "filter": object{"max": 10, "sortColumn": "validFrom", "sortOrder": "desc"},
		}, record)
	}
	found, err := search(object{"category": "Server", "commonName": name})
	if err != nil {
		return err
	}
	old := firstRecord(found)
	d.begin("Regenerate it, with approval: a new record, a work order")
	accepted, err := d.send(ctx, http.StatusAccepted, "PUT", "/avxapi/certificate/action?gwsource=external&autoApproval=false", object{
		"resourceId": old["resourceId"], "action": "Regenerate", "reason": "Key compromised",
	}, whole)
	if err != nil {
		return err
	}
	record, request := member(accepted, "response", "resourceId"), member(accepted, "response", "requestId")
	if _, err := search(object{"resourceId": record}); err != nil {
		return err
	}
	d.begin("Ask for it once more: while an order is open there is no other")
	if _, err := d.send(ctx, http.StatusExpectationFailed, "PUT", "/avxapi/certificate/action?gwsource=external", object{
		"resourceId": old["resourceId"], "action": "Regenerate", "reason": "Key compromised",
	}, whole); err != nil {
		return err
	}
	d.begin("Approve it, implement it, and wait for the certificate")
	for range 2 {
		if _, err := d.send(ctx, 200, "POST", "/avxapi/certificate/workorder/update?gwsource=external", object{
			"data": object{"task_action": 1}, "header": object{"request_id": request, "workorder_id": "0", "task_id": "review_1"},
		}, whole); err != nil {
			return err
		}
	}
	return d.managed(ctx, record, old)
}

// managed waits until the record has its certificate, which is not the old one.
func (d *demonstration) managed(ctx context.Context, id any, old map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	const path = "/avxapi/certificate/search?gwsource=external"
	body := map[string]any{"input": map[string]any{"resourceId": id}, "filter": map[string]any{}}
	for {
		_, text, _, err := d.exchange(ctx, "POST", path, body)
		if err != nil {
			return err
		}
		found, err := decoded(text)
		if err != nil {
			return err
		}
		switch now := firstRecord(found); now["status"] {
		case "Managed":
			if now["serialNumber"] == old["serialNumber"] {
				return errors.New("the new record has the old serial number")
			}
			told, err := record(found)
			fmt.Fprintf(d.out, "   POST %s\n   200 OK %s\n   the old one was %v\n", path, told, old["serialNumber"])
			return err
		case "New Certificate":
		default:
			return fmt.Errorf("the record is %v", now["status"])
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the order is not done within %s", demoTimeout)
		case <-time.After(orderPause):
		}
	}
}

// record tells what a search has found, in short.
func record(answer map[string]any) (string, error) {
	told := map[string]any{}
	found := firstRecord(answer)
	if found == nil {
		return "", errors.New("nothing was found")
	}
	for _, name := range []string{"resourceId", "commonName", "serialNumber", "status", "requestIds"} {
		told[name] = found[name]
	}
	return short(told), nil
}

// firstRecord is the first certificate that a search has found; nil if there is none.
func firstRecord(answer map[string]any) map[string]any {
	objects, _ := member(answer, "response", "response", "objects").([]any)
	if len(objects) == 0 {
		return nil
	}
	first, _ := objects[0].(map[string]any)
	return first
}

// member is what stands in the answer under the names, one in the other.
func member(answer map[string]any, names ...string) any {
	var at any = answer
	for _, name := range names {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	return at
}
