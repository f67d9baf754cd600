package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shoplab/contract"
	"shoplab/lab/forecast"
	"shoplab/lab/result"
)

// answerSection is the report in one screen: what each stage will carry on AWS and costs, what gives out
// first, what it does not survive, and which one to take.
func answerSection(m measured) section {
	s := section{Title: "Which one to take"}
	if len(m.stages) == 0 {
		return s
	}
	t := answerTable(m)
	s.Blocks = []block{{Table: t}, {List: m.advice()}}
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

func answerTable(m measured) *table {
	t := &table{
		Head: []string{"Stage", "Carries on AWS", "USD a month", "Breaks first", "Goes down with"}, Cards: true,
		Terms: []term{
			{
				"Carries on AWS", fmt.Sprintf("requests a second with p95 up to %.0f ms, bursting, with the instances that the "+
					"stage starts with: a forecast from what a request costs here, with its interval. It validated if it also "+
					"predicted changed twins that it had not seen; else it decides nothing. Within baseline: what burstable "+
					"machines do all month for their hourly price.", m.objective().P95MS),
			},
			{
				"USD a month", "list prices of the stage's resource graph, at the traffic named under Cost; and of a million " +
					"requests at the rate that it carries, all month.",
			},
			{
				"Breaks first", "what is used up first on AWS by that forecast, and at how many times that rate the next would be.",
			},
			{
				"Goes down with", "single points of failure, by the resource graph: whatever takes the shop with it. Nothing was " +
					"broken to find out.",
			},
		},
	}
	for _, s := range m.stages {
		first, next := breaksFirst(m, s)
		t.Rows = append(t.Rows, []cell{
			text(title(s)), m.carries(s), monthly(s).noting(m.million(s)), first.noting(next), downWith(s),
		})
	}
	return t
}

// carries is the rate that a stage carries on AWS: measured there, or forecast.
func (m measured) carries(s result.Stage) cell {
	f, known := m.forecasts[s.Name]
	switch {
	case s.Invalid():
		return cell{Text: invalid, Class: "invalid"}
	case m.onAWS(s):
		return rate(s).noting("measured on AWS")
	case !known || f.Err != nil:
		return cell{Text: "no forecast", Class: "absent"}.noting(why(f))
	}
	r := f.Answer.Rate
	note := fmt.Sprintf("%s to %s; %s", amount(r.Low), amount(r.High), validated(f))
	if f.Answer.Sustained.Value < .8*r.Value {
		note += fmt.Sprintf("; %s/s within baseline", amount(f.Answer.Sustained.Value))
	}
	return number(amount(r.Value) + "/s").noting(note)
}

// why is why there is no forecast, in a few words.
func why(f forecast.Stage) string {
	if f.Err == nil {
		return ""
	}
	return strings.TrimPrefix(f.Err.Error(), f.Measured.Name+": ")
}

func validated(f forecast.Stage) string {
	if f.Validation.Accepted {
		return "validated"
	}
	return "did not validate"
}

// breaksFirst is what gives out first on AWS, and how far the next is behind.
func breaksFirst(m measured, s result.Stage) (first cell, next string) {
	f, known := m.forecasts[s.Name]
	switch {
	case m.onAWS(s) && s.Verdict != nil:
		return gated(s, true, string(s.Verdict.Cause)), ""
	case !known || f.Err != nil:
		return cell{Text: "not known", Class: "absent"}, ""
	case math.IsInf(f.Answer.Behind, 1):
		return text(f.Answer.First.Plain()), ""
	case f.Answer.Behind < 2:
		return text(f.Answer.First.Plain()), fmt.Sprintf("then %s, at %.0f%% more", f.Answer.Next.Plain(),
			100*f.Answer.Behind-100)
	}
	return text(f.Answer.First.Plain()), fmt.Sprintf("then %s, at %.0f times the rate", f.Answer.Next.Plain(),
		f.Answer.Behind)
}

// million is what a million requests cost at the forecast rate, "" where that is not known.
func (m measured) million(s result.Stage) string {
	f, known := m.forecasts[s.Name]
	if !known || f.Err != nil || f.PerMillion == nil {
		return ""
	}
	return fmt.Sprintf("$%.2f a million", *f.PerMillion)
}

// downWith is the single points of failure.
func downWith(s result.Stage) cell {
	if len(s.Failures) == 0 {
		return cell{Text: "not known", Class: "absent"}
	}
	lost, kept := singlePoints(s)
	if len(lost) == 0 {
		return text("no single failure").noting("survives the loss of " + join(kept))
	}
	c := text(join(lost))
	if len(kept) > 0 {
		c = c.noting("survives the loss of " + join(kept))
	}
	return c
}

// zone is where parts are: what is in it is counted by itself.
const zone = "a zone"

// singlePoints are the parts of which there is one and without which the shop is down, and those that it survives.
// What follows from another is not repeated: a process goes with its one server.
func singlePoints(s result.Stage) (lost, kept []string) {
	one := func(of string) bool {
		return slices.ContainsFunc(s.Failures, func(f result.Failure) bool {
			return f.Of == of && !f.Survived && f.Count == 1
		})
	}
	for _, f := range s.Failures {
		_, bare, _ := strings.Cut(f.Of, " ")
		if bare == "" {
			bare = f.Of
		}
		switch {
		case f.Survived:
			kept = append(kept, f.Of)
		case f.Of == zone, f.Of == "a process" && one("a server"):
		default:
			lost = append(lost, "its "+bare)
		}
	}
	if len(lost) == 0 && one(zone) {
		lost = append(lost, "its zone")
	}
	return lost, kept
}

// survivesServer says whether the stage goes on without one of its servers. Results from before failures were
// in them are judged by their topology.
func survivesServer(s result.Stage) bool {
	for _, f := range s.Failures {
		if f.Of == "a server" {
			return f.Survived
		}
	}
	return len(s.Failures) > 0 || s.Topology != contract.Single && s.Topology != contract.Mesh
}

// failureSection says what each stage survives, and why.
func failureSection(m measured) section {
	s := section{Title: "Failures"}
	t := &table{
		Caption: "What the shop is without a part, by each stage's resource graph; nothing was broken to find out",
		Head:    []string{"Stage"}, Cards: true,
	}
	column := map[string]int{}
	for _, st := range m.stages {
		for _, f := range st.Failures {
			if _, known := column[f.Of]; !known {
				t.Head = append(t.Head, "Without "+f.Of)
				column[f.Of] = len(t.Head) - 1
			}
		}
	}
	for _, st := range m.stages {
		if len(st.Failures) == 0 {
			continue
		}
		row := append([]cell{text(title(st))}, cells(len(column))...)
		for i := range row[1:] {
			row[1+i] = text("has none of its own")
		}
		for _, f := range st.Failures {
			row[column[f.Of]] = cell{Text: f.Loss, Note: f.Why}
			if !f.Survived {
				row[column[f.Of]].Class = "invalid"
			}
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Table: t})
	}
	return s
}

// join is "a, b and c".
func join(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
