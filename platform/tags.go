package platform

import (
	"reflect"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// tags are those of every taggable resource of a component.
func (c Config) tags(component string) map[string]string {
	tags := map[string]string{
		"project": "shoplab", "stage": c.Stack, "component": component, "managed-by": "pulumi",
	}
	if c.Expires != "" {
		tags["expires"] = c.Expires
	}
	return tags
}

// owner is the name in AWS of what there is one of in a stage, and physical how other names begin: an inventory finds
// by its name, or by the name of what it was made of, what may have no tags.
func (c Config) owner() string    { return "shoplab-" + c.Stack }
func (c Config) physical() string { return c.owner() + "-" }

// tagEverything makes every AWS resource registered from here on carry its tags. The component is
// the first word of the resource's name: children are named after their component.
func tagEverything(ctx *pulumi.Context, c Config) error {
	return ctx.RegisterStackTransformation(func(
		args *pulumi.ResourceTransformationArgs,
	) *pulumi.ResourceTransformationResult {
		if args.Props == nil || !strings.HasPrefix(args.Type, "aws:") {
			return nil
		}
		field := reflect.Indirect(reflect.ValueOf(args.Props)).FieldByName("Tags")
		if !field.IsValid() || field.Type() != reflect.TypeFor[pulumi.StringMapInput]() {
			return nil
		}
		component, _, _ := strings.Cut(args.Name, "-")
		tags := c.tags(component)
		tags["Name"] = c.Stack + "-" + args.Name
		field.Set(reflect.ValueOf(pulumi.ToStringMap(tags)))
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: args.Opts}
	})
}

// child are the options of a resource that belongs to a component.
func child(parent pulumi.Resource, opts ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return append([]pulumi.ResourceOption{pulumi.Parent(parent)}, opts...)
}
