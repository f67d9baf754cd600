package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestExpires: up again with a later time moves the schedule, and destroy deletes it with the first. The function's own
// program, run by Lambda's protocol, does nothing before its time, stops when its time is moved, and then deletes the
// stage and itself, and nothing of another, though AWS throttles and refuses each deletion once, with no more rights
// than its policies give. destroy takes what it left, and takes no offence at what is gone.
func TestExpires(t *testing.T) {
	account, stack := newAccount(t), "stage3"
	tr := trial{account: account, stack: stack, other: bystander}
	tr.settle(t)
	tr.init(t, anImage)
	for _, expires := range []string{"2098-01-01T00:00:00Z", "2099-01-01T02:00:00+02:00"} {
		account.config(t, stack, "expires", expires, "alertEmail", "ada@example.com")
		account.up(t, stack)
	}
	account.pulumi(t, "preview", "-s", stack, "--diff", "--expect-no-changes")
	account.scheduled(t, "2099-01-01T00:00:00Z")
	tr.stops(t)
	tr.destroysSchedules(t)

	tr.init(t, anImage)
	account.config(t, stack, "expires", "2099-01-01T00:00:00Z", "alertEmail", "ada@example.com")
	account.up(t, stack)
	tr.ends(t)
	tr.pulumi(t, "destroy", "-s", stack, "--yes", "--skip-preview") // of which nothing is there
	tr.end(t, "the function")
}

// stops invokes the function before its time, and again when it has come: it is moved on while the function deletes.
func (tr trial) stops(t *testing.T) {
	t.Helper()
	function, schedule := tr.function(t, "expires-role-"), tr.schedule(t)
	if r := function.invoke(t, tr.stack, schedule.arn); len(r.Removed) != 0 {
		t.Errorf("before its time the function deletes %+v", r.Removed)
	}
	schedule.move(t, time.Now().Add(-time.Minute))
	tr.gate.arm(func(n int, _ string) bool { return n == 1 }, func() { schedule.move(t, time.Now().Add(time.Hour)) })
	defer tr.gate.arm(nil, nil)
	receipt := function.invoke(t, tr.stack, schedule.arn)
	t.Logf("a function whose schedule is moved deletes %d and leaves %d", len(receipt.Removed), len(receipt.Found))
	if len(receipt.Found) == 0 || len(receipt.Removed) == 0 {
		t.Errorf("the receipt: %+v", receipt)
	}
}

// ends invokes the function when its time has come, and wants all of the stage to go.
func (tr trial) ends(t *testing.T) {
	t.Helper()
	function, schedule := tr.function(t, "expires-role-"), tr.schedule(t)
	schedule.move(t, time.Now().Add(-time.Minute))
	for _, action := range deletions {
		tr.Fault(t, "delete-fails-once", action)
	}
	tr.Fault(t, "throttle", "")
	began := len(tr.Calls(t))
	receipt := function.invoke(t, tr.stack, schedule.arn)
	tr.Mend(t, "throttle")
	tr.Mend(t, "delete-fails-once")
	t.Logf("the receipt: %d deleted, %d left", len(receipt.Removed), len(receipt.Found))
	if len(receipt.Found) != 0 || len(receipt.Removed) < 40 {
		t.Errorf("the receipt: %+v", receipt)
	}
	allowed := mayDo(t, function.policies)
	for _, call := range tr.Calls(t)[began:] {
		if action := iamAction(call.Service, call.Action); action != "sts:GetCallerIdentity" &&
			!slices.Contains(allowed, action) {
			t.Errorf("the function calls %s, which its policies do not allow", action)
		}
	}
}

// destroysSchedules wants destroy to delete the schedules with the first, and everything.
func (tr trial) destroysSchedules(t *testing.T) {
	t.Helper()
	began := len(tr.Calls(t))
	tr.pulumi(t, "destroy", "-s", tr.stack, "--yes", "--skip-preview")
	var deleted []string
	for _, call := range tr.Calls(t)[began:] {
		if call.Action == "DeleteSchedule" || call.Action == "DeleteVpc" {
			deleted = append(deleted, call.Action)
		}
	}
	if want := []string{"DeleteSchedule", "DeleteSchedule", "DeleteVpc"}; !slices.Equal(deleted, want) {
		t.Errorf("destroy calls %v, want %v", deleted, want)
	}
	tr.end(t, "destroy")
}

// deletions each fail once; those that a stage's end needs.
var deletions = []string{
	"DeleteService", "DeleteLoadBalancer", "DeleteTargetGroup", "DeleteDBInstance", "DeleteDBSubnetGroup",
	"DeleteReplicationGroup",
	"DeleteCacheSubnetGroup", "DeleteSecurityGroup", "DeleteSubnet", "DeleteRouteTable", "DeleteInternetGateway",
	"DeleteVpc",
	"DeleteLogGroup", "DeleteParameter", "DeleteCluster", "DeleteScheduleGroup", "DeleteRolePolicy", "DeleteDashboards",
	"DeleteTopic",
}

// scheduled wants the stage's end to be scheduled from a time on, in UTC.
func (a *account) scheduled(t *testing.T, from string) {
	t.Helper()
	c := scheduler.NewFromConfig(a.client(t))
	listed, err := c.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range listed.Schedules {
		one, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: s.Name, GroupName: s.GroupName})
		if err != nil {
			t.Fatal(err)
		}
		text := *one.ScheduleExpression
		if one.StartDate != nil {
			text += " " + one.StartDate.UTC().Format(time.RFC3339)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	if want := []string{"at(2098-12-31T00:00:00)", expireEvery + " " + from}; !slices.Equal(got, want) {
		t.Errorf("schedules %q, want %q", got, want)
	}
}

// schedule is what invokes the function that ends a stage.
type schedule struct {
	client *scheduler.Client
	arn    string
	is     *scheduler.GetScheduleOutput
}

// schedule finds it, and wants it to send its own ARN.
func (a *account) schedule(t *testing.T) schedule {
	t.Helper()
	s := schedule{client: scheduler.NewFromConfig(a.client(t))}
	listed, err := s.client.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range listed.Schedules {
		if !strings.Contains(*one.Name, "expires-end") {
			continue
		}
		s.arn = *one.Arn
		s.is, err = s.client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: one.Name, GroupName: one.GroupName})
		if err != nil || s.is.Target.Input == nil || *s.is.Target.Input != expireEvent {
			t.Fatalf("the schedule %+v, %v: want it to send %s", s.is, err, expireEvent)
		}
		return s
	}
	t.Fatal("no schedule ends the stage")
	return s
}

// move makes the schedule begin at a time.
func (s schedule) move(t *testing.T, from time.Time) {
	_, err := s.client.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
		Name: s.is.Name, GroupName: s.is.GroupName, FlexibleTimeWindow: s.is.FlexibleTimeWindow, Target: s.is.Target,
		ScheduleExpression: s.is.ScheduleExpression, State: s.is.State, StartDate: &from,
	})
	if err != nil {
		t.Errorf("move the schedule: %v", err)
	}
}

// function is the program that ends a stage, with the rights of its role.
type function struct {
	binary   string
	env      []string
	policies []string
}

// function compiles the program for this machine, and takes on its role.
func (a *account) function(t *testing.T, rolePrefix string) function {
	t.Helper()
	f := function{binary: filepath.Join(t.TempDir(), "bootstrap")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", f.binary, expirePackage)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compile the function: %v\n%s", err, out)
	}
	cfg := a.client(t)
	identities := iam.NewFromConfig(cfg)
	roles, err := identities.ListRoles(t.Context(), &iam.ListRolesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles.Roles {
		if !strings.HasPrefix(*role.RoleName, rolePrefix) {
			continue
		}
		names, err := identities.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: role.RoleName})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names.PolicyNames {
			p, err := identities.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: role.RoleName, PolicyName: &name})
			if err != nil {
				t.Fatal(err)
			}
			document, err := url.QueryUnescape(*p.PolicyDocument)
			if err != nil {
				t.Fatal(err)
			}
			f.policies = append(f.policies, document)
		}
		session := "expire"
		taken, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: role.Arn, RoleSessionName: &session,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.env = append(slices.Clone(a.env), "AWS_ACCESS_KEY_ID="+*taken.Credentials.AccessKeyId,
			"AWS_SECRET_ACCESS_KEY="+*taken.Credentials.SecretAccessKey, "AWS_SESSION_TOKEN="+*taken.Credentials.SessionToken)
		return f
	}
	t.Fatalf("no role %s...", rolePrefix)
	return f
}

// expiryReceipt is what the function answers, as far as the test reads it.
type expiryReceipt struct {
	Found, Removed []struct{ ID string }
}

// invoke starts the program as Lambda does, invokes it once, for a schedule, and returns its answer.
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
func (f function) invoke(t *testing.T, stack, schedule string) (receipt expiryReceipt) {
	t.Helper()
	answer, invoked := make(chan []byte, 1), false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		if invoked { // Lambda freezes the program until there is a next invocation
			<-r.Context().Done()
			return
		}
		invoked = true
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(expireSeconds*time.Second).UnixMilli()))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:expires")
		fmt.Fprint(w, strings.ReplaceAll(expireEvent, "<aws.scheduler.schedule-arn>", schedule)) // as EventBridge does
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/1/{kind}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.PathValue("kind") != "response" {
			t.Errorf("the function fails: %s", body)
		}
		w.WriteHeader(http.StatusAccepted)
		answer <- body
	})
	lambda := httptest.NewServer(mux)
	defer lambda.Close()
	cmd := exec.CommandContext(t.Context(), f.binary)
	cmd.Env = append(f.env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(lambda.URL, "http://"), "AWS_REGION=us-east-1",
		"SHOPLAB_STAGE="+stack)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case body := <-answer:
		_ = cmd.Process.Kill()
		if err := <-ended; err == nil {
			t.Error("the function ended by itself, which Lambda's programs do not")
		}
		if err := json.Unmarshal(body, &receipt); err != nil {
			t.Errorf("the answer %s: %v", body, err)
		}
	case err := <-ended:
		t.Errorf("the function ended by itself: %v", err)
	}
	t.Logf("the function says:\n%s", log.Bytes())
	return receipt
}
