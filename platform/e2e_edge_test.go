package platform

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"shoplab/contract"
	"shoplab/platform/awstest"
)

// TestEndToEndEdge changes how shoppers come in while a stage is up: CloudFront before an internal load
// balancer, a public one without CloudFront, and back.
func TestEndToEndEdge(t *testing.T) {
	account := newAccount(t)
	for _, stack := range []string{"stage2", "stage3"} {
		t.Run(stack, func(t *testing.T) {
			account.stack(t, stack, "image", anImage) // nothing to build
			for _, way := range []struct{ https, scheme string }{
				{contract.HTTPSCloudFront, "https"}, {contract.HTTPSOff, "http"}, {contract.HTTPSCloudFront, "https"},
			} {
				account.config(t, stack, "https", way.https)
				account.up(t, stack)
				if url := account.outputs(t, stack)["url"]; !strings.HasPrefix(url, `"`+way.scheme+`://`) {
					t.Errorf("with https %s the stage is at %s", way.https, url)
				}
				account.pulumi(t, "preview", "-s", stack, "--diff", "--expect-no-changes")
			}
			// A tag that everything gets must not reach the VPC origin, which cannot change while it is used.
			account.config(t, stack, "expires", "2099-01-01T00:00:00Z")
			account.up(t, stack)
			account.pulumi(t, "destroy", "-s", stack, "--yes", "--skip-preview")
			leaves(t, account.Calls(t))
			account.forgetAlarms(t)
			account.gone(t, stack)
		})
	}
}

// leaves holds the order of calls against what AWS asks for: a VPC origin in use can neither change nor go,
// its load balancer not before it, and a target group serves one load balancer.
func leaves(t *testing.T, calls []awstest.Call) {
	t.Helper()
	last := func(action string) int {
		for i := len(calls) - 1; i >= 0; i-- {
			if calls[i].Action == action && calls[i].Status < 300 {
				return i
			}
		}
		t.Errorf("%s was never called", action)
		return -1
	}
	if order := []int{
		last("DeleteDistribution"), last("DeleteVpcOrigin"), last("DeleteLoadBalancer"), last("DeleteSubnet"),
	}; !slices.IsSorted(order) {
		t.Errorf("the distribution, the VPC origin, the load balancer and the subnets go in the order %v", order)
	}
	balancers := map[any]string{} // by target group
	for _, call := range calls {
		switch call.Action {
		case "UpdateVpcOrigin":
			t.Error("a VPC origin is changed in place")
		case "ModifySecurityGroupRules":
			t.Errorf("a rule gets another source: %v", call.Params)
		case "CreateListener":
			group, balancer := call.Params["DefaultActions.member.1.TargetGroupArn"], call.Params["LoadBalancerArn"].(string)
			if group == nil || balancers[group] != "" && balancers[group] != balancer {
				t.Errorf("target group %v serves %s, then %s", group, balancers[group], balancer)
			}
			balancers[group] = balancer
		}
	}
}

// forgetAlarms deletes what the emulator leaves of a scaling policy that was changed, as a new target group
// changes stage 3's: it makes the policy's alarms anew and keeps the old ones. AWS keeps them with the policy.
func (a *account) forgetAlarms(t *testing.T) {
	t.Helper()
	c := cloudwatch.NewFromConfig(a.client(t))
	found, err := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{
		AlarmNamePrefix: aws.String("TargetTracking-"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, alarm := range found.MetricAlarms {
		names = append(names, aws.ToString(alarm.AlarmName))
	}
	if len(names) == 0 {
		return
	}
	if _, err := c.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: names}); err != nil {
		t.Fatal(err)
	}
}

// TestEndToEndZones: a zone without the fleet's instance type is left out, and a stage that is up stays
// where it is when the answer changes.
func TestEndToEndZones(t *testing.T) {
	account := newAccount(t)
	const stack = "stage2"
	account.stack(t, stack, "image", anImage)
	account.Fault(t, "zone-without-type", "t4g.micro")
	account.up(t, stack)
	if zones := account.zones(t, stack); !slices.Equal(zones, []string{"us-east-1b", "us-east-1c"}) {
		t.Errorf("subnets stand in %v; us-east-1a does not offer the type", zones)
	}
	account.Mend(t, "zone-without-type")
	account.pulumi(t, "preview", "-s", stack, "--diff", "--expect-no-changes")
	account.down(t, stack)
}

// zones are the names of the zones of a stack's subnets, as AWS says.
func (a *account) zones(t *testing.T, stack string) (zones []string) {
	t.Helper()
	var state struct {
		Deployment struct {
			Resources []struct {
				Type    string
				Outputs struct{ AvailabilityZone string }
			}
		}
	}
	if err := json.Unmarshal(a.pulumi(t, "stack", "export", "-s", stack), &state); err != nil {
		t.Fatal(err)
	}
	for _, res := range state.Deployment.Resources {
		if res.Type == "aws:ec2/subnet:Subnet" {
			zones = append(zones, res.Outputs.AvailabilityZone)
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}
