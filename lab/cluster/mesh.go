package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Names of stage 4's objects in a cluster: those of its pods' label app, and the container that Istio adds.
const (
	Shop     = "shop"
	Database = "database"
	Cache    = "cache"
	Sidecar  = "istio-proxy"
)

// Mesh is a stage 4 on a cluster of the user's, all of its pods on one node.
type Mesh struct {
	Stack string
	// Namespace is the shop's, and Ingress the gateway's.
	Namespace, Ingress string
	// Node is its name, Hostname its label kubernetes.io/hostname, Kubelet the kubelet's version, and BootID that of the
	// kernel under it.
	Node, Hostname, Kubelet, BootID string
	// Host is how the node is reached from here, and NodePort where the gateway listens.
	Host     string
	NodePort int
	// Envoy is what a sidecar's Envoy says of its version, and Reduced what istiod was told to leave out of it.
	Envoy   string
	Reduced []string
}

// pod is as much of a pod as is looked at.
type pod struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		NodeName                   string
		Containers, InitContainers []struct{ Name string }
	}
}

// meshed says whether the pod has a sidecar.
func (p pod) meshed() bool {
	return slices.ContainsFunc(slices.Concat(p.Spec.Containers, p.Spec.InitContainers),
		func(c struct{ Name string }) bool { return c.Name == Sidecar })
}

// FindMesh looks for the stage 4 of a stack, and says what hinders its measurement.
func (k Kubectl) FindMesh(ctx context.Context, stack string) (Mesh, error) {
	m := Mesh{Stack: stack, Namespace: "shop-" + stack}
	m.Ingress = m.Namespace + "-ingress"
	var shop, ingress struct{ Items []pod }
	if err := k.Get(ctx, &shop, "pods", "-n", m.Namespace, "--field-selector", "status.phase=Running"); err != nil {
		return m, err
	}
	if err := k.Get(ctx, &ingress, "pods", "-n", m.Ingress, "--field-selector", "status.phase=Running"); err != nil {
		return m, err
	}
	if err := m.check(shop.Items, ingress.Items); err != nil {
		return m, err
	}
	if err := k.checkAutoscaler(ctx, m); err != nil {
		return m, err
	}
	if err := k.findNode(ctx, &m); err != nil {
		return m, err
	}
	if err := k.findGateway(ctx, &m); err != nil {
		return m, err
	}
	return m, k.findSidecar(ctx, &m, shop.Items)
}

// check looks at the stage's pods.
func (m *Mesh) check(shop, ingress []pod) error {
	have, nodes := map[string]bool{}, map[string]bool{}
	for _, p := range shop {
		if app := p.Metadata.Labels["app"]; p.meshed() {
			have[app] = true
		}
	}
	for _, p := range slices.Concat(shop, ingress) {
		nodes[p.Spec.NodeName] = true
	}
	if !have[Shop] || !have[Database] || !have[Cache] || len(ingress) == 0 {
		return fmt.Errorf("the namespace %s has no shop, database and cache with sidecars, or %s no gateway: bring a stage "+
			"4 up on the cluster first (docs/kubernetes.md), and name its stack with --stack", m.Namespace, m.Ingress)
	}
	names := slices.Sorted(maps.Keys(nodes))
	if len(names) != 1 {
		return fmt.Errorf("the stage's pods are on several nodes (%s): with and without mesh are compared on one node",
			strings.Join(names, ", "))
	}
	m.Node = names[0]
	return nil
}

// checkAutoscaler refuses an autoscaler that could make the two sides differ.
func (k Kubectl) checkAutoscaler(ctx context.Context, m Mesh) error {
	var scalers struct {
		Items []struct {
			Spec struct{ MinReplicas, MaxReplicas int }
		}
	}
	if err := k.Get(ctx, &scalers, "horizontalpodautoscalers", "-n", m.Namespace); err != nil {
		return err
	}
	for _, s := range scalers.Items {
		if s.Spec.MinReplicas != s.Spec.MaxReplicas {
			return fmt.Errorf("the shop's autoscaler may have %d to %d pods, so that pods could come in the middle of it: "+
				"pulumi config set -s %s maxInstances %d, then pulumi up -s %s", s.Spec.MinReplicas, s.Spec.MaxReplicas, m.Stack,
				s.Spec.MinReplicas, m.Stack)
		}
	}
	return nil
}

func (k Kubectl) findNode(ctx context.Context, m *Mesh) error {
	var node struct {
		Metadata struct{ Labels map[string]string }
		Status   struct {
			NodeInfo struct{ BootID, KubeletVersion string }
		}
	}
	if err := k.Get(ctx, &node, "node", m.Node); err != nil {
		return err
	}
	m.Hostname = node.Metadata.Labels["kubernetes.io/hostname"]
	m.BootID, m.Kubelet = node.Status.NodeInfo.BootID, node.Status.NodeInfo.KubeletVersion
	return nil
}

// findGateway finds the way to the gateway, the same as the stack's output url.
func (k Kubectl) findGateway(ctx context.Context, m *Mesh) error {
	var services struct {
		Items []struct {
			Spec struct{ Ports []struct{ NodePort int } }
		}
	}
	if err := k.Get(ctx, &services, "services", "-n", m.Ingress); err != nil {
		return err
	}
	for _, s := range services.Items {
		for _, p := range s.Spec.Ports {
			m.NodePort = max(m.NodePort, p.NodePort)
		}
	}
	if m.NodePort == 0 {
		return fmt.Errorf("no Service in %s has a port of the node", m.Ingress)
	}
	server, err := k.Run(ctx, nil, "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
	if err != nil {
		return err
	}
	at, err := url.Parse(strings.TrimSpace(string(server)))
	if err != nil || at.Hostname() == "" {
		return errors.New("the kubeconfig's current context names no server")
	}
	m.Host = at.Hostname()
	return nil
}

// filters are istiod's variables that leave filters of Istio's own out of every proxy.
var filters = []string{"PILOT_ENABLE_ALPN_FILTER", "PILOT_ENABLE_METADATA_EXCHANGE"}

// findSidecar asks which Envoy it is.
func (k Kubectl) findSidecar(ctx context.Context, m *Mesh, shop []pod) error {
	for _, p := range shop {
		if p.Metadata.Labels["app"] != Shop {
			continue
		}
		version, err := k.Run(ctx, nil, "exec", "-n", m.Namespace, p.Metadata.Name, "-c", Sidecar, "--",
			"/usr/local/bin/envoy", "--version")
		if err != nil {
			return err
		}
		_, m.Envoy, _ = strings.Cut(strings.TrimSpace(string(version)), "version: ")
		break
	}
	var istiod struct {
		Items []struct {
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct{ Name, Value string }
						}
					}
				}
			}
		}
	}
	if err := k.Get(ctx, &istiod, "deployments", "-A", "-l", "app=istiod"); err != nil {
		return err
	}
	for _, d := range istiod.Items {
		for _, c := range d.Spec.Template.Spec.Containers {
			for _, e := range c.Env {
				if slices.Contains(filters, e.Name) && e.Value == "false" {
					m.Reduced = append(m.Reduced, e.Name+"=false")
				}
			}
		}
	}
	return nil
}
