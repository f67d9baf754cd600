package platform

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

const (
	istioNamespace   = "istio-system"
	ingressNamespace = "istio-ingress"
	gatewayRelease   = "istio-gateway"
)

// istio installs the custom resources and istiod, unless they are there already, and the gateway. It returns what
// the shop's pods and Istio's objects wait for: an istiod that injects sidecars and checks configuration.
func (m *ServiceMesh) istio(ctx *pulumi.Context) ([]pulumi.Resource, error) {
	var needs []pulumi.Resource
	charts := m.istioCharts()
	if m.args.Config.Istio == contract.IstioInstall {
		system, err := m.namespace(ctx, istioNamespace, istioNamespace, nil)
		if err != nil {
			return nil, err
		}
		base, err := m.release(ctx, "istio-base", charts["istio-base"], system)
		if err != nil {
			return nil, err
		}
		istiod, err := m.release(ctx, "istiod", charts["istiod"], base)
		if err != nil {
			return nil, err
		}
		needs = []pulumi.Resource{istiod}
	}
	ingress, err := m.namespace(ctx, ingressNamespace, m.ingress, nil)
	if err != nil {
		return nil, err
	}
	_, err = m.release(ctx, gatewayRelease, charts[gatewayRelease], append(needs, ingress)...)
	return needs, err
}

// gatewayLabel is the label istio of the gateway's pods. Istio looks for them in every namespace.
func (m *ServiceMesh) gatewayLabel() string {
	if m.args.given() {
		return m.ingress
	}
	return "gateway" // the chart's own: the release's name without "istio-"
}

// istioCharts are Istio's three releases. istiod asks for 2 GiB by default, a quarter of the node.
func (m *ServiceMesh) istioCharts() map[string]chart {
	return map[string]chart{
		"istio-base": {sources["istio-base"], istioNamespace, values{}},
		"istiod": {sources["istiod"], istioNamespace, values{
			"autoscaleEnabled": false, "resources": values{"requests": istiodRoom.requests()},
			"global": values{"proxy": values{"resources": values{
				"requests": sidecarRoom.requests(),
				"limits":   values{"cpu": "1000m", "memory": "256Mi"},
			}}},
			"meshConfig": values{"defaultConfig": values{"holdApplicationUntilProxyStarts": true}},
		}},
		gatewayRelease: {sources[gatewayRelease], m.ingress, m.gateway()},
	}
}

// gateway is what the gateway's chart is told. Only a node with a pod of it answers, because anything else would hide
// the client's address; so there is one on each node, also on that of the control plane, whose address the stack's URL
// has. A rollout counts the new pods alone, or they would go where the old ones are not.
// Source: Kubernetes' documentation, "Pod Topology Spread Constraints", matchLabelKeys.
func (m *ServiceMesh) gateway() values {
	all := values{
		"labels":      values{"istio": m.gatewayLabel()},
		"autoscaling": values{"enabled": false}, "replicaCount": m.gateways(),
		"resources": values{"requests": gatewayRoom.requests()}, "podAnnotations": m.gatewayTopology(),
		"service": values{
			"type": "NodePort", "externalTrafficPolicy": "Local",
			"ports": list(values{
				"name": "http2", "port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": m.nodePort(),
			}),
		},
	}
	if m.gateways() > 1 {
		all["tolerations"] = list(values{"key": controlPlaneTaint, "operator": "Exists", "effect": "NoSchedule"})
		all["topologySpreadConstraints"] = list(values{
			"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector":  values{"matchLabels": values{"istio": m.gatewayLabel()}},
			"matchLabelKeys": list("pod-template-hash"),
		})
	}
	return all
}

// gateways is how many pods the gateway has.
func (m *ServiceMesh) gateways() int { return max(1, m.args.Nodes) }

// proven says that a request has to carry the origin secret to find a route.
func (m *ServiceMesh) proven() bool { return m.args.Edge != nil && m.args.Edge.Proven() }

// gatewayTopology tells the gateway that CloudFront stands before it: the shopper is the last but one in
// X-Forwarded-For, after the gateway has added CloudFront's address. It is an annotation of the pod because
// the proxy reads it at its start: a change makes another pod.
// Source: Istio's documentation, "Configuring Gateway Network Topology".
func (m *ServiceMesh) gatewayTopology() values {
	if !m.proven() {
		return values{}
	}
	return values{"proxy.istio.io/config": `{"gatewayTopology":{"numTrustedProxies":1}}`}
}

// values are the fields of an object that has no Go type here.
type values = map[string]any

// object registers one of Istio's objects in the shop's namespace. An AuthorizationPolicy has the name given; of each
// other kind there is only one.
func (m *ServiceMesh) object(
	ctx *pulumi.Context, group, kind, name string, spec pulumi.Input, needs ...pulumi.Resource,
) (pulumi.Resource, error) {
	resource, object := m.name+"-"+name, shopName
	if kind == "AuthorizationPolicy" {
		resource, object = resource+"-policy", name
	}
	return apiextensions.NewCustomResource(ctx, resource, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String(group + ".istio.io/v1"), Kind: pulumi.String(kind),
		Metadata:    metav1.ObjectMetaArgs{Name: pulumi.String(object), Namespace: pulumi.String(m.place)},
		OtherFields: kubernetes.UntypedArgs{"spec": spec},
	}, m.in(needs...)...)
}

// traffic says how requests reach the shop's pods, and returns what says it.
func (m *ServiceMesh) traffic(ctx *pulumi.Context, needs ...pulumi.Resource) ([]pulumi.Resource, error) {
	var all []pulumi.Resource
	for _, o := range []struct {
		group, kind, name string
		spec              pulumi.Input
	}{
		{"security", "PeerAuthentication", "mtls", pulumi.ToMap(values{"mtls": values{"mode": "STRICT"}})},
		{"networking", "Gateway", "gateway", pulumi.ToMap(values{
			"selector": values{"istio": m.gatewayLabel()},
			"servers": list(values{
				"hosts": list("*"), "port": values{"number": 80, "name": "http", "protocol": "HTTP"},
			}),
		})},
		{"networking", "VirtualService", "routes", m.routes()},
		{"networking", "DestinationRule", "pods", pulumi.ToMap(values{
			"host": m.host(),
			"trafficPolicy": values{
				"loadBalancer": values{"simple": "LEAST_REQUEST"},
				"connectionPool": values{
					"tcp":  values{"connectTimeout": "2s"},
					"http": values{"idleTimeout": "60s"}, // less than the service's own, or a sidecar would answer 503 at times
				},
				"outlierDetection": values{
					// A pod that cannot be reached is left out for a while. One that answers 503 says that it has
					// too much to do: leaving it out would give the others its share too.
					"splitExternalLocalOriginErrors": true, "consecutiveLocalOriginFailures": 5,
					"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 0,
					"interval": "10s", "baseEjectionTime": "30s", "maxEjectionPercent": 50,
				},
			},
		})},
	} {
		object, err := m.object(ctx, o.group, o.kind, o.name, o.spec, needs...)
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	return all, nil
}

func list(items ...any) []any { return items }
