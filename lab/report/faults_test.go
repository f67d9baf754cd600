package report

import (
	"bytes"
	"strings"
	"testing"

	"shoplab/lab/result"
)

// faulty is an invented result of faults: one stage that can be trusted, one that cannot, one that lost an order.
func faulty() result.Result {
	run := func(missed, failed float64) result.FaultyRun {
		return result.FaultyRun{
			MissedSeconds: missed, FailedRequests: failed, ReconciledSeconds: result.Ptr(12.0),
			Orders: result.Orders{Acknowledged: 9, Charged: 9},
		}
	}
	lost := run(5, 7)
	lost.Orders.Lost = 1
	stage := func(name string, runs ...result.FaultyRun) result.FaultyStage {
		return result.FaultyStage{
			Name: name, Topology: "single", Detection: "at once", Replacement: "by systemd", MonthlyUSD: result.Ptr(11.5),
			SinglePoints:            []result.SinglePoint{{Part: "a server", Resource: "server"}},
			UnavailableSecondsAYear: result.Ptr(36000.0),
			CapacityPerSecond:       result.Ptr(600.0), RatePerSecond: result.Ptr(300.0),
			Faults: []result.Fault{
				{Name: "instance killed", What: "SIGKILL", RatePerYear: 2, Assumed: []string{"boot of a server"}, Runs: runs},
				{Name: "proxy restarts", RatePerYear: 1, Skipped: "AWS runs it"},
				{Name: "no webhooks", What: "dropped", RatePerYear: 4},
			},
		}
	}
	noisy := stage("stage2", run(4, 40))
	noisy.Validity = &result.Validity{Reasons: []string{"others took the machine"}}
	broken := stage("stage3", lost)
	broken.Validity = noisy.Validity
	return result.Result{Faults: &result.Faults{
		Assumptions: []result.Assumption{
			{Name: "boot of a server", Value: 120, Unit: "s", Source: "somebody"}, {Name: "unused", Value: 1, Unit: "s"},
		},
		Stages: []result.FaultyStage{stage("stage1", run(60, 1000), run(40, 800), run(50, 900)), noisy, broken},
	}}
}

func TestFaultsSection(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, faulty()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"50 (40-60) s, 900 (800-1000) failed, 0 lost (assumed: boot of a server)",
		"| 5 s, 7 failed, 1 lost |", // a broken promise shows on a noisy machine too
		"AWS runs it", "$11.50", "10.0 h", "99.886%", "1: a server", "300 requests a second of 600",
		"| boot of a server | 120 s | somebody |", "2 on stage1, 2 on stage2, 2 on stage3 a year",
		"the books knew of every charge 12 s after",
		"INVALID: others took the machine",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	row := ""
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "| instance killed |") {
			row = line
		}
	}
	if strings.Count(row, invalid) != 1 || strings.Contains(row, "40 failed") {
		t.Errorf("a stage that is not valid shows numbers: %s", row)
	}
	if strings.Contains(text, "| unused |") {
		t.Error("an assumption that nothing rests on is shown")
	}
	if got := len(faultsSection(merge([]result.Result{sample()})).Blocks); got != 0 {
		t.Errorf("a result without faults has %d blocks of them", got)
	}
}

// A stage that was broken on AWS stands beside the one that was broken here.
func TestFaultsOnAWSBesideThoseHere(t *testing.T) {
	there, emulated := faulty(), faulty()
	there.Target, emulated.Target = result.TargetAWS, result.TargetAWS
	for i := range emulated.Faults.Stages {
		emulated.Faults.Stages[i].Labels = []string{result.LabelTwinBed}
	}
	stages, _ := faultyStages(merge([]result.Result{faulty(), there, emulated}))
	var names []string
	for _, st := range stages {
		names = append(names, st.Name)
	}
	if len(names) != 9 || names[0] != "stage1" || names[1] != "stage1 ("+result.LabelTwinBed+")" ||
		names[2] != "stage1 on AWS" {
		t.Errorf("the stages are %q", names)
	}
}
