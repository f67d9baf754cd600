package cli

import (
	"bytes"
	"strings"
	"testing"

	"shoplab/lab/result"
)

func TestMeasuringCommandsRefuseWhatTheyCannotDo(t *testing.T) {
	for args, want := range map[string]string{
		"run --stages stage9":           "stage9",
		"run --users 0":                 "--users",
		"run --repeats 0":               "--repeats",
		"run --target moon":             "local or aws",
		"load":                          "url",
		"load --url ftp://shop.example": "want http",
		"load --url http://127.0.0.1:1 --duration 2h":      "--duration",
		"load --url http://127.0.0.1:1 --users 5 --rate 5": "either",
		"load --url http://127.0.0.1:1 --users 5":          "connection refused",
		"load --url http://127.0.0.1:1 --out .":            "is a folder",
		"findings weather":                                 "weather",
		"findings index --out .":                           "is a folder",
		"run --out run.go":                                 "not a directory",
		"findings index --repeats 100":                     "--repeats",
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
			Requests: 100, Failed: 2, ErrorRatio: .02, Throughput: 10, Orders: 3, Errors: map[string]int{"timeout": 2}, MissedSends: result.Ptr(7),
			Latency:    &result.Latency{P50MS: 12, P95MS: 34, P99MS: 56, MaxMS: 78},
			Operations: []result.Operation{{Name: "search", Requests: 40}},
		}},
		Invariants: []result.Invariant{{Rule: "nothing is lost", Status: result.InvariantHeld, Detail: "3 orders"}},
		Validity:   &result.Validity{Reasons: []string{"the machine was busy"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"search", "34.0", "2.00% failed", "3 orders paid", "timeout: 2", "7 requests left", "nothing is lost: held", "INVALID: [the machine was busy]"} {
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
			Measure: "goodput", Unit: "1/s", Before: result.Case{Label: "25", Median: result.Ptr(10.0)}, After: result.Case{Label: "9"},
		}},
	})
	for _, want := range []string{"pool: not reproduced", "it was the pool", "10.00 1/s (25) -> not measured (9)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
