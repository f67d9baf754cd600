package load

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
)

// However many generators share a load: every user is one of theirs, and their requests are due when those of one
// generator would be.
func TestPartsAreExactlyTheLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.IntRange(1, 9).Draw(t, "of")
		users := rapid.IntRange(0, MaxUsers).Draw(t, "users")
		rate := rapid.Float64Range(1, MaxRate).Draw(t, "rate")
		n := rapid.IntRange(0, 500).Draw(t, "requests")
		whole := paceOf(Load{Rate: rate})
		var want, got []time.Duration
		for i := range of * n {
			want = append(want, whole.due(uint64(i)))
		}
		w := window{time.Millisecond, whole.due(uint64(of * n))}
		sum, planned := 0, 0
		for i := range of {
			part := Part{i, of}
			sum += part.users(users)
			p := paceOf(Load{Rate: rate, Part: part})
			planned += p.planned(w)
			for seq := range n {
				got = append(got, p.due(uint64(seq)))
			}
			if share := part.users(users); share < users/of || share > users/of+1 {
				t.Fatalf("part %d of %d has %d of %d users", i, of, share, users)
			}
		}
		slices.Sort(got)
		if sum != users || !slices.Equal(got, want) {
			t.Fatalf("%d of %d users; due %v, want %v", sum, users, got, want)
		}
		if w.to > w.from && planned != whole.planned(w) {
			t.Fatalf("%d planned, want %d", planned, whole.planned(w))
		}
	})
}

// Three crowds that each send their part see what one crowd sees, once their tallies are merged.
func TestMergedTalliesAreOneStep(t *testing.T) {
	for name, l := range map[string]Load{
		"closed": {Users: 20, Settle: time.Second, Duration: 10 * time.Second},
		"open":   {Rate: 200, Settle: time.Second, Duration: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shop := loadtest.New(t, 5, 20*time.Millisecond)
				l.StartAt = time.Now().Add(time.Minute)
				tallies := make([]*Tally, 3)
				var g errgroup.Group
				for i := range tallies {
					c := newTestCrowd(t, shop)
					if err := c.Prepare(t.Context(), 20, nil); err != nil {
						t.Fatal(err)
					}
					part := l
					part.Part = Part{i, len(tallies)}
					g.Go(func() (err error) {
						tallies[i], err = c.Tally(t.Context(), part)
						return err
					})
				}
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
				all := &Tally{Operations: map[string]*Outcome{}}
				requests := 0
				for _, one := range tallies {
					all.Merge(*one)
					requests += one.Generator.Requests
					if *one.Generator.StartLateMS > 1 {
						t.Errorf("began %g ms late", *one.Generator.StartLateMS)
					}
				}
				step := all.Step(l, DefaultObjective)
				// Five servers of 20 ms: 250 a second at most, and 20 users wait 80 ms each.
				want := 250.0
				if l.Rate > 0 {
					want = 200
				}
				if math.Abs(step.Throughput-want) > want/50 || step.Requests != requests || step.Seconds != 10 ||
					len(step.Series.Lines[0].Values) != 10 {
					t.Errorf("%g a second, %d of %d requests, %g s", step.Throughput, step.Requests, requests, step.Seconds)
				}
				if l.Users > 0 && math.Abs(step.Latency.P50MS-80) > 2 {
					t.Errorf("p50 %g ms, want 80", step.Latency.P50MS)
				}
				if l.Rate > 0 && (*step.MissedSends > 0 || step.Requests != 2000) {
					t.Errorf("%d missed of %d", *step.MissedSends, step.Requests)
				}
				if !step.StartedAt.Equal(l.StartAt.Add(l.Settle)) || step.Latency.Histogram == nil {
					t.Errorf("started at %s, want %s", step.StartedAt, l.StartAt.Add(l.Settle))
				}
				seconds := 0.0
				for _, v := range step.Series.Lines[1].Values {
					seconds += *v
				}
				if math.Abs(seconds-step.Throughput*step.Seconds) > .5 {
					t.Errorf("the seconds add up to %g", seconds)
				}
			})
		})
	}
}

// With fewer users than generators some send nothing, and that is no error.
func TestAPartWithoutUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCrowd(t, loadtest.New(t, 0, time.Millisecond))
		got, err := c.Tally(t.Context(), Load{Users: 1, Duration: time.Second, Part: Part{0, 2}})
		if err != nil || got.Generator.Requests != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		if step := got.Step(Load{Users: 1}, DefaultObjective); step.Latency != nil || step.ObjectiveKept ||
			step.Purpose != result.Purpose("") {
			t.Errorf("%+v", step)
		}
	})
}
