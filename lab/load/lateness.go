package load

import (
	"context"
	"slices"
	"time"

	"shoplab/lab/result"
	"shoplab/lab/stats"
	"shoplab/lab/watch"
)

// lateness measures how late this process's timers are while a load runs. What delays them delays the
// reading of answers as much: latencies are too long by it.
type lateness struct {
	stop context.CancelFunc
	done chan []float64 // milliseconds
}

// timerEvery is how often a timer is tried: 2,000 times in a step of 20 s cost less than one request.
const timerEvery = 10 * time.Millisecond

func watchTimers(ctx context.Context) lateness {
	ctx, stop := context.WithCancel(ctx)
	l := lateness{stop: stop, done: make(chan []float64, 1)}
	go func() {
		var late []float64
		for {
			due := time.Now().Add(timerEvery)
			if watch.Pause(ctx, timerEvery) != nil {
				l.done <- late
				return
			}
			late = append(late, float64(time.Since(due))/float64(time.Millisecond))
		}
	}()
	return l
}

// p99 ends the watch, and is how late the timers were in milliseconds; nil where none was tried.
func (l lateness) p99() *float64 {
	l.stop()
	late := <-l.done
	if len(late) == 0 {
		return nil
	}
	slices.Sort(late)
	return result.Ptr(stats.Percentile(late, .99))
}
