package platform

import (
	"strings"

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

// istio installs the custom resources, istiod and the gateway, and returns what the shop's pods and
// Istio's objects wait for: an istiod that injects sidecars and checks configuration.
func (m *ServiceMesh) istio(ctx *pulumi.Context) (*Release, error) {
	system, err := m.namespace(ctx, istioNamespace, nil)
	if err != nil {
		return nil, err
	}
	ingress, err := m.namespace(ctx, ingressNamespace, nil)
	if err != nil {
		return nil, err
	}
	charts := m.istioCharts()
	base, err := m.release(ctx, "istio-base", charts["istio-base"], system)
	if err != nil {
		return nil, err
	}
	istiod, err := m.release(ctx, "istiod", charts["istiod"], base)
	if err != nil {
		return nil, err
	}
	_, err = m.release(ctx, gatewayRelease, charts[gatewayRelease], ingress, istiod)
	return istiod, err
}

// istioCharts are Istio's three releases. istiod asks for 2 GiB by default, a quarter of the node.
func (m *ServiceMesh) istioCharts() map[string]chart {
	small := requests("100m", "256Mi")
	return map[string]chart{
		"istio-base": {sources["istio-base"], istioNamespace, values{}},
		"istiod": {sources["istiod"], istioNamespace, values{
			"autoscaleEnabled": false, "resources": small,
			"global": values{"proxy": values{"resources": values{
				"requests": values{"cpu": "50m", "memory": "64Mi"},
				"limits":   values{"cpu": "1000m", "memory": "256Mi"},
			}}},
			"meshConfig": values{"defaultConfig": values{"holdApplicationUntilProxyStarts": true}},
		}},
		gatewayRelease: {sources[gatewayRelease], ingressNamespace, values{
			"autoscaling": values{"enabled": false}, "replicaCount": 1, "resources": requests("100m", "128Mi"),
			"podAnnotations": m.gatewayTopology(),
			"service": values{
				"type": "NodePort", "externalTrafficPolicy": "Local", // the client's address stays
				"ports": list(values{
					"name": "http2", "port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": m.nodePort(),
				}),
			},
		}},
	}
}

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

func requests(cpu, memory string) values {
	return values{"requests": values{"cpu": cpu, "memory": memory}}
}

// values are what an untyped object says.
type values = map[string]any

// object registers one of Istio's objects in the shop's namespace.
func (m *ServiceMesh) object(ctx *pulumi.Context, group, kind, name string, spec pulumi.Input, needs ...pulumi.Resource) (pulumi.Resource, error) {
	return apiextensions.NewCustomResource(ctx, m.name+"-"+name, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String(group + ".istio.io/v1"), Kind: pulumi.String(kind),
		Metadata:    metav1.ObjectMetaArgs{Name: pulumi.String(shopName), Namespace: pulumi.String(shopName)},
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
			"selector": values{"istio": "gateway"}, // the release's name without "istio-"
			"servers": list(values{
				"hosts": list("*"), "port": values{"number": 80, "name": "http", "protocol": "HTTP"},
			}),
		})},
		{"networking", "VirtualService", "routes", m.routes()},
		{"networking", "DestinationRule", "pods", pulumi.ToMap(values{
			"host": shopHost,
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

// routes retries reads whose connection broke, and of writes only what never reached the shop: Istio would
// otherwise repeat an order on any 503. Behind CloudFront a request that it did not send finds no route.
func (m *ServiceMesh) routes() pulumi.Input {
	spec := func(secret string) map[string]any {
		read, write := values{"method": values{"regex": contract.MeshReads.Methods}}, values{"uri": values{"prefix": "/"}}
		if secret != "" {
			headers := values{strings.ToLower(OriginHeader): values{"exact": secret}}
			read["headers"], write["headers"] = headers, headers
		}
		routes := list(
			route("read", read, contract.MeshReads), route("write", write, contract.MeshWrites),
		)
		if secret != "" {
			// Only what proved itself gets here, so the gateway knows the shopper: it tells that address alone.
			for _, r := range routes {
				r.(values)["headers"] = values{"request": values{"set": values{"x-forwarded-for": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}}
			}
		}
		return values{"hosts": list("*"), "gateways": list(shopName), "http": routes}
	}
	if !m.proven() {
		return pulumi.ToMap(spec(""))
	}
	return m.args.Edge.Secret.ApplyT(spec).(pulumi.MapOutput)
}

func route(name string, match values, r contract.MeshRoute) values {
	retries := values{"attempts": r.Attempts, "retryOn": r.RetryOn}
	if r.PerTry > 0 {
		retries["perTryTimeout"] = r.PerTry.String()
	}
	return values{
		"name": name, "match": list(match), "timeout": r.Timeout.String(), "retries": retries,
		"route": list(values{"destination": values{"host": shopHost, "port": values{"number": contract.Port}}}),
	}
}

func list(items ...any) []any { return items }
