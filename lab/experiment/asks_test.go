package experiment_test

import (
	"math"
	"testing"
	"time"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/process"
	"shoplab/lab/result"
	"shoplab/lab/target/local"
)

// Each operation asks the database as often as load.Asks says, which forecasts count on: counted on a real shop, errand
// by errand.
func TestOperationsAskAsOftenAsDeclared(t *testing.T) {
	if testing.Short() {
		t.Skip("brings a real twin up")
	}
	if _, err := process.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed: apt-get install nginx-light")
	}
	at, err := local.New(t.Context(), "../..", nil)
	if err != nil {
		t.Fatal(err)
	}
	site, err := at.Up(t.Context(), "stage1")
	if err != nil {
		t.Fatal(err)
	}
	settings := result.Settings{Users: []int{2}, SearchSeconds: 2, WarmUpSeconds: 1, Objective: load.DefaultObjective}
	b := experiment.NewBench(site, settings, func(text string) { t.Log(text) })
	defer func() {
		if err := b.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := b.Gather(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, flow := range load.Flows() {
		if flow == "search" {
			continue // asks once for each word, and how many requests that is among depends on the machine
		}
		step, err := b.Measure(t.Context(), load.Load{
			Purpose: result.PurposeCalibration, Users: 2, Flow: flow, Settle: time.Second, Duration: 4 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		want, requests := 0.0, 0.0
		for _, o := range step.Operations {
			want, requests = want+float64(load.Asks(o.Name).Trips*o.Requests), requests+float64(o.Requests)
		}
		got := 0.0
		for _, u := range step.Usage {
			if u.Resource == result.ResourceRoundTrips {
				got += u.Mean * step.Seconds
			}
		}
		// The shop's own rounds ask now and then, and seconds of the load and of the metrics do not begin together.
		if math.Abs(got-want) > .25*want+.06*requests+20 {
			t.Errorf("%s: %.0f requests asked %.0f times, declared are %.0f", flow, requests, got, want)
		}
	}
}
