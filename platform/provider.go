package platform

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// settings are the stack's keys in the namespace of a provider, as Pulumi hands them to the default provider
// of that name: text, and JSON where a value is not text.
func settings(namespace string) (map[string]string, error) {
	all := map[string]string{}
	if environment := os.Getenv(pulumi.EnvConfig); environment != "" {
		if err := json.Unmarshal([]byte(environment), &all); err != nil {
			return nil, fmt.Errorf("%s is not JSON: %w", pulumi.EnvConfig, err)
		}
	}
	own := map[string]string{}
	for name, value := range all {
		if key, ours := strings.CutPrefix(name, namespace+":"); ours {
			own[key] = value
		}
	}
	return own, nil
}

// like makes an explicit provider what the default one is: it gets the stack's settings in the namespace,
// except those that inputs say otherwise. Without it a provider for a second region acts with other
// credentials than the rest of the stack, perhaps in another account.
func like(ctx *pulumi.Context, namespace string, inputs pulumi.Map) (pulumi.ResourceOption, error) {
	own, err := settings(namespace)
	if err != nil {
		return nil, err
	}
	all := pulumi.Map{}
	for key, value := range own {
		all[key] = pulumi.String(value)
		if ctx.IsConfigSecret(namespace + ":" + key) {
			all[key] = pulumi.ToSecret(pulumi.String(value))
		}
	}
	maps.Copy(all, inputs)
	maps.DeleteFunc(all, func(_ string, value pulumi.Input) bool { return value == nil })
	return pulumi.Transformations([]pulumi.ResourceTransformation{
		func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			return &pulumi.ResourceTransformationResult{Props: all, Opts: args.Opts}
		},
	}), nil
}

// newRegion is AWS in a region other than the stack's, and otherwise as the stack is.
func newRegion(ctx *pulumi.Context, name, region string, parent pulumi.Resource) (*aws.Provider, error) {
	same, err := like(ctx, "aws", pulumi.Map{"region": pulumi.String(region)})
	if err != nil {
		return nil, err
	}
	return aws.NewProvider(ctx, name, nil, child(parent, same)...)
}

// newKubernetes is the Kubernetes provider of one cluster; identifier tells it from the one before at the same
// address and may be nil. The stack's settings cannot name another cluster.
func newKubernetes(
	ctx *pulumi.Context, name string, kubeconfig, identifier pulumi.StringInput, parent pulumi.Resource,
) (*kubernetes.Provider, error) {
	inputs := pulumi.Map{
		"kubeconfig": kubeconfig, "enableServerSideApply": pulumi.Bool(true), "context": nil, "cluster": nil,
		"clusterIdentifier": nil,
	}
	if identifier != nil {
		// A refresh leaves alone what it cannot see: the cluster may be shut to this machine's new address, which the
		// update after it admits. What is gone with its server, the engine forgets (DeletedWith).
		inputs["clusterIdentifier"], inputs["skipUpdateUnreachable"] = identifier, pulumi.Bool(true)
	}
	same, err := like(ctx, "kubernetes", inputs)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewProvider(ctx, name, nil, child(parent, same)...)
}
