package load

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// Bounds is where a search begins and how far it may go.
type Bounds struct {
	Start, Min, Max float64
	// Step is the factor from one level to the next until there is a bracket; 2 if zero.
	Step float64
	// Precision ends the search: the first bad level is at most that share above the last good one.
	Precision float64
	// Whole searches whole numbers only (users).
	Whole bool
}

// Find brackets the smallest level at which try misses the objective, by doubling or halving (or by
// Step) from the start, and then bisects it. try measures one level; its steps are the caller's to keep.
func Find(ctx context.Context, b Bounds,
	try func(ctx context.Context, level float64) (result.Step, error),
) (result.Search, error) {
	var found result.Search
	probe := func(level float64) (bool, error) {
		step, err := try(ctx, level)
		if err != nil {
			return false, fmt.Errorf("search at %g: %w", level, err)
		}
		p := result.Probe{Level: level, Kept: step.ObjectiveKept, ErrorRatio: step.ErrorRatio, Throughput: step.Throughput}
		if step.Latency != nil {
			p.P95MS = &step.Latency.P95MS
		}
		found.Probes = append(found.Probes, p)
		if p.Kept {
			found.LastGood = &level
		} else {
			found.FirstBad = &level
		}
		return p.Kept, nil
	}
	step := cmp.Or(b.Step, 2)
	for level := min(max(b.Start, b.Min), b.Max); found.LastGood == nil || found.FirstBad == nil; {
		kept, err := probe(level)
		if err != nil {
			return found, err
		}
		switch {
		case kept && level >= b.Max, !kept && level <= b.Min:
			return found, nil // no bracket within the bounds
		case kept:
			level = min(b.round(level*step), b.Max)
		default:
			level = max(b.round(level/step), b.Min)
		}
	}
	for {
		good, bad := *found.LastGood, *found.FirstBad
		middle := b.round((good + bad) / 2)
		if bad <= good*(1+b.Precision) || middle <= good || middle >= bad {
			return found, nil
		}
		if _, err := probe(middle); err != nil {
			return found, err
		}
	}
}

func (b Bounds) round(level float64) float64 {
	if b.Whole {
		return math.Round(level)
	}
	return level
}

// BreakingPoint sums up searches for the smallest number of users that missed the objective.
func BreakingPoint(searches []result.Search, o result.Objective) *result.BreakingPoint {
	if len(searches) == 0 {
		return nil
	}
	bp := &result.BreakingPoint{Searches: searches, Interpolated: crossing(searches, o)}
	var found []float64
	for _, s := range searches {
		switch {
		case s.FirstBad != nil:
			found = append(found, *s.FirstBad)
		case s.LastGood != nil:
			bp.NotReachedUpTo = result.Ptr(int(*s.LastGood))
		}
	}
	if len(found) > 0 {
		bp.MedianUsers = result.Ptr(stats.Median(found))
		bp.LowUsers = result.Ptr(int(slices.Min(found)))
		bp.HighUsers = result.Ptr(int(slices.Max(found)))
	}
	return bp
}

// HighestRate sums up searches for the highest rate that kept the objective.
func HighestRate(searches []result.Search, o result.Objective) *result.OpenLoop {
	if len(searches) == 0 {
		return nil
	}
	open := &result.OpenLoop{Searches: searches, Interpolated: crossing(searches, o)}
	var found []float64
	for _, s := range searches {
		if s.LastGood != nil {
			found = append(found, *s.LastGood)
			if s.FirstBad == nil {
				open.NotReachedUpTo = s.LastGood
			}
		}
	}
	if len(found) > 0 {
		open.RatePerSecond = result.Ptr(stats.Median(found))
		open.LowRate = result.Ptr(slices.Min(found))
		open.HighRate = result.Ptr(slices.Max(found))
	}
	return open
}
