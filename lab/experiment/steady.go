package experiment

import (
	"context"
	"fmt"
	"math"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stats"
	"shoplab/lab/verdict"
)

const (
	// settleFor is what a step runs before it is measured: the load ramps up in the first half. A quick run
	// has no time for that.
	settleFor   = 5 * time.Second
	settleQuick = 500 * time.Millisecond
	// maxLonger is how often a step goes on because its halves disagree.
	maxLonger = 1
	// halvesThroughput and halvesP95 are how far apart the halves may be, as a share of their mean; a p95
	// that differs by less than halvesMS does not count.
	halvesThroughput, halvesP95, halvesMS = 0.10, 0.25, 20.0
)

// think is how long users think in every step.
func (b *Bench) think() time.Duration {
	return time.Duration(b.settings.ThinkMS * float64(time.Millisecond))
}

// steady measures a step, and goes on with the same load while its halves disagree: what is kept is the
// last, and how often it went on. A quick run takes what it gets.
func (b *Bench) steady(ctx context.Context, l load.Load) (result.Step, error) {
	for again := 0; ; again++ {
		step, err := measure(ctx, b.crowd, b.probes, l)
		step.Again = again
		if err != nil || b.settings.Quick || agree(step) {
			return step, err
		}
		if again == maxLonger || l.Purpose == result.PurposeFailure {
			step.Unsettled = true
			return step, nil
		}
		b.say("  its halves disagree, so it goes on")
		l.Settle = time.Second // it runs already
	}
}

// agree says whether a step's first and second half saw the same; steps without seconds do.
func agree(s result.Step) bool {
	if s.Series == nil {
		return true
	}
	for _, l := range s.Series.Lines {
		first, second, ok := halves(l.Values)
		if !ok {
			continue
		}
		apart, mean := math.Abs(first-second), (first+second)/2
		switch l.Resource {
		case result.SeriesThroughput:
			if apart > halvesThroughput*mean {
				return false
			}
		case result.SeriesP95:
			if apart > halvesP95*mean && apart > halvesMS {
				return false
			}
		}
	}
	return true
}

// halves are the medians of the first and the second half of what was measured.
func halves(values []*float64) (first, second float64, ok bool) {
	var all []float64
	for _, v := range values {
		if v != nil {
			all = append(all, *v)
		}
	}
	if len(all) < 6 {
		return 0, 0, false
	}
	middle := len(all) / 2
	return stats.Median(all[:middle]), stats.Median(all[middle:]), true
}

// maxAgain is how many steps of a stage may be measured again. On a machine that is always busy with other work a run
// then ends, and its figures are INVALID.
const maxAgain = 6

// undisturbed measures a step, and again where other processes took much of the machine's CPU. The shop's latency and
// throughput have no part in that decision: otherwise steps would be repeated until a figure pleases.
func (b *Bench) undisturbed(ctx context.Context, measure func() (result.Step, error)) (result.Step, error) {
	for {
		step, err := measure()
		if err != nil || !verdict.Disturbed(step) || b.again == maxAgain {
			return step, err
		}
		b.again++
		b.say("  other processes took the machine, so this is measured again")
		if err := b.calm(ctx); err != nil {
			return step, err
		}
	}
}

func describe(l load.Load) string {
	what := fmt.Sprintf("%d users", l.Users)
	if l.Rate > 0 {
		what = fmt.Sprintf("%.0f requests a second", l.Rate)
	}
	if l.Flow != "" {
		what += " on the errand " + l.Flow
	}
	repeat := ""
	if l.Repeat > 0 {
		repeat = fmt.Sprintf(", repeat %d", l.Repeat)
	}
	return fmt.Sprintf("%s: %s for %.0f s%s", l.Purpose, what, l.Duration.Seconds(), repeat)
}
