package platform

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// logGroup is the name of the log group of a stage's service, alike on every stage.
func (c Config) logGroup() string { return "/shoplab/" + c.Stack + "/service" }

// newLogGroup makes the log group of a component that runs the service. What writes to it has to depend
// on it: a writer that outlives the group may bring it back, without retention or tags.
func (c Config) newLogGroup(ctx *pulumi.Context, name string, parent pulumi.Resource) (*cloudwatch.LogGroup, error) {
	group, err := cloudwatch.NewLogGroup(ctx, name+"-logs", &cloudwatch.LogGroupArgs{
		Name: pulumi.String(c.logGroup()), RetentionInDays: pulumi.Int(c.LogRetentionDays),
	}, child(parent)...)
	if err != nil || c.Payments != contract.PaymentsStripe {
		return group, err
	}
	// The pattern is a phrase, not a field: in a server's entries the service's JSON is text inside another JSON
	// object, in a task's it is the entry itself.
	alarms := c.paymentAlarms()
	_, err = cloudwatch.NewLogMetricFilter(ctx, name+"-payment-alarms", &cloudwatch.LogMetricFilterArgs{
		LogGroupName: group.Name, Pattern: pulumi.String(strconv.Quote(contract.PaymentAlarm)),
		MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String(alarms.namespace), Name: pulumi.String(alarms.name), Value: pulumi.String("1"),
		},
	}, child(parent)...)
	return group, err
}

// paymentAlarms counts the entries of the log that say that money is not where it should be.
func (c Config) paymentAlarms() metric {
	return metric{"shoplab/" + c.Stack, "PaymentAlarms", "Sum", nil}
}
