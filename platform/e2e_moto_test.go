package platform

import (
	"strings"
	"testing"

	"shoplab/contract"
	"shoplab/platform/awstest"
)

// TestMoto does what any machine can: up and destroy against moto's server, with the Pulumi CLI and its plugins. Of the
// stages it can be Fargate's alone, without CloudFront, whose VPC origins moto does not know, and without waiting for
// tasks, of which none becomes healthy there.
func TestMoto(t *testing.T) {
	awstest.TakesMinutes(t)
	a := accountOn(t, awstest.Moto(t, ".."))
	const stage = "stage3"
	a.stack(t, stage, "wait", "false", "https", contract.HTTPSOff)
	a.up(t, stage)
	outputs := a.outputs(t, stage)
	if !strings.HasPrefix(outputs["url"], `"http://`) || !strings.Contains(outputs["image"], ecrHost+"/") {
		t.Errorf("url %s, image %s", outputs["url"], outputs["image"])
	}
	if a.pushes.Load() == 0 {
		t.Error("no image was pushed")
	}
	a.pulumi(t, "destroy", "-s", stage, "--yes", "--skip-preview")
	a.pulumi(t, "stack", "rm", stage, "--yes", "--preserve-config")
}
