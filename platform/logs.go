package platform

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// logGroup is the name of the log group of a stage's service, alike on every stage.
func (c Config) logGroup() string { return "/shoplab/" + c.Stack + "/service" }

// newLogGroup makes the log group of a component that runs the service. What writes to it has to depend
// on it: a writer that outlives the group may bring it back, without retention or tags.
func (c Config) newLogGroup(ctx *pulumi.Context, name string, parent pulumi.Resource) (*cloudwatch.LogGroup, error) {
	return cloudwatch.NewLogGroup(ctx, name+"-logs", &cloudwatch.LogGroupArgs{
		Name: pulumi.String(c.logGroup()), RetentionInDays: pulumi.Int(c.LogRetentionDays),
	}, child(parent)...)
}
