package cost

import (
	"cmp"
	"slices"
)

// Change is what one item of one resource costs before and after a change.
type Change struct {
	Resource string `json:"resource"`
	Type     string `json:"type,omitempty"`
	Item     string `json:"item"`
	Old      Money  `json:"old_usd"` // a month
	New      Money  `json:"new_usd"`
}

// Diff is what a change to a stack costs.
type Diff struct {
	Old, New Estimate
	// Changes are the items whose cost changes, the greatest change first. An account's allowances are the
	// items of a resource "free allowances".
	Changes []Change
}

// Delta is what the change adds a month, negative for a saving.
func (d Diff) Delta() Money { return d.New.Total() - d.Old.Total() }

// Compare holds two estimates of a stack against each other.
func Compare(before, after Estimate) Diff {
	type id struct{ typ, resource, item string }
	changes := map[id]*Change{}
	at := func(k id) *Change {
		if changes[k] == nil {
			changes[k] = &Change{Resource: k.resource, Type: k.typ, Item: k.item}
		}
		return changes[k]
	}
	for _, l := range before.Lines {
		at(id{l.Type, l.Resource, l.Item}).Old += l.USD
	}
	for _, l := range after.Lines {
		at(id{l.Type, l.Resource, l.Item}).New += l.USD
	}
	for _, a := range before.Allowances {
		at(id{"", "free allowances", a.Item}).Old -= a.USD
	}
	for _, a := range after.Allowances {
		at(id{"", "free allowances", a.Item}).New -= a.USD
	}
	d := Diff{Old: before, New: after}
	for _, c := range changes {
		if c.Old != c.New {
			d.Changes = append(d.Changes, *c)
		}
	}
	size := func(c Change) Money { return max(c.New-c.Old, c.Old-c.New) }
	slices.SortFunc(d.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Resource, b.Resource),
			cmp.Compare(a.Item, b.Item))
	})
	return d
}
