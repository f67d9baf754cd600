package load

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
)

func TestShoppersRunEveryErrand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 5*time.Millisecond)
		c := newTestCrowd(t, shop)
		if err := c.Prepare(t.Context(), AccountsFor(Load{Users: 20}), nil); err != nil {
			t.Fatal(err)
		}
		step, err := c.Run(t.Context(), Load{Purpose: result.PurposeLevel, Users: 20, Duration: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if step.Failed != 0 || !step.ObjectiveKept || step.Orders == 0 {
			t.Fatalf("failed %d (%v), kept %v, orders %d", step.Failed, step.Errors, step.ObjectiveKept, step.Orders)
		}
		var names []string
		sum := 0
		for _, o := range step.Operations {
			names = append(names, o.Name)
			sum += o.Requests
		}
		var want []string
		for _, f := range mix {
			for _, o := range f.ops {
				if !slices.Contains(want, o.name) {
					want = append(want, o.name)
				}
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("operations %q, want %q", names, want)
		}
		if sum != step.Requests {
			t.Errorf("operations add up to %d of %d requests", sum, step.Requests)
		}
		if step.AnswerBytes == nil || *step.AnswerBytes < 20 {
			t.Error("answers without a length")
		}
		inv, err := c.CheckOrders(t.Context())
		if err != nil || inv.Status != result.InvariantHeld {
			t.Errorf("orders: %+v, %v", inv, err)
		}
	})
}

func TestOrderInvariantIsSeenToBreak(t *testing.T) {
	for name, breakIt := range map[string]func(*loadtest.Shop){
		"lost":  func(f *loadtest.Shop) { f.LoseOrder = true },
		"twice": func(f *loadtest.Shop) { f.Twice = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shop := loadtest.New(t, 0, 5*time.Millisecond)
				breakIt(shop)
				c := newTestCrowd(t, shop)
				if _, err := c.Run(t.Context(), Load{Users: 8, Duration: 20 * time.Second}); err != nil {
					t.Fatal(err)
				}
				inv, err := c.CheckOrders(t.Context())
				if err != nil || inv.Status != result.InvariantViolated {
					t.Errorf("got %+v, %v", inv, err)
				}
			})
		})
	}
}

// A closed loop of N users against c servers must show Little's law.
func TestClosedLoopKeepsItsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 5, 5*time.Millisecond)
		c := newTestCrowd(t, shop)
		step, err := c.Run(t.Context(), Load{Users: 20, Settle: 200 * time.Millisecond, Duration: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		inSystem := step.Throughput * step.Latency.MeanMS / 1000
		if math.Abs(inSystem-20) > 0.5 {
			t.Errorf("throughput x latency = %.1f users, want 20", inSystem)
		}
		if step.MissedSends != nil {
			t.Error("a closed loop has no missed sends")
		}
	})
}

// The shop stalls for a second in the middle of a run with a constant rate. Requests that were due
// meanwhile waited up to a second, whether or not the generator had managed to send them.
func TestOpenLoopCountsFromWhenRequestsWereDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 0)
		c := newTestCrowd(t, shop)
		if err := c.Prepare(t.Context(), 8, nil); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		shop.Stall = func() time.Duration {
			into := time.Since(began)
			if into > time.Second && into < 2*time.Second {
				return 2*time.Second - into
			}
			return 0
		}
		step, err := c.Run(t.Context(), Load{Rate: 100, Duration: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		// A third of the requests fell into the stall and waited 1000, 990, ... 10 ms: the 90th
		// percentile of all is the 70th of those, 700 ms.
		if p90 := step.Latency.P90MS; p90 < 685 || p90 > 715 {
			t.Errorf("p90 = %.0f ms, want about 700", p90)
		}
		if step.Latency.P50MS > 50 {
			t.Errorf("p50 = %.0f ms, want next to nothing", step.Latency.P50MS)
		}
		if step.Requests < 295 || step.Requests > 301 {
			t.Errorf("%d requests, want 300", step.Requests)
		}
		if *step.MissedSends > 10 {
			t.Errorf("%d missed sends", *step.MissedSends)
		}
	})
}

// The same with a generator that cannot send more than two requests at once: the delay in sending
// must count as latency and as missed sends, not vanish.
func TestALateGeneratorIsNotForgiven(t *testing.T) {
	l := Load{Rate: 100, Duration: time.Second}
	r := (&Crowd{}).runner(t.Context(), l)
	for i := range 100 {
		due := time.Duration(i) * 10 * time.Millisecond
		sent := due
		if i >= 50 {
			sent = due + 200*time.Millisecond
		}
		if i < 90 { // ten were never sent
			r.keep(sample{op: &opProduct, due: due, sent: sent, end: sent + time.Millisecond})
		}
	}
	step := r.counted(l, time.Now()).Step(l, DefaultObjective)
	if step.Latency.P95MS < 200 {
		t.Errorf("p95 = %.0f ms hides the generator's delay", step.Latency.P95MS)
	}
	if *step.MissedSends != 50 {
		t.Errorf("missed sends = %d, want 40 late and 10 never", *step.MissedSends)
	}
}

func TestErrorsAreCountedByKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, time.Millisecond)
		c := newTestCrowd(t, shop)
		if err := c.Prepare(t.Context(), 8, nil); err != nil {
			t.Fatal(err)
		}
		var n atomic.Int64
		shop.Fail = func(path string) int {
			if strings.HasPrefix(path, "/api/products/") && n.Add(1)%2 == 0 {
				return http.StatusServiceUnavailable
			}
			return 0
		}
		step, err := c.Run(t.Context(), Load{Users: 4, Duration: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if step.Errors["503 OVERLOADED"] != step.Failed || step.Failed == 0 || step.ObjectiveKept {
			t.Errorf("errors %v of %d failed, kept %v", step.Errors, step.Failed, step.ObjectiveKept)
		}
		if step.Goodput >= step.Throughput {
			t.Errorf("goodput %.0f of %.0f", step.Goodput, step.Throughput)
		}
	})
}

func TestADeadShopIsAnErrorOfEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 0)
		c := newTestCrowd(t, shop)
		if err := c.Prepare(t.Context(), 8, nil); err != nil {
			t.Fatal(err)
		}
		shop.Close()
		step, err := c.Run(t.Context(), Load{Rate: 50, Duration: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if step.ErrorRatio != 1 || step.ObjectiveKept || step.Goodput != 0 {
			t.Errorf("%+v", step)
		}
	})
}

func TestRunStopsWhenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 0)
		c := newTestCrowd(t, shop)
		if err := c.Prepare(t.Context(), 8, nil); err != nil {
			t.Fatal(err)
		}
		shop.Service = 5 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := c.Run(ctx, Load{Users: 4, Duration: time.Minute})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v to stop", took)
		}
	})
}

// A load that is broken off gives what was measured until then, at that length.
func TestABrokenOffLoadGivesWhatItMeasured(t *testing.T) {
	for name, l := range map[string]Load{
		"closed": {Users: 10, Settle: time.Second, Duration: time.Minute},
		"open":   {Rate: 100, Settle: time.Second, Duration: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shop := loadtest.New(t, 0, 5*time.Millisecond)
				c := newTestCrowd(t, shop)
				if err := c.Prepare(t.Context(), AccountsFor(l), nil); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
				defer cancel()
				step, err := c.Run(ctx, l)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("error %v", err)
				}
				if step.Seconds < 9.9 || step.Seconds > 10.1 || step.Latency == nil || step.Failed > 0 {
					t.Errorf("measured %g s, failed %d (%v)", step.Seconds, step.Failed, step.Errors)
				}
				// the one that is due as it ends
				if name == "open" && (step.Requests < 990 || step.Throughput < 99 || *step.MissedSends > 1) {
					t.Errorf("%d requests, %.1f a second, %d missed", step.Requests, step.Throughput, *step.MissedSends)
				}
				ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				if step, err = c.Run(ctx, l); err == nil || step.Requests > 0 {
					t.Errorf("while it settles nothing is measured: %+v, %v", step, err)
				}
			})
		})
	}
}

func TestLoadIsBounded(t *testing.T) {
	for _, l := range []Load{
		{Duration: time.Second},
		{Users: 1, Rate: 1, Duration: time.Second},
		{Users: MaxUsers + 1, Duration: time.Second},
		{Users: 1},
	} {
		if err := l.Check(); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
}

func newTestCrowd(t *testing.T, f *loadtest.Shop) *Crowd {
	t.Helper()
	c, info, err := NewCrowd(t.Context(), Options{URL: "http://shop.test", Dial: f.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if info.Stage != "fake" {
		t.Fatalf("info: %+v", info)
	}
	return c
}

// A shop that is too busy to answer may have made the account all the same.
func TestAnAccountThatABusyShopMadeIsSignedInTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 0)
		c := newTestCrowd(t, shop)
		var asked []string
		shop.Fail = func(path string) int {
			asked = append(asked, path)
			return map[int]int{1: http.StatusServiceUnavailable, 2: http.StatusConflict}[len(asked)]
		}
		if err := c.Prepare(t.Context(), 1, nil); err != nil {
			t.Fatal(err)
		}
		if want := []string{"/api/auth/register", "/api/auth/register", "/api/auth/login"}; !slices.Equal(asked, want) {
			t.Errorf("asked %v, want %v", asked, want)
		}
	})
}

// Users who think are not always under way: 100 who think a second and are answered in 100 ms send 91
// requests a second.
func TestUsersWhoThink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 100*time.Millisecond)
		c := newTestCrowd(t, shop)
		if err := c.Prepare(t.Context(), 60, nil); err != nil {
			t.Fatal(err)
		}
		step, err := c.Run(t.Context(), Load{
			Users: 100, Think: time.Second, Settle: 5 * time.Second,
			Duration: 30 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		if step.Throughput < 80 || step.Throughput > 95 || step.ThinkMS != 1000 {
			t.Errorf("%g requests a second, thinking %g ms: want about 90", step.Throughput, step.ThinkMS)
		}
	})
	for _, l := range []Load{
		{Rate: 5, Think: time.Second, Duration: time.Second},
		{Users: 5, Think: -1, Duration: time.Second},
		{Users: 1, Think: time.Hour, Duration: time.Second},
	} {
		if err := l.Check(); err == nil {
			t.Errorf("%+v can be sent", l)
		}
	}
}

// The users of a closed loop come one after the other in the first half of the time to settle.
func TestUsersRampUp(t *testing.T) {
	p := pace{ramp: time.Second, users: 10}
	for hits, want := range map[uint64]time.Duration{0: 0, 5: 500 * time.Millisecond, 9: 900 * time.Millisecond} {
		if wait, _ := p.Pace(0, hits); wait != want {
			t.Errorf("user %d comes after %s, want %s", hits, wait, want)
		}
	}
	if wait, _ := p.Pace(2*time.Second, 10); wait > 0 {
		t.Errorf("after the ramp a request waits %s", wait)
	}
}
