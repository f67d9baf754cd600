package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"shoplab/lab/target/aws"
	"shoplab/platform/awstest"
)

// TestBreakOnAnEmulatedAccount asks for what is done to stages with one server, as lab faults does. No command really
// runs there, and nothing reboots.
func TestBreakOnAnEmulatedAccount(t *testing.T) {
	account := awstest.Emulate(t, "../..")
	account.Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"stage1", "stage4"} {
		startServer(t, cfg, stage)
	}
	startDatabase(t, cfg, "stage4")
	for _, one := range []struct {
		stage string
		act   aws.Act
		calls string // that change something, with what is in the last one's parameters
		with  string
	}{
		{"stage1", aws.ActKill, "SendCommand", "kill -KILL"},
		{"stage1", aws.ActHang, "SendCommand", "kill -STOP"},
		{"stage1", aws.ActRestartDatabase, "SendCommand", "systemctl restart postgresql"},
		{"stage1", aws.ActCrashDatabase, "SendCommand", "--signal=QUIT"},
		{"stage1", aws.ActEmptyCache, "SendCommand", "redis-server"},
		{"stage1", aws.ActRestartProxy, "SendCommand", "nginx"},
		{"stage1", aws.ActStopZone, "StopInstances", "i-"},
		{"stage1", aws.ActStartZone, "StartInstances", "i-"},
		{"stage4", aws.ActKill, "SendCommand", "-n shop delete --force"},
		{"stage4", aws.ActHang, "SendCommand", "kill -STOP"},
		{"stage4", aws.ActRestartProxy, "SendCommand", "istio=gateway"},
		{"stage4", aws.ActRestartDatabase, "RebootDBInstance", "stage4-db"},
	} {
		before := len(account.Calls(t))
		request, err := json.Marshal(aws.Request{
			Region: "us-east-1", Root: "../..", Stages: []string{one.stage},
			Act: one.act,
		})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(t.Context(), []string{aws.AskBreak, string(request)}, nil, &out, io.Discard); err != nil {
			t.Errorf("%s on %s: %v", one.act, one.stage, err)
			continue
		}
		var done string
		if err := json.Unmarshal(out.Bytes(), &done); err != nil || done == "" {
			t.Errorf("%s on %s says %q: %v", one.act, one.stage, out.String(), err)
		}
		var actions []string
		with := false
		for _, call := range account.Calls(t)[before:] {
			if strings.HasPrefix(call.Action, "Describe") || strings.HasPrefix(call.Action, "Get") {
				continue
			}
			actions = append(actions, call.Action)
			params, err := json.Marshal(call.Params)
			if err != nil {
				t.Fatal(err)
			}
			with = with || strings.Contains(string(params), one.with)
		}
		actions = slices.Compact(actions) // the SDK asks again when the emulator's answer breaks off
		if strings.Join(actions, " ") != one.calls || !with {
			t.Errorf("%s on %s calls %v, with %q: %t; want %s", one.act, one.stage, actions, one.with, with, one.calls)
		}
	}
}

func startServer(t *testing.T, cfg awssdk.Config, stage string) {
	t.Helper()
	client := ec2.NewFromConfig(cfg)
	arm := []types.Filter{{Name: awssdk.String("architecture"), Values: []string{"arm64"}}}
	images, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: arm})
	if err != nil || len(images.Images) == 0 {
		t.Fatalf("no image of a server: %v", err)
	}
	_, err = client.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT4gSmall, MinCount: awssdk.Int32(1),
		MaxCount: awssdk.Int32(1),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{
			{Key: awssdk.String("project"), Value: awssdk.String("shoplab")}, {Key: awssdk.String("stage"), Value: &stage},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func startDatabase(t *testing.T, cfg awssdk.Config, stage string) {
	t.Helper()
	_, err := rds.NewFromConfig(cfg).CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: awssdk.String(stage + "-db"), DBInstanceClass: awssdk.String("db.t4g.micro"),
		Engine:           awssdk.String("postgres"),
		AllocatedStorage: awssdk.Int32(20), MasterUsername: awssdk.String("shop"),
		MasterUserPassword: awssdk.String("not-a-secret"),
		Tags: []rdstypes.Tag{
			{Key: awssdk.String("project"), Value: awssdk.String("shoplab")}, {Key: awssdk.String("stage"), Value: &stage},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}
