// Package cost estimates what a resource graph costs on AWS, from a dated price table.
//
// Fixed lines follow from the graph; usage lines follow from Usage. A resource type that the
// package does not know is listed as unknown, never counted as zero.
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

// Usage is the traffic and storage that an estimate assumes, per month where it is a flow.
type Usage struct {
	Requests           float64 // HTTP requests a month
	BytesPerRequest    float64 // sent to the shopper, on average
	LogBytes           float64 // written to CloudWatch Logs per request
	CPUSeconds         float64 // that a request takes of the servers
	DatabaseCPUSeconds float64 // that a request takes of a database of its own
	ImageGB            float64 // stored in ECR
}

// DefaultUsage is the original experiment's volume, with sizes that lab load reports for a mix of
// pages, pictures and API calls, and CPU times as local runs of stages 1, 2 and 4 measured them
// (0.7 to 1.7 ms of the servers, 0.3 ms of the database). They are assumptions: every one can be set
// on the command line.
func DefaultUsage() Usage {
	return Usage{
		Requests: 500_000, BytesPerRequest: 8 << 10, LogBytes: 400,
		CPUSeconds: 0.001, DatabaseCPUSeconds: 0.0003, ImageGB: 0.05,
	}
}

// Line is one item of an estimate.
type Line struct {
	Resource   string  `json:"resource"`
	Item       string  `json:"item"`  // key of the price table
	Count      float64 `json:"count"` // units a month, before the free allowance
	Unit       string  `json:"unit"`
	USD        float64 `json:"usd"` // a month
	Usage      bool    `json:"usage"`
	Unverified bool    `json:"unverified,omitempty"`
}

// Estimate is what a graph costs a month.
type Estimate struct {
	PriceDate string   `json:"price_date"`
	Region    string   `json:"region"`
	Usage     Usage    `json:"usage"`
	Lines     []Line   `json:"lines"`
	Unknown   []string `json:"unknown"` // resources whose price is not known, "type name: why"
}

// Monthly is the sum of all lines in USD a month. It is a lower bound while Unknown is not empty.
func (e Estimate) Monthly() float64 {
	var sum float64
	for _, l := range e.Lines {
		sum += l.USD
	}
	return sum
}

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
	b := bill{table: t, graph: g, usage: u, flows: map[string]float64{}}
	for _, r := range g {
		b.add(r)
	}
	b.traffic()
	slices.SortStableFunc(b.lines, func(x, y Line) int { return cmp.Compare(y.USD, x.USD) })
	slices.Sort(b.unknown)
	return Estimate{
		PriceDate: t.Date, Region: t.Region, Usage: u,
		Lines: b.lines, Unknown: slices.Compact(b.unknown),
	}
}

// bill gathers lines while the graph is walked. Flows are items with a free allowance per
// account, summed before they are priced.
type bill struct {
	table   Table
	graph   Graph
	usage   Usage
	lines   []Line
	unknown []string
	flows   map[string]float64
}

func (b *bill) add(r Resource) {
	if rule, ok := rules[r.Type]; ok {
		rule(b, r)
		return
	}
	if !free(r.Type) {
		b.dunno(r, "no rule for this type")
	}
}

func (b *bill) dunno(r Resource, why string) {
	b.unknown = append(b.unknown, r.Type+" "+r.Name+": "+why)
}

// charge adds count units a month of an item to the bill.
func (b *bill) charge(r Resource, item string, count float64) { b.line(r, item, count, false) }

func (b *bill) hours(r Resource, item string, units float64) {
	b.charge(r, item, units*HoursPerMonth)
}

func (b *bill) line(r Resource, item string, count float64, usage bool) {
	b.lineBeyond(r, item, count, b.table.Prices[item].Free, usage)
}

// lineBeyond is a line of which an allowance of units a month costs nothing.
func (b *bill) lineBeyond(r Resource, item string, count, allowance float64, usage bool) {
	p, ok := b.table.Prices[item]
	if !ok {
		b.dunno(r, "no price for "+item)
		return
	}
	b.lines = append(b.lines, Line{
		Resource: r.Name, Item: item, Count: count, Unit: p.Unit, Usage: usage,
		USD: max(0, count-allowance) * p.USD, Unverified: p.Unverified,
	})
}

// traffic prices what depends on requests, and the flows that share an allowance.
func (b *bill) traffic() {
	gigabytes := b.usage.Requests * b.usage.BytesPerRequest / 1e9
	stack := Resource{Type: "traffic", Name: "traffic"}
	if len(b.graph.ofType("aws:cloudfront/distribution:Distribution")) > 0 {
		b.line(stack, "cloudfront/gb", gigabytes, true)
		b.line(stack, "cloudfront/10k", b.usage.Requests/1e4, true)
	} else {
		b.line(stack, "transfer/out", gigabytes, true)
	}
	if len(b.graph.ofType("aws:rds/instance:Instance")) > 0 {
		// Half of the calls of instances in two zones cross to the other; a response's worth of bytes
		// is taken for what the database sends.
		b.line(stack, "transfer/zone", gigabytes/2, true)
	}
	for _, item := range slices.Sorted(maps.Keys(b.flows)) {
		b.line(stack, item, b.flows[item], item == "logs/gb")
	}
}
