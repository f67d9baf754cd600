package experiment

import (
	"fmt"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// visit is one time that a stage is brought up to be measured.
type visit struct {
	stage   int   // in the plan
	repeats []int // of each level and search that are measured, from 1
	first   bool  // the scaling steps belong to it
	last    bool  // what follows from all repeats comes after it
}

// visits is the order of a run: one repeat of every stage after the other if repeats take turns, and one
// visit a stage if they do not.
func (p Plan) visits(turns bool) []visit {
	var all []visit
	if !turns {
		for s := range p.Stages {
			v := visit{stage: s, first: true, last: true}
			for n := range p.Repeats {
				v.repeats = append(v.repeats, n+1)
			}
			all = append(all, v)
		}
		return all
	}
	for n := range p.Repeats {
		for s := range p.Stages {
			all = append(all, visit{stage: s, repeats: []int{n + 1}, first: n == 0, last: n == p.Repeats-1})
		}
	}
	return all
}

// name says where in the run the visit is: "repeat 2/3, 1/4 stage1".
func (v visit) name(p Plan) string {
	text := fmt.Sprintf("%d/%d %s", v.stage+1, len(p.Stages), p.Stages[v.stage])
	if len(v.repeats) < p.Repeats {
		text = fmt.Sprintf("repeat %d/%d, %s", v.repeats[0], p.Repeats, text)
	}
	return text
}

// seconds is how long a visit should take.
func (v visit) seconds(s result.Settings) float64 {
	const bringUp, search, rates = 8.0, 6, 4 // seconds, and probes that a search usually takes
	settle := settleFor.Seconds()
	if s.Quick {
		settle = settleQuick.Seconds()
	}
	repeats := float64(len(v.repeats))
	seconds := bringUp + s.WarmUpSeconds + settle + repeats*float64(len(s.Users))*(s.StepSeconds+settle) +
		repeats*(search+rates)*(s.SearchSeconds+settle)
	if v.first {
		seconds += float64(len(scaling(s))) * (s.SearchSeconds + settle)
		if !s.Quick {
			seconds += float64(len(demandShares)) * (s.SearchSeconds + settle)
			seconds += float64(len(load.Flows())) * (calibrateFor + calibrateSettle).Seconds()
		}
	}
	fresh, searches := 1.0, 0.0 // stages brought up for the proof
	if !s.Quick {
		fresh, searches = 2*2+5, 5 // two proofs, each beside an unchanged stage, and the twins
	}
	if v.last {
		seconds += fresh*(bringUp+s.WarmUpSeconds+s.SearchSeconds+2*settle) + searches*search*(s.SearchSeconds+settle)
	}
	return seconds
}

// clock estimates how long a run has left: from its settings, and from how long what is done has taken.
type clock struct {
	settings       result.Settings
	began, current time.Time
	visits         []visit // that are not over
	over           float64 // seconds that those should have taken that are
}

func newClock(s result.Settings, visits []visit) *clock {
	return &clock{settings: s, began: time.Now(), current: time.Now(), visits: slices.Clone(visits)}
}

// done notes that a visit is over.
func (c *clock) done(v visit) {
	c.over += v.seconds(c.settings)
	c.skip()
}

// skip notes that a visit is not made.
func (c *clock) skip() { c.visits, c.current = c.visits[1:], time.Now() }

// left is the estimate as text.
func (c *clock) left() string {
	pace := 1.0
	if c.over > 0 {
		pace = c.current.Sub(c.began).Seconds() / c.over
	}
	seconds := 0.0
	for i, v := range c.visits {
		rest := pace * v.seconds(c.settings)
		if i == 0 {
			rest = max(0, rest-time.Since(c.current).Seconds())
		}
		seconds += rest
	}
	if seconds < 10 {
		return "a few seconds"
	}
	return "about " + time.Duration(seconds*float64(time.Second)).Round(10*time.Second).String()
}
