package platform

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1"
	security "istio.io/api/security/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"shoplab/contract"
	labcluster "shoplab/lab/cluster"
	"shoplab/platform/boot/boottest"
)

// aKubeconfig is that of a cluster which is not ours.
const aKubeconfig = `{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "b"}}],
	"clusters": [{"name": "b", "cluster": {"server": "https://192.0.2.1:6443"}}]}`

const anImage = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop" +
	"@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// meshes are the two ways to run stage 4, recorded.
func meshes(t *testing.T) map[string]*recorder {
	t.Helper()
	own := map[string]string{"shoplab:image": anImage, "shoplab:operatorCidr": "203.0.113.7/32", "shoplab:wait": "false"}
	foreign := map[string]string{"shoplab:image": anImage, "shoplab:kubeconfig": aCluster(t)}
	return map[string]*recorder{"own": record(t, "stage4", "", "", own), "foreign": record(t, "stage4", "", "", foreign)}
}

// record runs the whole program in the repository at root against a recorder.
func record(t *testing.T, stack, root, registry string, change map[string]string) *recorder {
	t.Helper()
	r := &recorder{registry: registry}
	deployTo(t, stack, root, r, change)
	return r
}

func deployTo(t *testing.T, stack, root string, mocks pulumi.MockResourceMonitor, change map[string]string) {
	t.Helper()
	setConfig(t, stackConfig(t, stack, change))
	t.Setenv(pulumi.EnvConfigSecretKeys, `["shoplab:kubeconfig"]`)
	if err := runProgram(t, stack, mocks, Deploy, func(info *pulumi.RunInfo) { info.RootDirectory = root }); err != nil {
		t.Fatalf("%s: %v", stack, err)
	}
}

// object is a Kubernetes object as the API server would get it.
type object struct {
	kind, name string
	json       []byte
}

// objects are what a recorded stage puts into the cluster itself, namespaces first.
func objects(t *testing.T, r *recorder) []object {
	t.Helper()
	var all []object
	for _, res := range r.resources {
		if !strings.HasPrefix(res.Type, "kubernetes:") || strings.HasPrefix(res.Type, "kubernetes:helm") {
			continue
		}
		text, err := json.Marshal(revealed(resource.NewProperty(res.Inputs)))
		if err != nil {
			t.Fatalf("%s: %v", res.Name, err)
		}
		all = append(all, object{kind: res.Inputs["kind"].StringValue(), name: res.Name, json: text})
	}
	slices.SortStableFunc(all, func(a, b object) int {
		order := func(o object) int { return map[bool]int{true: 0, false: 1}[o.kind == "Namespace"] }
		return order(a) - order(b)
	})
	if len(all) < 10 {
		t.Fatalf("only %d objects were recorded", len(all))
	}
	return all
}

// revealed takes away what Pulumi wraps around values.
func revealed(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return revealed(v.SecretValue().Element)
	case v.IsOutput():
		return revealed(v.OutputValue().Element)
	case v.IsObject():
		all := map[string]any{}
		for key, value := range v.ObjectValue() {
			all[string(key)] = revealed(value)
		}
		return all
	case v.IsArray():
		all := []any{}
		for _, value := range v.ArrayValue() {
			all = append(all, revealed(value))
		}
		return all
	case v.IsNumber() && v.NumberValue() == float64(int64(v.NumberValue())):
		return int64(v.NumberValue())
	}
	return v.V
}

// TestObjectsDecode holds every object against Kubernetes' and Istio's own types; a field that they
// do not know is an error.
func TestObjectsDecode(t *testing.T) {
	kubernetesTypes := map[string]func() any{
		"Namespace": func() any { return new(corev1.Namespace) }, "Secret": func() any { return new(corev1.Secret) },
		"Service": func() any { return new(corev1.Service) }, "Deployment": func() any { return new(appsv1.Deployment) },
		"StatefulSet":             func() any { return new(appsv1.StatefulSet) },
		"ServiceAccount":          func() any { return new(corev1.ServiceAccount) },
		"NetworkPolicy":           func() any { return new(networkingv1.NetworkPolicy) },
		"HorizontalPodAutoscaler": func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
		"PodDisruptionBudget":     func() any { return new(policyv1.PodDisruptionBudget) },
	}
	istioTypes := map[string]func() proto.Message{
		"Gateway": func() proto.Message { return new(networking.Gateway) }, "VirtualService": func() proto.Message {
			return new(networking.VirtualService)
		},
		"DestinationRule":     func() proto.Message { return new(networking.DestinationRule) },
		"PeerAuthentication":  func() proto.Message { return new(security.PeerAuthentication) },
		"AuthorizationPolicy": func() proto.Message { return new(security.AuthorizationPolicy) },
	}
	for cluster, r := range meshes(t) {
		for _, o := range objects(t, r) {
			if create, ok := kubernetesTypes[o.kind]; ok {
				if err := yaml.UnmarshalStrict(o.json, create()); err != nil {
					t.Errorf("%s %s: %v", cluster, o.name, err)
				}
				continue
			}
			create, ok := istioTypes[o.kind]
			if !ok {
				t.Errorf("%s %s: %s is of no known type", cluster, o.name, o.kind)
				continue
			}
			var in struct{ Spec json.RawMessage }
			if err := json.Unmarshal(o.json, &in); err != nil {
				t.Errorf("%s %s: %v", cluster, o.name, err)
			}
			if err := protojson.Unmarshal(in.Spec, create()); err != nil {
				t.Errorf("%s %s: %v", cluster, o.name, err)
			}
		}
	}
}

// decode finds the one object of a kind called shop.
func decode(t *testing.T, r *recorder, kind string, into any) {
	t.Helper()
	for _, o := range objects(t, r) {
		var head struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal(o.json, &head); err != nil {
			t.Fatal(err)
		}
		if o.kind == kind && head.Metadata.Name == shopName {
			if err := yaml.UnmarshalStrict(o.json, into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no %s", kind)
}

// TestPods holds the Deployment against the service's contract.
func TestPods(t *testing.T) {
	for cluster, r := range meshes(t) {
		t.Run(cluster, func(t *testing.T) {
			var deployment appsv1.Deployment
			decode(t, r, "Deployment", &deployment)
			var secret corev1.Secret
			decode(t, r, "Secret", &secret)
			pod := deployment.Spec.Template
			container := pod.Spec.Containers[0]
			for name, got := range map[string]string{
				contract.ReadyPath + " readiness": container.ReadinessProbe.HTTPGet.Path + " readiness",
				contract.LivePath + " liveness":   container.LivenessProbe.HTTPGet.Path + " liveness",
				strconv.Itoa(contract.Port):       strconv.Itoa(int(container.Ports[0].ContainerPort)),
				strconv.Itoa(contract.AdminPort):  pod.Annotations["prometheus.io/port"],
				strconv.Itoa(contract.UID):        strconv.Itoa(int(*pod.Spec.SecurityContext.RunAsUser)),
			} {
				if got != name {
					t.Errorf("got %s, want %s", got, name)
				}
			}
			// What it saves is measured with the same annotation: lab findings bypass.
			if past := pod.Annotations[labcluster.ExcludePorts]; (past == labcluster.DataPorts) != (cluster == "own") {
				t.Errorf("past the sidecar go connections to the ports %q", past)
			}
			given := map[string]bool{}
			for _, variable := range container.Env {
				given[variable.Name] = true
				if !slices.Contains(contract.Env, variable.Name) || slices.Contains(contract.SecretEnv, variable.Name) {
					t.Errorf("%s is no variable of the service, or a secret", variable.Name)
				}
			}
			for _, name := range []string{contract.EnvDatabaseURL, contract.EnvRedisURL, contract.EnvSessionKey} {
				if secret.StringData[name] == "" {
					t.Errorf("the Secret lacks %s", name)
				}
			}
			if !given[contract.EnvDrainDelay] || *pod.Spec.TerminationGracePeriodSeconds <= drainSeconds {
				t.Errorf("the pod is killed after %d s, but drains for %d s", *pod.Spec.TerminationGracePeriodSeconds, drainSeconds)
			}
		})
	}
}

// TestClusterGoesWithItsServer: an object in a cluster of ours never outlives its server, and
// destroy asks no dead API.
func TestClusterGoesWithItsServer(t *testing.T) {
	all := meshes(t)
	count := 0
	for _, res := range all["own"].resources {
		if !strings.HasPrefix(res.Type, "kubernetes:") {
			continue
		}
		count++
		if res.DeletedWith != "cluster-server-instance" ||
			!slices.Equal(res.ReplacedWith, []string{"cluster-server-instance"}) {
			t.Errorf("%s is deleted with %q and replaced with %q", res.Name, res.DeletedWith, res.ReplacedWith)
		}
	}
	if count < 15 {
		t.Errorf("only %d objects in the cluster", count)
	}
	for _, res := range all["foreign"].resources {
		if strings.HasPrefix(res.Type, "aws:") {
			t.Errorf("%s (%s) is made in AWS, for a cluster that is not there", res.Name, res.Type)
		}
		if res.DeletedWith != "" {
			t.Errorf("%s is deleted with %s", res.Name, res.DeletedWith)
		}
	}
}

// TestIstioFirst: pods are made when istiod injects sidecars and mutual TLS is strict, and Istio's
// objects when it checks them.
func TestIstioFirst(t *testing.T) {
	for cluster, r := range meshes(t) {
		for _, res := range r.resources {
			waits := slices.Contains(res.DependsOn, "mesh-istiod")
			for _, first := range []string{
				"mesh-mtls", "mesh-nobody-policy", "mesh-nobody-network", "mesh-shop-policy", "mesh-shop-network",
			} {
				if strings.HasPrefix(res.Type, "kubernetes:apps/") && !slices.Contains(res.DependsOn, first) {
					t.Errorf("%s: %s does not wait for %s, but for %v", cluster, res.Name, first, res.DependsOn)
				}
			}
			if strings.HasPrefix(res.Type, "kubernetes:apps/") || strings.Contains(res.Type, ".istio.io/") {
				if !waits {
					t.Errorf("%s: %s does not wait for istiod, but for %v", cluster, res.Name, res.DependsOn)
				}
			}
		}
	}
}

// apiServer is a real API server with nothing behind it.
type apiServer struct{ kubectl, kubeconfig string }

// startServer starts one until the test ends, with Istio's definitions unless the options say otherwise.
func startServer(t *testing.T, options ...string) apiServer {
	t.Helper()
	if testing.Short() {
		t.Skip("starts an API server: not with -short")
	}
	kit, err := boottest.SharedFile("kubernetes/kube.sh")
	if err != nil {
		t.Skipf("no Kubernetes kit: %v", err)
	}
	dir := t.TempDir()
	up := exec.CommandContext(t.Context(), kit,
		append([]string{"up", "--dir", dir, "--until-exit", strconv.Itoa(os.Getpid())}, options...)...)
	up.Stderr = os.Stderr
	kubeconfig, err := up.Output()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(kit, "down", "--dir", dir).CombinedOutput(); err != nil {
			t.Errorf("stop the API server: %v\n%s", err, out)
		}
	})
	bin, err := exec.CommandContext(t.Context(), kit, "bin").Output()
	if err != nil {
		t.Fatal(err)
	}
	return apiServer{
		kubectl:    filepath.Join(strings.TrimSpace(string(bin)), "kubectl"),
		kubeconfig: strings.TrimSpace(string(kubeconfig)),
	}
}

// run is kubectl's answer; a file called - is the input.
func (s apiServer) run(t *testing.T, input []byte, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.kubectl, append([]string{"--kubeconfig", s.kubeconfig}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	return cmd.CombinedOutput()
}

// must is kubectl's answer, or the test's end.
func (s apiServer) must(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	out, err := s.run(t, input, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// check asks the server whether it would take an object. Namespaces it takes: what is in them could not
// be checked otherwise.
func (s apiServer) check(t *testing.T, o object) ([]byte, error) {
	t.Helper()
	dry := "--dry-run=server"
	if o.kind == "Namespace" {
		dry = "--dry-run=none"
	}
	return s.run(t, o.json, "apply", "--validate=strict", dry, "-f", "-")
}

// TestServerTakesObjects gives the objects to a real API server with Istio's definitions, which
// checks every field.
func TestServerTakesObjects(t *testing.T) {
	server := startServer(t)
	for cluster, r := range meshes(t) {
		for _, o := range objects(t, r) {
			if out, err := server.check(t, o); err != nil {
				t.Errorf("%s %s: %v\n%s", cluster, o.name, err, out)
			}
		}
	}
	wrong := object{json: []byte(`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "shop"},
		"spec": {"ports": [{"port": 80, "portt": 81}]}}`)}
	if out, err := server.check(t, wrong); err == nil {
		t.Errorf("the server took an unknown field: %s", out)
	}
}
