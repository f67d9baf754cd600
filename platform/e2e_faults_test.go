package platform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"shoplab/contract"
)

// TestEndToEndRefreshFails: a new version that does not get healthy fails up with AWS's reason, each time, and the
// servers that worked stay. An interrupted up ends, and the next one waits for what it started.
func TestEndToEndRefreshFails(t *testing.T) {
	account, stack := newAccount(t), "stage2"
	account.stack(t, stack, "image", anImage)
	account.up(t, stack)
	account.config(t, stack, "rateLimit", "off") // a variable in user data
	account.Fault(t, "instance-refresh-fails", "")
	for range 2 {
		account.fails(t, stack, "instance refresh", "did not pass their health checks in time", "RollbackSuccessful")
		account.launches(t, "1")
	}
	if out, err := account.try(t, "preview", "-s", stack, "--expect-no-changes"); err == nil {
		t.Errorf("a rollout that failed is forgotten:\n%s", out)
	}
	account.Mend(t, "instance-refresh-fails")
	account.interrupted(t, stack, "instance refresh to version 2")
	account.up(t, stack)
	account.launches(t, "2")
	account.pulumi(t, "preview", "-s", stack, "--expect-no-changes")
	for _, call := range account.Calls(t) {
		if call.Action == "StartInstanceRefresh" &&
			fmt.Sprint(call.Params["Preferences.MaxHealthyPercentage"]) != fmt.Sprint(contract.RefreshMost) {
			t.Errorf("a refresh needs more of the quota than one server: %v", call.Params)
		}
	}
	account.down(t, stack)
}

// launches wants the only group of the account, and each of its servers, to have a version of the launch template.
func (a *account) launches(t *testing.T, version string) {
	t.Helper()
	found, err := autoscaling.NewFromConfig(a.client(t)).DescribeAutoScalingGroups(t.Context(),
		&autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil || len(found.AutoScalingGroups) != 1 {
		t.Fatalf("groups: %+v, %v", found, err)
	}
	group := found.AutoScalingGroups[0]
	if got := aws.ToString(group.LaunchTemplate.Version); got != version || len(group.Instances) != 2 {
		t.Errorf("the group launches version %s and has %d servers, want %s and 2", got, len(group.Instances), version)
	}
	for _, instance := range group.Instances {
		if got := aws.ToString(instance.LaunchTemplate.Version); got != version {
			t.Errorf("a server runs version %s, want %s", got, version)
		}
	}
}

// TestEndToEndDeploymentFails: a deployment that the circuit breaker rolls back fails up with AWS's reason, each time.
func TestEndToEndDeploymentFails(t *testing.T) {
	account, stack := newAccount(t), "stage3"
	account.stack(t, stack, "image", anImage)
	account.up(t, stack)
	account.config(t, stack, "rateLimit", "off")
	account.Fault(t, "ecs-rollback", "")
	for range 2 {
		account.fails(t, stack, "the deployment of shoplab-stage3:", "and the service runs shoplab-stage3:1",
			"circuit breaker", "tasks failed to start")
		account.runs(t, "shoplab-stage3:1")
	}
	if out, err := account.try(t, "preview", "-s", stack, "--expect-no-changes"); err == nil {
		t.Errorf("a deployment that failed is forgotten:\n%s", out)
	}
	account.Mend(t, "ecs-rollback")
	account.up(t, stack)
	account.runs(t, "shoplab-stage3:2")
	account.pulumi(t, "preview", "-s", stack, "--expect-no-changes")
	account.down(t, stack)
}

// runs wants the only service of the account to run a task definition and no other.
func (a *account) runs(t *testing.T, definition string) {
	t.Helper()
	client := ecs.NewFromConfig(a.client(t))
	clusters, err := client.ListClusters(t.Context(), &ecs.ListClustersInput{})
	if err != nil || len(clusters.ClusterArns) != 1 {
		t.Fatalf("clusters: %+v, %v", clusters, err)
	}
	services, err := client.ListServices(t.Context(), &ecs.ListServicesInput{Cluster: &clusters.ClusterArns[0]})
	if err != nil || len(services.ServiceArns) != 1 {
		t.Fatalf("services: %+v, %v", services, err)
	}
	found, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{
		Cluster: &clusters.ClusterArns[0], Services: services.ServiceArns,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found.Services[0].Deployments {
		if got := nameOfDefinition(aws.ToString(d.TaskDefinition)); got != definition || d.RunningCount != 2 {
			t.Errorf("%d tasks run %s, want 2 and %s", d.RunningCount, got, definition)
		}
	}
}

// TestEndToEndUnverified: AWS lets a new account have no distribution; up says what to do, and that works.
func TestEndToEndUnverified(t *testing.T) {
	account, stack := newAccount(t), "stage1"
	account.stack(t, stack, "image", anImage)
	account.Fault(t, "cloudfront-unverified", "")
	account.fails(t, stack, "Your account must be verified", "pulumi config set -s stage1 https off", "Support Center")
	account.config(t, stack, "https", contract.HTTPSOff)
	account.up(t, stack)
	account.down(t, stack)
}

// TestEndToEndThrottled: AWS throttles, and a deletion is too early once; nobody notices.
func TestEndToEndThrottled(t *testing.T) {
	account, stack := newAccount(t), "stage3"
	account.stack(t, stack, "image", anImage)
	account.Fault(t, "throttle", "")
	account.up(t, stack)
	account.config(t, stack, "rateLimit", "off")
	account.up(t, stack)
	account.Mend(t, "throttle")
	account.Fault(t, "delete-fails-once", "DeleteSecurityGroup")
	account.down(t, stack)
}

// TestEndToEndWithoutCredentials: the error names the credentials, and nothing is made.
func TestEndToEndWithoutCredentials(t *testing.T) {
	account, stack := newAccount(t), "stage4"
	account.stack(t, stack, "image", anImage, "wait", "false")
	account.Fault(t, "no-credentials", "")
	account.fails(t, stack, "credentials")
	account.Mend(t, "no-credentials")
	account.down(t, stack)
}

// interrupted starts up and interrupts it when it says something, as Ctrl-C does. Pulumi's own language host passes
// that on to the program (cmd.Cancel in sdk/go/pulumi-language-go); the emulator's small one leaves it to the test.
func (a *account) interrupted(t *testing.T, stack, when string) {
	t.Helper()
	cmd := a.command(t, "up", "-s", stack, "--yes", "--skip-preview")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := false
	lines := bufio.NewScanner(stdout)
	for !said && lines.Scan() {
		said = strings.Contains(lines.Text(), when)
	}
	program := a.program(t)
	if err := errors.Join(cmd.Process.Signal(os.Interrupt), program.Signal(os.Interrupt)); err != nil || !said {
		t.Errorf("up did not say %q, or had ended: %v", when, err)
	}
	rest, _ := io.ReadAll(stdout)
	if err := cmd.Wait(); err == nil || !bytes.Contains(rest, []byte("interrupted; AWS goes on")) {
		t.Errorf("an interrupted up ends with %v:\n%s", err, rest)
	}
}

// program is the running Pulumi program of the account's repository.
func (a *account) program(t *testing.T) *os.Process {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if file, err := os.Readlink(link); err != nil || file != filepath.Join(a.repository, "bin", "shoplab") {
			continue // not ours, or gone
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			t.Fatal(err)
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		return process
	}
	t.Fatal("the program does not run")
	return nil
}
