package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/lab/result"
)

// The cheap graph is the cheapest as far as it was measured to carry the traffic.
func TestCostSaysWhichIsTheCheapestAtWhichTraffic(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const address = `{"type":"aws:ec2/eip:Eip","name":"x","inputs":{}}`
	small, large := write("small.json", "["+address+"]"), write("large.json", "["+address+","+address+"]")
	measured, invalid := filepath.Join(dir, "result.json"), filepath.Join(dir, "invalid.json")
	for file, validity := range map[string]*result.Validity{measured: {Valid: true}, invalid: {}} {
		if err := result.WriteFile(file, result.Result{Version: result.Version, Stages: []result.Stage{
			{Name: "small", Validity: validity, OpenLoop: &result.OpenLoop{RatePerSecond: result.Ptr(20.0)}}, // 17.5 million a month
		}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ results, want, note string }{
		{filepath.Join(dir, "none.json"), "small from 10k to 10G requests a month.", "Nothing was measured yet"},
		{invalid, "small from 10k to 10G requests a month.", "or is INVALID"},
		{measured, "small from 10k to 10M, then large from 21.5M to 10G requests a month.", measured},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"cost", small, large, "--results", c.results}, &stdout, &stderr); code != 0 {
			t.Fatalf("exit status %d: %s", code, stderr.String())
		}
		if got := stdout.String(); !strings.Contains(got, c.want) || !strings.Contains(got, c.note) {
			t.Errorf("want %q and %q in\n%s", c.want, c.note, got)
		}
	}
}
