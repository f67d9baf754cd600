package sweep

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

// TestSweepConfirmsWhatIsListed deletes what the tagging API then still lists, and keeps one of each service.
func TestSweepConfirmsWhatIsListed(t *testing.T) {
	ctx, account, cfg := emulated(t)
	compute, balancers := ec2.NewFromConfig(cfg), elb.NewFromConfig(cfg)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var volumes []*string
	for range 2 {
		made, err := compute.CreateVolume(ctx, &ec2.CreateVolumeInput{
			AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1),
			TagSpecifications: []ec2types.TagSpecification{{
				ResourceType: ec2types.ResourceTypeVolume,
				Tags:         []ec2types.Tag{{Key: aws.String("project"), Value: aws.String(Project)}},
			}},
		})
		check(err)
		volumes = append(volumes, made.VolumeId)
	}
	subnets, err := compute.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	check(err)
	mine := []elbtypes.Tag{{Key: aws.String("project"), Value: aws.String(Project)}}
	balancer, err := balancers.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String("shop"), Subnets: []string{*subnets.Subnets[0].SubnetId, *subnets.Subnets[1].SubnetId}, Tags: mine,
	})
	check(err)
	answer := []elbtypes.Action{{
		Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{
			StatusCode: aws.String("404"),
		},
	}}
	listener, err := balancers.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: answer, Tags: mine,
	})
	check(err)
	rule, err := balancers.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: listener.Listeners[0].ListenerArn, Priority: aws.Int32(1), Actions: answer, Tags: mine,
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/*"}}},
	})
	check(err)

	found := func() string {
		t.Helper()
		receipt, err := Sweep(ctx, cfg, Filter{}, func(string) {})
		check(err)
		return strings.Join(ids(receipt.Found), "\n")
	}
	if got := found(); strings.Count(got, "\n") != 4 {
		t.Fatalf("before anything is deleted found\n%s", got)
	}
	account.Fault(t, "stale-tags", "")
	gone := func(_ any, err error) {
		t.Helper()
		if err != nil && !strings.Contains(err.Error(), "NotFound") { // the SDK asks again when an answer breaks off
			t.Fatal(err)
		}
	}
	gone(compute.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: volumes[0]}))
	gone(balancers.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: rule.Rules[0].RuleArn}))
	gone(balancers.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: listener.Listeners[0].ListenerArn}))
	listed, err := tagged(ctx, cfg)
	check(err)
	if len(listed) != 2 {
		t.Errorf("confirmed %v", ids(listed))
	}
	if got := found(); strings.Count(got, "\n") != 1 || !strings.Contains(got, *volumes[1]) ||
		!strings.Contains(got, ":loadbalancer/app/shop") {
		t.Errorf("found\n%s\nwant the second volume and the load balancer", got)
	}
}

func TestKindOf(t *testing.T) {
	for arn, want := range map[string][2]string{
		"arn:aws:ec2:us-east-1:1:volume/vol-1": {"ec2:volume", "vol-1"},
		"arn:aws:elasticloadbalancing:us-east-1:1:listener-rule/app/s/a/b/c": {
			"elasticloadbalancing:listener-rule", "app/s/a/b/c",
		},
		"arn:aws:rds:us-east-1:1:db:shoplab-stage2-1":                {"rds:db", "shoplab-stage2-1"},
		"arn:aws:logs:us-east-1:1:log-group:/shoplab/stage1/service": {"logs:log-group", "/shoplab/stage1/service"},
		"arn:aws:ssm:us-east-1:1:parameter/shoplab/stage1/KEY":       {"ssm:parameter", "shoplab/stage1/KEY"},
		"arn:aws:sns:us-east-1:1:alarms":                             {"sns:", "alarms"},
		"arn:aws:budgets::1:budget/shoplab-stage1":                   {"budgets:budget", "shoplab-stage1"},
		"not an ARN": {"", "not an ARN"},
	} {
		if kind, name := kindOf(arn); kind != want[0] || name != want[1] {
			t.Errorf("%s is %q, %q; want %q", arn, kind, name, want)
		}
	}
}

// TestAnswered uses the codes that the services document for a resource that is not there.
func TestAnswered(t *testing.T) {
	for code, there := range map[string]bool{
		"InvalidVolume.NotFound": false, "InvalidSecurityGroupRuleId.NotFound": false, "ListenerNotFound": false,
		"RuleNotFound": false, "DBInstanceNotFound": false, "DBSubnetGroupNotFoundFault": false,
		"ReplicationGroupNotFoundFault": false, "NoSuchDistribution": false, "EntityNotFound": false,
		"ResourceNotFoundException": false, "ParameterNotFound": false, "RepositoryNotFoundException": false,
	} {
		if got, err := answered(&smithy.GenericAPIError{Code: code}); got != there || err != nil {
			t.Errorf("%s: %v, %v", code, got, err)
		}
	}
	for _, err := range []error{&smithy.GenericAPIError{Code: "AccessDenied"}, errors.New("no network")} {
		if _, got := answered(err); got == nil {
			t.Errorf("%v says that the resource is gone", err)
		}
	}
	if there, err := answered(nil); !there || err != nil {
		t.Errorf("no error: %v, %v", there, err)
	}
}
