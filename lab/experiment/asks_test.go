package experiment_test

import (
	"fmt"
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
		// On a machine that is busy with something else the seconds of the load and of the metrics drift apart. What is
		// declared wrongly is off each time.
		for tries := 1; ; tries++ {
			off := asked(t, b, flow)
			if off == "" {
				break
			}
			if tries == 3 {
				t.Error(off)
				break
			}
			t.Log(off, "once more")
		}
	}
}

// asked measures a flow, and says by how much what it asked of the database is off what is declared.
func asked(t *testing.T, b *experiment.Bench, flow string) string {
	t.Helper()
	step, err := b.Measure(t.Context(), load.Load{
		Purpose: result.PurposeCalibration, Users: 2, Flow: flow, Settle: time.Second, Duration: 4 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	want, requests, got := 0.0, 0.0, 0.0
	for _, o := range step.Operations {
		want, requests = want+float64(load.Asks(o.Name).Trips*o.Requests), requests+float64(o.Requests)
	}
	for _, u := range step.Usage {
		if u.Resource == result.ResourceRoundTrips {
			got += u.Mean * step.Seconds
		}
	}
	// The shop's own rounds ask now and then.
	if math.Abs(got-want) <= .25*want+.06*requests+20 {
		return ""
	}
	return fmt.Sprintf("%s: %.0f requests asked %.0f times, declared are %.0f", flow, requests, got, want)
}
