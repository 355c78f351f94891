package tpp

import (
	"errors"
	"net/http"
	"slices"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// preferenceRoutes are the calls about what users prefer.
var preferenceRoutes = []route{
	{"GET", "/vedsdk/preferences", anyToken, read((*api).preferences)},
	{"POST", "/vedsdk/preferences", anyToken, read((*api).prefer)},
	{"DELETE", "/vedsdk/preferences", anyToken, (*api).forgetPreferences},
}

// products are those that a preference may be for, or for none.
var products = []string{"", "CodeSign Protect", "Client Protect", "Platform", "SSH Protect", "TLS Protect"}

type preferenceQuery struct {
	Product  lenient.String
	Category lenient.String
	Name     lenient.String
}

func (q preferenceQuery) selected() core.PreferencesOf {
	return core.PreferencesOf{Product: q.Product.Trimmed(), Category: q.Category.Trimmed(), Name: q.Name.Trimmed()}
}

// preferences serves GET vedsdk/Preferences: the caller's own.
func (a *api) preferences(c *call, in *preferenceQuery) answer {
	list, err := a.core.Preferences(c.Context(), c.who(), in.selected())
	if err != nil {
		return a.fault(c, err)
	}
	shown := []any{}
	for _, p := range list {
		shown = append(shown, map[string]any{
			"Id": p.Number, "Universal": universal(c.who().ID), "Product": textOrNull(p.Product), "Category": p.Category, "Name": p.Name, "Value": p.Value, "Locked": false,
		})
	}
	return ok(map[string]any{"Preferences": shown})
}

type preferenceChange struct {
	Preferences []struct {
		preferenceQuery
		Value lenient.String
	}
}

// prefer serves POST vedsdk/Preferences.
func (a *api) prefer(c *call, in *preferenceChange) answer {
	if in.Preferences == nil {
		return lacks("Preferences")
	}
	var wanted []core.Preference
	for _, p := range in.Preferences {
		which := p.selected()
		if which.Name == "" {
			return lacks("Name")
		}
		if !slices.Contains(products, which.Product) {
			return failure(http.StatusBadRequest, "There is no such product.")
		}
		wanted = append(wanted, core.Preference{Product: which.Product, Category: which.Category, Name: which.Name, Value: p.Value.Value})
	}
	err := a.core.Prefer(c.Context(), c.who(), wanted)
	switch {
	case errors.Is(err, clm.Invalid):
		return failure(http.StatusBadRequest, "The "+clm.AsError(err).Field+" of a preference is too long or cannot be kept.")
	case errors.Is(err, clm.Limited):
		return failure(http.StatusBadRequest, "There are too many preferences.")
	case err != nil:
		return a.fault(c, err)
	}
	return answer{status: http.StatusCreated, body: struct{}{}}
}

// forgetPreferences serves DELETE vedsdk/Preferences, which says in its query which.
func (a *api) forgetPreferences(c *call) answer {
	var in preferenceQuery
	if err := lenient.DecodeForm(c.URL.Query(), &in); err != nil {
		return c.malformed(err)
	}
	if err := a.core.ForgetPreferences(c.Context(), c.who(), in.selected()); err != nil {
		return a.fault(c, err)
	}
	return ok(struct{}{})
}
