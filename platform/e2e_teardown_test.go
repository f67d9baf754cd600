package platform

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoplab/contract"
)

// billable are the calls that make what costs money while it is there.
var billable = []string{
	"AllocateAddress", "RunInstances", "CreateAutoScalingGroup", "CreateLoadBalancer", "CreateDBInstance",
	"CreateReplicationGroup",
	"CreateService", "CreateRepository", "PutDashboard", "PutMetricAlarm", "POST /2015-03-31/functions",
}

// bystander is a stack in the same account that must not be touched: a stage1 of another name.
const bystander = "bystander"

// TestTeardown ends up and destroy with SIGKILL, types what a user types then, and wants lab sweep --remove to leave
// nothing of the stage, and all of a second stack in the same account. It does so at one place of each, of stage3;
// make teardown-test at SHOPLAB_TEARDOWN places of each, of every stage, and at each call that makes something
// billable. That takes hours and can be divided: SHOPLAB_TEARDOWN_PART=2/5 takes every fifth place from the second on,
// -run TestTeardown/stage2 one stage, and places that are in the file SHOPLAB_TEARDOWN_LOG are not tried again.
func TestTeardown(t *testing.T) {
	places, _ := strconv.Atoi(os.Getenv("SHOPLAB_TEARDOWN"))
	for _, stack := range []string{"stage1", "stage2", "stage3", "stage4", "stage5"} {
		if places == 0 && stack != "stage3" {
			continue
		}
		t.Run(stack, func(t *testing.T) {
			tr := trial{account: newAccount(t), stack: stack, other: bystander}
			tr.settle(t)
			if places > 0 {
				tr.everywhere(t, places)
				return
			}
			tr.interrupt(t, place{verb: "up", name: "CreateReplicationGroup", at: first("CreateReplicationGroup")})
			tr.interrupt(t, place{verb: "destroy", name: "DeleteService", at: first("DeleteService")})
		})
	}
}

// trial is one stage's, beside another stack that must not be touched.
type trial struct {
	*account
	stack, other   string
	before, others string // what the account has, and what it has of the other stack
}

// settle brings the other stack up in an empty account.
func (tr *trial) settle(t *testing.T) {
	t.Helper()
	tr.stackLike(t, tr.other, "stage1", "image", anImage, "https", contract.HTTPSOff)
	tr.up(t, tr.other)
	tr.before, tr.others = tr.Left(t), tr.sweepJSON(t, tr.other)
}

// everywhere interrupts up and destroy of a stage, at places spread over their length.
func (tr *trial) everywhere(t *testing.T, places int) {
	t.Helper()
	part, parts := 1, 1
	if text := os.Getenv("SHOPLAB_TEARDOWN_PART"); text != "" {
		if _, err := fmt.Sscanf(text, "%d/%d", &part, &parts); err != nil || part < 1 || part > parts {
			t.Fatalf("SHOPLAB_TEARDOWN_PART is %q: want a part of how many, such as 2/5", text)
		}
	}
	tr.init(t, anImage)
	ups, _ := tr.killed(t, nil, "up", "-s", tr.stack, "--yes", "--skip-preview")
	destroys, _ := tr.killed(t, nil, "destroy", "-s", tr.stack, "--yes", "--skip-preview")
	tr.end(t, "up and destroy")
	t.Logf("up makes %d calls that change something, destroy %d", len(ups), len(destroys))
	var all [][]place
	for i := range places {
		name := fmt.Sprintf("%d of %d", i+1, places)
		all = append(all, []place{
			{verb: "up", name: name, at: nth(1 + i*len(ups)/places)},
			{verb: "destroy", name: name, at: nth(1 + i*len(destroys)/places)},
		})
	}
	for _, name := range billable {
		if name == "CreateRepository" || slices.Contains(ups, name) {
			all = append(all, []place{{verb: "up", name: name, at: first(name)}})
		}
	}
	for i := part - 1; i < len(all); i += parts {
		for _, p := range all[i] {
			tr.once(t, p)
		}
	}
}

// once interrupts at a place that the log of places does not have, and writes it there when nothing was left.
func (tr *trial) once(t *testing.T, p place) {
	t.Helper()
	name, entry := os.Getenv("SHOPLAB_TEARDOWN_LOG"), tr.stack+" "+p.verb+" "+p.name+": "
	if done, _ := os.ReadFile(name); strings.Contains("\n"+string(done), "\n"+entry) { // a file that is not there has none
		return
	}
	began := time.Now()
	at, passed := tr.interrupt(t, p)
	if !passed { // what is left would be found at the next place again
		tr.account = newAccount(t)
		tr.settle(t)
		return
	}
	if name == "" || at == "" { // -run may have left the place out
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s%s, nothing left, %.0f s\n", entry, at, time.Since(began).Seconds())
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatalf("write down what was tried: %v", err)
	}
}

// place is where up or destroy is ended.
type place struct {
	verb, name string
	at         func(n int, name string) bool
}

func nth(n int) func(int, string) bool {
	return func(i int, _ string) bool { return i == n }
}

func first(call string) func(int, string) bool {
	return func(_ int, name string) bool { return name == call }
}

// init makes the stage's stack. Without an image the program builds and pushes one.
func (tr trial) init(t *testing.T, image string) {
	t.Helper()
	tr.restore(t, tr.stack, tr.stack)
	tr.pulumi(t, "stack", "init", tr.stack)
	pairs := []string{"aws:maxRetries", "3", "image", image}
	if tr.stack == "stage4" {
		pairs = append(pairs, "wait", "false") // no server boots there
	}
	tr.config(t, tr.stack, pairs...)
}

// interrupt ends up or destroy at a place, and then does what a user does. It says where that was, and whether nothing
// was left.
func (tr trial) interrupt(t *testing.T, p place) (at string, passed bool) {
	t.Helper()
	passed = t.Run(p.verb+" "+p.name, func(t *testing.T) {
		image := anImage
		if p.name == "CreateRepository" {
			image = ""
		}
		tr.init(t, image)
		if p.verb == "destroy" {
			tr.up(t, tr.stack)
		}
		calls, killed := tr.killed(t, p.at, p.verb, "-s", tr.stack, "--yes", "--skip-preview")
		at = fmt.Sprintf("killed at call %d", len(calls))
		if len(calls) > 0 {
			at += ", " + calls[len(calls)-1]
		}
		if !killed {
			at = "it had ended before" // calls come in another order each time
		}
		t.Logf("%s: %s", p.verb, at)
		args := []string{"sweep", tr.stack, "--remove", "--yes"}
		if out, err := tr.destroys(t); err != nil {
			t.Logf("pulumi destroy: %v\n%s", err, out)
			args = append(args, "--ignore-state")
		}
		out, err := tr.lab(t, args...)
		t.Logf("lab sweep --remove:\n%s", out)
		if err != nil {
			t.Errorf("lab sweep --remove: %v", err)
		}
		tr.end(t, p.verb+" "+p.name)
	})
	return at, passed
}

// destroys types what a user types after an interruption. Pulumi that is killed while it writes its state may leave an
// empty file of attributes beside it, and then reads nothing: lab sweep says how to go on (lab/account).
func (tr trial) destroys(t *testing.T) (string, error) {
	t.Helper()
	if out, err := tr.try(t, "cancel", "-s", tr.stack, "--yes"); err != nil &&
		strings.Contains(out, "failed to load checkpoint: EOF") {
		state := strings.TrimPrefix(tr.variable("PULUMI_BACKEND_URL"), "file://")
		mended, err := exec.CommandContext(t.Context(), "find", filepath.Join(state, ".pulumi"), "-name", "*.attrs", "-empty",
			"-print", "-delete").Output()
		t.Logf("Pulumi cannot read its state: deleted\n%s%v", mended, err)
		_, _ = tr.try(t, "cancel", "-s", tr.stack, "--yes")
	}
	return tr.try(t, "destroy", "-s", tr.stack, "--yes", "--skip-preview")
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
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), args...)
	cmd.Dir, cmd.Env = a.repository, a.env
	out, err := cmd.CombinedOutput()
	t.Logf("lab %s: %.0f s", strings.Join(args, " "), time.Since(start).Seconds())
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
