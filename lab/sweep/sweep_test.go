package sweep

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"shoplab/platform/awstest"
)

func TestFilter(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	tags := func(stage, expires string) map[string]string {
		return map[string]string{"project": Project, "stage": stage, "expires": expires}
	}
	all := []Resource{
		{ID: "b", Tags: tags("stage1", "2026-01-01T00:00:00Z")},
		{ID: "a", Tags: tags("stage2", "2026-01-03T00:00:00Z")},
		{ID: "c", Tags: tags("stage1", "soon")},
		{ID: "arn:aws:logs:us-east-1:1:log-group:/shoplab/stage1/shop"},
		{ID: "arn:aws:logs:us-east-1:1:log-group:/shoplab/stage10/shop"},
		{ID: "b", Tags: tags("stage1", "2026-01-01T00:00:00Z")},
	}
	for name, c := range map[string]struct {
		f    Filter
		want []string
	}{
		"all, each once": {
			Filter{}, []string{
				"a", "arn:aws:logs:us-east-1:1:log-group:/shoplab/stage1/shop",
				"arn:aws:logs:us-east-1:1:log-group:/shoplab/stage10/shop", "b", "c",
			},
		},
		"a stage": {
			Filter{Stages: []string{"stage1"}}, []string{"arn:aws:logs:us-east-1:1:log-group:/shoplab/stage1/shop", "b", "c"},
		},
		"expired": {Filter{ExpiredAt: now}, []string{"b"}},
	} {
		if got := ids(c.f.selected(all)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestStageOf(t *testing.T) {
	for id, want := range map[string]string{
		"arn:aws:logs:us-east-1:1:log-group:/shoplab/shop/service":                  "shop",
		"arn:aws:logs:us-east-1:1:log-group:/shoplab/shop-2/service":                "shop-2",
		"arn:aws:logs:us-east-1:1:log-group:/aws/lambda/shoplab-shop-2-function-1a": "shop-2",
		"arn:aws:cloudwatch::1:dashboard/shoplab-shop":                              "shop",
		"arn:aws:cloudwatch::1:dashboard/shoplab-shops":                             "",
		"arn:aws:budgets::1:budget/shoplab-service-20261127":                        "service",
		"arn:aws:cloudwatch::1:dashboard/somebody-shop":                             "",
	} {
		if got := stageOf(id, []string{"shop", "service", "shop-2", ""}); got != want {
			t.Errorf("%s is of %q, want %q", id, got, want)
		}
	}
}

func ids(rs []Resource) (out []string) {
	for _, r := range rs {
		out = append(out, r.ID)
	}
	return out
}

// emulated is an empty account of the test's own, and how it is reached.
func emulated(t *testing.T) (context.Context, *awstest.Emulator, aws.Config) {
	t.Helper()
	account := awstest.Emulate(t, "../..")
	account.Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	return t.Context(), account, cfg
}

func TestSweepOfAnAccount(t *testing.T) {
	ctx, _, cfg := emulated(t)
	sweepIDs := func(f Filter) []string {
		t.Helper()
		r, err := Sweep(ctx, cfg, f, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if r.Clean() != (len(r.Found) == 0) || r.Account == "" || len(r.Services) < 7 {
			t.Errorf("receipt: %+v", r)
		}
		return ids(r.Found)
	}
	if got := sweepIDs(Filter{}); len(got) != 0 {
		t.Fatalf("an empty account has %v", got)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	tag := []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeVpc, Tags: []ec2types.Tag{
		{Key: aws.String("project"), Value: aws.String(Project)}, {Key: aws.String("stage"), Value: aws.String("stage2")},
	}}}
	vpc, err := ec2.NewFromConfig(cfg).CreateVpc(ctx, &ec2.CreateVpcInput{
		CidrBlock: aws.String("10.0.0.0/16"), TagSpecifications: tag,
	})
	check(err)
	identities, mine := iam.NewFromConfig(cfg),
		[]iamtypes.Tag{
			{Key: aws.String("project"), Value: aws.String(Project)}, {Key: aws.String("stage"), Value: aws.String("stage1")},
		}
	_, err = identities.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("anything"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`),
		Tags: mine,
	})
	check(err)
	_, err = identities.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{
		InstanceProfileName: aws.String("anything"), Tags: mine,
	})
	check(err)
	for _, g := range []string{"/shoplab/stage1/shop", "/somebody/else"} {
		_, err = cloudwatchlogs.NewFromConfig(cfg).CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{
			LogGroupName: aws.String(g),
		})
		check(err)
	}
	_, err = cloudwatch.NewFromConfig(cfg).PutDashboard(ctx, &cloudwatch.PutDashboardInput{
		DashboardName: aws.String("shoplab-stage1"), DashboardBody: aws.String(`{"widgets":[]}`),
	})
	check(err)

	if got := sweepIDs(Filter{}); len(got) != 5 {
		t.Errorf("found %v, want the VPC, the role, its profile, one log group and the dashboard", got)
	}
	if got := sweepIDs(Filter{Stages: []string{"stage2"}}); len(got) != 1 ||
		!strings.HasSuffix(got[0], aws.ToString(vpc.Vpc.VpcId)) {
		t.Errorf("of stage2 found %v, want %s", got, aws.ToString(vpc.Vpc.VpcId))
	}
	if got := sweepIDs(Filter{Stages: []string{"stage1"}}); len(got) != 4 {
		t.Errorf("of stage1 found %v", got)
	}

	// Elsewhere too it looks for what belongs to no region, and the VPC's region is where that is listed.
	cfg.Region = "eu-central-1"
	if got := sweepIDs(Filter{Stages: []string{"stage2"}}); len(got) != 1 {
		t.Errorf("from another region found %v", got)
	}
}
