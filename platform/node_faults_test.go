package platform

import (
	"fmt"
	"testing"
	"time"
)

// operationsThatRead are the load's that ask for something and change nothing.
var operationsThatRead = map[string]bool{
	"categories": true, "list": true, "search": true, "product": true, "guest cart": true, "account": true,
	"await paid": true,
}

// beside is how long the users shop before a fault, what the load leaves out at its start included, and after it.
const beside = 10 * time.Second

// frozenFor is how long a process stands still: less than the liveness probe allows.
const frozenFor = 20 * time.Second

// faults lets 50 users shop while processes die where no balancer can know. Reads must not fail; of writes it logs how
// many did.
func (n *node) faults(t *testing.T, a *account, url string) {
	for _, fault := range []struct {
		name, program string
		signals       []string
		restarts      string // the container that has to start again
	}{
		{"the shop's process is killed", "/shop", []string{"KILL"}, "shop"},
		{"the shop's process is frozen", "/shop", []string{"STOP", "CONT"}, ""},
		{"the sidecar's Envoy is killed", "/usr/local/bin/envoy", []string{"KILL"}, "istio-proxy"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			n.must(t, nil, "-n", nodeShop, "rollout", "status", "deployment/shop", "--timeout", nodePatience.String())
			pod := n.pods(t, nodeShop, "app=shop")[0]
			restarts := func() string {
				return string(n.must(t, nil, "-n", nodeShop, "get", "pod", pod, "-o",
					fmt.Sprintf(`jsonpath={.status.containerStatuses[?(@.name==%[1]q)].restartCount}`+
						`{.status.initContainerStatuses[?(@.name==%[1]q)].restartCount}`, fault.restarts)))
			}
			before := restarts()
			shoppers := sendCrowd(t, a, url)
			n.await(t, "the users have come", shoppers.busy)
			time.Sleep(beside) // load before the fault
			for i, signal := range fault.signals {
				if i > 0 {
					time.Sleep(frozenFor) // the fault itself
				}
				n.signal(t, pod, fault.program, signal)
			}
			if fault.restarts != "" {
				n.await(t, "the container is started again", func() bool { return restarts() != before })
			}
			n.must(t, nil, "-n", nodeShop, "wait", "--for=condition=Ready", "pod/"+pod, "--timeout="+nodePatience.String())
			time.Sleep(beside) // and after it
			step := shoppers.stop(t)
			reads := 0
			for _, o := range step.Operations {
				if operationsThatRead[o.Name] {
					reads += o.Failed - o.Errors["payment not settled"] // that is a payment, a write, that failed
				}
			}
			t.Logf("%d of %d requests failed, %d of them reads; the slowest took %.0f ms: %v", step.Failed, step.Requests, reads,
				step.Latency.MaxMS, step.Errors)
			if reads > 0 {
				t.Errorf("%d reads failed", reads)
			}
		})
	}
}

// signal sends a signal to a pod's process of a program, as nothing in the cluster does.
func (n *node) signal(t *testing.T, pod, program, signal string) {
	t.Helper()
	n.sh(t, n.kit, "exec", "--dir", n.dir, "--", "bash", "-c", `
		for process in /proc/[0-9]*; do
			[ "$(readlink "$process/exe" 2>/dev/null)" = "$1" ] || continue
			tr '\0' '\n' <"$process/environ" | grep -qx -e "POD_NAME=$0" -e "HOSTNAME=$0" || continue
			kill -"$2" "${process#/proc/}" && found=1
		done
		[ -n "${found:-}" ]`, pod, program, signal)
}
