package experiment

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
	"shoplab/lab/watch"
)

// What was measured until Ctrl-C is kept, and says that it is a part.
func TestALoadThatIsInterruptedKeepsWhatItMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 0, 5*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begun := make(chan struct{})
		go func() {
			<-begun
			time.Sleep(9 * time.Second) // virtual: one second settles, eight are measured
			cancel()
		}()
		say := func(what string) {
			if what == "load: 5 users for 60 s" {
				close(begun)
			}
		}
		res, err := Load(ctx, load.Here{}, load.Options{URL: "http://shop.test", Dial: shop.Dial},
			load.Load{Purpose: result.PurposeLoad, Users: 5, Settle: time.Second, Duration: time.Minute}, say)
		if !errors.Is(err, context.Canceled) || len(res.Stages) != 1 {
			t.Fatalf("%v, %d stages", err, len(res.Stages))
		}
		st := res.Stages[0]
		if res.Incomplete != "interrupted after 8.0 of 60 s" || len(st.Steps) != 1 || st.Steps[0].Requests == 0 ||
			st.Steps[0].Failed > 0 {
			t.Errorf("%q, %+v", res.Incomplete, st.Steps)
		}
		for _, inv := range st.Invariants {
			if inv.Name == load.InvariantOrders && inv.Status != result.InvariantNotChecked {
				t.Errorf("orders were not read back, and are %s", inv.Status)
			}
		}
	})
}

// cutShort is a generator that lost a part of itself at once.
type cutShort struct{ load.Generator }

func (cutShort) Lead() time.Duration { return 0 }
func (cutShort) Run(_ context.Context, l load.Load) (result.Step, error) {
	return result.Step{Seconds: l.Duration.Seconds() / 100}, nil
}

// Where a load ends early without an interruption, nobody goes on watching until it would have ended.
func TestNobodyWatchesALoadThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		probe := func(context.Context) []watch.Reading { return nil }
		if _, err := measure(t.Context(), cutShort{}, []watch.Probe{probe},
			load.Load{Users: 1, Duration: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
