package platform

import (
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// agentPort is where a sidecar's agent shows the pod's metrics, and envoyPort where Envoy shows its own.
const agentPort, envoyPort = 15020, 15090

// door is who may talk to a pod of the shop's namespace, and at which port. Everything else is shut.
type door struct {
	to   string // the pods' label app, and the name of their service account
	port int
	// The caller: its namespace, its service account, and its pods' label.
	namespace, account string
	label              [2]string
}

// doors are all of them: nobody but the gateway reaches the shop, nobody but the shop its data.
func (m *ServiceMesh) doors() []door {
	all := []door{{shopName, contract.Port, m.ingress, gatewayRelease, [2]string{"istio", m.gatewayLabel()}}}
	if m.args.Data == nil {
		shop := [2]string{"app", shopName}
		all = append(all,
			door{databaseName, postgresPort, m.place, shopName, shop},
			door{cacheName, redisPort, m.place, shopName, shop})
	}
	return all
}

// access makes the service accounts by which the mesh knows pods, and says who may talk to whom, twice: to the
// sidecars, which know callers by their certificates, and to the cluster's network, where it enforces policies.
func (m *ServiceMesh) access(
	ctx *pulumi.Context, namespace *corev1.Namespace, needs ...pulumi.Resource,
) ([]pulumi.Resource, error) {
	nobody, err := m.object(ctx, "security", "AuthorizationPolicy", "nobody", pulumi.Map{}, needs...)
	if err != nil {
		return nil, err
	}
	network, err := m.networkPolicy(ctx, "nobody", networkingv1.NetworkPolicySpecArgs{
		PodSelector: metav1.LabelSelectorArgs{}, Ingress: networkingv1.NetworkPolicyIngressRuleArray{m.observed()},
	}, namespace)
	if err != nil {
		return nil, err
	}
	all := []pulumi.Resource{nobody, network}
	for _, d := range m.doors() {
		account, err := corev1.NewServiceAccount(ctx, m.name+"-"+d.to+"-account", &corev1.ServiceAccountArgs{
			Metadata: m.metadata(d.to), AutomountServiceAccountToken: pulumi.Bool(false),
		}, m.in(namespace)...)
		if err != nil {
			return nil, err
		}
		policy, err := m.object(ctx, "security", "AuthorizationPolicy", d.to, pulumi.ToMap(values{
			"selector": values{"matchLabels": values{"app": d.to}},
			"action":   "ALLOW",
			"rules": list(values{
				"from": list(values{"source": values{"serviceAccounts": list(d.namespace + "/" + d.account)}}),
				"to":   list(values{"operation": values{"ports": list(strconv.Itoa(d.port))}}),
			}),
		}), needs...)
		if err != nil {
			return nil, err
		}
		network, err := m.networkPolicy(ctx, d.to, networkingv1.NetworkPolicySpecArgs{
			PodSelector: metav1.LabelSelectorArgs{MatchLabels: labels(d.to)},
			Ingress: networkingv1.NetworkPolicyIngressRuleArray{
				fromPods(d.namespace, pulumi.StringMap{d.label[0]: pulumi.String(d.label[1])}, d.port),
			},
		}, namespace)
		if err != nil {
			return nil, err
		}
		all = append(all, account, policy, network)
	}
	return all, nil
}

// observed lets Prometheus fetch every pod's metrics. The kubelet's probes need no rule: a node reaches its pods
// whatever the policies are (kubernetes.io/docs/concepts/services-networking/network-policies).
func (m *ServiceMesh) observed() networkingv1.NetworkPolicyIngressRuleArgs {
	return fromPods(istioNamespace, nil, agentPort, envoyPort)
}

// fromPods admits a namespace's pods that have the labels at some ports.
func fromPods(namespace string, labels pulumi.StringMap, ports ...int) networkingv1.NetworkPolicyIngressRuleArgs {
	peer := networkingv1.NetworkPolicyPeerArgs{NamespaceSelector: metav1.LabelSelectorArgs{
		MatchLabels: pulumi.StringMap{"kubernetes.io/metadata.name": pulumi.String(namespace)},
	}}
	if labels != nil {
		peer.PodSelector = metav1.LabelSelectorArgs{MatchLabels: labels}
	}
	var open networkingv1.NetworkPolicyPortArray
	for _, port := range ports {
		open = append(open, networkingv1.NetworkPolicyPortArgs{Protocol: pulumi.String("TCP"), Port: pulumi.Int(port)})
	}
	return networkingv1.NetworkPolicyIngressRuleArgs{From: networkingv1.NetworkPolicyPeerArray{peer}, Ports: open}
}

func (m *ServiceMesh) networkPolicy(
	ctx *pulumi.Context, name string, spec networkingv1.NetworkPolicySpecArgs, namespace *corev1.Namespace,
) (pulumi.Resource, error) {
	spec.PolicyTypes = pulumi.ToStringArray([]string{"Ingress"})
	return networkingv1.NewNetworkPolicy(ctx, m.name+"-"+name+"-network", &networkingv1.NetworkPolicyArgs{
		Metadata: m.metadata(name), Spec: spec,
	}, m.in(namespace)...)
}
