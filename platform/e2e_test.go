package platform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/contract"
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
			if _, err := os.Stat(filepath.Join(account.repository, "Pulumi."+test.stack+".yaml")); err != nil {
				t.Errorf("the stage's configuration went with its stack: %v", err)
			}
		})
	}
	if account.pushes.Load() == 0 {
		t.Error("no image was pushed")
	}
}
