package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoplab/lab/result"
)

// saved writes a result of a stage whose requests take 0.5 ms of the service and 0.3 of the database.
func saved(t *testing.T) string {
	t.Helper()
	st := result.Stage{Name: "stage3", Topology: "fargate", Config: result.Config{
		DatabaseClass: "db.t4g.micro", CacheNodeType: "cache.t4g.micro", Instances: result.Ptr(2),
		MaxInstances: result.Ptr(8),
		CPUUnits:     result.Ptr(256), PoolPerInstance: result.Ptr(4), DatabaseConnections: result.Ptr(79),
	}}
	for _, x := range []float64{50, 100, 200, 300, 400} {
		st.Steps = append(st.Steps, result.Step{
			Purpose: result.PurposeRate, Rate: x, Throughput: x, Requests: 1000,
			Usage: []result.Usage{
				{Resource: result.ResourceInstanceCPU, Unit: "cores", Mean: .01 + x*.0005},
				{Resource: result.ResourceDBCPU, Unit: "cores", Mean: x * .0003},
			},
		})
	}
	file := filepath.Join(t.TempDir(), "result.json")
	if err := result.WriteFile(file, result.Result{Version: result.Version, Stages: []result.Stage{st}}); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestForecast(t *testing.T) {
	file := saved(t)
	for args, want := range map[string][]string{
		"": {
			"stage3", "did not validate", "no changed twin was measured", "connection pool at x5.3", "Assumed:", "no price",
		},
		"--rate 1500":                  {"1500 requests a second take 4 instance(s)"},
		"--rate 90000":                 {"are too many for it"},
		"--users 3000 --think 5s":      {"5s", "requests a second take 2 instance(s)"},
		"--what-if cpu=2048,pool=16":   {"shop-1 at x1.2"}, // now the database is first
		"--what-if instanceType=t2.xl": {"the size of"},
		"--what-if colour=red":         {"want KEY=VALUE"},
		"--what-if cpu=none":           {"a positive number"},
		"--users 3 --rate 3":           {"either --users or --rate"},
		"--rate -1":                    {"from 0 on"},
	} {
		var stdout, stderr bytes.Buffer
		began := time.Now()
		code := Run(t.Context(), append([]string{"forecast", "--results", file}, strings.Fields(args)...), &stdout, &stderr)
		for _, w := range want {
			if !strings.Contains(stdout.String()+stderr.String(), w) {
				t.Errorf("forecast %s: %q is missing in (exit status %d)\n%s%s", args, w, code, stdout.String(), stderr.String())
			}
		}
		t.Logf("forecast %s: %s", args, time.Since(began).Round(time.Millisecond))
	}
	var stdout, stderr bytes.Buffer
	if code := Run(t.Context(), []string{"forecast", "--results", "none.json"}, &stdout, &stderr); code != 1 ||
		!strings.Contains(stderr.String(), "lab run") {
		t.Errorf("exit status %d, %s", code, stderr.String())
	}
}
