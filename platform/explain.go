package platform

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// pulumiVersions are those of the CLI that hand every error of a provider to an error hook (3.244, its change
// log). An older one does not register a resource whose hook it does not know, and says nothing.
const pulumiVersions = ">=3.244.0"

// concurrencyQuota is the quota of concurrent executions of all functions of an account in a region:
// docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const concurrencyQuota = "L-B99A9384"

// explanations are what to do about errors of AWS that do not say it, by a part of their text.
func (c Config) explanations() map[string]string {
	return map[string]string{
		// Of an account that never had a distribution: aws-samples/aws-cdk-examples#279, sst/sst#3704.
		"account must be verified before you can add new CloudFront resources": fmt.Sprintf("AWS lets a new account have no "+
			"CloudFront distribution before it has verified it, and verifies it on request: open a case in its Support Center "+
			"(Account and billing) with the error above, and run up again when it is answered. Until then the stage "+
			"does without: pulumi config set -s %s https off (plain HTTP to the origin, for tests only), then up again.",
			c.Stack),
		// The quota starts at 10 in a young account, and 100 of it may not be reserved.
		"UnreservedConcurrentExecution below its minimum": fmt.Sprintf("The account's quota of concurrent executions does "+
			"not let %d be reserved for the function (shoplab:maxInstances). Ask AWS for more, which is free: aws "+
			"service-quotas request-service-quota-increase --region %s --service-code lambda --quota-code %s --desired-value "+
			"1000; or take fewer: pulumi config set -s %s maxInstances N.",
			c.MaxInstances, c.Region, concurrencyQuota, c.Stack),
		"more vCPU capacity than your current vCPU limit": fmt.Sprintf("The account's quota of vCPUs is used up: aws "+
			"service-quotas request-service-quota-increase --region %s --service-code ec2 --quota-code %s --desired-value N, "+
			"with N by the table in docs/deploy.md.", c.Region, vcpuQuota),
	}
}

// explainErrors makes up say what to do about errors that the provider only passes on. It holds for every
// AWS resource registered from here on.
func explainErrors(ctx *pulumi.Context, c Config) error {
	hook, err := ctx.RegisterErrorHook("explain", func(failed *pulumi.ErrorHookArgs) (retry bool, err error) {
		for part, explanation := range c.explanations() {
			if len(failed.Errors) > 0 && strings.Contains(failed.Errors[0], part) {
				return false, ctx.Log.Error(failed.Name+": "+explanation, nil)
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return ctx.RegisterStackTransformation(func(
		args *pulumi.ResourceTransformationArgs,
	) *pulumi.ResourceTransformationResult {
		if !strings.HasPrefix(args.Type, "aws:") {
			return nil
		}
		opts := append(args.Opts, pulumi.ResourceHooks(&pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}}))
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: opts}
	})
}
