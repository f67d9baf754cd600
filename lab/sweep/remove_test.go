package sweep

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
)

// TestRemove deletes one stage of two. The groups name one another, a deletion of the VPC fails, which is tried again
// or told, and somebody has put an interface into the network of the second, which is not touched.
func TestRemove(t *testing.T) {
	ctx, account, cfg := emulated(t)
	compute := ec2.NewFromConfig(cfg)
	network(t, compute, "stage1")
	subnet := network(t, compute, "stage2")
	for _, stage := range []string{"stage1", "stage2"} {
		if _, err := cloudwatch.NewFromConfig(cfg).PutDashboard(ctx, &cloudwatch.PutDashboardInput{
			DashboardName: aws.String("shoplab-" + stage), DashboardBody: aws.String(`{"widgets":[]}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	others := func() []string {
		t.Helper()
		r, err := Sweep(ctx, cfg, Filter{Stages: []string{"stage2"}}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		return ids(r.Found)
	}
	before := others()
	remove := func(stage string, patience time.Duration) Receipt {
		t.Helper()
		r, err := Remove(ctx, cfg, Removal{
			Filter: Filter{Stages: []string{stage}}, Say: func(s string) { t.Log(s) }, Patience: patience,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	account.Fault(t, "delete-fails-once", "DeleteVpc")
	receipt := remove("stage1", 0)
	if !receipt.Clean() || len(receipt.Removed) != 7 { // two groups, their two rules, the subnet, the VPC, the dashboard
		t.Errorf("the receipt:\n%s", receipt)
	}
	if got := others(); !slices.Equal(got, before) || len(got) != 7 {
		t.Errorf("of stage2 is left %v of %v", got, before)
	}

	foreign, err := compute.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet})
	if err != nil {
		t.Fatal(err)
	}
	account.Fault(t, "delete-fails-once", "DeleteVpc")
	receipt = remove("stage2", time.Nanosecond)
	if len(receipt.Found) != 1 || !strings.Contains(receipt.String(), "DependencyViolation") {
		t.Errorf("with a VPC that AWS refuses to delete, the receipt is\n%s", receipt)
	}
	if _, err := compute.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{
		NetworkInterfaceId: foreign.NetworkInterface.NetworkInterfaceId,
	}); err != nil {
		t.Fatalf("somebody's interface was deleted: %v", err)
	}
	if receipt = remove("stage2", 0); !receipt.Clean() {
		t.Errorf("the second time, the receipt is\n%s", receipt)
	}
	account.Leftovers(t)
}

// TestRemoveStops: a removal that is not wanted any more stops, and tells what it has deleted until then.
func TestRemoveStops(t *testing.T) {
	ctx, _, cfg := emulated(t)
	network(t, ec2.NewFromConfig(cfg), "stage1")
	asked, errChanged := 0, errors.New("somebody has changed his mind")
	receipt, err := Remove(ctx, cfg, Removal{
		Filter: Filter{Stages: []string{"stage1"}}, Say: func(s string) { t.Log(s) },
		Wanted: func(context.Context) error {
			if asked++; asked > 1 {
				return errChanged
			}
			return nil
		},
	})
	if !errors.Is(err, errChanged) || len(receipt.Removed) == 0 || len(receipt.Found) == 0 {
		t.Errorf("%v, the receipt:\n%s", err, receipt)
	}
}

// network makes a VPC of a stage, with a subnet and two security groups that admit one another, and returns the subnet.
func network(t *testing.T, c *ec2.Client, stage string) string {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tags := func(kind ec2types.ResourceType) []ec2types.TagSpecification {
		return []ec2types.TagSpecification{{ResourceType: kind, Tags: []ec2types.Tag{
			{Key: aws.String("project"), Value: aws.String(Project)}, {Key: aws.String("stage"), Value: &stage},
		}}}
	}
	vpc, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{
		CidrBlock: aws.String("10.0.0.0/16"), TagSpecifications: tags(ec2types.ResourceTypeVpc),
	})
	check(err)
	subnet, err := c.CreateSubnet(ctx, &ec2.CreateSubnetInput{
		VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.0.0.0/24"), TagSpecifications: tags(ec2types.ResourceTypeSubnet),
	})
	check(err)
	var groups []*string
	for _, name := range []string{"a", "b"} {
		g, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			VpcId: vpc.Vpc.VpcId, GroupName: aws.String(stage + name), Description: &name,
			TagSpecifications: tags(ec2types.ResourceTypeSecurityGroup),
		})
		check(err)
		groups = append(groups, g.GroupId)
	}
	for i, g := range groups {
		_, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
			GroupId: g, TagSpecifications: tags(ec2types.ResourceTypeSecurityGroupRule),
			IpPermissions: []ec2types.IpPermission{{
				IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80),
				UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: groups[1-i]}},
			}},
		})
		check(err)
	}
	return aws.ToString(subnet.Subnet.SubnetId)
}

// TestKindsHaveLooks: whatever can be deleted can be asked about, or nobody would know that it is gone; and what has to
// be gone before something is of a kind that is known.
func TestKindsHaveLooks(t *testing.T) {
	for kind, d := range deletions {
		if looks[kind] == nil && looksEC2[kind] == nil && looksUnlisted[kind] == nil {
			t.Errorf("nobody can tell whether a %s is gone", kind)
		}
		for _, before := range d.after {
			if _, known := deletions[before]; !known {
				t.Errorf("%s waits for %s, which nobody deletes", kind, before)
			}
			if slices.Contains(deletions[before].after, kind) {
				t.Errorf("%s and %s wait for one another", kind, before)
			}
		}
	}
}

// TestRemovalOrder: what ends the stage goes when the rest has gone, and the caller's own role after that.
func TestRemovalOrder(t *testing.T) {
	role, function, vpc := "arn:aws:iam::1:role/own", "arn:aws:lambda:us-east-1:1:function:f",
		"arn:aws:ec2:us-east-1:1:vpc/vpc-1"
	ends := map[string]string{"component": expiry}
	r := &remover{Removal: Removal{Last: []string{role}}}
	found := []Resource{{ID: role, Tags: ends}, {ID: function, Tags: ends}, {ID: vpc}}
	for _, want := range []string{vpc, function, role} {
		r.take(found)
		if got := r.order(); len(got) != 1 || got[0] != want {
			t.Errorf("of %v goes %v, want %s", ids(found), got, want)
		}
		found = slices.DeleteFunc(found, func(f Resource) bool { return f.ID == want })
	}
}

// TestForbidden: what AWS refuses for good is not waited for.
func TestForbidden(t *testing.T) {
	for code, want := range map[string]bool{
		"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "DependencyViolation": false,
		"Throttling": false, "ResourceInUse": false,
	} {
		if got := forbidden(&smithy.GenericAPIError{Code: code}); got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
	l := &leaving{Resource: Resource{ID: "arn:aws:sqs:us-east-1:1:queue"}}
	l.ask(context.Background(), aws.Config{})
	if !l.refused || l.Reason == "" {
		t.Errorf("a kind that nobody knows: %+v", l)
	}
	if _, err := Remove(context.Background(), aws.Config{}, Removal{}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a removal of every stage: %v", err)
	}
}
