package tpp

import (
	"errors"
	"net/http"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
)

// systemRoutes are the calls about the server itself.
var systemRoutes = []route{
	{"GET", "/vedsdk", open, (*api).ping},
	{"GET", "/vedsdk/systemstatus", anyToken, (*api).systemStatus},
	{"GET", "/vedsdk/systemstatus/version", anyToken, (*api).version},
	{"GET", "/vedsdk/systemstatus/upgrade/engine", anyToken, (*api).noUpgrade},
	{"GET", "/vedsdk/systemstatus/upgrade/engines", anyToken, (*api).noUpgrades},
	{"GET", "/vedsdk/systemstatus/upgrade/history", anyToken, (*api).upgradeHistory},
	{"GET", "/vedsdk/systemstatus/upgrade/status", anyToken, (*api).upgradeStatus},
	{"GET", "/vedsdk/systemstatus/upgrade/summary", anyToken, (*api).noUpgrade},
	{"GET", "/vedsdk/serverstatus", open, (*api).serverActive},
	{"GET", "/vedsdk/serverstatus/status", open, (*api).serverActive},
	{"GET", "/vedsdk/serverstatus/active", open, (*api).serverActive},
	{"GET", "/vedsdk/serverstatus/idle", open, (*api).serverIdle},
	{"POST", "/vedsdk/stats/getcounters", needs("statistics"), read((*api).statCounters)},
	{"POST", "/vedsdk/stats/query", needs("statistics"), read((*api).statQuery)},
}

// fault answers a fault of ours in the Web SDK's shape.
func (a *api) fault(c *call, err error) answer {
	a.logFault(c, err)
	return failure(http.StatusInternalServerError, internalText)
}

// ping serves GET vedsdk/, by which clients see that there is a server.
func (a *api) ping(*call) answer { return ok(struct{}{}) }

// version serves GET vedsdk/SystemStatus/Version. Clients choose features by it.
func (a *api) version(*call) answer { return ok(map[string]string{"Version": a.opt.Version}) }

// systemStatus serves GET vedsdk/SystemStatus: the engines that are registered. Each
// does everything by itself: it keeps the log and answers the API as well.
func (a *api) systemStatus(c *call) answer {
	engines, err := a.core.EngineStatus(c.Context(), c.who())
	if errors.Is(err, clm.NotFound) {
		return failure(http.StatusBadRequest, notThere)
	}
	if err != nil {
		return a.fault(c, err)
	}
	shown := []any{}
	for _, e := range engines {
		service := func(modules []string) map[string]any {
			return map[string]any{"modules": modules, "status": "Running", "timeSinceFirstSeen": isoDate(time.UnixMicro(e.Created))}
		}
		platform := service(list(e.Modules))
		platform["configuredMode"], platform["currentMode"] = "None", "None"
		shown = append(shown, map[string]any{
			"engineDN": e.DN, "engineName": e.DN.Name(), "version": a.opt.Version,
			"services": map[string]any{"vplatform": platform, "logServer": service([]string{}), "iis": service([]string{"VEDAuth", "VEDSDK"})},
		})
	}
	return ok(shown)
}

// noUpgrade serves the calls about one upgrade: servers are upgraded by starting them.
func (a *api) noUpgrade(*call) answer { return ok(struct{}{}) }

// noUpgrades serves GET vedsdk/SystemStatus/Upgrade/Engines.
func (a *api) noUpgrades(*call) answer { return ok(map[string]any{"Engines": []any{}}) }

// upgradeHistory serves GET vedsdk/SystemStatus/Upgrade/History.
func (a *api) upgradeHistory(*call) answer { return ok(map[string]any{"UpgradeHistory": []any{}}) }

// upgradeStatus serves GET vedsdk/SystemStatus/Upgrade/Status: whoever answers has been
// upgraded.
func (a *api) upgradeStatus(*call) answer { return ok(map[string]any{"UpgradeInProgress": false}) }

// plain is a text that is sent as it is.
func plain(text string) answer {
	return answer{status: http.StatusOK, file: &file{name: "status.txt", mime: "text/plain; charset=utf-8", data: []byte(text)}}
}

// serverActive serves GET vedsdk/ServerStatus, by which load balancers see whether the
// server is of use: it is active whenever its database answers.
func (a *api) serverActive(c *call) answer {
	if err := a.core.Ready(c.Context()); err != nil {
		a.logFault(c, err)
		return failure(http.StatusServiceUnavailable, "The database does not answer.")
	}
	return plain("Server is active")
}

// serverIdle serves GET vedsdk/ServerStatus/Idle: no server of ours stands by.
func (a *api) serverIdle(*call) answer { return failure(http.StatusNotFound, "Document not found") }

// statisticsQuery is what the calls take about statistics. Nothing is counted, so nothing
// is made of it.
type statisticsQuery struct{ StatsType lenient.String }

// statCounters serves POST vedsdk/Stats/GetCounters.
func (a *api) statCounters(*call, *statisticsQuery) answer {
	return ok(map[string]any{"Counters": []any{}})
}

// statQuery serves POST vedsdk/Stats/Query.
func (a *api) statQuery(*call, *statisticsQuery) answer {
	return ok(map[string]any{"Results": []any{}})
}
