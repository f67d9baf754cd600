package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shoplab/contract"
	"shoplab/lab/chart"
	"shoplab/lab/cost"
	"shoplab/lab/forecast"
	"shoplab/lab/result"
)

func costSection(m measured) section {
	s := section{Title: "Cost"}
	if len(m.stages) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks, block{Table: stageTable(m, "Estimated from each stage's resource graph",
		[]string{"Runs on", "USD a month", "USD a day", "USD a request"},
		func(s result.Stage, p published) []cell {
			daily, request := absent(), absent()
			if s.Cost != nil {
				daily = number(atLeast(s) + fmt.Sprintf("$%.2f", s.Cost.Daily()))
				request = number(atLeast(s) + fmt.Sprintf("$%.6f", s.Cost.PerRequest()))
			}
			return []cell{
				runsOn(s).beside(p.Runs), monthly(s).beside(p.Monthly), daily.beside(p.Daily), request.beside(p.PerRequest),
			}
		})})
	for _, st := range m.stages {
		if st.Cost != nil {
			s.Blocks = append(s.Blocks, block{Text: assumptions(*st.Cost)})
			break
		}
	}
	s.Blocks = append(s.Blocks, itemBlocks(m)...)
	for _, st := range m.stages {
		if st.Cost != nil && len(st.Cost.Unknown) > 0 {
			s.Blocks = append(s.Blocks, block{Text: "Not priced in " + st.Name + ", and not counted as zero:"},
				block{List: st.Cost.Unknown})
		}
	}
	s.charts(m, crossoverChart)
	if list := crossings(m); len(list) > 0 {
		s.Blocks = append(s.Blocks, block{List: list})
	}
	return s
}

// crossings are where the totals cross, with the interval that the forecasts' give.
func crossings(m measured) (list []string) {
	var stages []forecast.Stage
	for _, s := range m.stages {
		if f := m.forecasts[s.Name]; f.Answer.Instances > 0 && s.Cost != nil && !s.Cost.LowerBound() {
			stages = append(stages, f)
		}
	}
	all, err := forecast.Crossings(stages)
	if err != nil {
		return []string{"Where the totals cross is not known: " + err.Error() + "."}
	}
	for _, c := range all {
		why := c.To + " costs less in all"
		if c.Ends {
			why = c.From + " carries no more"
		}
		list = append(list, fmt.Sprintf("From %s requests a month on (%s to %s) %s is the cheapest: %s.",
			chart.Plain(c.Requests), chart.Plain(c.Low), chart.Plain(c.High), c.To, why))
	}
	return list
}

func monthly(s result.Stage) cell {
	if s.Cost == nil {
		return absent()
	}
	return number(atLeast(s) + fmt.Sprintf("$%.2f", s.Cost.Monthly()))
}

// atLeast marks an estimate with unknown parts as the lower bound that it is.
func atLeast(s result.Stage) string {
	if s.Cost.LowerBound() {
		return "at least "
	}
	return ""
}

// assumptions are what an estimate takes for given. Results of before CPU was priced assume none of it.
func assumptions(e cost.Estimate) string {
	u := e.Usage
	text := fmt.Sprintf("Prices of %s, %s; %s requests a month of %.0f bytes and %.0f bytes of log each are assumed "+
		"(the published figures are of 500k)",
		e.PriceDate, e.Region, chart.Plain(u.Requests), u.BytesPerRequest, u.LogBytes)
	if u.CPUSeconds > 0 {
		text += fmt.Sprintf(", and %g s of the servers' and %g s of the database's CPU", u.CPUSeconds, u.DatabaseCPUSeconds)
	}
	return text + "."
}

// items are what a stage pays for, in words, less what the account's allowances take off.
func items(e cost.Estimate) map[string]float64 {
	usd := map[string]float64{}
	for _, l := range e.Lines {
		usd[plainItem(l.Item, l.Unit)] += l.USD.Dollars()
	}
	for _, a := range e.Allowances {
		usd[plainItem(a.Item, a.Unit)] -= a.USD.Dollars()
	}
	return usd
}

// itemBlocks lay the stages' items side by side, the dearest first, with their totals; what costs less than a
// cent everywhere is only named.
func itemBlocks(m measured) []block {
	t, small := &table{Caption: "Item by item, USD a month", Head: []string{"Item"}}, []string{}
	var each []map[string]float64
	most, total := map[string]float64{}, []cell{{Text: "In all", Class: "total"}}
	for _, st := range m.stages {
		if st.Cost == nil {
			continue
		}
		t.Head = append(t.Head, title(st))
		usd := items(*st.Cost)
		for item, v := range usd {
			most[item] = max(most[item], v)
		}
		each = append(each, usd)
		total = append(total, cell{Text: atLeast(st) + fmt.Sprintf("%.2f", st.Cost.Monthly()), Class: "total"})
	}
	if len(most) == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(most), func(a, b string) int {
		return cmp.Or(cmp.Compare(most[b], most[a]), cmp.Compare(a, b))
	})
	for _, item := range names {
		if most[item] < 0.005 {
			small = append(small, item)
			continue
		}
		row := []cell{text(item)}
		for _, usd := range each {
			c := text("–")
			if v, ok := usd[item]; ok {
				c = number(fmt.Sprintf("%.2f", v))
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	t.Rows = append(t.Rows, total)
	blocks := []block{{Table: t}}
	if len(small) > 0 {
		blocks = append(blocks, block{Text: "Less than a cent a month at this traffic: " + strings.Join(small, "; ") + "."})
	}
	return blocks
}

func runsOn(s result.Stage) cell {
	c := s.Config
	if c.Instances == nil {
		return absent()
	}
	var parts []string
	switch {
	case s.Topology == contract.Mesh:
		parts = append(parts, fmt.Sprintf("%d pods on one %s", *c.Instances, c.InstanceType))
	case c.InstanceType != "":
		parts = append(parts, fmt.Sprintf("%d × %s", *c.Instances, c.InstanceType))
	case c.CPUUnits != nil && c.MemoryMiB != nil:
		parts = append(parts, fmt.Sprintf("%d × %.3g vCPU and %d MiB", *c.Instances, float64(*c.CPUUnits)/1024, *c.MemoryMiB))
	}
	for _, more := range []string{c.DatabaseClass, c.CacheNodeType} {
		if more != "" {
			parts = append(parts, more)
		}
	}
	return text(strings.Join(parts, ", "))
}
