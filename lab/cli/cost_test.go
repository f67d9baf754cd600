package cli

import (
	"bytes"
	"encoding/json"
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
			// 17.5 million a month
			{Name: "small", Validity: validity, OpenLoop: &result.OpenLoop{RatePerSecond: result.Ptr(20.0)}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ results, want, note string }{
		{"", "small from 10k to 10G requests a month.", "Nothing was measured yet"},
		{invalid, "small from 10k to 10G requests a month.", "or is INVALID"},
		{measured, "small from 10k to 10M, then large from 21.5M to 10G requests a month.", measured},
	} {
		args := []string{"cost", small, large}
		if c.results != "" {
			args = append(args, "--results", c.results)
		}
		code, got, stderr := runLab(t, dir, args...)
		if code != 0 {
			t.Fatalf("exit status %d: %s", code, stderr)
		}
		if !strings.Contains(got, c.want) || !strings.Contains(got, c.note) {
			t.Errorf("want %q and %q in\n%s", c.want, c.note, got)
		}
	}
}

// runLab runs a command line in dir and returns its exit status and output.
func runLab(t *testing.T, dir string, args ...string) (int, string, string) {
	t.Helper()
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	oneAddress = `[{"type":"aws:ec2/eip:Eip","name":"a"}]`
	twoVolumes = `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3","size":100}},
		{"type":"aws:ebs/volume:Volume","name":"w","inputs":{"type":"gp3","size":50}}]`
	hiding = `{"steps":[],"changeSummary":{"same":40}}`
)

func TestCostCommand(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a/stack.json": oneAddress, "b/stack.json": twoVolumes, "hiding.json": hiding,
		"bucket.json": `[{"type":"aws:s3/bucket:Bucket","name":"b"}]`,
		"usage.yml": "version: 1\nresource_usage:\n  aws:s3/bucket:Bucket b: {storage_gb: 1000, monthly_tier_1_requests: " +
			"0, monthly_tier_2_requests: 0}\n",
		"typo.yml": "version: 1\nresource_usage:\n  aws:s3/bucket:Bucket c: {storage_gb: 1000}\n",
		"eu.json": `{"region":"eu-central-1","currency":"USD","date":"2027-01-01",
			"prices":{"ipv4/hour":{"usd":0.01,"unit":"hour"}}}`,
	})
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"cost a/stack.json b/stack.json --requests 0", "b/stack.json  $12.00", 0}, // two graphs never share a name
		{"cost a/stack.json a/stack.json", "a/stack.json is named twice", 1},
		{"cost hiding.json", "NOT THE WHOLE COST of hiding: the preview hides 40 resources", 0},
		{"cost hiding.json", "at least: a part of the stack only", 0},
		{"cost a/stack.json bucket.json", "bucket is priced in part only, and left out of the comparison.", 0},
		{"cost bucket.json", "storage_gb is not given in a usage file", 0},
		{"cost bucket.json --usage usage.yml", "s3/gb", 0},
		{"cost bucket.json --usage usage.yml", "$23.00", 0},
		{"cost bucket.json --usage typo.yml", "no graph has aws:s3/bucket:Bucket c", 1},
		{"cost a/stack.json --requests NaN", "--requests", 1},
		{"cost a/stack.json --requests Inf", "--requests", 1},
		{"cost a/stack.json --requests -1", "--requests", 1},
		{"cost a/stack.json --log-bytes 1e300", "--log-bytes", 1},
		{"cost a/stack.json --fail-above NaN", "--fail-above", 1},
		{"cost b/stack.json --fail-above 12", "$12.00", 0},
		{"cost b/stack.json --fail-above 11.99", "threshold missed: stack costs", 3},
		{"cost hiding.json --fail-above 100", "cannot be told", 1},
		{"cost --diff a/stack.json b/stack.json", "+8.35", 0},
		{"cost --diff a/stack.json b/stack.json --fail-above 10", "threshold missed", 3},
		{"cost --diff a/stack.json", "name two graphs", 1},
		{"cost a/stack.json --region eu-central-1", "--refresh", 1},
		{"cost a/stack.json --prices eu.json", "no price for", 0},
		{"cost a/stack.json --prices eu.json --prices eu.json", "two price tables of eu-central-1", 1},
		{"cost nothing.json", "no such file", 1},
		{"cost a/stack.json --cpu-from-results", "result.json", 1},
	} {
		code, stdout, stderr := runLab(t, dir, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("lab %s: exit status %d, want %d and %q in\n%s%s", c.args, code, c.code, c.want, stdout, stderr)
		}
	}
}

func TestCostReadsStandardInput(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout, stderr bytes.Buffer
	root := newRootCommand()
	root.SetArgs([]string{"cost", "-", "--json", "--requests", "0"})
	root.SetIn(strings.NewReader("\ufeff" + twoVolumes))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err, stderr.String())
	}
	var doc struct {
		Version   int
		Estimates []struct {
			Name       string
			Monthly    float64 `json:"monthly_usd"`
			LowerBound *bool   `json:"lower_bound"`
			Unknown    []string
			Lines      []struct{ USD float64 }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != 1 || len(doc.Estimates) != 1 {
		t.Fatalf("%s", stdout.String())
	}
	e := doc.Estimates[0]
	if e.Name != "stdin" || e.Monthly != 12 || e.LowerBound == nil || *e.LowerBound || e.Unknown == nil ||
		len(e.Lines) != 3 {
		t.Errorf("%+v", e)
	}
}

// The stages are found from a folder below the repository's, by name or all of them.
func TestCostWorksFromASubfolder(t *testing.T) {
	code, stdout, stderr := runLab(t, "../cost", "cost", "stage3")
	if code != 0 || !strings.Contains(stdout, "STAGE3") || strings.Contains(stdout, "STAGE2") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}
