package sweep

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestRemoveSurvivors deletes what services of AWS made in a stage's VPC, which carries no tags and without which the
// VPC does not go, and leaves the same of somebody else's VPC.
func TestRemoveSurvivors(t *testing.T) {
	ctx, _, cfg := emulated(t)
	c := ec2.NewFromConfig(cfg)
	subnet := network(t, c, "stage1")
	subnets, err := c.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{subnet}})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.1.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{} // by VPC
	for _, vpc := range []*string{subnets.Subnets[0].VpcId, foreign.Vpc.VpcId} {
		for begin, maker := range makers {
			made, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
				VpcId: vpc, GroupName: aws.String(begin + *vpc), Description: &maker,
			})
			if err != nil {
				t.Fatal(err)
			}
			groups[*vpc] = *made.GroupId
		}
	}
	if _, err := c.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{
		VpcId: subnets.Subnets[0].VpcId, ServiceName: aws.String("com.amazonaws.us-east-1.guardduty-data"),
		VpcEndpointType: ec2types.VpcEndpointTypeInterface, SubnetIds: []string{subnet},
	}); err != nil {
		t.Fatal(err)
	}
	receipt, err := Remove(ctx, cfg, Removal{Filter: Filter{Stages: []string{"stage1"}}, Say: func(s string) { t.Log(s) }})
	if err != nil || !receipt.Clean() {
		t.Errorf("%v, the receipt:\n%s", err, receipt)
	}
	if text := receipt.String(); strings.Count(text, "of GuardDuty)") != 2 || strings.Count(text, "of CloudFront)") != 1 {
		t.Errorf("of GuardDuty's endpoint and group and of CloudFront's group the receipt says\n%s", text)
	}
	if _, err := c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		GroupIds: []string{groups[*foreign.Vpc.VpcId]},
	}); err != nil {
		t.Errorf("the group in somebody else's VPC: %v", err)
	}
}

// TestRemoveBucket deletes a bucket whose only object has two versions and was deleted.
func TestRemoveBucket(t *testing.T) {
	ctx, account, cfg := emulated(t)
	c, name := s3.NewFromConfig(cfg), aws.String("shoplab-generator-1")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name})
	check(err)
	_, err = c.PutBucketTagging(ctx,
		&s3.PutBucketTaggingInput{Bucket: name, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{
			{Key: aws.String("project"), Value: aws.String(Project)}, {Key: aws.String("stage"), Value: aws.String("generator")},
		}}})
	check(err)
	_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: name, VersioningConfiguration: &s3types.VersioningConfiguration{
			Status: s3types.BucketVersioningStatusEnabled,
		},
	})
	check(err)
	for _, content := range []string{"one", "two"} {
		_, err = c.PutObject(ctx, &s3.PutObjectInput{
			Bucket: name, Key: aws.String("orders/1"), Body: strings.NewReader(content),
		})
		check(err)
	}
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: name, Key: aws.String("orders/1")})
	check(err)
	receipt, err := Remove(ctx, cfg, Removal{
		Filter: Filter{Stages: []string{"generator"}}, Say: func(s string) { t.Log(s) },
	})
	if err != nil || !receipt.Clean() || len(receipt.Removed) != 1 {
		t.Errorf("%v, the receipt:\n%s", err, receipt)
	}
	account.Leftovers(t)
}

// TestRemoveRoleAfterSubnets: a subnet that stays for a while, as it does while Lambda has an interface in it, keeps
// the roles, by which Lambda deletes the interface.
func TestRemoveRoleAfterSubnets(t *testing.T) {
	ctx, account, cfg := emulated(t)
	network(t, ec2.NewFromConfig(cfg), "stage1")
	if _, err := iam.NewFromConfig(cfg).CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("execution"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`),
		Tags: []iamtypes.Tag{
			{Key: aws.String("project"), Value: aws.String(Project)}, {Key: aws.String("stage"), Value: aws.String("stage1")},
		},
	}); err != nil {
		t.Fatal(err)
	}
	account.Fault(t, "delete-fails-once", "DeleteSubnet")
	receipt, err := Remove(ctx, cfg, Removal{Filter: Filter{Stages: []string{"stage1"}}, Say: func(s string) { t.Log(s) }})
	at := func(kind string) int {
		return slices.IndexFunc(receipt.Removed, func(r Resource) bool { k, _ := r.Kind(); return k == kind })
	}
	if subnet, role := at("ec2:subnet"), at("iam:role"); err != nil || !receipt.Clean() || subnet < 0 || role < subnet {
		t.Errorf("%v, the receipt, with the subnet at %d and the role at %d:\n%s", err, subnet, role, receipt)
	}
}

// TestRemoveRepository: an image repository is found by ECR itself, whatever the tagging API lists, and goes with its
// images; somebody else's stays.
func TestRemoveRepository(t *testing.T) {
	ctx, _, cfg := emulated(t)
	c := ecr.NewFromConfig(cfg)
	for name, project := range map[string]string{"image-repository": Project, "theirs": "another"} {
		if _, err := c.CreateRepository(ctx, &ecr.CreateRepositoryInput{
			RepositoryName: &name, Tags: []ecrtypes.Tag{
				{Key: aws.String("project"), Value: &project}, {Key: aws.String("stage"), Value: aws.String("stage1")},
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String("image-repository"), ImageTag: aws.String("latest"),
		ImageManifest: aws.String(`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",` +
			`"config":{"digest":"sha256:1"},"layers":[]}`),
	}); err != nil {
		t.Fatal(err)
	}
	receipt, err := Remove(ctx, cfg, Removal{Filter: Filter{Stages: []string{"stage1"}}, Say: func(s string) { t.Log(s) }})
	if err != nil || !receipt.Clean() || len(receipt.Removed) != 1 {
		t.Errorf("%v, the receipt:\n%s", err, receipt)
	}
	left, err := c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	if err != nil || len(left.Repositories) != 1 || aws.ToString(left.Repositories[0].RepositoryName) != "theirs" {
		t.Errorf("left are %+v, %v", left, err)
	}
}
