package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"shoplab/platform/awstest"
)

// account is an emulated AWS account and a copy of this repository to deploy from.
type account struct {
	*awstest.Emulator
	repository string
	env        []string
	pushes     *atomic.Int32
	gate       *gate
}

// Hosts that the program under test reaches through the account's proxy.
const (
	ecrHost     = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	checkIPHost = "checkip.amazonaws.com"
)

// operatorAddress is the address from which the account's checkip service sees everybody.
const operatorAddress = "203.0.113.7"

// newAccount is an empty account of the test's own, with every plugin that the stages need. The copy of the
// repository is shared by all accounts of this process, so that the program is linked once.
func newAccount(t *testing.T) *account {
	t.Helper()
	awstest.TakesMinutes(t)
	a := emulated(t)
	a.installKubernetes(t)
	return a
}

// forkable is an account as newAccount makes it, of which there can be copies.
func forkable(t *testing.T) *account {
	t.Helper()
	awstest.TakesMinutes(t)
	a := accountOn(t, awstest.Forkable(t, ".."))
	a.installKubernetes(t)
	return a
}

// fork is a copy of an account that forkable made, or of a copy, with its stacks. Nothing may use the account
// meanwhile.
func (a *account) fork(t *testing.T) *account {
	t.Helper()
	copied := accountOn(t, a.Fork(t))
	copied.gate.inherit(a.gate)
	return copied
}

// emulated is an empty account of the test's own, without a Kubernetes provider.
func emulated(t *testing.T) *account {
	t.Helper()
	return accountOn(t, awstest.Emulate(t, ".."))
}

// accountOn is an account, with a copy of this repository and what the program reaches outside of AWS's API.
func accountOn(t *testing.T, e *awstest.Emulator) *account {
	t.Helper()
	a := &account{Emulator: e, pushes: &atomic.Int32{}, gate: &gate{}}
	a.repository = repositoryCopy(t)
	a.env = slices.Concat(os.Environ(), a.Env, outsideOfAccount(t, a.pushes))
	a.env = append(a.env, "AWS_ENDPOINT_URL="+a.gate.before(t, a.variable("AWS_ENDPOINT_URL")))
	return a
}

// stack is a stack of a topology in an account that was emptied: its file as it is in the repository, and
// pairs of keys and values on top.
func (a *account) stack(t *testing.T, name string, config ...string) {
	t.Helper()
	a.stackLike(t, name, name, config...)
}

// stackLike is a stack with another one's file.
func (a *account) stackLike(t *testing.T, name, like string, config ...string) {
	t.Helper()
	a.Reset(t) // should a test before have failed
	a.restore(t, name, like)
	a.pulumi(t, "stack", "init", name)
	a.config(t, name, append([]string{"aws:maxRetries", "3"}, config...)...)
}

// restore makes a stack's file what that of a stage is in the repository.
func (a *account) restore(t *testing.T, name, like string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "Pulumi."+like+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.repository, "Pulumi."+name+".yaml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// config sets pairs of keys and values.
func (a *account) config(t *testing.T, stack string, pairs ...string) {
	t.Helper()
	args := []string{"config", "set-all", "-s", stack}
	for pair := range slices.Chunk(pairs, 2) {
		args = append(args, "--plaintext", pair[0]+"="+pair[1])
	}
	a.pulumi(t, args...)
}

// up deploys a stack that must come up.
func (a *account) up(t *testing.T, stack string) {
	t.Helper()
	a.pulumi(t, "up", "-s", stack, "--yes", "--skip-preview")
}

// fails deploys a stack that must not come up, and wants each of the texts in what is written.
func (a *account) fails(t *testing.T, stack string, want ...string) {
	t.Helper()
	out, err := a.try(t, "up", "-s", stack, "--yes", "--skip-preview")
	if err == nil {
		t.Errorf("up succeeds:\n%s", out)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("up does not say %q:\n%s", text, out)
		}
	}
}

// down destroys a stack and looks for what is left of it.
func (a *account) down(t *testing.T, stack string) {
	t.Helper()
	a.pulumi(t, "destroy", "-s", stack, "--yes", "--skip-preview")
	a.gone(t, stack)
}

// gone wants nothing to be left of a stack that was destroyed: in the account, and by the laboratory's own sweep.
func (a *account) gone(t *testing.T, stack string) {
	t.Helper()
	a.Leftovers(t)
	a.sweeps(t, stack, true)
	a.pulumi(t, "stack", "rm", stack, "--yes", "--preserve-config")
}

// client is how a test asks the account.
func (a *account) client(t *testing.T) aws.Config {
	t.Helper()
	a.Setenv(t)
	c, err := clientConfig(t.Context(), map[string]string{"region": "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// variable is the last value of an environment variable.
func (a *account) variable(name string) (value string) {
	for _, v := range a.env {
		if text, ok := strings.CutPrefix(v, name+"="); ok {
			value = text
		}
	}
	return value
}

// pulumi runs the CLI in the copied repository; it must succeed.
func (a *account) pulumi(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := a.try(t, args...)
	if err != nil {
		t.Fatalf("pulumi %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return []byte(out)
}

// try runs the CLI and returns what it wrote.
func (a *account) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	start := time.Now()
	cmd := a.command(t, args...)
	out, err := cmd.CombinedOutput()
	t.Logf("pulumi %s: %.0f s", strings.Join(args, " "), time.Since(start).Seconds())
	return string(out), err
}

// command is the CLI, not yet started. It is looked for in the account's PATH, which need not be this process's.
func (a *account) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program := "pulumi"
	for _, folder := range filepath.SplitList(a.variable("PATH")) {
		if _, err := os.Stat(filepath.Join(folder, "pulumi")); err == nil {
			program = filepath.Join(folder, "pulumi")
			break
		}
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, "--non-interactive", "--color=never")...)
	cmd.Dir, cmd.Env = a.repository, a.env
	return cmd
}

// buildLab compiles the laboratory, whose sweep proves a teardown, into the copied repository.
func buildLab(repository string) error {
	for name, pkg := range map[string]string{"lab": "./lab", "lab-account": "./lab/account"} {
		build := exec.Command("go", "build", "-o", filepath.Join(repository, "bin", name), pkg)
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build the laboratory: %w\n%s", err, out)
		}
	}
	return nil
}

// sweeps takes the inventory as a user does. Of a stage that is up it has to see a resource of every
// service that the tagging API does not list.
func (a *account) sweeps(t *testing.T, stack string, clean bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "sweep", "--stage", stack, "--json")
	cmd.Dir, cmd.Env = a.repository, a.env
	out, err := cmd.Output()
	if (err == nil) != clean {
		t.Errorf("lab sweep: %v\n%s", err, out)
	}
	for _, service := range []string{"ec2", "iam", "budgets", "cloudwatch", "logs"} {
		if !clean && !bytes.Contains(out, []byte(`"service": "`+service+`"`)) {
			t.Errorf("lab sweep sees nothing of %s:\n%s", service, out)
		}
	}
}

// outputs are the stack's outputs as compact JSON by name.
func (a *account) outputs(t *testing.T, stack string) map[string]string {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(a.pulumi(t, "stack", "output", "-s", stack, "--json"), &raw); err != nil {
		t.Fatalf("read the outputs: %v", err)
	}
	texts := map[string]string{}
	for name, value := range raw {
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			t.Fatal(err)
		}
		texts[name] = compact.String()
	}
	return texts
}

// repositoryCopy is a copy of this repository, of which stacks write into the configuration files, with the
// laboratory built in it. TestMain removes it.
func repositoryCopy(t *testing.T) string {
	t.Helper()
	path, err := copiedRepository()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var copiedRepository = sync.OnceValues(func() (string, error) {
	to, err := os.MkdirTemp("", "shoplab-e2e-")
	if err != nil {
		return "", err
	}
	temporary = append(temporary, to)
	if err := copyRepository(to); err != nil {
		return "", err
	}
	// Nothing runs in the account: what ends a stage there need not take minutes to compile.
	if err := os.WriteFile(filepath.Join(to, expirePackage, "main.go"), []byte("package main\n\nfunc main() {}\n"),
		0o600); err != nil {
		return "", err
	}
	return to, buildLab(to)
})

// temporary are folders that outlive a test; TestMain removes them.
var temporary []string

// copyRepository copies what git knows or could know.
func copyRepository(to string) error {
	list, err := exec.Command("git", "-C", "..", "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list the repository's files: %w", err)
	}
	for name := range strings.Lines(string(list)) {
		name = strings.TrimSpace(name)
		data, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
