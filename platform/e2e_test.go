package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/contract"
	"shoplab/platform/awstest"
)

// TestEndToEnd types what a user types, against an emulated AWS account with the real provider's
// logic: up, a preview that finds nothing to change, an update, destroy, and a look for leftovers.
func TestEndToEnd(t *testing.T) {
	account := newAccount(t)
	for _, test := range []struct {
		stack, key, value, output, want string
		config                          []string
	}{
		{stack: "stage3", key: "maxInstances", value: "6", output: "capacity", want: `"maxInstances":6`},
		{
			stack: "stage2", key: "maxInstances", value: "3", output: "capacity", want: `"maxInstances":3`,
			config: []string{"alertEmail", "ada@example.com"},
		},
		{
			stack: "stage4", key: "maxInstances", value: "3", output: "capacity", want: `"maxInstances":3`,
			config: []string{"wait", "false"}, // no server boots there
		},
		{
			stack: "stage1", key: "https", value: contract.HTTPSOff, output: "url", want: `"http://ec2-`,
			config: []string{"dumpBucket", "my-dumps"},
		},
		{stack: "stage5", key: "maxInstances", value: "30", output: "capacity", want: `"maxInstances":30`},
	} {
		t.Run(test.stack, func(t *testing.T) {
			account.stack(t, test.stack, test.config...)
			account.up(t, test.stack)
			outputs := account.outputs(t, test.stack)
			if !strings.Contains(outputs["url"], `"https://`) || !strings.Contains(outputs["image"], ecrHost+"/") {
				t.Errorf("url %s, image %s", outputs["url"], outputs["image"])
			}
			account.sweeps(t, test.stack, false)
			account.pulumi(t, "preview", "-s", test.stack, "--refresh", "--diff", "--expect-no-changes") // as AWS keeps it
			account.config(t, test.stack, test.key, test.value)
			account.up(t, test.stack)
			if got := account.outputs(t, test.stack)[test.output]; !strings.Contains(got, test.want) {
				t.Errorf("after %s = %s, output %s is %s, want %s", test.key, test.value, test.output, got, test.want)
			}
			account.down(t, test.stack)
			if test.stack == "stage5" {
				rightGoesLast(t, account.Calls(t))
			}
			if _, err := os.Stat(filepath.Join(account.repository, "Pulumi."+test.stack+".yaml")); err != nil {
				t.Errorf("the stage's configuration went with its stack: %v", err)
			}
		})
	}
	if account.pushes.Load() == 0 {
		t.Error("no image was pushed")
	}
}

// rightGoesLast wants destroy to have deleted the right of a function's role to delete its network interfaces after the
// groups and subnets that those keep (0167).
func rightGoesLast(t *testing.T, calls []awstest.Call) {
	t.Helper()
	keep, role, gone := map[string]bool{}, "", false
	for _, call := range calls {
		param := func(name string) string { return fmt.Sprint(call.Params[name]) }
		switch {
		case call.Status >= 300:
		case call.Action == "CreateFunction":
			role = param("Role")
			for name := range call.Params {
				if strings.HasPrefix(name, "VpcConfig.SecurityGroupIds.") || strings.HasPrefix(name, "VpcConfig.SubnetIds.") {
					keep[param(name)] = true
				}
			}
			if len(keep) != 3 {
				t.Errorf("the function is made in the group and subnets %v", keep)
			}
		case call.Action == "DeleteSecurityGroup":
			delete(keep, param("GroupId"))
		case call.Action == "DeleteSubnet":
			delete(keep, param("SubnetId"))
		case call.Action == "DeleteRolePolicy" && strings.HasPrefix(param("PolicyName"), "network-attach-") &&
			strings.HasSuffix(role, "/"+param("RoleName")):
			if gone = true; len(keep) > 0 {
				t.Errorf("destroy deletes the right before %v", keep)
			}
		}
	}
	if !gone {
		t.Error("destroy does not delete the right")
	}
}
