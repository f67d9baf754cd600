package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
)

// The test's program is a shard when it is told so.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Command {
		if err := ServePipe(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func gather(t *testing.T, n int, url string) *Fleet {
	t.Helper()
	g, info, err := Processes{N: n}.Gather(t.Context(), load.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	if info.Topology != "single" || info.RoundTripMS == nil {
		t.Errorf("info %+v", info)
	}
	return g.(*Fleet)
}

// Three processes hold a load together: it is sent whole, counted once, and every order is read back.
func TestProcessesShareALoad(t *testing.T) {
	f := gather(t, 3, loadtest.Serve(t, 0, 5*time.Millisecond))
	for _, l := range []load.Load{
		{Purpose: result.PurposeLoad, Rate: 90, Settle: 500 * time.Millisecond, Duration: 4 * time.Second},
		{Purpose: result.PurposeLoad, Users: 8, Settle: 500 * time.Millisecond, Duration: 2 * time.Second},
		{Purpose: result.PurposeLoad, Users: 1, Duration: time.Second}, // two have nothing to do
	} {
		if err := f.PrepareFor(t.Context(), l, nil); err != nil {
			t.Fatal(err)
		}
		step, err := f.Run(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		sum, cpu := 0, 0.0
		for i, g := range step.Shards {
			if g.Shard != fmt.Sprintf("%d of 3", i+1) || g.Error != "" || g.StartLateMS == nil {
				t.Errorf("shard %+v", g)
			}
			sum += g.Requests
			if g.CPU != nil {
				cpu += *g.CPU
			}
		}
		if l.Rate > 0 && step.Requests != 360 { // those of the seconds that were measured, whenever answered
			t.Errorf("%d requests, want 360", step.Requests)
		}
		if step.Requests == 0 || step.Requests != sum || step.Failed > 0 || step.Latency.Histogram.Count() != sum ||
			step.Users != l.Users {
			t.Errorf("%d requests, %d of the shards, %d failed (%v)", step.Requests, sum, step.Failed, step.Errors)
		}
		if step.GeneratorCPU == nil || math.Abs(*step.GeneratorCPU-cpu) > 1e-9 || l.Users != 1 &&
			*step.GeneratorAllowance < 3 {
			t.Errorf("CPU %v of %v, want the sum of the shards, %g", step.GeneratorCPU, step.GeneratorAllowance, cpu)
		}
		if want := int(l.Duration / time.Second); len(step.Series.Lines[0].Values) != want {
			t.Errorf("%d seconds, want %d", len(step.Series.Lines[0].Values), want)
		}
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	inv, err := f.CheckOrders(t.Context())
	if err != nil || inv.Status != result.InvariantHeld {
		t.Errorf("%+v, %v", inv, err)
	}
}

// A shard that is killed while it sends ends the load and leaves its mark in the step; the others' part is kept, and
// nothing more can be asked of the fleet.
func TestAShardThatDies(t *testing.T) {
	f := gather(t, 2, loadtest.Serve(t, 0, 5*time.Millisecond))
	l := load.Load{Purpose: result.PurposeLoad, Users: 8, Duration: time.Hour, StartAt: time.Now().Add(time.Second)}
	time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(f.PIDs()[1], syscall.SIGKILL) })
	step, err := f.Run(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if step.Requests == 0 || step.Seconds > 600 || step.Shards[0].Error != "" ||
		!strings.Contains(step.Shards[1].Error, "shard 2 of 2: signal: killed") {
		t.Errorf("%d requests, shards %+v", step.Requests, step.Shards)
	}
	_, ran := f.Run(t.Context(), l)
	_, checked := f.CheckOrders(t.Context())
	for _, err := range []error{ran, checked, f.PrepareFor(t.Context(), l, nil)} {
		if !errors.Is(err, ErrGone) {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// What was measured until Ctrl-C comes with it, and no process is left.
func TestABrokenOffLoadOfShards(t *testing.T) {
	f := gather(t, 2, loadtest.Serve(t, 0, 5*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	l := load.Load{
		Purpose: result.PurposeLoad, Users: 8, Duration: time.Hour,
		StartAt: time.Now().Add(500 * time.Millisecond),
	}
	time.AfterFunc(2*time.Second, cancel)
	step, err := f.Run(ctx, l)
	if !errors.Is(err, context.Canceled) || step.Requests == 0 || step.Seconds < .5 || step.Seconds > 60 ||
		step.Failed > 0 {
		t.Errorf("%v; %d requests in %g s, %d failed", err, step.Requests, step.Seconds, step.Failed)
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Errorf("the shards are there still: %v", err)
	}
	f.Close()
	for _, pid := range f.PIDs() {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestShardsThatCannotBe(t *testing.T) {
	for name, p := range map[string]Processes{
		"exit status 3: boom":    {N: 2, Program: "/bin/sh", Args: []string{"-c", "echo boom >&2; exit 3"}},
		"no such file":           {N: 2, Program: "/nowhere/lab"},
		"connect: connection re": {N: 2},
	} {
		_, _, err := p.Gather(t.Context(), load.Options{URL: "http://127.0.0.1:1"})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

// Orders that make no sense are answered with an error, and the shard goes on.
func TestOrdersThatMakeNoSense(t *testing.T) {
	orders, answers := make(chan Order), []Answer{}
	done := make(chan error)
	go func() {
		done <- Serve(t.Context(), orders, func(a Answer) error { answers = append(answers, a); return nil })
	}()
	for i, do := range []string{doRun, doStop, "dance", doGather} {
		orders <- Order{ID: i, Do: do}
	}
	close(orders)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Error == "" {
			t.Errorf("%+v", a)
		}
	}
}
