package tpp

import (
	"encoding/json"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// itemDefinition is what the calls take that define and change custom fields. pytpp
// sends the custom field to UpdateItem under ItemGuid.
type itemDefinition struct {
	Item     itemIn
	ItemGuid itemRef
	Update   *itemUpdate
}

// itemUpdate is a change of some members of a custom field.
type itemUpdate struct {
	DN   lenient.String
	Data []struct {
		Name  lenient.String
		Value json.RawMessage
	}
}

// defineItem serves POST vedsdk/Metadata/DefineItem.
func (a *api) defineItem(c *call, in *itemDefinition) answer {
	const doing = "Define metadata item"
	if in.Item == nil {
		return metadataResults.fail(8, doing)
	}
	for _, member := range []string{"Label", "Classes", "Type"} {
		if in.Item.first(member) == "" {
			return lacks(member)
		}
	}
	f := core.Field{Kind: kindOf(in.Item.first("Type")), More: map[clm.Attr][]string{}}
	if f.Kind == "" {
		return metadataResults.fail(10, doing)
	}
	if err := in.Item.write(&f, true); err != nil {
		return a.refuseItem(c, doing, err)
	}
	made, err := a.core.DefineField(c.Context(), c.who(), in.Item.first("Name"), f)
	if err != nil {
		return a.refuseItem(c, doing, err)
	}
	return itemsDone(map[string]any{"DN": made.DN, "Item": metadataItem(made)})
}

// updateItem serves POST vedsdk/Metadata/UpdateItem: with Item every member comes to
// be as it says, those that it leaves out as they are at first; with Update only those
// that are named change.
func (a *api) updateItem(c *call, in *itemDefinition) answer {
	const doing = "Update metadata item"
	ref, item, all := itemRef{item: in.Item, text: in.ItemGuid.text}, in.Item, true
	if item == nil && in.ItemGuid.item != nil {
		ref, item = in.ItemGuid, in.ItemGuid.item
	}
	if item == nil && in.Update != nil {
		if in.Update.DN.Trimmed() == "" {
			return lacks("DN")
		}
		ref, item, all = itemRef{text: in.Update.DN.Trimmed()}, in.Update.item(), false
		if item == nil {
			return metadataResults.fail(4, doing)
		}
	}
	if item == nil {
		return metadataResults.fail(8, doing)
	}
	id, err := a.itemID(c, ref)
	if err != nil || id == "" {
		return metadataResults.fail(4, doing)
	}
	err = a.core.UpdateField(c.Context(), c.who(), id, func(f *core.Field) error {
		if err := item.keeps(f); err != nil {
			return err
		}
		return item.write(f, all)
	})
	if err != nil {
		return a.refuseItem(c, doing, err)
	}
	return itemsDone(nil)
}

// item is the update as a custom field with the members that it names; nil when there
// is one that no custom field has.
func (u *itemUpdate) item() itemIn {
	item := itemIn{}
	for _, d := range u.Data {
		var one itemIn
		name, err := json.Marshal(d.Name.Trimmed())
		if err != nil || !isItemMember(d.Name.Trimmed()) {
			return nil
		}
		if len(d.Value) == 0 {
			continue
		}
		if err := json.Unmarshal([]byte("{"+string(name)+":"+string(d.Value)+"}"), &one); err != nil {
			return nil
		}
		for member, values := range one {
			item[member] = values
		}
	}
	return item
}

// undefineItem serves POST vedsdk/Metadata/UndefineItem.
func (a *api) undefineItem(c *call, in *itemQuery) answer {
	if in.ItemGuid.text == "" {
		return lacks("ItemGuid")
	}
	if err := a.core.UndefineField(c.Context(), c.who(), guidOf(in.ItemGuid.text), in.RemoveData.Value); err != nil {
		return a.refuseItem(c, "Undefine metadata item", err)
	}
	return itemsDone(nil)
}
