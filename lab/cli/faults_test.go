package cli

import (
	"bytes"
	"strings"
	"testing"

	"shoplab/lab/result"
)

// What cannot be meant is refused before anything is started, and says what to do.
func TestFaultsAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"faults --config shoplab:https=off":                                            "change stacks on AWS",
		"faults --new-image a@sha256:b":                                                "change stacks on AWS",
		"faults --target aws --new-image a@sha256:b":                                   "--config shoplab:image=IMAGE",
		"faults --target aws --config shoplab:image=a@sha256:b":                        "has to be named: --new-image",
		"faults --target aws --config image":                                           "want KEY=VALUE",
		"faults --target aws --config shoplab:image=a@sha256:b --new-image a@sha256:b": "follows another image",
		"faults --target moon":                                                         "want local",
		"faults stage9":                                                                `stage "stage9"`,
		"faults --fault sunshine":                                                      "want one of instance killed",
		"faults --repeats 0":                                                           "want 1 to 20",
		"faults --longest-wait -1s":                                                    "0s, which keeps all in full",
		"faults --rate -5":                                                             "-5 requests a second",
		"faults stage1 --stages stage2":                                                "without --stages",
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), strings.Fields(args), &stdout, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("lab %s: exit status %d, %q; want 1 and %q", args, code, stderr.String(), want)
		}
	}
}

// The table says what its columns mean, what it rests on, and why something was not inflicted.
func TestFaultsArePrinted(t *testing.T) {
	f := result.Faults{
		Assumptions: []result.Assumption{
			{Name: "boot of a server", Value: 120, Unit: "s", Source: "somebody"}, {Name: "unused", Value: 1, Unit: "s"},
		},
		Stages: []result.FaultyStage{{
			Name: "stage2", Topology: "balanced", RatePerSecond: result.Ptr(300.0), CapacityPerSecond: result.Ptr(600.0),
			Validity: &result.Validity{Valid: true}, UnavailableSecondsAYear: result.Ptr(7200.0),
			Faults: []result.Fault{
				{Name: "instance killed", Assumed: []string{"boot of a server"}, Runs: []result.FaultyRun{{MissedSeconds: 12}}},
				{Name: "proxy restarts", Skipped: "AWS runs it"},
				{Name: "a zone is gone"},
			},
		}},
	}
	var out bytes.Buffer
	if err := printFaults(&out, f); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"stage2 (balanced), at 300 requests a second of the 600 that it can answer\n", "missed for 2.0 hours a year",
		"not inflicted: AWS runs it\n", "not inflicted: the stage was given up before\n",
		"OBJECTIVE MISSED: for how long more than 1%", "ASSUMED: boot of a server: 120 s (somebody)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "unused") {
		t.Errorf("an assumption that nothing rests on is printed:\n%s", out.String())
	}
}
