package platform

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	security "istio.io/api/security/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// TestNobodyElse: everything in the shop's namespace is shut by default, and each kind of pod has an account of its
// own and one policy in the mesh and one in the network that let in one caller, at the port of its container.
func TestNobodyElse(t *testing.T) {
	callers := map[string]map[string]string{
		"own":     {"shop": "istio-ingress/istio-gateway"},
		"foreign": {"shop": nodeIngress + "/istio-gateway", "database": nodeShop + "/shop", "cache": nodeShop + "/shop"},
	}
	for cluster, r := range meshes(t) {
		policies, networks, accounts, pods := map[string]*security.AuthorizationPolicy{},
			map[string]networkingv1.NetworkPolicySpec{}, []string{}, map[string]corev1.PodTemplateSpec{}
		for _, o := range objects(t, r) {
			var head struct {
				Metadata struct{ Name string }
				Spec     json.RawMessage
			}
			if err := json.Unmarshal(o.json, &head); err != nil {
				t.Fatal(err)
			}
			name := head.Metadata.Name
			switch o.kind {
			case "AuthorizationPolicy":
				policies[name] = new(security.AuthorizationPolicy)
				if err := protojson.Unmarshal(head.Spec, policies[name]); err != nil {
					t.Fatal(err)
				}
			case "NetworkPolicy":
				var n networkingv1.NetworkPolicy
				if err := yaml.Unmarshal(o.json, &n); err != nil {
					t.Fatal(err)
				}
				networks[name] = n.Spec
			case "ServiceAccount":
				accounts = append(accounts, name)
			case "Deployment", "StatefulSet":
				var d appsv1.Deployment
				if err := yaml.Unmarshal(o.json, &d); err != nil {
					t.Fatal(err)
				}
				pods[name] = d.Spec.Template
			}
		}
		if nobody := policies["nobody"]; nobody == nil || len(nobody.GetRules()) > 0 || nobody.GetSelector() != nil {
			t.Errorf("%s: the mesh is open by default: %v", cluster, nobody)
		}
		if nobody, ok := networks["nobody"]; !ok || len(nobody.PodSelector.MatchLabels) > 0 ||
			!slices.Equal(nobody.PolicyTypes, []networkingv1.PolicyType{"Ingress"}) {
			t.Errorf("%s: the network is open by default: %v", cluster, nobody)
		}
		if len(pods) != len(callers[cluster]) || len(policies) != len(pods)+1 || len(networks) != len(pods)+1 {
			t.Errorf("%s: %d kinds of pods, %d policies in the mesh, %d in the network", cluster, len(pods), len(policies),
				len(networks))
		}
		for name, pod := range pods {
			port := pod.Spec.Containers[0].Ports[0].ContainerPort
			if pod.Spec.ServiceAccountName != name || !slices.Contains(accounts, name) ||
				*pod.Spec.AutomountServiceAccountToken {
				t.Errorf("%s: %s runs as %s", cluster, name, pod.Spec.ServiceAccountName)
			}
			want := &security.AuthorizationPolicy{}
			if err := protojson.Unmarshal(fmt.Appendf(nil, `{"selector": {"matchLabels": {"app": %q}}, "rules": [{
				"from": [{"source": {"serviceAccounts": [%q]}}], "to": [{"operation": {"ports": ["%d"]}}]}]}`, name,
				callers[cluster][name], port), want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(policies[name], want) {
				t.Errorf("%s: %s admits %v, want %v", cluster, name, policies[name], want)
			}
			rules := networks[name].Ingress
			if len(rules) != 1 || len(rules[0].From) != 1 || rules[0].From[0].PodSelector == nil ||
				rules[0].From[0].NamespaceSelector == nil ||
				len(rules[0].Ports) != 1 || rules[0].Ports[0].Port.IntVal != port ||
				networks[name].PodSelector.MatchLabels["app"] != name {
				t.Errorf("%s: the network lets to %s: %v", cluster, name, networks[name])
			}
		}
	}
}
