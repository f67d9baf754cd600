package findings

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"shoplab/lab/result"
	"shoplab/lab/stats"
	"shoplab/lab/watch"
)

// arrivalTimeout bounds one request: longer than any stage takes for one that is not lost.
const arrivalTimeout = 30 * time.Second

// arrivals asks for an address at random moments (a Poisson process), whether or not earlier requests are answered,
// as many shoppers do who know nothing of one another. What they saw is a step of an open loop.
func arrivals(ctx context.Context, address string, rate float64, length time.Duration) result.Step {
	began := time.Now()
	step := result.Step{
		Purpose: result.PurposeFinding, Loop: result.LoopOpen, Rate: rate, StartedAt: began.UTC(), Seconds: length.Seconds(),
	}
	var asking sync.WaitGroup
	var mu sync.Mutex
	var took, late []time.Duration
	end := began.Add(length)
	gap := func() time.Duration {
		return time.Duration(rand.ExpFloat64() / rate * float64(time.Second)) //nolint:gosec // no secret
	}
	for next := began.Add(gap()); next.Before(end) && watch.Until(ctx, next); next = next.Add(gap()) {
		due := next
		asking.Go(func() {
			began := time.Now()
			ok := answers(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			took, late = append(took, time.Since(began)), append(late, began.Sub(due))
			if !ok {
				step.Failed++
			}
		})
	}
	asking.Wait()
	if step.Requests = len(took); step.Requests > 0 {
		step.ErrorRatio = float64(step.Failed) / float64(step.Requests)
		step.Throughput = float64(step.Requests) / step.Seconds
		step.Goodput = step.Throughput * (1 - step.ErrorRatio)
	}
	step.Latency = latencyOf(took)
	if l := latencyOf(late); l != nil {
		step.TimerLateMS = &l.P99MS
	}
	return step
}

// answers says whether an address answers with 200.
func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, arrivalTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err == nil && response.StatusCode == http.StatusOK
}

// latencyOf are the percentiles of some durations; nil for none.
func latencyOf(all []time.Duration) *result.Latency {
	if len(all) == 0 {
		return nil
	}
	ms, sum := make([]float64, len(all)), 0.0
	for i, d := range all {
		ms[i] = float64(d) / float64(time.Millisecond)
		sum += ms[i]
	}
	slices.Sort(ms)
	return &result.Latency{
		MeanMS: sum / float64(len(ms)), P50MS: stats.Percentile(ms, .5), P90MS: stats.Percentile(ms, .9),
		P95MS: stats.Percentile(ms, .95), P99MS: stats.Percentile(ms, .99), MaxMS: ms[len(ms)-1],
	}
}
