package twin

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"shoplab/lab/program"
)

// TestColdStarts measures how often a function starts cold and how long that takes, at three rates of requests that
// come at random: it asserts nothing. SHOPLAB_COLD=1 runs it, as make cold-starts does.
func TestColdStarts(t *testing.T) {
	if os.Getenv("SHOPLAB_COLD") == "" {
		t.Skip("measures for two minutes: make cold-starts")
	}
	binary, err := program.Build(t.Context(), root, "service", "./service")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rate     float64
		duration time.Duration
	}{{1, time.Minute}, {10, 30 * time.Second}, {100, 20 * time.Second}} {
		shortTemp(t)
		tw, err := Start(t.Context(), Options{Stage: read(t, "stage5", nil), Root: root, Binary: binary, throwaway: true})
		if err != nil {
			t.Fatal(err)
		}
		before := tw.Function.Stats()
		took, failed := arrivals(t, tw.URL+"/api/products", test.rate, test.duration)
		after := tw.Function.Stats()
		starts := after.Starts[len(before.Starts):]
		slices.Sort(starts)
		slices.Sort(took)
		n := after.Invocations - before.Invocations
		t.Logf("%g/s: %d requests, %d failed, p50 %s, p99 %s; %d cold starts (%.2f%%), p50 %s, p99 %s; at most %d "+
			"environments; %.2f ms billed each",
			test.rate, n, failed, quantile(took, .5), quantile(took, .99), len(starts), 100*float64(len(starts))/float64(n),
			quantile(starts, .5), quantile(starts, .99), after.Most,
			float64((after.Billed-before.Billed).Microseconds())/1000/float64(n))
		if err := tw.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// arrivals sends requests at random moments, whether or not those before are answered.
func arrivals(t *testing.T, url string, rate float64, length time.Duration) (took []time.Duration, failed int) {
	t.Helper()
	var asking sync.WaitGroup
	var mu sync.Mutex
	end := time.Now().Add(length)
	for next := time.Now(); next.Before(end); next = next.Add(time.Duration(rand.ExpFloat64() / rate *
		float64(time.Second))) {
		time.Sleep(time.Until(next))
		asking.Go(func() {
			began := time.Now()
			status, err := statusOf(url)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
			if err != nil || status != 200 {
				failed++
			}
		})
	}
	asking.Wait()
	return took, failed
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(100 * time.Microsecond)
}
