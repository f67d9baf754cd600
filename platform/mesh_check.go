package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"shoplab/contract"
)

// checkCluster finds, before anything is made, what keeps stage 4 from a cluster that is not ours: names and ports
// that are taken, nodes that are too small or of another architecture, no volumes, no Istio or one too many. A preview
// goes on without a cluster that does not answer. The result is on how many nodes the gateway can run.
func checkCluster(ctx *pulumi.Context, c Config) (nodes int, err error) {
	if c.Kubeconfig == "" {
		return 1, nil
	}
	cluster, err := newClusterAPI(c.Kubeconfig)
	if err != nil {
		return 0, fmt.Errorf("read the kubeconfig (shoplab:kubeconfig): %w", err)
	}
	var all inventory
	if err := cluster.take(ctx.Context(), &all); err != nil {
		err = fmt.Errorf("the cluster of shoplab:kubeconfig cannot be asked what is in it: %w", err)
		if ctx.DryRun() {
			return 1, ctx.Log.Warn(err.Error(), nil)
		}
		return 0, err
	}
	nodes = all.gateways(c.Architecture)
	if problems := all.problems(newMesh("", ServiceMeshArgs{Config: c, Nodes: nodes})); len(problems) > 0 {
		return 0, fmt.Errorf("the cluster cannot have stack %s, and nothing was made:\n  - %s",
			c.Stack, strings.Join(problems, "\n  - "))
	}
	return nodes, nil
}

// clusterAPI asks a cluster's API server with whatever credentials its kubeconfig has.
type clusterAPI struct {
	client *http.Client
	url    string
}

func newClusterAPI(kubeconfig string) (*clusterAPI, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(kubeconfig))
	if err != nil {
		return nil, err
	}
	config.Timeout = 20 * time.Second
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	url, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	return &clusterAPI{client, strings.TrimSuffix(url.String(), "/")}, nil
}

// errAbsent is what a cluster answers about what it has not.
var errAbsent = errors.New("not there")

// get asks for the JSON at a path.
func (a *clusterAPI) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case response.StatusCode == http.StatusNotFound:
		return errAbsent
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", path, response.Status, strings.TrimSpace(string(text[:min(len(text), 300)])))
	}
	return json.Unmarshal(text, into)
}

// inventory is as much of a cluster as stage 4 can collide with.
type inventory struct {
	namespaces, nodes, pods, services, classes, webhooks struct{ Items []clusterObject }
	policies                                             json.RawMessage // the definition of AuthorizationPolicies
}

// clusterObject is any object, with the fields that are looked at.
type clusterObject struct {
	Metadata struct {
		Name, Namespace     string
		Labels, Annotations map[string]string
	}
	Spec struct {
		Unschedulable              bool
		NodeName                   string
		Taints                     []struct{ Key, Effect string }
		Ports                      []struct{ NodePort int }
		Containers, InitContainers []podContainer
	}
	Status struct {
		Phase       string
		Allocatable map[string]string
	}
}

// take asks for everything.
func (a *clusterAPI) take(ctx context.Context, all *inventory) error {
	for path, into := range map[string]any{
		"/api/v1/namespaces": &all.namespaces, "/api/v1/nodes": &all.nodes, "/api/v1/pods": &all.pods,
		"/api/v1/services":                       &all.services,
		"/apis/storage.k8s.io/v1/storageclasses": &all.classes,
		"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations":                             &all.webhooks,
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/authorizationpolicies.security.istio.io": &all.policies,
	} {
		if err := a.get(ctx, path, into); err != nil && !errors.Is(err, errAbsent) {
			return err
		}
	}
	return nil
}

// problems are what a mesh would collide with, each with what to do about it.
func (all *inventory) problems(m *ServiceMesh) []string {
	c := m.args.Config
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, n := range all.namespaces.Items {
		switch name, owner := n.Metadata.Name, n.Metadata.Labels[stackLabel]; {
		case owner == c.Stack:
		case name == m.place || name == m.ingress:
			say("the namespace %s is there already and not this stack's; deploy a stack of another name", name)
		case name == istioNamespace && c.Istio == contract.IstioInstall:
			say("Istio is there already (namespace %s); use it: pulumi config set -s %s istio existing", name, c.Stack)
		}
	}
	if c.Istio == contract.IstioExisting {
		if problem := all.oldIstio(); problem != "" {
			say("%s", problem)
		}
	}
	for _, s := range all.services.Items {
		for _, port := range s.Spec.Ports {
			if port.NodePort == c.NodePort && s.Metadata.Namespace != m.ingress {
				say("the node port %d is that of %s/%s; take another: pulumi config set -s %s nodePort 30081",
					c.NodePort, s.Metadata.Namespace, s.Metadata.Name, c.Stack)
			}
		}
	}
	if problem := all.noVolume(c); problem != "" {
		say("%s", problem)
	}
	return append(problems, all.tooSmall(m)...)
}

// oldIstio says why the Istio that is there does not do.
func (all *inventory) oldIstio() string {
	injects := slices.ContainsFunc(all.webhooks.Items, func(w clusterObject) bool {
		return w.Metadata.Name == "istio-sidecar-injector" || strings.HasPrefix(w.Metadata.Name, "istio-revision-tag-default")
	})
	switch {
	case !injects || len(all.policies) == 0:
		return "no Istio puts sidecars into namespaces with the label istio-injection=enabled; install it by leaving " +
			"shoplab:istio away, or give its revision the tag default"
	case !strings.Contains(string(all.policies), `"serviceAccounts"`):
		// The API server drops fields that a definition does not know, and the policy would not say who.
		return "the cluster's Istio is too old: its AuthorizationPolicy knows no serviceAccounts, and this program is " +
			"tested with Istio " + istioVersion
	}
	return ""
}

// noVolume says why the database would wait for its volume for ever.
func (all *inventory) noVolume(c Config) string {
	var classes []string
	byDefault := false
	for _, class := range all.classes.Items {
		classes = append(classes, class.Metadata.Name)
		byDefault = byDefault || class.Metadata.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
	}
	choice := fmt.Sprintf("set shoplab:storageClass to one of %s, or to %s, and accounts and orders go with the "+
		"database's pod",
		strings.Join(append(classes, "(none)")[:max(1, len(classes))], ", "), ephemeral)
	switch {
	case c.StorageClass == ephemeral, slices.Contains(classes, c.StorageClass):
		return ""
	case c.StorageClass != "":
		return fmt.Sprintf("there is no StorageClass %s; %s", c.StorageClass, choice)
	case !byDefault:
		return "there is no default StorageClass for the database's volume; " + choice
	}
	return ""
}
