package faults

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"shoplab/lab/process"
	"shoplab/lab/result"
)

// gentle is a plan that does not ask for speed: what is tested is that every fault is inflicted, found and mended, and
// that nothing is lost, also where other tests have the machine.
func gentle(t *testing.T, name string, faults ...string) Plan {
	t.Helper()
	return Plan{
		Root: "../..", Stages: []string{name}, Faults: faults, Repeats: 1, Longest: 500 * time.Millisecond, Rate: 15,
		Say:       func(text string) { t.Log(text) },
		objective: result.Objective{P95MS: 9000, MaxErrorRatio: .2}, steady: time.Second, within: time.Minute,
	}
}

// inflicted runs a plan and checks what must hold whatever the machine is doing.
func inflicted(t *testing.T, p Plan) result.FaultyStage {
	t.Helper()
	if testing.Short() {
		t.Skip("breaks a real twin, which takes a minute")
	}
	if _, err := process.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed: apt-get install nginx-light")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	res, err := Run(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := Broken(*res.Faults); err != nil {
		t.Error(err)
	}
	st := res.Faults.Stages[0]
	for _, note := range st.Notes {
		t.Log(note)
	}
	for _, inv := range st.Invariants {
		if inv.Status != result.InvariantHeld {
			t.Errorf("%s: %s: %s", inv.Name, inv.Status, inv.Detail)
		}
	}
	if len(st.Invariants) == 0 {
		t.Error("the shop's books were not audited")
	}
	for _, f := range st.Faults {
		if f.Skipped == "" && len(f.Runs) != p.Repeats {
			t.Errorf("%s was inflicted %d times, want %d", f.Name, len(f.Runs), p.Repeats)
		}
		for _, r := range f.Runs {
			if r.Step == nil || r.Step.Requests == 0 {
				t.Errorf("%s: nothing was asked meanwhile", f.Name)
			}
			if r.ReconciledSeconds == nil {
				t.Errorf("%s: the books do not agree: %+v", f.Name, r.Orders)
			}
		}
	}
	if _, err := json.Marshal(res); err != nil {
		t.Errorf("the result is no JSON: %v", err)
	}
	return st
}

// failedIn says which faults had requests fail.
func failedIn(st result.FaultyStage) (names []string) {
	for _, f := range st.Faults {
		if len(f.Runs) > 0 && f.Runs[0].FailedRequests > 0 {
			names = append(names, f.Name)
		}
	}
	return names
}

// Every fault is inflicted once on the smallest twin. What takes away the only one of something lasts until it is felt;
// what the shop does without is not asserted to be unfelt, for a busy machine is felt too.
func TestEveryFaultOnTheSmallestTwin(t *testing.T) {
	t.Parallel()
	p := gentle(t, "stage1")
	p.untilFelt = true
	st := inflicted(t, p)
	felt := failedIn(st)
	for _, name := range []string{killed.name, hangs.name, deploy.name, proxyGone.name, zoneGone.name} {
		if !slices.Contains(felt, name) {
			t.Errorf("%s: there is one of it, and no request failed", name)
		}
	}
	if st.UnavailableSecondsAYear == nil || st.MonthlyUSD == nil || len(st.SinglePoints) != 2 {
		t.Errorf("unavailable %v a year, %v a month, single points %v", st.UnavailableSecondsAYear, st.MonthlyUSD,
			st.SinglePoints)
	}
}

// busy are the errors that a machine with too much to do makes without any fault.
var busy = []string{"timeout", "no answer", "503 OVERLOADED", "payment not settled"}

// What a load balancer, a group and the mesh replace comes back, and a rolling deploy fails
// nobody.
func TestInstancesAreReplaced(t *testing.T) {
	for _, name := range []string{"stage2", "stage3", "stage4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := gentle(t, name, killed.name, deploy.name)
			p.Longest = 2 * time.Second // a busy machine is late for a check that may take half a second
			st := inflicted(t, p)
			if st.UnavailableSecondsAYear != nil {
				t.Error("two faults of all are no year")
			}
			for _, f := range st.Faults {
				for kind, n := range f.Runs[0].Errors {
					if f.Name == deploy.name && !slices.Contains(busy, kind) {
						t.Errorf("a rolling deploy failed %d requests: %s", n, kind)
					}
				}
			}
		})
	}
}

// A function's execution environments are killed, hang, and are replaced, and a new version fails nobody.
func TestAFunctionIsBroken(t *testing.T) {
	t.Parallel()
	p := gentle(t, "stage5", killed.name, hangs.name, deploy.name, zoneGone.name)
	p.untilFelt = true
	st := inflicted(t, p)
	felt := failedIn(st)
	for _, name := range []string{killed.name, hangs.name, zoneGone.name} {
		if !slices.Contains(felt, name) {
			t.Errorf("%s: no request failed, and it lasted until one had", name)
		}
	}
	for kind, n := range st.Faults[2].Runs[0].Errors {
		if !slices.Contains(busy, kind) && kind != "503" { // it starts cold: on a busy machine all concurrency is in use
			t.Errorf("a new version failed %d requests: %s", n, kind)
		}
	}
}

// Ctrl-C while an instance hangs stops everything, the instance too.
func TestInterruptedRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real twin")
	}
	if _, err := process.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed: apt-get install nginx-light")
	}
	t.Parallel()
	p := gentle(t, "stage1", hangs.name)
	p.Longest = 0 // it hangs for as long as nobody looks
	ctx, cancel := context.WithCancel(t.Context())
	p.Say = func(text string) {
		t.Log(text)
		if strings.Contains(text, hangs.name) {
			time.AfterFunc(5*time.Second, cancel)
		}
	}
	res, err := Run(ctx, p)
	if !errors.Is(err, context.Canceled) || res.Incomplete == "" {
		t.Errorf("error %v, incomplete %q", err, res.Incomplete)
	}
}
