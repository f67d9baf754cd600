package platform

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// Gateway is an HTTP API of API Gateway that hands every request to a function (0138).
type Gateway struct {
	pulumi.ResourceState
	API *apigatewayv2.Api

	name string
}

// NewGateway makes the API. It has no route before Invoke.
func NewGateway(ctx *pulumi.Context, name string, c Config, opts ...pulumi.ResourceOption) (*Gateway, error) {
	g := &Gateway{name: name}
	if err := ctx.RegisterComponentResource("shoplab:platform:Gateway", name, g, opts...); err != nil {
		return nil, err
	}
	var err error
	g.API, err = apigatewayv2.NewApi(ctx, name+"-api", &apigatewayv2.ApiArgs{
		ProtocolType: pulumi.String("HTTP"), Description: pulumi.String("Shoplab " + c.Stack),
	}, child(g)...)
	return g, err
}

// Host is the API's public host name.
func (g *Gateway) Host() pulumi.StringOutput {
	return g.API.ApiEndpoint.ApplyT(func(url string) string {
		return strings.TrimPrefix(url, "https://")
	}).(pulumi.StringOutput)
}

// Invoke hands every request to the function.
func (g *Gateway) Invoke(ctx *pulumi.Context, f *Function) error {
	if _, err := lambda.NewPermission(ctx, g.name+"-permission", &lambda.PermissionArgs{
		Action: pulumi.String("lambda:InvokeFunction"), Function: f.Function.Name, Qualifier: f.Alias.Name,
		Principal: pulumi.String("apigateway.amazonaws.com"), SourceArn: pulumi.Sprintf("%s/*/$default", g.API.ExecutionArn),
	}, child(g)...); err != nil {
		return err
	}
	integration, err := apigatewayv2.NewIntegration(ctx, g.name+"-integration", &apigatewayv2.IntegrationArgs{
		ApiId: g.API.ID(), IntegrationType: pulumi.String("AWS_PROXY"), IntegrationUri: f.Alias.InvokeArn,
		PayloadFormatVersion: pulumi.String("2.0"), TimeoutMilliseconds: pulumi.Int(1000 * (functionTimeout + 5)),
	}, child(g)...)
	if err != nil {
		return err
	}
	route, err := apigatewayv2.NewRoute(ctx, g.name+"-route", &apigatewayv2.RouteArgs{
		ApiId: g.API.ID(), RouteKey: pulumi.String("$default"), Target: pulumi.Sprintf("integrations/%s", integration.ID()),
	}, child(g)...)
	if err != nil {
		return err
	}
	if _, err := apigatewayv2.NewStage(ctx, g.name+"-stage", &apigatewayv2.StageArgs{
		ApiId: g.API.ID(), Name: pulumi.String("$default"), AutoDeploy: pulumi.Bool(true),
	}, child(g, pulumi.DependsOn([]pulumi.Resource{route}),
		pulumi.IgnoreChanges([]string{"deploymentId"}))...); err != nil {
		return err
	}
	return ctx.RegisterResourceOutputs(g, pulumi.Map{"endpoint": g.API.ApiEndpoint})
}

// Schedule has the function do each minute what a server does all the time: expire orders, refund, delete old data.
type Schedule struct {
	pulumi.ResourceState
}

// ScheduleArgs are the arguments of NewSchedule.
type ScheduleArgs struct {
	Config   Config
	Function *Function
}

// NewSchedule makes the schedule. Its event is one that API Gateway cannot send, and nobody but it and who may invoke
// any function of the account can.
func NewSchedule(
	ctx *pulumi.Context, name string, args ScheduleArgs, opts ...pulumi.ResourceOption,
) (*Schedule, error) {
	c, live, s := args.Config, args.Function.Alias, &Schedule{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Schedule", name, s, opts...); err != nil {
		return nil, err
	}
	// A group of its own: a schedule takes no tags, its group does.
	group, err := scheduler.NewScheduleGroup(ctx, name+"-group", &scheduler.ScheduleGroupArgs{
		NamePrefix: pulumi.String(c.physical()),
	}, child(s)...)
	if err != nil {
		return nil, err
	}
	role, err := newScheduleRole(ctx, name, group, s)
	if err != nil {
		return nil, err
	}
	invoke, err := grant(ctx, name+"-invoke", role, s, pulumi.Map{
		"Effect": pulumi.String("Allow"), "Action": pulumi.String("lambda:InvokeFunction"), "Resource": live.Arn,
	})
	if err != nil {
		return nil, err
	}
	_, err = scheduler.NewSchedule(ctx, name+"-background", &scheduler.ScheduleArgs{
		Name: pulumi.String(c.physical() + "background"), GroupName: group.Name,
		ScheduleExpression: pulumi.String("rate(1 minute)"),
		FlexibleTimeWindow: scheduler.ScheduleFlexibleTimeWindowArgs{Mode: pulumi.String("OFF")},
		Target: scheduler.ScheduleTargetArgs{
			Arn: live.Arn, RoleArn: role.Arn, Input: pulumi.String(contract.BackgroundEvent),
			RetryPolicy: scheduler.ScheduleTargetRetryPolicyArgs{
				MaximumRetryAttempts: pulumi.Int(0), MaximumEventAgeInSeconds: pulumi.Int(60),
			},
		},
	}, child(s, pulumi.DependsOn([]pulumi.Resource{invoke}))...)
	if err != nil {
		return nil, err
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{})
}
