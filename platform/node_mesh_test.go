package platform

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoplab/exectest"
	"shoplab/lab/result"
)

// lab is the laboratory, with a finding of the stage on this node to measure.
func (n *node) lab(t *testing.T, a *account, finding, file string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "findings", finding, "--quick",
		"--kubeconfig", n.kubeconfig, "--out", file)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(n.kubectl)+":"+os.Getenv("PATH"))
	return cmd
}

// compares lets the laboratory measure the stage with and without mesh, and with the way to its data through sidecars
// and past them, as briefly as it can, and wants every figure and nothing left. Whether they are good enough is the
// machine's matter, and the result says it.
func (n *node) compares(t *testing.T, a *account) {
	file := filepath.Join(t.TempDir(), "findings.json")
	out, err := n.lab(t, a, "mesh", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "pulumi config set -s stage4 maxInstances 2") {
		t.Errorf("with an autoscaler: %v\n%s", err, out)
	}
	a.config(t, "stage4", "maxInstances", "2")
	a.up(t, "stage4")
	n.interruptsComparison(t, a)
	for _, finding := range []string{"mesh", "bypass"} {
		out, err := n.lab(t, a, finding, file).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", finding, err, out)
		}
		t.Logf("%s", out)
		res, err := result.ReadFile(file)
		if err != nil || len(res.Findings) != 1 {
			t.Fatalf("%d findings, %v", len(res.Findings), err)
		}
		for _, c := range res.Findings[0].Comparisons {
			if len(c.Before.Raw) != 1 || len(c.After.Raw) != 1 || c.After.Raw[0] <= 0 {
				t.Errorf("%s: %v and %v", c.Measure, c.Before.Raw, c.After.Raw)
			}
			proxies := strings.Contains(c.Measure, "gateway") || strings.Contains(c.Measure, "sidecars")
			if without := proxies && finding == "mesh"; without != (c.Before.Raw[0] == 0) {
				t.Errorf("%s of the first side: %v", c.Measure, c.Before.Raw)
			}
		}
		if left := n.copies(t); len(left) > 0 {
			t.Errorf("%s leaves %v", finding, left)
		}
	}
	a.config(t, "stage4", "maxInstances", "4")
}

// interruptsComparison presses Ctrl-C in the middle of a measurement: nothing stays of the copy.
func (n *node) interruptsComparison(t *testing.T, a *account) {
	t.Helper()
	var output exectest.Output
	cmd := n.lab(t, a, "mesh", filepath.Join(t.TempDir(), "findings.json"))
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(output.String())
		}
	})
	n.await(t, "the measurement has begun", func() bool {
		return strings.Contains(output.String(), "watching both sides")
	})
	if len(n.copies(t)) != 1 {
		t.Errorf("there are the copies %v", n.copies(t))
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit status %d, want 130:\n%s", got, output.String())
	}
	n.await(t, "the copy is gone", func() bool { return len(n.copies(t)) == 0 })
}

// copies are the namespaces of copies of the stage.
func (n *node) copies(t *testing.T) []string {
	t.Helper()
	all := strings.Fields(string(n.must(t, nil, "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}")))
	return slices.DeleteFunc(all, func(name string) bool {
		return !strings.HasPrefix(name, nodeShop+"-") || name == nodeIngress
	})
}
