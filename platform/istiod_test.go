package platform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"shoplab/contract"
	"shoplab/stack"

	"shoplab/exectest"
)

// TestIstiodTakesTheObjects gives the objects to istiod itself, which knows more of them than their
// definitions say, and looks at what it makes of them.
func TestIstiodTakesTheObjects(t *testing.T) {
	istiod := startIstiod(t)
	clusters := meshes(t)
	for cluster, r := range clusters {
		for _, o := range objects(t, r) {
			if out, err := istiod.check(t, o); err != nil {
				t.Errorf("%s %s: %v\n%s", cluster, o.name, err, out)
			}
		}
	}
	wrong := object{json: []byte(`{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
		"metadata": {"name": "x", "namespace": "shop"}, "spec": {"hosts": ["x"], "http": [{"name": "leads nowhere"}]}}`)}
	if out, err := istiod.check(t, wrong); err == nil ||
		!bytes.Contains(out, []byte("HTTP route, redirect or direct_response is required")) {
		t.Errorf("a route that leads nowhere: %v\n%s", err, out)
	}

	behindCloudFront := newMesh("mesh", ServiceMeshArgs{
		Edge: &Edge{config: Config{stack.Config{Topology: contract.Mesh, HTTPS: contract.HTTPSCloudFront, NodePort: 30080}}},
	})
	manifests := rendered(t, gatewayRelease, istioChart(t, gatewayRelease), behindCloudFront.istioCharts()[gatewayRelease])
	istiod.must(t, manifests, "apply", "--server-side", "--validate=strict", "-f", "-")
	for _, o := range objects(t, clusters["own"]) {
		istiod.must(t, o.json, "apply", "--validate=strict", "-f", "-")
	}
	shop, gateway := istiod.pod(t, shopName, shopName), istiod.pod(t, ingressNamespace, gatewayRelease)
	t.Run("injection", func(t *testing.T) {
		if !slices.ContainsFunc(shop.Spec.InitContainers, func(c corev1.Container) bool {
			return c.Name == "istio-proxy" && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}) {
			t.Error("the sidecar does not start before the shop and end after it")
		}
		container := shop.Spec.Containers[0]
		for _, p := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
			if p.HTTPGet.Port.String() != "15020" || !strings.HasPrefix(p.HTTPGet.Path, "/app-health/shop/") {
				t.Errorf("the kubelet, which has no certificate, asks for %s at port %s", p.HTTPGet.Path, p.HTTPGet.Port.String())
			}
		}
		if port := shop.Annotations["prometheus.io/port"]; port != "15020" {
			t.Errorf("Prometheus, which has no certificate, asks port %s", port)
		}
		if image := gateway.Spec.Containers[0].Image; !strings.Contains(image, "/proxyv2:") {
			t.Errorf("the gateway's image is %s", image)
		}
	})
	t.Run("gateway", func(t *testing.T) {
		istiod.configures(t, "router", gateway, "http.80", []string{
			`"name":"0.0.0.0_80"`, `"routeConfigName":"http.80"`, `"useRemoteAddress":true`, `"xffNumTrustedHops":1`,
			`"requestHeadersToAdd":[{"header":{"key":"x-forwarded-for",` +
				`"value":"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},"appendAction":"OVERWRITE_IF_EXISTS_OR_ADD"`,
			`"name":"x-origin-secret"`, `"cluster":"outbound|8080||` + behindCloudFront.host() + `"`,
			`"timeout":"15s","retryPolicy":{` +
				`"retryOn":"connect-failure,refused-stream,reset,retriable-status-codes","numRetries":2,"perTryTimeout":"3s"`,
			`"timeout":"30s","retryPolicy":{` +
				`"retryOn":"connect-failure,refused-stream,reset,retriable-status-codes","numRetries":2`,
			`"timeout":"30s","retryPolicy":{"retryOn":"connect-failure,refused-stream,reset-before-request","numRetries":2`,
			`"retriableStatusCodes":[503]`, `"responseHeadersToRemove":["x-envoy-ratelimited"]`,
			`"enforcingConsecutive5xx":0`, `"splitExternalLocalOriginErrors":true,"consecutiveLocalOriginFailure":5`,
			`{"idleTimeout":"60s"}`,
		}, `"name":"blackhole:80"`)
	})
	t.Run("sidecar", func(t *testing.T) {
		istiod.configures(t, "sidecar", shop, "8080", []string{
			`"name":"virtualInbound"`, `"destinationPort":8080,"transportProtocol":"tls"`, `"name":"inbound|8080||"`,
			`{"idleTimeout":"60s"},"explicitHttpConfig":{"httpProtocolOptions":{}}}},"cleanupInterval":"9223372035s",` +
				`"upstreamBindConfig":{"sourceAddress":{"address":"` + strings.TrimSuffix(sidecarNetwork, "/32") + `"`,
		}, `"destinationPort":8080,"transportProtocol":"raw_buffer"`)
	})
}

// istiod is the real one, a process beside the API server that asks it.
type istiod struct {
	apiServer
	debug, xds string // addresses
}

// startIstiod installs Istio with our values and runs istiod until the test ends. The API server reaches
// no Services, so its webhooks name istiod's address.
func startIstiod(t *testing.T) istiod {
	t.Helper()
	pilot := os.Getenv("SHOPLAB_PILOT")
	if bin := nodePrograms(t); pilot == "" && bin != "" {
		pilot = filepath.Join(bin, "pilot-discovery")
		t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH")) // helm
	}
	if pilot == "" {
		t.Skipf("no istiod: go build ./pilot/cmd/pilot-discovery in a copy of %s, then set SHOPLAB_PILOT to it; and helm: "+
			"go build ./cmd/helm in a copy of helm.sh/helm/v4@v4.2.0, into PATH", istioModule)
	}
	webhooks, debug, xds := exectest.FreeAddress(t), exectest.FreeAddress(t), exectest.FreeAddress(t)
	var install [][]byte
	charts := newMesh("mesh", ServiceMeshArgs{}).istioCharts()
	for _, release := range []string{"istio-base", "istiod"} {
		c := charts[release]
		maps.Copy(c.values, values{
			"base":         values{"validationURL": "https://" + webhooks + "/validate"},
			"istiodRemote": values{"injectionURL": "https://" + webhooks + "/inject"},
		})
		install = append(install, rendered(t, release, istioChart(t, release), c))
	}
	i := istiod{startServer(t, "--bare"), debug, xds}
	i.must(t, nil, "create", "namespace", istioNamespace)
	for _, manifests := range install {
		i.must(t, manifests, "apply", "--server-side", "--validate=strict", "-f", "-")
	}

	host, _, _ := net.SplitHostPort(webhooks)
	cmd := exec.CommandContext(t.Context(), pilot, "discovery", "--kubeconfig", i.kubeconfig,
		"--httpsAddr", webhooks, "--httpAddr", debug, "--grpcAddr", xds, "--secureGRPCAddr", host+":0",
		"--monitoringAddr", host+":0", "--ctrlz_address", host, "--ctrlz_port", "0", "--log_output_level", "all:warn")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "POD_NAMESPACE="+istioNamespace, "REVISION=default", "PILOT_CERT_PROVIDER=istiod",
		"ISTIOD_CUSTOM_HOST="+host, "VALIDATION_WEBHOOK_CONFIG_NAME=istio-validator-"+istioNamespace)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // the end of the test's context has killed it
		if t.Failed() {
			t.Logf("istiod:\n%s", log.String())
		}
	})
	// An istiod that answers puts its certificate into the webhooks; from then on nothing passes without it.
	i.must(t, nil, "wait", "--timeout=90s", "--for=jsonpath={.webhooks[0].failurePolicy}=Fail",
		"validatingwebhookconfiguration/istiod-default-validator")
	i.must(t, nil, "wait", "--timeout=90s", "--for=jsonpath={.webhooks[0].clientConfig.caBundle}",
		"mutatingwebhookconfiguration/istio-sidecar-injector")
	return i
}

// pod is a Deployment's as the server would keep it, with what istiod adds.
func (i istiod) pod(t *testing.T, namespace, deployment string) corev1.Pod {
	t.Helper()
	var d appsv1.Deployment
	if err := json.Unmarshal(i.must(t, nil, "get", "deployment", deployment, "--namespace", namespace, "--output=json"),
		&d); err != nil {
		t.Fatal(err)
	}
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: d.Spec.Template.ObjectMeta,
		Spec: d.Spec.Template.Spec,
	}
	pod.Name, pod.Namespace = deployment, namespace
	pod.Spec.ServiceAccountName = cmp.Or(pod.Spec.ServiceAccountName, "default") // as a server with controllers says
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	var whole corev1.Pod
	if err := json.Unmarshal(i.must(t, text, "create", "--dry-run=server", "--output=json", "-f", "-"),
		&whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

// configures asks for configuration as the Envoy in a pod does, and waits until all that is wanted is in
// what istiod would send, and what is unwanted is not.
func (i istiod) configures(t *testing.T, kind string, pod corev1.Pod, routes string, want []string, avoid string) {
	t.Helper()
	name := pod.Name + "." + pod.Namespace
	i.connect(t, kind+"~10.42.0.9~"+name+"~"+pod.Namespace+".svc.cluster.local", pod, routes)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		response, err := http.Get("http://" + i.debug + "/debug/config_dump?proxyID=" + name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var config bytes.Buffer
		if err := json.Compact(&config, text); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		told := func(text string) bool { return bytes.Contains(config.Bytes(), []byte(text)) }
		missing := slices.DeleteFunc(slices.Clone(want), told)
		if len(missing) == 0 && !told(avoid) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("istiod does not tell the %s:\n%s\nor tells it:\n%s", kind, strings.Join(missing, "\n"), avoid)
		}
	}
}

// proxyConfig is what a pod's annotation says of its proxy, as injection hands it over.
func proxyConfig(t *testing.T, pod corev1.Pod) map[string]any {
	t.Helper()
	config := map[string]any{}
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, v := range c.Env {
			if v.Name == "PROXY_CONFIG" {
				if err := json.Unmarshal([]byte(v.Value), &config); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return config
}

// connect subscribes to clusters, listeners and one set of routes until the test ends.
func (i istiod) connect(t *testing.T, id string, pod corev1.Pod, routes string) {
	t.Helper()
	connection, err := grpc.NewClient(i.xds, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).StreamAggregatedResources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]any{}
	for key, value := range pod.Labels {
		labels[key] = value
	}
	ports, err := json.Marshal(pod.Spec.Containers[0].Ports)
	if err != nil {
		t.Fatal(err)
	}
	about, err := structpb.NewStruct(map[string]any{
		"NAMESPACE": pod.Namespace, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": istioVersion, "LABELS": labels,
		"POD_PORTS":    string(ports),
		"PROXY_CONFIG": proxyConfig(t, pod),
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind, names := range map[string][]string{
		"cluster.v3.Cluster": nil, "listener.v3.Listener": nil, "route.v3.RouteConfiguration": {routes},
	} {
		if err := stream.Send(&discovery.DiscoveryRequest{
			Node: &core.Node{Id: id, Metadata: about}, TypeUrl: "type.googleapis.com/envoy.config." + kind, ResourceNames: names,
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	go func() { // what comes is read from istiod's dump
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
}
