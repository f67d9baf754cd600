package report

import (
	"fmt"
	"math"

	"shoplab/lab/chart"
	"shoplab/lab/forecast"
	"shoplab/lab/result"
)

// thinking is the think time of the shoppers that a forecast counts, in seconds.
const thinking = 5

// forecastSection says what each stage will carry on AWS, how that is known, and whether it held where it
// could be tried.
func forecastSection(m measured) section {
	s := section{Title: "Forecast"}
	t := forecastTable(m)
	if len(t.Rows) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks, block{
		Text: "What a request costs at each part was measured here; queueing laws carry it to the machines that the stage " +
			"has on AWS.",
	}, block{Table: t})
	s.charts(m, forecastChart)
	s.Blocks = append(s.Blocks, block{Heading: "Did it hold where it could be tried?"})
	if checks := checkTable(m); len(checks.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Table: checks})
	}
	var verdicts []string
	for _, st := range m.stages {
		if f, ok := m.forecasts[st.Name]; ok && f.Err == nil {
			verdicts = append(verdicts, title(st)+" "+validated(f)+": "+f.Validation.Why+".")
		}
	}
	s.Blocks = append(s.Blocks, block{List: verdicts}, block{Heading: "What it rests on"}, block{Table: demandTable(m)})
	if t := errandTable(m); len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Table: t})
	}
	s.Blocks = append(s.Blocks, block{Table: forecastAssumptions()})
	return s
}

func forecastTable(m measured) *table {
	t := &table{
		Head: []string{
			"Stage", "Requests a second", "Within baseline", "Shoppers", "First to give out", "Scaled out", "USD a million",
		}, Cards: true,
		Terms: []term{
			{
				"Requests a second",
				fmt.Sprintf("that arrive with p95 up to %.0f ms, bursting. The interval is of what a request was measured to "+
					"cost and of how fast a vCPU is.", m.objective().P95MS),
			},
			{
				"Within baseline", "the same with what burstable (t-family) servers and databases have for their hourly price " +
					"alone; above it they spend CPU credits, or dollars.",
			},
			{"Shoppers", fmt.Sprintf("users who think %d s between requests, at that rate.", thinking)},
			{"Scaled out", "with the most instances that the stage may have."},
			{"USD a million", "successful requests, at that rate all month."},
		},
	}
	for _, s := range m.stages {
		f, ok := m.forecasts[s.Name]
		if !ok {
			continue
		}
		if f.Err != nil {
			t.Rows = append(t.Rows, append([]cell{text(title(s)), cell{Text: "no forecast", Class: "absent"}.noting(why(f))},
				cells(5)...))
			continue
		}
		a := f.Answer
		first, next := breaksFirst(m, s)
		scaled := number(amount(f.Scaled.Rate.Value) + "/s").noting(fmt.Sprintf("%d instances, until %s gives out",
			f.Scaled.Instances, f.Scaled.First.Plain()))
		if f.Scaled.Instances == a.Instances {
			scaled = text("does not scale")
		}
		t.Rows = append(t.Rows, []cell{
			text(title(s)),
			number(amount(a.Rate.Value) + "/s").noting(amount(a.Rate.Low) + " to " + amount(a.Rate.High)),
			number(amount(a.Sustained.Value) + "/s").noting(amount(a.Sustained.Low) + " to " + amount(a.Sustained.High)),
			number(amount(a.Shoppers(thinking))), first.noting(next), scaled, perMillion(f.PerMillion),
		})
	}
	return t
}

// cells are empty.
func cells(n int) []cell { return make([]cell, n) }

func perMillion(usd *float64) cell {
	if usd == nil {
		return cell{Text: "no price", Class: "absent"}
	}
	return number(fmt.Sprintf("$%.2f", *usd))
}

// forecastChart draws the forecast rates with their intervals.
func forecastChart(m measured) *figure {
	var bars []chart.Bar
	for _, s := range m.stages {
		b := chart.Bar{Name: s.Name, ValueIsMissing: true}
		if f, ok := m.forecasts[s.Name]; ok && f.Err == nil {
			b = chart.Bar{Name: s.Name, Value: f.Answer.Rate.Value, Low: f.Answer.Rate.Low, High: f.Answer.Rate.High}
		}
		bars = append(bars, b)
	}
	return &figure{
		Name: "forecast", Chart: chart.Chart{
			Title: "Forecast for AWS", Y: chart.Axis{Label: "requests a second"}, Bars: bars,
		},
		Alt: "Requests a second within the objective, bursting, with the instances that a stage starts with, and the " +
			"interval.",
	}
}

// checkTable has each twin that a forecast was held against.
func checkTable(m measured) *table {
	t := &table{
		Caption: "The stage with one thing changed, which the forecast had not seen",
		Head: []string{
			"Stage", "Change", "In flight", "Predicted", "Measured", "Off by", "Breaking point predicted / measured",
		},
		Terms: []term{
			{"In flight", "of the numbers that the search for the breaking point tried, the one with the median error."},
			{"Off by", "a forecast validates if it is off by at most 10% (median) and 20% (worst), and predicts each " +
				"breaking point within one step of the search, of the interval that was measured."},
		},
	}
	for _, s := range m.stages {
		for _, c := range m.forecasts[s.Name].Validation.Checks {
			knee := text("–")
			if c.MeasuredUsers > 0 {
				knee = number(fmt.Sprintf("%d / %d", c.PredictedUsers, c.MeasuredUsers))
				if !c.KneeKept {
					knee.Class = "invalid"
				}
			}
			off := number(fmt.Sprintf("%+.0f%%", 100*c.Error))
			if math.Abs(c.Error) > .2 {
				off.Class = "invalid"
			}
			t.Rows = append(t.Rows, []cell{
				text(title(s)), text(c.Change), number(fmt.Sprint(c.Users)), number(amount(c.Predicted) + "/s"),
				number(amount(c.Measured) + "/s"), off, knee,
			})
		}
	}
	return t
}

// demandTable has what a request costs at each part.
func demandTable(m measured) *table {
	t := &table{
		Caption: "What a request takes, measured here",
		Head: []string{
			"Stage", "Service", "Database", "Cache", "Proxy", "Sidecars", "Holds a connection", "Asks the database", "Answer",
		},
		Terms: []term{
			{"Service, Database, ...", "milliseconds of CPU a request of the mix, with the 95% interval: " +
				"the slope of use over throughput where nothing was used up; and by how much that changed with as many requests " +
				"in flight as there were at most."},
			{"Asks the database", "round trips a request: statements, and batches of them once."},
			{"Answer", "bytes, header and body."},
		},
	}
	for _, s := range m.stages {
		f := m.forecasts[s.Name]
		if f.Err != nil || len(f.Demands.Parts) == 0 {
			continue
		}
		row := []cell{text(title(s))}
		for _, part := range []string{
			forecast.PartService, forecast.PartDatabase, forecast.PartCache, forecast.PartProxy, forecast.PartSidecar,
		} {
			row = append(row, crowded(f.Demands.Of(part)))
		}
		row = append(row, demand(f.Demands.Hold), each(f.Demands.RoundTrips), each(f.Demands.Bytes))
		t.Rows = append(t.Rows, row)
	}
	return t
}

// errandTable has what a request of each errand costs, by itself.
func errandTable(m measured) *table {
	t := &table{
		Caption: "What a request of each errand takes, CPU of service and database together",
		Head:    []string{"Errand", "Share", "Requests"},
		Terms: []term{
			{"Share", "of all errands, as this run mixed them; `lab forecast --mix` gives them others."},
			{"Requests", "that one errand takes."},
		},
	}
	row := map[string]int{}
	for i, s := range m.stages {
		t.Head = append(t.Head, title(s))
		for _, f := range m.forecasts[s.Name].Demands.Flows {
			if _, known := row[f.Name]; !known {
				row[f.Name] = len(t.Rows)
				head := []cell{text(f.Name), number(fmt.Sprintf("%.0f%%", 100*f.Share)), number(fmt.Sprintf("%.2g", f.Requests))}
				t.Rows = append(t.Rows, append(head, notMeasuredIn(m.stages)...))
			}
			t.Rows[row[f.Name]][3+i] = number(fmt.Sprintf("%.3g ms", 1000*(f.CPU[forecast.PartService]+
				f.CPU[forecast.PartDatabase])))
		}
	}
	return t
}

// crowded is a demand, and what it is times with the most requests in flight.
func crowded(d forecast.Demand) cell {
	c := demand(d.Seconds)
	if d.Crowding.PerFold != 0 {
		c = c.noting(fmt.Sprintf("%s; ×%.2f with %d in flight", c.Note, d.Crowding.Times(d.Crowding.UpTo), d.Crowding.UpTo))
	}
	return c
}

func demand(i result.Interval) cell {
	if i.Value == 0 {
		return text("–")
	}
	return number(fmt.Sprintf("%.3g ms", 1000*i.Value)).noting(fmt.Sprintf("%.3g to %.3g", 1000*i.Low, 1000*i.High))
}

// each is so many a request.
func each(i result.Interval) cell {
	if i.Value == 0 {
		return text("–")
	}
	return number(amount(i.Value)).noting(amount(i.Low) + " to " + amount(i.High))
}

// forecastAssumptions has what was not measured.
func forecastAssumptions() *table {
	t := &table{Caption: "What is assumed and not measured", Head: []string{"What", "Value", "From", "To", "Source"}}
	for _, a := range forecast.Assumptions() {
		v := func(v float64) cell { return number(fmt.Sprintf("%g %s", v, a.Unit)) }
		t.Rows = append(t.Rows, []cell{text(a.Name), v(a.Value.Value), v(a.Value.Low), v(a.Value.High), text(a.Source)})
	}
	return t
}
