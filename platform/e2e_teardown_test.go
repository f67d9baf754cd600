package platform

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shoplab/contract"
)

// billable are the calls that make what costs money while it is there.
var billable = []string{
	"AllocateAddress", "RunInstances", "CreateAutoScalingGroup", "CreateLoadBalancer", "CreateDBInstance",
	"CreateReplicationGroup",
	"CreateService", "CreateRepository", "PutDashboard", "PutMetricAlarm",
}

// TestTeardown ends up and destroy with SIGKILL, types what a user types then, and wants lab sweep --remove to leave
// nothing of the stage, and all of a second stage in the same account. SHOPLAB_TEARDOWN is at how many places of each
// (make teardown-test), beside each call that makes something billable; without it, at one of each, of one stage.
func TestTeardown(t *testing.T) {
	places, _ := strconv.Atoi(os.Getenv("SHOPLAB_TEARDOWN"))
	for stack, other := range map[string]string{
		"stage1": "stage2", "stage2": "stage1", "stage3": "stage1", "stage4": "stage1",
	} {
		if places == 0 && stack != "stage3" {
			continue
		}
		t.Run(stack, func(t *testing.T) {
			account := newAccount(t)
			account.stack(t, other, "image", anImage, "https", contract.HTTPSOff)
			account.up(t, other)
			trial := trial{account: account, stack: stack, other: other}
			trial.before, trial.others = account.Left(t), account.sweepJSON(t, other)
			trial.run(t, places)
		})
	}
}

// trial is one stage's, beside another that must not be touched.
type trial struct {
	*account
	stack, other   string
	before, others string // what the account has, and what it has of the other stage
}

func (tr trial) run(t *testing.T, places int) {
	t.Helper()
	if places == 0 {
		tr.interrupt(t, "up", first("CreateReplicationGroup"))
		tr.interrupt(t, "destroy", first("DeleteService"))
		return
	}
	tr.init(t)
	ups, _ := tr.killed(t, nil, "up", "-s", tr.stack, "--yes", "--skip-preview")
	destroys, _ := tr.killed(t, nil, "destroy", "-s", tr.stack, "--yes", "--skip-preview")
	tr.end(t, "up and destroy")
	t.Logf("up makes %d calls that change something, destroy %d", len(ups), len(destroys))
	for i := range places {
		tr.interrupt(t, "up", nth(1+i*len(ups)/places))
		tr.interrupt(t, "destroy", nth(1+i*len(destroys)/places))
	}
	for _, name := range billable {
		for _, call := range ups {
			if call == name {
				tr.interrupt(t, "up", first(name))
				break
			}
		}
	}
}

// place is where something is ended.
type place struct {
	name string
	at   func(n int, name string) bool
}

func nth(n int) place {
	return place{fmt.Sprintf("call %d", n), func(i int, _ string) bool { return i == n }}
}

func first(call string) place {
	return place{call, func(_ int, name string) bool { return name == call }}
}

func (tr trial) init(t *testing.T) {
	t.Helper()
	tr.restore(t, tr.stack, tr.stack)
	tr.pulumi(t, "stack", "init", tr.stack)
	pairs := []string{"aws:maxRetries", "3", "image", anImage}
	if tr.stack == "stage4" {
		pairs = append(pairs, "wait", "false") // no server boots there
	}
	tr.config(t, tr.stack, pairs...)
}

// interrupt ends up or destroy at a place, and then does what a user does.
func (tr trial) interrupt(t *testing.T, verb string, p place) {
	t.Run(verb+" "+p.name, func(t *testing.T) {
		tr.init(t)
		if verb == "destroy" {
			tr.up(t, tr.stack)
		}
		if _, killed := tr.killed(t, p.at, verb, "-s", tr.stack, "--yes", "--skip-preview"); !killed {
			t.Logf("%s has ended before %s", verb, p.name) // calls come in another order each time
		}
		_, _ = tr.try(t, "cancel", "-s", tr.stack, "--yes")
		args := []string{"sweep", tr.stack, "--remove", "--yes"}
		if out, err := tr.try(t, "destroy", "-s", tr.stack, "--yes", "--skip-preview"); err != nil {
			t.Logf("pulumi destroy: %v\n%s", err, out)
			args = append(args, "--ignore-state")
		}
		out, err := tr.lab(t, args...)
		t.Logf("lab sweep --remove:\n%s", out)
		if err != nil {
			t.Errorf("lab sweep --remove: %v", err)
		}
		tr.end(t, verb+" "+p.name)
	})
}

// end wants nothing to be left of the stage and nothing of the other to be touched.
func (tr trial) end(t *testing.T, what string) {
	t.Helper()
	if after := tr.Left(t); after != tr.before {
		t.Errorf("%s leaves\n%s\nbesides\n%s", what, after, tr.before)
	}
	tr.sweeps(t, tr.stack, true)
	if others := tr.sweepJSON(t, tr.other); others != tr.others {
		t.Errorf("%s changes %s to\n%s\nfrom\n%s", what, tr.other, others, tr.others)
	}
	tr.pulumi(t, "stack", "rm", tr.stack, "--yes", "--force", "--preserve-config")
}

// lab runs the laboratory as a user does, and returns what it says.
func (a *account) lab(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), args...)
	cmd.Dir, cmd.Env = a.repository, a.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sweepJSON is what the account has of a stage, without the time of the question.
func (a *account) sweepJSON(t *testing.T, stack string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "sweep", stack, "--json")
	cmd.Dir, cmd.Env = a.repository, a.env
	out, _ := cmd.Output() // its status says that something is there
	_, found, ok := strings.Cut(string(out), `"found"`)
	if !ok {
		t.Fatalf("lab sweep of %s: %s", stack, out)
	}
	return found
}
