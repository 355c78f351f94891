package tpp

import (
	"errors"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// engineRoutes are the calls about processing engines.
var engineRoutes = []route{
	{"GET", "/vedsdk/processingengines", needs("configuration"), (*api).engines},
	{"GET", "/vedsdk/processingengines/engine/{guid}", needs("configuration"), (*api).engineFolders},
	{"POST", "/vedsdk/processingengines/engine/{guid}", needs("configuration:manage"), read((*api).addEngineFolders)},
	{"GET", "/vedsdk/processingengines/folder/{guid}", needs("configuration"), (*api).folderEngines},
	{"PUT", "/vedsdk/processingengines/folder/{guid}", needs("configuration:manage"), read((*api).setFolderEngines)},
	{"DELETE", "/vedsdk/processingengines/folder/{guid}", needs("configuration:delete"), (*api).clearFolderEngines},
	{"DELETE", "/vedsdk/processingengines/folder/{guid}/{engine}", needs("configuration:delete"), (*api).removeFolderEngine},
}

// maxEngines is how many engines a folder may have, and one more.
const maxEngines = 1000

// engineOut is an engine on the wire.
func engineOut(e core.Engine) map[string]any {
	return map[string]any{
		"_links":   []map[string]string{{"Engine": "/vedsdk/ProcessingEngines/Engine/" + braced(e.ID)}},
		"EngineDN": e.DN, "EngineGuid": braced(e.ID), "EngineName": e.DN.Name(),
	}
}

// enginesReply lists engines; without any there is no content when that is what is said.
func enginesReply(list []core.Engine, orNothing bool) answer {
	if len(list) == 0 && orNothing {
		return answer{status: http.StatusNoContent}
	}
	engines := []any{}
	for _, e := range list {
		engines = append(engines, engineOut(e))
	}
	return ok(map[string]any{"Engines": engines})
}

// engines serves GET vedsdk/ProcessingEngines.
func (a *api) engines(c *call) answer {
	list, err := a.core.Engines(c.Context(), c.who())
	if err != nil {
		return a.fault(c, err)
	}
	return enginesReply(list, false)
}

// engineFolders serves GET vedsdk/ProcessingEngines/Engine/{guid}: the folders that the
// engine is assigned to.
func (a *api) engineFolders(c *call) answer {
	id, isID := guidParam(c, "guid")
	if !isID {
		return failure(http.StatusNotFound, notThere)
	}
	folders, err := a.core.EngineFolders(c.Context(), c.who(), id)
	if err != nil {
		return a.refuseEngine(c, err)
	}
	if len(folders) == 0 {
		return answer{status: http.StatusNoContent}
	}
	list := []any{}
	for _, f := range folders {
		list = append(list, map[string]any{"FolderDN": f.DN, "FolderGuid": braced(f.ID), "FolderName": f.DN.Name()})
	}
	return ok(map[string]any{
		"_links":  []map[string]string{{"Engine": "/vedsdk/ProcessingEngines/Engine/" + braced(id)}},
		"Folders": list,
	})
}

// guidParam is a part of the path that is a GUID.
func guidParam(c *call, name string) (clm.ObjectID, bool) {
	text := c.param(name)
	return guidOf(text), isGUID.MatchString(text)
}

// refuseEngine answers a failure of a call about engines.
func (a *api) refuseEngine(c *call, err error) answer {
	switch {
	case errors.Is(err, clm.NotFound):
		return failure(http.StatusNotFound, notThere)
	case errors.Is(err, clm.Denied):
		return failure(http.StatusForbidden, "You do not have sufficient permissions to the object.")
	case errors.Is(err, clm.Unsupported):
		return failure(http.StatusBadRequest, "The object is not a folder.")
	}
	return a.fault(c, err)
}

type engineAssignment struct {
	FolderGuids lenient.StringList
	EngineGuids lenient.StringList
}

// addEngineFolders serves POST vedsdk/ProcessingEngines/Engine/{guid}. Folders that
// cannot have the engine are told of, and do not keep the others from having it.
func (a *api) addEngineFolders(c *call, in *engineAssignment) answer {
	id, isID := guidParam(c, "guid")
	if !isID {
		return failure(http.StatusNotFound, notThere)
	}
	if len(in.FolderGuids.Values) == 0 {
		return failure(http.StatusBadRequest, "Missing request parameter: [FolderGuids].")
	}
	if _, err := a.core.EngineFolders(c.Context(), c.who(), id); err != nil {
		return a.refuseEngine(c, err)
	}
	added, failed, denied := 0, []string{}, false
	for _, folder := range in.FolderGuids.Values {
		changed, err := false, error(clm.NotFound)
		if isGUID.MatchString(folder) {
			changed, err = a.core.AssignEngines(c.Context(), c.who(), core.Assignment{Folder: guidOf(folder), Engines: []clm.ObjectID{id}, Add: true})
		}
		switch {
		case err != nil:
			refused := a.refuseEngine(c, err)
			if refused.status == http.StatusInternalServerError {
				return refused
			}
			denied = denied || refused.status == http.StatusForbidden
			failed = append(failed, folder+": "+refused.body.(map[string]any)["Error"].(string))
		case changed:
			added++
		}
	}
	if denied && len(failed) == len(in.FolderGuids.Values) {
		return a.refuseEngine(c, clm.Denied)
	}
	return answer{status: http.StatusCreated, body: map[string]any{"AddedCount": added, "Errors": failed}}
}

// folderEngines serves GET vedsdk/ProcessingEngines/Folder/{guid}: the engines that
// carry out work below the folder.
func (a *api) folderEngines(c *call) answer {
	id, isID := guidParam(c, "guid")
	if !isID {
		return failure(http.StatusNotFound, notThere)
	}
	list, err := a.core.FolderEngines(c.Context(), c.who(), id)
	if err != nil {
		return a.refuseEngine(c, err)
	}
	return enginesReply(list, true)
}

// setFolderEngines serves PUT vedsdk/ProcessingEngines/Folder/{guid}.
func (a *api) setFolderEngines(c *call, in *engineAssignment) answer {
	switch {
	case !in.EngineGuids.Set:
		return failure(http.StatusBadRequest, "Missing request parameter: [EngineGuids].")
	case len(in.EngineGuids.Values) >= maxEngines:
		return failure(http.StatusBadRequest, "Number of engines should be less than 1000.")
	}
	var engines []clm.ObjectID
	for _, text := range in.EngineGuids.Values {
		if !isGUID.MatchString(text) {
			return failure(http.StatusBadRequest, "The engine does not exist.")
		}
		engines = append(engines, guidOf(text))
	}
	return a.assign(c, core.Assignment{Engines: engines})
}

// clearFolderEngines serves DELETE vedsdk/ProcessingEngines/Folder/{guid}.
func (a *api) clearFolderEngines(c *call) answer { return a.assign(c, core.Assignment{}) }

// removeFolderEngine serves DELETE vedsdk/ProcessingEngines/Folder/{guid}/{engine}. An
// engine that the folder does not have is no failure.
func (a *api) removeFolderEngine(c *call) answer {
	engine, isID := guidParam(c, "engine")
	if !isID {
		return failure(http.StatusNotFound, notThere)
	}
	return a.assign(c, core.Assignment{Engines: []clm.ObjectID{engine}, Remove: true})
}

// assign changes the engines of the folder in the path.
func (a *api) assign(c *call, wanted core.Assignment) answer {
	id, isID := guidParam(c, "guid")
	if !isID {
		return failure(http.StatusNotFound, notThere)
	}
	wanted.Folder = id
	_, err := a.core.AssignEngines(c.Context(), c.who(), wanted)
	if e := clm.AsError(err); err != nil && e.Kind == clm.NotFound && e.Field == "engine" {
		return failure(http.StatusBadRequest, "The engine does not exist.")
	}
	if err != nil {
		return a.refuseEngine(c, err)
	}
	return answer{status: http.StatusOK}
}
