package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"shoplab/contract"
)

// room is what a node has, or pods ask for: CPU in thousandths of a core, memory in MiB.
type room struct{ cpu, memory int64 }

func (r room) plus(other room) room { return room{r.cpu + other.cpu, r.memory + other.memory} }

func (r room) times(n int) room { return room{r.cpu * int64(n), r.memory * int64(n)} }

func (r room) fits(in room) bool { return r.cpu <= in.cpu && r.memory <= in.memory }

// requests are the room as Kubernetes writes it.
func (r room) requests() values {
	return values{"cpu": fmt.Sprintf("%dm", r.cpu), "memory": fmt.Sprintf("%dMi", r.memory)}
}

func (r room) String() string { return fmt.Sprintf("%dm CPU and %d MiB", r.cpu, r.memory) }

// What the pods of stage 4 ask for, beside the shop's. sidecar is in every pod of the shop's namespace.
var (
	sidecarRoom, istiodRoom, gatewayRoom, storeRoom = room{50, 64}, room{100, 256}, room{100, 128}, room{50, 128}
	observerRoom                                    = map[string]room{
		"prometheus": {50, 256}, "kiali": {10, 64}, "grafana": {10, 96},
	}
)

// podContainer is a container with what it asks for.
type podContainer struct {
	RestartPolicy string
	Resources     struct{ Requests map[string]string }
}

// asks adds up the requests of pods' containers; those of a sidecar too, which is an init container that goes on.
func (o clusterObject) asks() (sum room) {
	for _, c := range o.Spec.Containers {
		sum = sum.plus(roomOf(c.Resources.Requests))
	}
	for _, c := range o.Spec.InitContainers {
		if c.RestartPolicy == "Always" {
			sum = sum.plus(roomOf(c.Resources.Requests))
		}
	}
	return sum
}

// roomOf reads Kubernetes' quantities; what cannot be read is nothing.
func roomOf(quantities map[string]string) room {
	cpu, _ := resource.ParseQuantity(quantities["cpu"])
	memory, _ := resource.ParseQuantity(quantities["memory"])
	return room{cpu.MilliValue(), memory.Value() >> 20}
}

// shopRoom is what one pod of the shop asks for, its sidecar included.
func (m *ServiceMesh) shopRoom() room {
	return room{int64(m.milliCPU() / 2), int64(m.args.Config.Memory)}.plus(sidecarRoom)
}

// needs is what all pods of the stack ask for while the shop is rolled: one pod more than it starts with.
func (m *ServiceMesh) needs() room {
	sum := m.shopRoom().times(m.args.Config.Instances + 1).plus(gatewayRoom.times(m.gateways()))
	if m.args.given() {
		sum = sum.plus(storeRoom.plus(sidecarRoom).times(2))
	}
	if m.args.Config.Istio == contract.IstioInstall {
		sum = sum.plus(istiodRoom)
		for _, observer := range observerRoom {
			sum = sum.plus(observer)
		}
	}
	return sum
}

// systemRoom is what k3s' own pods ask for: CoreDNS and metrics-server.
var systemRoom = room{200, 140}

// checkRoom says before anything is made that the pods of stage 4 do not fit its server.
func checkRoom(ctx *pulumi.Context, c Config) error {
	if c.Topology != contract.Mesh || c.Kubeconfig != "" {
		return nil
	}
	kind, err := ec2.GetInstanceType(ctx, &ec2.GetInstanceTypeArgs{InstanceType: c.InstanceType})
	if err != nil {
		return fmt.Errorf("look up the instance type %s (shoplab:instanceType): %w", c.InstanceType, err)
	}
	return c.fits(room{int64(kind.DefaultVcpus) * 1000, int64(kind.MemorySize)})
}

// fits says why a server of that size does not do.
func (c Config) fits(server room) error {
	needs := newMesh("", ServiceMeshArgs{Config: c}).needs().plus(systemRoom)
	if needs.fits(server) {
		return nil
	}
	return fmt.Errorf("all pods, and one more while the shop is updated, ask for %s, and %s (shoplab:instanceType) has "+
		"%s; take a larger one, or lower shoplab:cpu, shoplab:memory or shoplab:instances", needs, c.InstanceType, server)
}

// controlPlaneTaint keeps pods off the nodes of the control plane, where an installer sets it.
const controlPlaneTaint = "node-role.kubernetes.io/control-plane"

// takes says that a node takes pods that tolerate these taints.
func (o clusterObject) takes(tolerated ...string) bool {
	for _, t := range o.Spec.Taints {
		if t.Effect != "PreferNoSchedule" && !slices.Contains(tolerated, t.Key) {
			return false
		}
	}
	return !o.Spec.Unschedulable
}

// gateways is how many nodes can run a gateway of an architecture.
func (all *inventory) gateways(architecture string) (n int) {
	for _, node := range all.nodes.Items {
		if node.Metadata.Labels["kubernetes.io/arch"] == architecture && node.takes(controlPlaneTaint) {
			n++
		}
	}
	return n
}

// tooSmall says why the stack's pods do not fit the cluster beside what runs there.
func (all *inventory) tooSmall(m *ServiceMesh) (problems []string) {
	c := m.args.Config
	nodes, architectures := map[string]room{}, map[string]bool{}
	for _, n := range all.nodes.Items {
		arch := n.Metadata.Labels["kubernetes.io/arch"]
		architectures[arch] = true
		if arch == c.Architecture && n.takes() {
			nodes[n.Metadata.Name] = roomOf(n.Status.Allocatable)
		}
	}
	if len(nodes) == 0 {
		return []string{fmt.Sprintf("no node runs %s (shoplab:architecture); there is %s",
			c.Architecture, strings.Join(slices.Sorted(maps.Keys(architectures)), " and "))}
	}
	own := []string{m.place, m.ingress}
	if c.Istio == contract.IstioInstall {
		own = append(own, istioNamespace)
	}
	for _, pod := range all.pods.Items {
		if free, here := nodes[pod.Spec.NodeName]; here && !slices.Contains(own, pod.Metadata.Namespace) &&
			pod.Status.Phase != "Succeeded" && pod.Status.Phase != "Failed" {
			nodes[pod.Spec.NodeName] = free.plus(pod.asks().times(-1))
		}
	}
	var free, largest room
	for _, node := range nodes {
		free = free.plus(node)
		largest = room{max(largest.cpu, node.cpu), max(largest.memory, node.memory)}
	}
	if pod := m.shopRoom(); !pod.fits(largest) {
		problems = append(problems, fmt.Sprintf("a pod of the shop asks for %s with its sidecar, and no node has more than "+
			"%s left; lower shoplab:cpu or shoplab:memory", pod, largest))
	}
	if needs := m.needs(); !needs.fits(free) {
		problems = append(problems, fmt.Sprintf("all pods, and one more while the shop is updated, ask for %s, and the "+
			"nodes have %s left; lower shoplab:cpu, shoplab:memory or shoplab:instances", needs, free))
	}
	return problems
}
