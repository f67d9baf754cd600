package platform

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/contract"
	"shoplab/platform/awstest"
)

// bystander is a stack in the same account that must not be touched: a stage1 of another name.
const bystander = "bystander"

// TestTeardown ends up and destroy with SIGKILL, types what a user types then, and wants lab sweep --remove to leave
// nothing of the stage, and all of a second stack in the same account. Each place has a copy of the account for itself,
// and up is done once for all places of destroy. It tries one place of each, of stage3; make teardown-test tries
// SHOPLAB_TEARDOWN places of each, of every stage, and each call that makes something billable, which takes hours.
// -run TestTeardown/stage2 takes one stage, and -run 'TestTeardown/stage2/up_7_of_20$' one place. The file that
// SHOPLAB_TEARDOWN_LOG names gets a line for each place that ends; a place of which it says that nothing was left is
// not tried again. No place begins in the last minutes before -timeout: the same command goes on where it ended.
func TestTeardown(t *testing.T) {
	n := teardownPlaces(t)
	for _, stack := range stacks {
		if n == 0 && stack != "stage3" {
			continue
		}
		t.Run(stack, func(t *testing.T) {
			if n > 0 {
				t.Parallel() // up mostly waits
			}
			tr := newTrial(t, stack)
			if n > 0 {
				for _, p := range tr.spread(n) {
					tr.once(t, p)
				}
				return
			}
			tr.once(t, place{verb: "up", name: "CreateReplicationGroup", at: first("CreateReplicationGroup")})
			tr.once(t, place{verb: "destroy", name: "DeleteService", at: first("DeleteService")})
		})
	}
}

// trial is one stage's, beside another stack that must not be touched.
type trial struct {
	*account
	stack, other   string
	before, others string // what the account has, and what lab sweep finds, with the other stack alone

	complete      *account // a copy in which the stage is up
	ups, destroys []string // the calls of up and of destroy
}

// settling is held by who may be the first to run the program, which is then linked.
var settling sync.Mutex

// newTrial is an account with another stack, and a copy in which the stage is up. Nothing is interrupted here.
func newTrial(t *testing.T, stack string) *trial {
	t.Helper()
	awstest.TakesMinutes(t)
	tr := &trial{account: forkable(t), stack: stack, other: bystander + "-" + stack}
	settling.Lock()
	tr.settle(t)
	settling.Unlock()
	tr.init(t, anImage)
	tr.complete = tr.fork(t)
	again := *tr
	again.account = tr.complete
	var err error
	if tr.ups, _, err = again.killed(t, nil, again.words("up")...); err != nil {
		t.Fatal(err)
	}
	again.account = again.fork(t)
	if tr.destroys, _, err = again.killed(t, nil, again.words("destroy")...); err != nil {
		t.Fatal(err)
	}
	if err := again.left(t); err != nil {
		t.Fatalf("up and destroy, which nothing interrupted: %v", err)
	}
	return tr
}

// settle brings the other stack up in an empty account.
func (tr *trial) settle(t *testing.T) {
	t.Helper()
	tr.stackLike(t, tr.other, "stage1", "image", anImage, "https", contract.HTTPSOff)
	tr.up(t, tr.other)
	tr.before, tr.others = tr.Left(t), tr.sweepJSON(t)
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

// words are what a user types to do something to the stage.
func (tr trial) words(verb string) []string {
	return []string{verb, "-s", tr.stack, "--yes", "--skip-preview"}
}

// interrupt ends up or destroy at a place, in a copy of the account, and then does what a user does. It says where that
// was and what it took, and the error is about what was left, or why it did not come to that.
func (tr *trial) interrupt(t *testing.T, p place) (what string, err error) {
	t.Helper()
	from, all := tr.account, len(tr.ups)
	if p.verb == "destroy" {
		from, all = tr.complete, len(tr.destroys)
	}
	tr.account = from.fork(t)
	if p.name == building {
		tr.config(t, tr.stack, "image", "")
		defer tr.config(t, tr.stack, "image", anImage)
	}
	calls, killed, err := tr.killed(t, p.at, tr.words(p.verb)...)
	if err != nil {
		return "before it was killed", err
	}
	what = tooLate
	if killed {
		what = fmt.Sprintf("killed at call %d of %d, %s", len(calls), all, calls[len(calls)-1])
	}
	args := []string{"sweep", tr.stack, "--remove", "--yes"}
	if out, err := tr.destroyAfter(t); err != nil {
		what += ", pulumi destroy failed"
		t.Logf("pulumi destroy: %v\n%s", err, out)
		args = append(args, "--ignore-state")
	}
	out, err := tr.lab(t, args...)
	t.Logf("lab sweep --remove:\n%s", out)
	if n := sweptAway.FindString(out); n != "" {
		what += ", lab sweep " + strings.Replace(n, ":", "", 1)
	}
	if err != nil {
		err = fmt.Errorf("lab sweep --remove: %w", err)
	}
	return what, errors.Join(err, tr.left(t))
}

// sweptAway is how many resources lab sweep --remove says that it has deleted.
var sweptAway = regexp.MustCompile(`(?m)^deleted: \d+$`)

// destroyAfter types what a user types after an interruption. Pulumi that is killed while it writes its state may leave
// an empty file of attributes beside it, and then reads nothing: lab sweep says how to go on (lab/account). A VPC in
// which is what the state does not know cannot be deleted; the provider tries that for many minutes, and docs/deploy.md
// says to interrupt it, twice.
func (tr trial) destroyAfter(t *testing.T) (string, error) {
	t.Helper()
	if out, err := tr.try(t, "cancel", "-s", tr.stack, "--yes"); err != nil &&
		strings.Contains(out, "failed to load checkpoint: EOF") {
		state := strings.TrimPrefix(tr.variable("PULUMI_BACKEND_URL"), "file://")
		mended, err := exec.CommandContext(t.Context(), "find", filepath.Join(state, ".pulumi"), "-name", "*.attrs", "-empty",
			"-print", "-delete").Output()
		t.Logf("Pulumi cannot read its state: deleted\n%s%v", mended, err)
		_, _ = tr.try(t, "cancel", "-s", tr.stack, "--yes")
	}
	began := time.Now()
	cmd := tr.command(t, tr.words("destroy")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tr.gate.watch(func() { _ = cmd.Process.Signal(os.Interrupt) }) // it may have ended by itself
	defer tr.gate.watch(nil)
	err := cmd.Wait()
	t.Logf("pulumi destroy: %.0f s", time.Since(began).Seconds())
	return out.String(), err
}

// left wants nothing to be left of the stage, and nothing of the other stack to be touched.
func (tr trial) left(t *testing.T) (err error) {
	t.Helper()
	if after := tr.Left(t); after != tr.before {
		err = fmt.Errorf("the account has\n%s\nand had\n%s", after, tr.before)
	}
	if found := tr.sweepJSON(t); found != tr.others {
		err = errors.Join(err, fmt.Errorf("lab sweep finds\n%s\nand found\n%s", found, tr.others))
	}
	return err
}

// end wants nothing to be left, and makes Pulumi forget the stage.
func (tr trial) end(t *testing.T, what string) {
	t.Helper()
	if err := tr.left(t); err != nil {
		t.Errorf("%s: %v", what, err)
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

// sweepJSON is what lab sweep finds of all stages, without the time of the question.
func (a *account) sweepJSON(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "sweep", "--json")
	cmd.Dir, cmd.Env = a.repository, a.env
	out, _ := cmd.Output() // its status says that something is there
	_, found, ok := strings.Cut(string(out), `"found"`)
	if !ok {
		t.Fatalf("lab sweep: %s", out)
	}
	return found
}
