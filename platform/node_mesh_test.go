package platform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/lab/result"
)

// compares lets the laboratory measure the stage with and without mesh, as briefly as it can, and wants every figure
// and nothing left. Whether they are good enough is the machine's matter, and the result says it.
func (n *node) compares(t *testing.T, a *account) {
	lab := func(file string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "findings", "mesh", "--quick",
			"--kubeconfig", n.kubeconfig, "--out", file)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(n.kubectl)+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	file := filepath.Join(t.TempDir(), "findings.json")
	if out, err := lab(file); err == nil || !strings.Contains(out, "pulumi config set -s stage4 maxInstances 2") {
		t.Errorf("with an autoscaler: %v\n%s", err, out)
	}
	a.config(t, "stage4", "maxInstances", "2")
	a.up(t, "stage4")
	out, err := lab(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
	res, err := result.ReadFile(file)
	if err != nil || len(res.Findings) != 1 {
		t.Fatalf("%d findings, %v", len(res.Findings), err)
	}
	for i, c := range res.Findings[0].Comparisons {
		if len(c.Before.Raw) != 1 || len(c.After.Raw) != 1 || c.After.Raw[0] <= 0 {
			t.Errorf("%s: %v and %v", c.Measure, c.Before.Raw, c.After.Raw)
		}
		if proxies := i >= 1 && i <= 3; proxies != (c.Before.Raw[0] == 0) { // of which there are none without mesh
			t.Errorf("%s without mesh: %v", c.Measure, c.Before.Raw)
		}
	}
	if left := n.must(t, nil, "get", "namespaces", "-o", "name"); strings.Contains(string(left), nodeShop+"-plain") {
		t.Errorf("namespaces are left: %s", left)
	}
	a.config(t, "stage4", "maxInstances", "4")
}
