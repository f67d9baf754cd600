package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoplab/lab/watch"
)

// Container is one of a pod.
type Container struct{ Namespace, Pod, Name string }

func (c Container) String() string { return c.Namespace + "/" + c.Pod + "/" + c.Name }

// Used is how much CPU a container has used since it began, in CPU seconds, and when the kubelet read that by the
// node's clock, in whole seconds.
type Used struct {
	At  time.Time
	CPU float64
}

// Usage is what containers have used.
type Usage map[Container]Used

// Usage asks a node's kubelet for some containers, through the API server. Kubernetes calls it the
// Summary API (kubernetes.io/docs/reference/instrumentation/node-metrics); it takes the right to get nodes/proxy.
func (k Kubectl) Usage(ctx context.Context, node string, wanted func(Container) bool) (Usage, error) {
	text, err := k.Run(ctx, nil, "get", "--raw", "/api/v1/nodes/"+node+"/proxy/stats/summary")
	if err != nil {
		return nil, err
	}
	return parseUsage(text, wanted)
}

// parseUsage reads the Summary API's answer. A container of which nothing was read yet is left out.
func parseUsage(text []byte, wanted func(Container) bool) (Usage, error) {
	var summary struct {
		Pods []struct {
			PodRef     struct{ Name, Namespace string }
			Containers []struct {
				Name string
				CPU  struct {
					Time                 time.Time
					UsageCoreNanoSeconds *float64
				}
			}
		}
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return nil, fmt.Errorf("the kubelet's summary: %w", err)
	}
	all := Usage{}
	for _, p := range summary.Pods {
		for _, c := range p.Containers {
			one := Container{p.PodRef.Namespace, p.PodRef.Name, c.Name}
			if used := c.CPU.UsageCoreNanoSeconds; used != nil && wanted(one) {
				all[one] = Used{c.CPU.Time, *used / 1e9}
			}
		}
	}
	return all, nil
}

// Of are some of the containers.
func (u Usage) Of(wanted func(Container) bool) Usage {
	some := Usage{}
	for c, used := range u {
		if wanted(c) {
			some[c] = used
		}
	}
	return some
}

// late are the containers that were not read since then.
func (u Usage) late(then Usage) (all []string) {
	for c, before := range then {
		if now, there := u[c]; !there || !now.At.After(before.At) {
			all = append(all, c.String())
		}
	}
	slices.Sort(all)
	return all
}

// How often the kubelet is asked again, and for how long. It reads a container every 10 to 20 s: cAdvisor's
// housekeeping interval of 10 s, with a jitter of up to as much (google/cadvisor, manager/container.go).
const (
	askEvery     = 2 * time.Second
	askForAtMost = time.Minute
)

// Next waits until the kubelet has read every container of then again.
func (k Kubectl) Next(ctx context.Context, node string, then Usage, wanted func(Container) bool) (Usage, error) {
	for end := time.Now().Add(askForAtMost); ; {
		now, err := k.Usage(ctx, node, wanted)
		if err != nil {
			return nil, err
		}
		late := now.late(then)
		if len(late) == 0 {
			return now, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("the kubelet has read nothing new of %s for %s; was a pod replaced meanwhile?",
				strings.Join(late, ", "), askForAtMost)
		}
		if err := watch.Pause(ctx, askEvery); err != nil {
			return nil, err
		}
	}
}

// Rates are how many cores each container has used on average since then.
func (u Usage) Rates(then Usage) map[Container]float64 {
	rates := map[Container]float64{}
	for c, now := range u {
		before, known := then[c]
		if seconds := now.At.Sub(before.At).Seconds(); known && seconds > 0 {
			rates[c] = (now.CPU - before.CPU) / seconds
		}
	}
	return rates
}

// Since is how much CPU each container has used since then beyond what it uses when idle, which is in cores; in CPU
// seconds. A container that came since then, or began anew, is an error: its use is not all of what its pod did.
func (u Usage) Since(then Usage, idle map[Container]float64) (map[Container]float64, error) {
	used := map[Container]float64{}
	for c, now := range u {
		before, known := then[c]
		if !known || now.CPU < before.CPU {
			return nil, fmt.Errorf("%s was started while it was measured", c)
		}
		used[c] = max(0, now.CPU-before.CPU-idle[c]*now.At.Sub(before.At).Seconds())
	}
	return used, nil
}
