package platform

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// stackLabel is the label of a namespace that says which stack made it.
const stackLabel = "shoplab/stack"

// How long pods may take to be ready, pulled images included, and the charts' releases. An image that cannot be pulled
// takes as long, and who waits for its error has it within three minutes, those seconds included that Pulumi starts in.
const podsReady, released = 150 * time.Second, 10 * time.Minute

// ServiceMesh is the shop in a Kubernetes cluster with Istio.
type ServiceMesh struct {
	pulumi.ResourceState

	name           string
	args           ServiceMeshArgs
	place, ingress string // namespaces of the shop and of the gateway
	provider       *kubernetes.Provider
}

// ServiceMeshArgs are the arguments of NewServiceMesh.
type ServiceMeshArgs struct {
	Config Config
	// Kubeconfig of the cluster.
	Kubeconfig pulumi.StringOutput
	// Cluster is nil for a cluster that is not ours.
	Cluster *Cluster
	Image   pulumi.StringOutput
	// Env is the service's environment. Data are the addresses of the database and the cache; nil
	// for a cluster that is not ours, in which they run too.
	Env  map[string]string
	Data map[string]pulumi.StringOutput
	// Edge is what the gateway asks requests to come from.
	Edge *Edge
	// Nodes is on how many nodes the gateway runs; 0 is 1.
	Nodes int
}

// NewServiceMesh installs Istio, then the shop, and beside it what watches both.
func NewServiceMesh(
	ctx *pulumi.Context, name string, args ServiceMeshArgs, opts ...pulumi.ResourceOption,
) (*ServiceMesh, error) {
	m := newMesh(name, args)
	if err := ctx.RegisterComponentResource("shoplab:platform:ServiceMesh", name, m, opts...); err != nil {
		return nil, err
	}
	var identifier pulumi.StringInput
	if args.Cluster != nil {
		identifier = args.Cluster.Server.Instance.ID().ToStringOutput()
	}
	var err error
	if m.provider, err = newKubernetes(ctx, name+"-kubernetes", args.Kubeconfig, identifier, m); err != nil {
		return nil, err
	}
	istiod, err := m.istio(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.shop(ctx, istiod); err != nil {
		return nil, err
	}
	if args.Config.Istio == contract.IstioInstall { // an existing Istio has its own observability
		if err := m.observers(ctx, istiod); err != nil {
			return nil, err
		}
	}
	return m, ctx.RegisterResourceOutputs(m, pulumi.Map{})
}

// newMesh names what is made. On a cluster that is not ours the stack's name is in it, so that two stacks live there.
func newMesh(name string, args ServiceMeshArgs) *ServiceMesh {
	m := &ServiceMesh{name: name, args: args, place: shopName, ingress: ingressNamespace}
	if args.given() {
		m.place = shopName + "-" + args.Config.Stack
		m.ingress = m.place + "-ingress"
	}
	return m
}

// given says that the cluster is not ours.
func (a ServiceMeshArgs) given() bool { return a.Config.Kubeconfig != "" }

// in are the options of an object in the cluster. It is gone when the server is, without anybody
// asking the cluster, and made again when the server is.
func (m *ServiceMesh) in(needs ...pulumi.Resource) []pulumi.ResourceOption {
	options := child(m, pulumi.Provider(m.provider), pulumi.DependsOn(needs))
	if m.args.Cluster != nil {
		server := m.args.Cluster.Server.Instance
		options = append(options, pulumi.DeletedWith(server), pulumi.ReplaceWith([]pulumi.Resource{server}))
	}
	return options
}

// nodePort is the port of the node at which the gateway listens.
func (m *ServiceMesh) nodePort() int {
	if m.args.Cluster != nil {
		return originPort // k3s is told to allow it
	}
	return m.args.Config.NodePort
}

// namespace makes a namespace with a label that says whose it is, and others, which may be nil.
func (m *ServiceMesh) namespace(
	ctx *pulumi.Context, resource, name string, labels map[string]string,
) (*corev1.Namespace, error) {
	all := pulumi.ToStringMap(labels)
	if all == nil {
		all = pulumi.StringMap{}
	}
	all[stackLabel] = pulumi.String(m.args.Config.Stack)
	return corev1.NewNamespace(ctx, m.name+"-"+resource, &corev1.NamespaceArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(name), Labels: all},
	}, m.in()...)
}

// within bounds how long to wait until something is ready; the error then says what its pods complain about.
func within(d time.Duration) pulumi.ResourceOption {
	text := d.String()
	return pulumi.Timeouts(&pulumi.CustomTimeouts{Create: text, Update: text})
}

// Release is a Helm release. The SDK's package for it compiles the whole Kubernetes API a second
// time; this resource needs two of its inputs' names and none of its outputs.
type Release struct {
	pulumi.CustomResourceState
}

// release installs a chart and waits until what it made is ready. One resource each, not one for
// each object: Istio itself writes into some of them.
func (m *ServiceMesh) release(ctx *pulumi.Context, name string, c chart, needs ...pulumi.Resource) (*Release, error) {
	inputs := pulumi.Map{
		"name": pulumi.String(name), "namespace": pulumi.String(c.namespace), "chart": pulumi.String(c.name),
		"repositoryOpts": pulumi.StringMap{"repo": pulumi.String(c.repository)},
		"values":         pulumi.ToMap(c.values), "timeout": pulumi.Int(600),
	}
	if c.version == "" {
		text := fmt.Sprintf("The chart %s has no pinned version: Helm installs the newest of %s, whatever it is",
			c.name, c.repository)
		if err := ctx.Log.Warn(text, &pulumi.LogArgs{Resource: m}); err != nil {
			return nil, err
		}
		inputs["skipAwait"] = pulumi.Bool(true)
	} else {
		inputs["version"], inputs["atomic"] = pulumi.String(c.version), pulumi.Bool(true)
	}
	r := &Release{}
	options := append(m.in(needs...), within(released))
	return r, ctx.RegisterResource("kubernetes:helm.sh/v3:Release", m.name+"-"+name, inputs, r, options...)
}
