package cost

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bill gathers lines while the graph is walked.
type bill struct {
	table      Table
	graph      Graph
	usage      Usage
	lines      []Line
	incomplete []string
	reasons    map[string][]string        // why a resource's price is not known in whole, by "type name"
	totals     map[string]total           // by item
	foreign    map[string]map[string]bool // resources in regions without a price table, by region
}

// total is the sum over all lines of an item.
type total struct {
	count float64
	usd   Money
	price Price
}

func (b *bill) add(r Resource) {
	rule, ok := rules[r.Type]
	if !ok {
		if !free(r.Type) {
			b.unpriced(r, "no rule for this type")
		}
		return
	}
	rule.price(b, r)
}

// priceOf is an item's price where the resource is. To have none is noted.
func (b *bill) priceOf(r Resource, item string) (Price, bool) {
	table, ok := b.table.in(r.Region)
	if !ok {
		if b.foreign == nil {
			b.foreign = map[string]map[string]bool{}
		}
		if b.foreign[r.Region] == nil {
			b.foreign[r.Region] = map[string]bool{}
		}
		b.foreign[r.Region][r.Type+" "+r.Name] = true
		b.unpriced(r, "it is in %s, and the prices are those of %s", r.Region, b.table.Region)
		return Price{}, false
	}
	p, ok := table.price(item)
	if !ok {
		b.unpriced(r, "no price for %s in %s", item, table.Region)
	}
	return p, ok
}

// regions says of a stack in other regions than the table's how to get its prices.
func (b *bill) regions() {
	for _, region := range slices.Backward(slices.Sorted(maps.Keys(b.foreign))) {
		b.incomplete = slices.Insert(b.incomplete, 0, fmt.Sprintf(
			"%d resources are in %s and not priced, for the prices are those of %s: "+
				"`lab cost --refresh --region %s > %s.json`, then `--prices %s.json`",
			len(b.foreign[region]), region, b.table.Region, region, region, region))
	}
}

// unpriced notes why a resource's price is not known in whole.
func (b *bill) unpriced(r Resource, format string, args ...any) {
	key, why := r.Type+" "+r.Name, fmt.Sprintf(format, args...)
	if !slices.Contains(b.reasons[key], why) {
		b.reasons[key] = append(b.reasons[key], why)
	}
}

// unknown is one line for each resource.
func (b *bill) unknown() []string {
	var out []string
	for key, why := range b.reasons {
		out = append(out, key+": "+strings.Join(why, "; "))
	}
	slices.Sort(out)
	return out
}

// charge adds count units a month of an item, which follow from the graph.
func (b *bill) charge(r Resource, item string, count float64) { b.line(r, item, count, false) }

// used adds count units a month of an item, which follow from the usage.
func (b *bill) used(r Resource, item string, count float64) { b.line(r, item, count, true) }

// hours adds units that are there all month.
func (b *bill) hours(r Resource, item string, units float64) {
	b.charge(r, item, units*HoursPerMonth)
}

func (b *bill) line(r Resource, item string, count float64, usage bool) {
	p, ok := b.priceOf(r, item)
	if !ok {
		return
	}
	usd, ok := Dollars(count * p.USD)
	if !ok || count < 0 {
		b.unpriced(r, "%g %s of %s cannot be priced", count, p.Unit, item)
		return
	}
	b.lines = append(b.lines, Line{
		Resource: r.Name, Type: r.Type, Item: item, Count: count, Unit: p.Unit, Usage: usage, USD: usd,
		Unverified: p.Unverified,
	})
	sum, seen := b.totals[item]
	if !seen {
		sum.price = p
	}
	sum.count, sum.usd = sum.count+count, sum.usd+usd
	b.totals[item] = sum
}

// metered charges what a usage file says of a resource. Without that it is unknown, at its price.
func (b *bill) metered(r Resource, item, key string, perUnit float64) {
	amount, ok := b.usage.amount(r, key)
	if ok {
		b.used(r, item, amount/perUnit)
		return
	}
	if p, ok := b.priceOf(r, item); ok {
		b.unpriced(r, "%s is not given in a usage file ($%g per %s)", key, p.USD, p.Unit)
	}
}

// optional charges what a usage file says of a resource, and nothing without.
func (b *bill) optional(r Resource, item, key string, perUnit float64) {
	if amount, ok := b.usage.amount(r, key); ok {
		b.used(r, item, amount/perUnit)
	}
}

// number is the number at a path of r, fallback where there is none. When it cannot be told, that is noted
// and ok is false.
func (b *bill) number(r Resource, fallback float64, path ...string) (n float64, ok bool) {
	if r.at(path...).absent() {
		return fallback, true
	}
	return b.required(r, asNumber, path...)
}

// required is what parse makes of the value at a path of r; to have none is an unknown too.
func (b *bill) required(r Resource, parse func(value) (float64, error), path ...string) (n float64, ok bool) {
	v := r.at(path...)
	switch {
	case v.absent():
		b.unpriced(r, "%s is not given", strings.Join(path, "."))
		return 0, false
	case v.hidden != "":
		b.unpriced(r, "%s %s", strings.Join(path, "."), v.hidden)
		return 0, false
	}
	n, err := parse(v)
	if err != nil {
		b.unpriced(r, "%s %s", strings.Join(path, "."), err)
	}
	return n, err == nil
}

// text is the string at a path of r, fallback where there is none.
func (b *bill) text(r Resource, fallback string, path ...string) (s string, ok bool) {
	v := r.at(path...)
	switch raw := v.raw.(type) {
	case nil:
		if v.hidden != "" {
			b.unpriced(r, "%s %s", strings.Join(path, "."), v.hidden)
			return "", false
		}
		return fallback, true
	case string:
		if raw == "" {
			return fallback, true
		}
		return raw, true
	}
	b.unpriced(r, "%s is %s, no text", strings.Join(path, "."), short(v.raw))
	return "", false
}

// given is the string at a path of r; to have none is an unknown.
func (b *bill) given(r Resource, path ...string) (s string, ok bool) {
	s, ok = b.text(r, "", path...)
	if ok && s == "" {
		b.unpriced(r, "%s is not given", strings.Join(path, "."))
		return "", false
	}
	return s, ok
}

// truth is the boolean at a path of r, fallback where there is none.
func (b *bill) truth(r Resource, fallback bool, path ...string) (t, ok bool) {
	v := r.at(path...)
	switch {
	case v.hidden != "":
		b.unpriced(r, "%s %s", strings.Join(path, "."), v.hidden)
		return false, false
	case v.raw == nil, v.raw == "":
		return fallback, true
	case v.raw == true, v.raw == "true":
		return true, true
	case v.raw == false, v.raw == "false":
		return false, true
	}
	b.unpriced(r, "%s is %s, neither true nor false", strings.Join(path, "."), short(v.raw))
	return false, false
}

// is tells whether the boolean at a path of r is true; what cannot be told is noted and counts as false.
func (b *bill) is(r Resource, path ...string) bool {
	t, ok := b.truth(r, false, path...)
	return ok && t
}

// count is how many things the list at a path of r has.
func (b *bill) count(r Resource, path ...string) (n int, ok bool) {
	v := r.at(path...)
	if v.hidden != "" {
		b.unpriced(r, "how many %s there are %s", strings.Join(path, "."), v.hidden)
		return 0, false
	}
	list, isList := v.raw.([]any)
	if v.raw != nil && !isList {
		b.unpriced(r, "%s is %s, no list", strings.Join(path, "."), short(v.raw))
		return 0, false
	}
	return len(list), true
}

// traffic prices what depends on the requests of the whole stack.
func (b *bill) traffic() {
	gigabytes := b.usage.Requests * b.usage.BytesPerRequest / 1e9
	stack := Resource{Name: "traffic"}
	if len(b.graph.ofType("aws:cloudfront/distribution:Distribution")) > 0 {
		b.used(stack, "cloudfront/gb", gigabytes)
		b.used(stack, "cloudfront/10k", b.usage.Requests/1e4)
	} else {
		b.used(stack, "transfer/out", gigabytes)
	}
	if len(b.graph.ofType(dbInstance, auroraInstance)) > 0 {
		// Half of the calls of instances in two zones cross to the other, and are billed in both; a response's
		// worth of bytes is taken for what the database sends.
		b.used(stack, "transfer/zone", gigabytes/2*2)
	}
	for _, group := range b.graph.ofType(logGroup) {
		if _, given := b.usage.amount(group, "monthly_data_ingested_gb"); !given {
			// What is logged is logged once, whichever of the groups it goes to.
			b.used(stack, "logs/gb", b.usage.Requests*b.usage.LogBytes/1e9)
			return
		}
	}
}
