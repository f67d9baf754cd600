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
	"shoplab/lab/result"
)

func stageTable(m measured, caption string, head []string, row func(result.Stage, published) []cell) block {
	t := &table{Caption: caption, Head: append([]string{"Stage"}, head...)}
	for _, s := range m.stages {
		t.Rows = append(t.Rows, append([]cell{text(title(s))}, row(s, original[s.Topology])...))
	}
	return block{Table: t}
}

func summarySection(m measured) section {
	s := section{Title: "Summary and advice"}
	if len(m.stages) == 0 {
		return s
	}
	var head []string
	for _, n := range m.users {
		head = append(head, fmt.Sprintf("%d users, p95", n))
	}
	s.Blocks = append(s.Blocks, stageTable(m, "", append(head, "Breaking point", "Monthly", "What gave out"),
		func(s result.Stage, _ published) []cell {
			cause, known := absent(), s.Verdict != nil
			if known {
				cause = gated(s, true, string(s.Verdict.Cause))
				cause.Class = ""
			}
			bp, ok := breakingPoint(s)
			var row []cell
			for _, n := range m.users {
				row = append(row, p95(s, n))
			}
			return append(row, gated(s, ok, bp), monthly(s), cause)
		}))
	if advice := Advise(m.stages, Need{}); len(advice) > 0 {
		s.Blocks = append(s.Blocks, block{List: advice})
	}
	for _, r := range m.results {
		if r.Incomplete != "" {
			s.Blocks = append(s.Blocks, block{Text: "This run is incomplete: " + r.Incomplete})
		}
	}
	for _, st := range m.stages {
		if st.Error != "" {
			s.Blocks = append(s.Blocks, block{Text: st.Name + " was given up: " + st.Error})
		}
	}
	return s
}

func p95(s result.Stage, users int) cell {
	l, ok := level(s, users)
	return gated(s, ok, milliseconds(l.P95MS))
}

func mean(s result.Stage, users int) cell {
	l, ok := level(s, users)
	return gated(s, ok, fmt.Sprintf("%s mean, %s p95", milliseconds(l.MeanMS), milliseconds(l.P95MS)))
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

func costSection(m measured) section {
	s := section{Title: "Cost"}
	if len(m.stages) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks, stageTable(m, "Estimated from each stage's resource graph", []string{"Runs on", "Monthly", "Daily"},
		func(s result.Stage, p published) []cell {
			daily := absent()
			if s.Cost != nil {
				daily = number(atLeast(s) + fmt.Sprintf("$%.2f", s.Cost.Daily()))
			}
			return []cell{runsOn(s).beside(p.Runs), monthly(s).beside(p.Monthly), daily.beside(p.Daily)}
		}))
	s.Blocks = append(s.Blocks, itemBlocks(m)...)
	for _, st := range m.stages {
		if st.Cost != nil && len(st.Cost.Unknown) > 0 {
			s.Blocks = append(s.Blocks, block{Text: "Not priced in " + st.Name + ", and not counted as zero:"}, block{List: st.Cost.Unknown})
		}
	}
	for _, st := range m.stages {
		if st.Cost != nil {
			s.Blocks = append(s.Blocks, block{Text: assumptions(*st.Cost)})
			break
		}
	}
	return s
}

// assumptions are what an estimate takes for given. Results of before CPU was priced assume none of it.
func assumptions(e cost.Estimate) string {
	u := e.Usage
	text := fmt.Sprintf("Prices of %s, %s; %s requests a month of %.0f bytes and %.0f bytes of log each are assumed",
		e.PriceDate, e.Region, chart.Plain(u.Requests), u.BytesPerRequest, u.LogBytes)
	if u.CPUSeconds > 0 {
		text += fmt.Sprintf(", and %g s of the servers' and %g s of the database's CPU", u.CPUSeconds, u.DatabaseCPUSeconds)
	}
	return text + "."
}

// itemBlocks lay the stages' items side by side, the dearest first; what costs less than a cent
// everywhere is only named.
func itemBlocks(m measured) []block {
	usd, most := map[string]map[string]float64{}, map[string]float64{}
	head := []string{"Item, USD a month"}
	for _, st := range m.stages {
		if st.Cost == nil {
			continue
		}
		head = append(head, title(st))
		for _, l := range st.Cost.Lines {
			if usd[l.Item] == nil {
				usd[l.Item] = map[string]float64{}
			}
			usd[l.Item][st.Name] += l.USD.Dollars()
		}
		for _, a := range st.Cost.Allowances {
			usd[a.Item][st.Name] -= a.USD.Dollars()
		}
		for item := range usd {
			most[item] = max(most[item], usd[item][st.Name])
		}
	}
	if len(usd) == 0 {
		return nil
	}
	t, small := &table{Caption: "Item by item", Head: head}, []string{}
	items := slices.SortedFunc(maps.Keys(usd), func(a, b string) int { return cmp.Or(cmp.Compare(most[b], most[a]), cmp.Compare(a, b)) })
	for _, item := range items {
		if most[item] < 0.005 {
			small = append(small, item)
			continue
		}
		row := []cell{text(item)}
		for _, st := range m.stages {
			if st.Cost == nil {
				continue
			}
			c := text("")
			if v, ok := usd[item][st.Name]; ok {
				c = number(fmt.Sprintf("%.2f", v))
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	blocks := []block{{Table: t}}
	if len(small) > 0 {
		blocks = append(blocks, block{Text: "Less than a cent a month at this volume: " + strings.Join(small, ", ") + "."})
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
		parts = append(parts, fmt.Sprintf("%d × %d CPU units, %d MiB", *c.Instances, *c.CPUUnits, *c.MemoryMiB))
	}
	for _, more := range []string{c.DatabaseClass, c.CacheNodeType} {
		if more != "" {
			parts = append(parts, more)
		}
	}
	return text(strings.Join(parts, ", "))
}

func loadSection(m measured) section {
	s := section{Title: "Performance under load"}
	if len(m.stages) == 0 {
		return s
	}
	var head []string
	for _, n := range m.users {
		head = append(head, fmt.Sprintf("%d users", n))
	}
	s.Blocks = append(s.Blocks, stageTable(m, "Closed loop, the declared mix of shoppers",
		append(head, "Breaking point", "CPU at failure", "Highest arrival rate", "CPUs here / on AWS"),
		func(s result.Stage, p published) []cell {
			bp, ok := breakingPoint(s)
			cpu, cpuKnown := cpuAtFailure(s)
			rate := absent()
			if o := s.OpenLoop; o != nil && o.NotReachedUpTo != nil { // in one repeat at least nothing gave out
				rate = gated(s, true, fmt.Sprintf("over %.0f/s", *o.NotReachedUpTo))
			} else if o != nil && o.RatePerSecond != nil {
				rate = gated(s, true, fmt.Sprintf("%.0f/s", *o.RatePerSecond))
			}
			var row []cell
			for _, n := range m.users {
				row = append(row, mean(s, n).beside(p.Latency[n]))
			}
			return append(row, gated(s, ok, bp).beside(p.BreakingPoint), gated(s, cpuKnown, cpu).beside(p.CPUAtFailure), rate, cpus(s))
		}), block{Text: originalNote})
	return s
}

// cpuAtFailure is the mean CPU use of the busiest instance, or of the server that it shares, over its
// limit in the failing step.
func cpuAtFailure(s result.Stage) (string, bool) {
	if s.AtFailure == nil {
		return "", false
	}
	u, share := tightest(s.AtFailure.Usage, result.ResourceInstanceCPU, result.ResourceServerCPU)
	return fmt.Sprintf("%s: %.0f%% of its limit", u.Of, 100*share), share > 0
}

// cpus is how many CPUs the stage could use here, over those that its machines have on AWS.
func cpus(s result.Stage) cell {
	c := s.Config
	if c.GivenCPUs == nil || c.StageCPUs == nil {
		return absent()
	}
	return number(fmt.Sprintf("%.3g / %.3g", *c.GivenCPUs, *c.StageCPUs))
}

func complexitySection(m measured) section {
	s := section{Title: "Operational complexity"}
	if len(m.stages) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks, stageTable(m, "Counted, not guessed: code is what the stage's composition reaches in platform/, user data included",
		[]string{"Time to first request", "Time to nothing left", "Commands", "Resources", "Lines of code", "Lines of config", "Debugging"},
		func(s result.Stage, p published) []cell {
			c := s.Complexity
			if c == nil {
				c = &result.Complexity{}
			}
			return []cell{
				seconds(s.BringUpSeconds).beside(p.DeployTime), seconds(s.TearDownSeconds), count(c.Commands).beside(p.Configuration),
				count(c.Resources), count(c.StageLines), count(c.ConfigLines), absent().beside(p.Debugging),
			}
		}))
	return s
}

func perRequestSection(m measured) section {
	s := section{Title: "Cost per request"}
	if len(m.stages) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks, stageTable(m, "", []string{"Per request", "Requests a month"}, func(s result.Stage, p published) []cell {
		if s.Cost == nil {
			return []cell{absent().beside(p.PerRequest), absent()}
		}
		return []cell{number(atLeast(s) + fmt.Sprintf("$%.6f", s.Cost.PerRequest())).beside(p.PerRequest), number(chart.Plain(s.Cost.Usage.Requests)).beside("500k")}
	}))
	return s
}
