package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoplab/lab/cost"
	"shoplab/lab/result"
)

// Need is what somebody wants of a stage. A zero field asks for nothing.
type Need struct {
	Users    int     // concurrent, within the objective
	Requests float64 // a month
	Budget   float64 // USD a month
	// SurvivesServer leaves out the stages that have one server.
	SurvivesServer bool
	// Forecasts are what stages are forecast to carry on AWS, by name: a stage that is among them is
	// judged by that, and not by what it carried where it was measured.
	Forecasts map[string]Forecast
}

// Forecast is what a stage is forecast to carry on AWS.
type Forecast struct {
	Users float64 // who think as long as the need's do
	Rate  float64 // requests a second
	Text  string  // "forecast 810 requests a second"
}

// Decided are what the stages whose forecast validated carry on AWS, with users who think so long, by name.
func Decided(results []result.Result, think time.Duration) map[string]Forecast {
	m := merge(results)
	m.predict()
	return m.decided(think.Seconds())
}

func (m measured) decided(think float64) map[string]Forecast {
	all := map[string]Forecast{}
	for name, s := range m.forecasts {
		if s.Decides() {
			all[name] = Forecast{
				Users: s.Answer.Shoppers(think), Rate: s.Answer.Rate.Value,
				Text: fmt.Sprintf("forecast to carry %s requests a second on AWS (%s to %s), until %s gives out",
					amount(s.Answer.Rate.Value), amount(s.Answer.Rate.Low), amount(s.Answer.Rate.High), s.Answer.First.Plain()),
			}
		}
	}
	return all
}

// advice is for who asks for nothing, and for who must not lose the shop with a server.
func (m measured) advice() []string {
	n := Need{Forecasts: m.decided(thinking)}
	lines := Advise(m.stages, n)
	if best, ok := choose(m.stages, n); ok && !survivesServer(best.stage) {
		n.SurvivesServer = true
		if safe, ok := choose(m.stages, n); ok {
			lines = slices.DeleteFunc(lines, func(l string) bool {
				return strings.HasPrefix(l, safe.stage.Name+" carries most")
			})
			lines = slices.Insert(lines, 1, fmt.Sprintf("Where the loss of a server must not take the shop down: %s (%s), "+
				"$%.2f a month; %s.",
				safe.stage.Name, safe.stage.Topology, safe.monthly, safe.capacity))
		}
	}
	return lines
}

// Advise says which stage to take, one sentence an item: the cheapest that meets the need. A stage that is
// INVALID, or of which what the need asks is not known, is never recommended; it is named.
func Advise(stages []result.Stage, n Need) []string {
	var fit []candidate
	var out []string
	for _, s := range stages {
		c, why := candidateOf(s, n)
		if why != "" {
			out = append(out, s.Name+" is left out: "+why+".")
			continue
		}
		fit = append(fit, c)
	}
	if len(fit) == 0 {
		return append(out, "No stage is known to meet this need.")
	}
	best := cheapest(fit)
	meets := "the cheapest that meets the need"
	if n.Users == 0 && n.Requests == 0 && n.Budget == 0 && !n.SurvivesServer {
		meets = "the cheapest"
	}
	advice := []string{
		fmt.Sprintf("Take %s (%s): %s, $%.2f a month; %s.", best.stage.Name, best.stage.Topology, meets, best.monthly,
			best.capacity),
	}
	short := shortOfCPUs(fit)
	strongest := slices.MaxFunc(fit, func(a, b candidate) int { return cmp.Compare(a.users, b.users) })
	// Stages that had other shares of their CPUs than on AWS are not compared by what they carried.
	if short == "" && strongest.stage.Name != best.stage.Name && strongest.users > best.users {
		advice = append(advice, fmt.Sprintf("%s carries most: %s, for %.1f times the price.",
			strongest.stage.Name, strongest.capacity, strongest.monthly/best.monthly))
	}
	if short != "" {
		out = append(out, short)
	}
	return append(advice, out...)
}

// choose is the stage that Advise recommends.
func choose(stages []result.Stage, n Need) (candidate, bool) {
	var fit []candidate
	for _, s := range stages {
		if c, why := candidateOf(s, n); why == "" {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return candidate{}, false
	}
	return cheapest(fit), true
}

func cheapest(fit []candidate) candidate {
	return slices.MinFunc(fit, func(a, b candidate) int { return cmp.Compare(a.monthly, b.monthly) })
}

// shortOfCPUs says which of them had fewer CPUs than they have on AWS; empty for none.
func shortOfCPUs(all []candidate) string {
	var short []string
	for _, c := range all {
		if c.forecast {
			continue
		}
		if given, whole := c.stage.Config.GivenCPUs, c.stage.Config.StageCPUs; given != nil && whole != nil &&
			*given < *whole {
			short = append(short, fmt.Sprintf("%s %.3g of %.3g", c.stage.Name, *given, *whole))
		}
	}
	if len(short) == 0 {
		return ""
	}
	return "No forecast validated, so what they carry on AWS is not known. Of the CPUs that they have there, database " +
		"and cache included, they had here: " + strings.Join(short, ", ") + ". The fewer, the less what was measured says " +
		"of AWS."
}

type candidate struct {
	stage    result.Stage
	users    float64
	forecast bool // what it carries is
	monthly  float64
	capacity string
}

// candidateOf returns the stage as a candidate, or why it is none.
func candidateOf(s result.Stage, n Need) (candidate, string) {
	c := candidate{stage: s}
	f, forecast := n.Forecasts[s.Name]
	switch b := s.BreakingPoint; {
	case s.Invalid():
		return c, "its measurement is INVALID"
	case n.SurvivesServer && !survivesServer(s):
		return c, "it has one server, and is gone with it"
	case forecast:
		c.users, c.forecast = f.Users, true
	case len(n.Forecasts) > 0:
		return c, "it has no forecast that validated, as the others have"
	case b != nil && b.MedianUsers != nil:
		c.users = *b.MedianUsers
	case b != nil && b.NotReachedUpTo != nil:
		c.users = float64(*b.NotReachedUpTo)
	default:
		return c, "its breaking point was not measured"
	}
	c.capacity, _ = breakingPoint(s)
	c.capacity = "breaking point " + c.capacity
	if forecast {
		c.capacity = f.Text
	}
	if s.Cost == nil {
		return c, "its cost is not known"
	}
	if s.Cost.LowerBound() {
		return c, "its cost is known in part only"
	}
	c.monthly = s.Cost.Monthly()
	requests := n.Requests
	if requests > 0 {
		c.monthly = at(s.CostCurve, requests, c.monthly)
	}
	switch {
	case n.Users > 0 && c.users <= float64(n.Users):
		return c, fmt.Sprintf("its %s is not above %d users", c.capacity, n.Users)
	case forecast && !(cost.Option{MaxRate: f.Rate}).Carries(requests):
		return c, fmt.Sprintf("%.0f requests a month are more than it is forecast to carry in a busy hour", requests)
	case !forecast && !carries(s, requests):
		return c, fmt.Sprintf("%.0f requests a month are more than it was measured to carry in a busy hour", requests)
	case n.Budget > 0 && c.monthly > n.Budget:
		return c, fmt.Sprintf("$%.2f a month is over the budget of $%.2f", c.monthly, n.Budget)
	}
	return c, ""
}

// at reads a cost curve at a volume, straight between its points; beyond it the nearest end counts.
func at(curve []cost.Point, requests, otherwise float64) float64 {
	for i, p := range curve {
		if p.Requests < requests {
			continue
		}
		if i == 0 {
			return p.Monthly
		}
		before := curve[i-1]
		return before.Monthly + (p.Monthly-before.Monthly)*(requests-before.Requests)/(p.Requests-before.Requests)
	}
	if len(curve) > 0 {
		return curve[len(curve)-1].Monthly
	}
	return otherwise
}

func carries(s result.Stage, requests float64) bool {
	if requests == 0 || s.OpenLoop == nil || s.OpenLoop.RatePerSecond == nil {
		return true
	}
	return cost.Option{MaxRate: *s.OpenLoop.RatePerSecond}.Carries(requests)
}
