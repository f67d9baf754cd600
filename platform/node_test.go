package platform

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoplab/exectest"
)

// The namespaces of stack stage4 on a cluster that is not ours.
const nodeShop, nodeIngress = "shop-stage4", "shop-stage4-ingress"

// TestNode types what a user types to run stage 4 on a cluster that is there, and then does to it what happens to
// clusters, while 50 shoppers buy.
func TestNode(t *testing.T) {
	n := startNode(t)
	a := n.account(t)
	n.stack(t, a, "stage4")
	a.up(t, "stage4")
	outputs := a.outputs(t, "stage4")
	url := strings.Trim(outputs["url"], `"`)
	if want := fmt.Sprintf("http://%s:30080", n.address); url != want || outputs["database"] != `"volume"` {
		t.Fatalf("url %s, want %s; database %s", url, want, outputs["database"])
	}
	n.await(t, "the shop answers", func() bool { return n.status(url+"/api/products") == http.StatusOK })
	// A refresh that meets a Deployment whose pods are still starting has it updated again.
	n.await(t, "both pods are ready", func() bool {
		return string(n.must(t, nil, "-n", nodeShop, "get", "deployment", "shop", "-o",
			"jsonpath={.status.readyReplicas}")) == "2"
	})
	a.pulumi(t, "preview", "-s", "stage4", "--refresh", "--diff", "--expect-no-changes")

	customer := newShopper(url)
	t.Run("journey", customer.buys)
	t.Run("neighbours", func(t *testing.T) { n.bedOnly(t); n.neighbours(t) })
	t.Run("disturbances", func(t *testing.T) { n.disturbances(t, a, url) })
	t.Run("Prometheus", func(t *testing.T) { long(t); n.bedOnly(t); n.scrapes(t) })
	t.Run("faults", func(t *testing.T) { long(t); n.bedOnly(t); n.faults(t, a, url) })
	t.Run("second stack", func(t *testing.T) { long(t); n.second(t, a, url) })
	t.Run("with and without mesh", func(t *testing.T) { long(t); n.bedOnly(t); n.compares(t, a) })
	t.Run("pull from ECR", func(t *testing.T) { long(t); n.bedOnly(t); n.pulls(t, a, url) })
	t.Run("image that cannot be pulled", func(t *testing.T) { long(t); n.unpullable(t, a, url) })
	t.Run("interrupted", func(t *testing.T) { long(t); n.interrupted(t, a) })
	t.Run("database replaced", func(t *testing.T) {
		n.must(t, nil, "-n", nodeShop, "delete", "pod", "database-0")
		asked := 0
		n.await(t, "every pod of the shop answers again", func() bool {
			for range 20 { // of two pods, by a search that no cache knows
				asked++
				if n.status(fmt.Sprintf("%s/api/products?q=after%d", url, asked)) != http.StatusOK {
					return false
				}
			}
			return true
		})
		customer.finds(t)
	})
	t.Run("update", func(t *testing.T) {
		a.config(t, "stage4", "memory", "320")
		a.up(t, "stage4")
		limit := n.must(t, nil, "-n", nodeShop, "get", "deployment", "shop", "-o",
			`jsonpath={..containers[?(@.name=="shop")].resources.limits.memory}`)
		if string(limit) != "320Mi" {
			t.Errorf("the pods' memory is %s", limit)
		}
	})
	t.Run("destroy", func(t *testing.T) {
		if out, err := n.sweep(t, a); err == nil || !strings.Contains(out, "the namespace "+nodeShop+" of stack stage4") {
			t.Errorf("lab sweep: %v\n%s", err, out)
		}
		a.pulumi(t, "destroy", "-s", "stage4", "--yes", "--skip-preview")
		out := n.must(t, nil, "get",
			"namespaces,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations", "-o",
			"name")
		for name := range strings.Lines(string(out)) {
			if strings.Contains(name, "istio") || strings.Contains(name, "shop") {
				t.Errorf("%s is left", strings.TrimSpace(name))
			}
		}
		n.cleans(t, a)
	})
	t.Run("cluster gone", func(t *testing.T) { long(t); n.bedOnly(t); n.gone(t, a) })
}

// sweep looks for what is left in the cluster, as a user does.
func (n *node) sweep(t *testing.T, a *account) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "sweep",
		"--kubeconfig", n.kubeconfig)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(n.kubectl)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// cleans removes what destroy leaves, by the commands that lab sweep names, until it finds nothing.
func (n *node) cleans(t *testing.T, a *account) {
	t.Helper()
	out, err := n.sweep(t, a)
	if definitions := strings.Count(out, "the definition "); err == nil || definitions != 15 ||
		!strings.Contains(out, "istio-ca-root-cert") {
		t.Errorf("lab sweep finds %d definitions: %v\n%s", definitions, err, out)
	}
	for line := range strings.Lines(out) {
		if _, command, ok := strings.Cut(strings.TrimSpace(line), "remove it with: kubectl "); ok {
			n.must(t, nil, strings.Fields(command)...)
		}
	}
	if out, err := n.sweep(t, a); err != nil {
		t.Errorf("lab sweep: %v\n%s", err, out)
	}
}

// status is what a GET answers, 0 if nothing.
func (n *node) status(url string) int {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// disturbance is something that happens to a cluster and that no shopper may notice.
type disturbance struct {
	name string
	args []string // of kubectl
	wait [2]string
}

// disturbances lets 50 users shop while pods come and go. No request may fail, and the books must balance.
func (n *node) disturbances(t *testing.T, a *account, url string) {
	deployment := func(namespace, name string) [2]string { return [2]string{namespace, "deployment/" + name} }
	shop, gateway := deployment(nodeShop, "shop"), deployment(nodeIngress, gatewayRelease)
	all := []disturbance{
		{"the shop is rolled", []string{"-n", nodeShop, "rollout", "restart", "deployment/shop"}, shop},
		{"a pod is deleted", nil, shop}, // which there are is known when it is due
		{"the gateway is rolled", []string{"-n", nodeIngress, "rollout", "restart", "deployment/" + gatewayRelease}, gateway},
		{
			"istiod is deleted", []string{"-n", istioNamespace, "delete", "pod", "-l", "app=istiod"}, deployment(istioNamespace,
				"istiod"),
		},
		{"the cache is deleted", []string{"-n", nodeShop, "delete", "pod", "-l", "app=cache"}, deployment(nodeShop, "cache")},
	}
	shoppers := sendCrowd(t, a, url)
	for _, d := range all {
		if d.args == nil {
			d.args = []string{"-n", nodeShop, "delete", "pod", n.pods(t, nodeShop, "app=shop")[0]}
		}
		start := time.Now()
		n.must(t, nil, d.args...)
		n.must(t, nil, "-n", d.wait[0], "rollout", "status", d.wait[1], "--timeout", nodePatience.String())
		t.Logf("%s: settled after %.0f s", d.name, time.Since(start).Seconds())
	}
	shoppers.clean(t)
}

// crowd are the laboratory's users, sent to a shop while something happens to it.
type crowd struct {
	cmd    *exec.Cmd
	output exectest.Output
	file   string
}

// sendCrowd sends 50 users, whom clean stops.
func sendCrowd(t *testing.T, a *account, url string) *crowd {
	t.Helper()
	c := &crowd{file: filepath.Join(t.TempDir(), "load.json")}
	c.cmd = exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "load", "--url", url, "--users",
		"50", "--duration", "1h", "--out", c.file)
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// busy says that the measurement has begun.
func (c *crowd) busy() bool { return strings.Contains(c.output.String(), "50 users for") }

// loadStep is what the crowd saw.
type loadStep struct {
	Requests, Failed, Orders int
	Errors                   map[string]int
	Latency                  struct {
		MaxMS float64 `json:"max_ms"`
	}
	Operations []struct {
		Name   string
		Errors map[string]int
		Failed int
	}
}

// stop ends the crowd and wants the invariants to hold.
func (c *crowd) stop(t *testing.T) loadStep {
	t.Helper()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // 130
	text, err := os.ReadFile(c.file)
	if err != nil {
		t.Fatalf("%v\n%s", err, c.output.String())
	}
	var result struct {
		Stages []struct {
			Steps      []loadStep
			Invariants []struct{ Rule, Status, Detail string }
		}
	}
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	for _, i := range result.Stages[0].Invariants {
		if i.Status == "violated" {
			t.Errorf("%s: %s", i.Rule, i.Detail)
		}
	}
	return result.Stages[0].Steps[0]
}

// clean stops the users and wants no request to have failed.
func (c *crowd) clean(t *testing.T) {
	t.Helper()
	step := c.stop(t)
	t.Logf("%d requests, %d orders paid", step.Requests, step.Orders)
	if step.Requests == 0 || step.Orders == 0 || step.Failed > 0 || len(step.Errors) > 0 {
		t.Errorf("%d of %d requests failed: %v\n%s", step.Failed, step.Requests, step.Errors, c.output.String())
	}
}
