// Package cost estimates what a resource graph costs on AWS, from a dated price table.
//
// Fixed lines follow from the graph; usage lines follow from Usage. Whatever has a price that the package
// cannot tell is listed as unknown, never counted as zero.
package cost

import (
	"cmp"
	"maps"
	"slices"
)

// HoursPerMonth is AWS's own convention for monthly prices: 365 * 24 / 12.
const HoursPerMonth = 730

// DaysPerMonth turns a monthly price into a daily one.
const DaysPerMonth = HoursPerMonth / 24.0

// Line is one item of an estimate, at its list price.
type Line struct {
	Resource   string  `json:"resource"`
	Type       string  `json:"type,omitempty"`
	Item       string  `json:"item"`  // key of the price table
	Count      float64 `json:"count"` // units a month, before the account's allowances
	Unit       string  `json:"unit"`
	USD        Money   `json:"usd"` // a month
	Usage      bool    `json:"usage"`
	Unverified bool    `json:"unverified,omitempty"`
}

// Allowance is what AWS takes off an item, over all lines of it: units that are free, and lower prices for
// much. Both are an account's, not a stack's: a second stack in the account does not get them again.
type Allowance struct {
	Item  string  `json:"item"`
	Units float64 `json:"units"` // that are free, 0 where the price is only lower for much
	Unit  string  `json:"unit"`
	USD   Money   `json:"usd"` // a month, positive
}

// Estimate is what a graph costs a month.
type Estimate struct {
	PriceDate  string      `json:"price_date"`
	Region     string      `json:"region"`
	Usage      Usage       `json:"usage"`
	Lines      []Line      `json:"lines"`
	Allowances []Allowance `json:"allowances,omitempty"`
	Unknown    []string    `json:"unknown"` // resources whose price is not known in whole, "type name: why"
	// Incomplete says why the graph is not the whole stack, or not priced in its region.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Total is the sum of all lines less the account's allowances, a month. It is a lower bound while
// LowerBound is true.
func (e Estimate) Total() Money { return e.Gross() - e.TakenOff() }

// Gross is the sum of all lines: what a month costs in an account that has used its allowances already.
func (e Estimate) Gross() (sum Money) {
	for _, l := range e.Lines {
		sum += l.USD
	}
	return sum
}

// TakenOff is what the account's allowances take off, a month.
func (e Estimate) TakenOff() (sum Money) {
	for _, a := range e.Allowances {
		sum += a.USD
	}
	return sum
}

// LowerBound tells whether something of the stack is not priced.
func (e Estimate) LowerBound() bool { return len(e.Unknown) > 0 || len(e.Incomplete) > 0 }

// Monthly is Total in USD.
func (e Estimate) Monthly() float64 { return e.Total().Dollars() }

// Daily is the monthly sum for one day.
func (e Estimate) Daily() float64 { return e.Monthly() / DaysPerMonth }

// PerRequest is the monthly sum over the requests of the month; 0 requests give 0.
func (e Estimate) PerRequest() float64 {
	if e.Usage.Requests == 0 {
		return 0
	}
	return e.Monthly() / e.Usage.Requests
}

// Of estimates g at the prices of t.
func (t Table) Of(g Graph, u Usage) Estimate {
	b := bill{
		table: t, graph: g, usage: u, incomplete: slices.Clone(g.Incomplete), reasons: map[string][]string{},
		totals: map[string]total{},
	}
	for _, r := range g.Resources {
		b.add(r)
	}
	b.traffic()
	b.regions()
	slices.SortStableFunc(b.lines, func(x, y Line) int {
		return cmp.Or(cmp.Compare(y.USD, x.USD), cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Item, y.Item))
	})
	return Estimate{
		PriceDate: t.Date, Region: t.Region, Usage: u,
		Lines: b.lines, Allowances: b.allowances(), Unknown: b.unknown(), Incomplete: b.incomplete,
	}
}

// allowances are taken off the sums over all lines of an item.
func (b *bill) allowances() []Allowance {
	var out []Allowance
	for _, item := range slices.Sorted(maps.Keys(b.totals)) {
		sum := b.totals[item]
		if sum.price.Free == 0 && len(sum.price.Tiers) == 0 {
			continue
		}
		billed, ok := Dollars(sum.price.of(sum.count))
		if off := sum.usd - billed; ok && off > 0 {
			out = append(out, Allowance{Item: item, Units: min(sum.price.Free, sum.count), Unit: sum.price.Unit, USD: off})
		}
	}
	return out
}
