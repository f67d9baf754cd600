package experiment

import (
	"context"
	"runtime"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/watch"
)

// measure runs one step with the probes reading in the same seconds.
func measure(ctx context.Context, crowd load.Generator, probes []watch.Probe, l load.Load) (result.Step, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	lines := make(chan []result.Line, 1)
	begin := time.Now().Add(l.Settle)
	if lead := crowd.Lead(); lead > 0 {
		l.StartAt = time.Now().Add(lead)
		begin = l.StartAt.Add(l.Settle)
	}
	go func() { lines <- watch.Watch(watching, probes, begin, int(l.Duration/time.Second)) }()
	step, err := crowd.Run(ctx, l)
	if err != nil {
		return step, err
	}
	if step.Seconds < l.Duration.Seconds() {
		stop() // a shard died, and the load ended early
	}
	watched := <-lines // ends by itself with the load's last second
	watched = append(watched, watch.Derived(watched, inFlight(l), runtime.NumCPU())...)
	step.Usage = watch.Usage(watched)
	if step.Series == nil {
		step.Series = &result.Series{StartedAt: step.StartedAt, IntervalSeconds: 1}
	}
	step.Series.Lines = append(step.Series.Lines, watched...)
	return step, nil
}

// inFlight is how many requests the users always have under way; 0 where they think in between.
func inFlight(l load.Load) int {
	if l.Think > 0 {
		return 0
	}
	return l.Users
}
