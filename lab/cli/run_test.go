package cli

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
)

func TestMeasuringCommandsRefuseWhatTheyCannotDo(t *testing.T) {
	for args, want := range map[string]string{
		"run --stages stage9": "stage9",
		"run --users 0":       "--users",
		"run --repeats 0":     "--repeats",
		"run --shards 0":      "--shards",

		"load --url http://127.0.0.1:1 --shards 65":          "--shards",
		"load --url http://127.0.0.1:1 --users 5 --shards 2": "connection refused",

		"run --target moon":             "local or aws",
		"load":                          "url",
		"load --url ftp://shop.example": "want http",
		"load --url http://127.0.0.1:1 --rate NaN":         "--rate",
		"load --url http://127.0.0.1:1 --rate 0":           "--rate",
		"load --url http://127.0.0.1:1 --users 0":          "--users",
		"load --url http://127.0.0.1:1 --fail-if p95=fast": "--fail-if",
		"load --url http://user:hunter2@127.0.0.1:1": "leave them out and type " +
			"http://127.0.0.1:1",
		"load --url http://127.0.0.1:1/?a=b":                                           "type http://127.0.0.1:1/",
		"run stage1 --stages stage2":                                                   "--stages",
		"sweep stage1 --stage stage2":                                                  "--stage",
		"sweep stage9":                                                                 "no stage",
		"load --url http://127.0.0.1:1 --duration 2h":                                  "--duration",
		"load --url http://127.0.0.1:1 --users 5 --rate 5":                             "either",
		"load --url http://127.0.0.1:1 --users 5":                                      "connection refused",
		"load --url http://127.0.0.1:1 --out run.go":                                   "not a directory",
		"load --url http://127.0.0.1:1 --generator aws":                                "--target aws too",
		"load --url http://127.0.0.1:1 --target aws --region us-east-1":                "on this machine",
		"load --url http://shop.example --target aws --region us-east-1 --users 70000": "70 load generators",
		"load --url http://shop.example --target moon":                                 "want aws",
		"run --generator aws":                                                          "--target aws too",
		"run --generator moon":                                                         "here or aws",
		"findings weather":                                                             "weather",
		"findings index --out run.go":                                                  "not a directory",
		"run --out run.go":                                                             "not a directory",
		"findings index --repeats 100":                                                 "--repeats",
	} {
		t.Run(args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := Run(t.Context(), append(strings.Fields(args), tempOut(args, t)...), &stdout, &stderr)
			if code != 1 || !strings.Contains(stderr.String(), want) {
				t.Errorf("exit status %d, stderr %q: want %q", code, stderr.String(), want)
			}
		})
	}
}

// tempOut keeps a command's files out of the repository.
func tempOut(args string, t *testing.T) []string {
	if strings.HasPrefix(args, "run") && !strings.Contains(args, "--out") {
		return []string{"--out", t.TempDir()}
	}
	return nil
}

func TestPrintStep(t *testing.T) {
	var out bytes.Buffer
	err := printStep(&out, result.Stage{
		Steps: []result.Step{{
			Requests: 100, Failed: 2, ErrorRatio: .02, Throughput: 10, Orders: 3, Errors: map[string]int{"timeout": 2},
			MissedSends: result.Ptr(7),
			Latency:     &result.Latency{P50MS: 12, P95MS: 34, P99MS: 56, MaxMS: 78},
			Operations:  []result.Operation{{Name: "search", Requests: 40}},
		}},
		Invariants: []result.Invariant{{Rule: "nothing is lost", Status: result.InvariantHeld, Detail: "3 orders"}},
		Validity:   &result.Validity{Reasons: []string{"the machine was busy"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"search", "34.0", "2.00% failed", "3 orders paid", "timeout: 2", "7 requests left", "nothing is lost: held",
		"INVALID: the machine was busy",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestPrintFinding(t *testing.T) {
	var out bytes.Buffer
	printFinding(&out, result.Finding{
		Name: "pool", Status: result.FindingNotReproduced, Claim: "it was the pool", Conclusion: "Not reproduced.",
		Comparisons: []result.Comparison{{
			Measure: "goodput", Unit: "1/s", Before: result.Case{Label: "25", Median: result.Ptr(10.0)},
			After: result.Case{Label: "9"},
		}},
	})
	for _, want := range []string{"pool: not reproduced", "it was the pool", "10.00 1/s (25) -> not measured (9)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// Nothing is asked of a shop for a load that is then refused.
func TestLoadIsCheckedBeforeTheShopIsTouched(t *testing.T) {
	touched := 0
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		touched++
		_, _ = w.Write([]byte(`{"payments":"stripe"}`))
	}))
	defer shop.Close()
	for _, args := range []string{
		"--users 0", "--users 1000000", "--users -5", "--rate NaN", "--rate 0", "--rate -1", "--rate 1e9", "--rate 0.01",
		"--duration 0s", "--duration 2h",
		"--out run.go", "--fail-if p95", "--fail-if errors=200%", "--users 5 --rate 5",
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), append([]string{"load", "--url", shop.URL}, strings.Fields(args)...), &stdout, &stderr)
		if code != 1 || touched > 0 {
			t.Errorf("%s: exit status %d after %d requests: %s", args, code, touched, stderr.String())
		}
		touched = 0
	}
	var stdout, stderr bytes.Buffer
	if Run(t.Context(), []string{"load", "--url", shop.URL}, &stdout, &stderr); touched == 0 {
		t.Errorf("a load that is right asks nothing: %s", stderr.String())
	}
}

func TestOutIsAFolderOrAFile(t *testing.T) {
	for out, want := range map[string]string{
		"here": filepath.Join("here", "load.json"), "./": "load.json", "x/monday.json": "x/monday.json",
	} {
		if got := outFile(out, "load.json"); got != want {
			t.Errorf("--out %s writes %s, want %s", out, got, want)
		}
	}
}

func TestDefaultsAreInTheRepository(t *testing.T) {
	t.Chdir("..")
	if got, want := inRepository(filepath.Join("report", "result.json")),
		filepath.Join("..", "report", "result.json"); got != want {
		t.Errorf("from lab it is %s, want %s", got, want)
	}
	t.Chdir(t.TempDir())
	if got := inRepository("report"); got != "report" {
		t.Errorf("outside of a repository it is %s", got)
	}
}

// Two processes share a load, and the result keeps how each did. One that is killed makes the measurement INVALID,
// and the command an error.
func TestLoadWithShards(t *testing.T) {
	url := loadtest.Serve(t, 0, 5*time.Millisecond)
	out := filepath.Join(t.TempDir(), "load.json")
	var stdout, stderr bytes.Buffer
	if code := Run(t.Context(), []string{
		"load", "--url", url, "--rate", "60", "--duration", "2s", "--shards", "2", "--out", out,
	}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr.String())
	}
	res, err := result.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	st := res.Stages[0]
	if step := st.Steps[0]; len(step.Shards) != 2 || step.Requests != 120 || step.Latency.Histogram.Count() != 120 ||
		st.Topology != "single" {
		t.Errorf("%+v", step)
	}
	if gate := st.Validity.Gates[len(st.Validity.Gates)-1]; gate.Name != "shards" || gate.Value == nil {
		t.Errorf("%+v", gate)
	}
	for _, want := range []string{
		"shard 1 of 2: ", "shard 2 of 2: ", "no order is placed twice, and none that was acknowledged is lost: ",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in\n%s", want, stdout.String())
		}
	}
}

// Ctrl-C reaches shards too, and is not theirs to act upon. One that is killed ends the load, and is an error.
func TestAShardThatIsKilled(t *testing.T) {
	lab := startLab(t, "load", "--url", loadtest.Serve(t, 0, 5*time.Millisecond), "--users", "4", "--duration", "1h",
		"--shards", "2")
	lab.await("it begins", func() bool {
		time.Sleep(10 * time.Millisecond)
		return strings.Contains(lab.stderr.String(), "load: 4 users")
	})
	shards := descendants(t, lab.cmd.Process.Pid)
	if len(shards) != 2 {
		t.Fatalf("%d processes below lab, want 2", len(shards))
	}
	for i, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		if err := syscall.Kill(shards[i], signal); err != nil {
			t.Fatal(err)
		}
	}
	err := lab.wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(lab.stderr.String(), "signal: killed") {
		t.Errorf("%v: %s", err, lab.stderr.String())
	}
	lab.checkGone(shards)
}
