package tpp

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// logRoutes are the calls about the log.
var logRoutes = []route{
	{"POST", "/vedsdk/log", needs("any:manage"), read((*api).writeLog)},
	{"GET", "/vedsdk/log", anyToken, read((*api).readLog)},
	{"GET", "/vedsdk/log/logschema", needs("admin:viewlogs"), (*api).logSchema},
	{"GET", "/vedsdk/log/{guid}", anyToken, (*api).objectLog},
}

// The results of writing into the log.
const (
	logDone   = 0
	logFailed = 1
)

// defaultLogLimit is how many events GET Log answers unless it is told otherwise.
const defaultLogLimit = 100

// severities are the names of severities, the first of which counts as 1.
var severities = []string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug"}

const (
	severityError   = 4
	severityWarning = 5
	severityInfo    = 7
)

// severityOf reads the name or number of a severity.
func severityOf(text string) (severity int, ok bool) {
	for i, name := range severities {
		if strings.EqualFold(name, text) || strconv.Itoa(i+1) == text {
			return i + 1, true
		}
	}
	return 0, false
}

// logReport is what POST vedsdk/Log takes.
type logReport struct {
	Component          lenient.String
	ComponentID        lenient.Int64
	ComponentSubsystem lenient.String
	ID                 lenient.Int64
	Grouping           lenient.Int64
	Severity           lenient.String
	SourceIP           lenient.String
	Text1              lenient.String
	Text2              lenient.String
	Value1             lenient.Int64
	Value2             lenient.Int64
}

// notNumber answers a call with a member that is no number.
func notNumber(member string) answer {
	return oauthError(http.StatusBadRequest, "invalid_request", "The value of "+member+" is not a number.")
}

// notLogged says why an event is not taken.
func notLogged(why string) answer {
	return ok(map[string]any{"Error": "Write log failed; " + why + ".", "LogResult": logFailed})
}

// writeLog serves POST vedsdk/Log. Those events that tell of what was done here are not
// for clients to make.
func (a *api) writeLog(c *call, in *logReport) answer {
	switch {
	case in.Component.Trimmed() == "":
		return lacks("Component")
	case !in.ID.Set:
		return lacks("ID")
	}
	for _, n := range []struct {
		name  string
		value lenient.Int64
	}{{"ID", in.ID}, {"ComponentID", in.ComponentID}, {"Grouping", in.Grouping}, {"Value1", in.Value1}, {"Value2", in.Value2}} {
		if n.value.Wrong != "" {
			return notNumber(n.name)
		}
	}
	severity := severityInfo
	if text := in.Severity.Trimmed(); text != "" {
		var ok bool
		if severity, ok = severityOf(text); !ok {
			return notLogged("there is no such severity")
		}
	}
	if in.ID.Value>>16&0xffff == ownEvents {
		return notLogged("the events of this group are those of the server")
	}
	err := a.core.Report(c.Context(), c.who(), in.Component.Value, core.Event{
		Kind: in.ID.Value, Grouping: in.Grouping.Value, Severity: severity, Address: cmp.Or(in.SourceIP.Trimmed(), c.address()),
		Component: in.ComponentID.Value, Subsystem: in.ComponentSubsystem.Value,
		Text1: in.Text1.Value, Text2: in.Text2.Value, Value1: in.Value1.Value, Value2: in.Value2.Value,
	})
	if err != nil {
		return a.fault(c, err)
	}
	return ok(map[string]int{"LogResult": logDone})
}

// logQuery is what GET vedsdk/Log takes.
type logQuery struct {
	Component lenient.String
	FromTime  lenient.Date
	ToTime    lenient.Date
	Grouping  lenient.Int64
	ID        lenient.Int64
	Limit     lenient.Int64
	Offset    lenient.Int64
	Order     lenient.String
	Severity  lenient.String
	Text1     lenient.String
	Text2     lenient.String
	Value1    lenient.Int64
	Value2    lenient.Int64
}

// readLog serves GET vedsdk/Log.
func (a *api) readLog(c *call, in *logQuery) answer {
	numbers := []struct {
		name  string
		value lenient.Int64
		of    func(logEvent) int64
	}{
		{"Grouping", in.Grouping, func(e logEvent) int64 { return e.Grouping }},
		{"Id", in.ID, func(e logEvent) int64 { return e.ID }},
		{"Value1", in.Value1, func(e logEvent) int64 { return e.Value1 }},
		{"Value2", in.Value2, func(e logEvent) int64 { return e.Value2 }},
	}
	for _, n := range numbers {
		if n.value.Wrong != "" {
			return notNumber(n.name)
		}
	}
	severity, known := severityOf(in.Severity.Trimmed())
	oldest := strings.HasPrefix(strings.ToLower(in.Order.Trimmed()), "asc")
	bad := func(member string) answer {
		return oauthError(http.StatusBadRequest, "invalid_request", "The value of "+member+" is not valid.")
	}
	switch {
	case in.Limit.Wrong != "" || in.Limit.Value < 0:
		return notNumber("Limit")
	case in.Offset.Wrong != "" || in.Offset.Value < 0:
		return notNumber("Offset")
	case in.Severity.Trimmed() != "" && !known:
		return bad("Severity")
	case !oldest && in.Order.Trimmed() != "" && !strings.HasPrefix(strings.ToLower(in.Order.Trimmed()), "desc"):
		return bad("Order")
	}
	entries, err := a.core.Log(c.Context(), c.who(), core.LogQuery{
		About: in.Component.Trimmed(), From: in.FromTime.Value, Until: in.ToTime.Value, Oldest: oldest,
		Skip: int(in.Offset.Value), Limit: cmp.Or(int(in.Limit.Value), defaultLogLimit),
		Matches: func(entry core.LogEntry) bool {
			e := eventOf(entry)
			for _, n := range numbers {
				if n.value.Set && n.of(e) != n.value.Value {
					return false
				}
			}
			return (!known || e.Severity == severities[severity-1]) && within(e.Text1, in.Text1.Value) && within(e.Text2, in.Text2.Value)
		},
	})
	if err != nil {
		return a.fault(c, err)
	}
	return logEvents(entries)
}

// within reports whether the text has the part, in any case.
func within(text *string, part string) bool {
	return part == "" || text != nil && strings.Contains(strings.ToLower(*text), strings.ToLower(part))
}

func logEvents(entries []core.LogEntry) answer {
	events := []logEvent{}
	for _, e := range entries {
		events = append(events, eventOf(e))
	}
	return ok(map[string]any{"LogEvents": events})
}

// notThere is what the calls say that answer with a status of an object that is not
// there or may not be seen.
const notThere = "The object does not exist or you do not have permissions to the object."

// objectLog serves GET vedsdk/Log/{guid}.
func (a *api) objectLog(c *call) answer {
	guid := c.param("guid")
	if !isGUID.MatchString(guid) {
		return failure(http.StatusBadRequest, notThere)
	}
	entries, err := a.core.ObjectLog(c.Context(), c.who(), guidOf(guid), defaultLogLimit)
	switch {
	case errors.Is(err, clm.NotFound):
		return failure(http.StatusBadRequest, notThere)
	case errors.Is(err, clm.Denied):
		return failure(http.StatusForbidden, "You do not have Read permission to the object.")
	case err != nil:
		return a.fault(c, err)
	}
	return logEvents(entries)
}
