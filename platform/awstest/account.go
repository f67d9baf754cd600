// Package awstest gives tests an emulated AWS account with a real Pulumi CLI.
package awstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Emulator is an emulated account of the test's own.
type Emulator struct {
	// Env is the environment of programs that use the account: PATH, PULUMI_* and AWS_*.
	Env []string

	script, dir string
	endpoint    string // of moto's server, where the test started that itself
}

// endpointURL begins the variable that names the account's address to every client of AWS.
const endpointURL = "AWS_ENDPOINT_URL="

// TakesMinutes skips a test that deploys whole stages, unless SHOPLAB_E2E is set.
func TakesMinutes(t *testing.T) {
	t.Helper()
	if os.Getenv("SHOPLAB_E2E") == "" {
		t.Skip("drives Pulumi on an emulated AWS account, which takes minutes; run it with: make e2e")
	}
}

// Emulate starts an account for the length of the test. It skips unless the emulator is in
// $SHOPLAB_SHARED/emulator, or beside the repository whose root is given.
func Emulate(t *testing.T, root string) *Emulator {
	t.Helper()
	e := &Emulator{script: findScript(t, root), dir: t.TempDir()}
	e.attach(t)
	return e
}

// findScript looks for the emulator.
func findScript(t *testing.T, root string) string {
	t.Helper()
	shared := os.Getenv("SHOPLAB_SHARED")
	if shared == "" {
		shared = filepath.Join(root, "..", "shared")
	}
	script, err := filepath.Abs(filepath.Join(shared, "emulator", "emulator.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(script); err != nil {
		t.Skipf("the emulated AWS account is missing (%v): set SHOPLAB_SHARED to the folder that holds emulator/; moto "+
			"alone does not do, for nothing in it becomes healthy and it has no Debian images (TestMoto is what it can)", err)
	}
	return script
}

// attach starts the account, unless it runs, until the end of the test, and takes its environment.
func (e *Emulator) attach(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { e.down(t) })
	// The script prints export lines; a shell reads them best.
	up := exec.CommandContext(t.Context(), "bash", "-c", `out=$("$0" up --dir "$1") && eval "$out" && env -0`, e.script,
		e.dir)
	up.Stderr = os.Stderr
	out, err := up.Output()
	if err != nil {
		t.Skipf("the emulated AWS account does not start: %v; it needs zstd, curl and Python 3 with moto[server]", err)
	}
	for pair := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		name, _, _ := strings.Cut(pair, "=")
		if name == "PATH" || strings.HasPrefix(name, "PULUMI_") || strings.HasPrefix(name, "AWS_") {
			e.Env = append(e.Env, pair)
		}
	}
	for i, pair := range e.Env {
		if endpoint, ok := strings.CutPrefix(pair, endpointURL); ok {
			e.Env[i] = endpointURL + likeAWS(t, endpoint)
		}
	}
}

// down ends the account.
func (e *Emulator) down(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(e.script, "down", "--dir", e.dir).CombinedOutput(); err != nil {
		t.Errorf("stop the emulator: %v\n%s", err, out)
	}
}

// Plain is a Pulumi CLI and no account: the CLI on PATH, or else the emulator's. It keeps its state in a folder of the
// test's own.
func Plain(t *testing.T, root string) *Emulator {
	t.Helper()
	if _, err := exec.LookPath("pulumi"); err != nil || os.Getenv("SHOPLAB_SHARED") != "" {
		return &Emulator{Env: Emulate(t, root).Env}
	}
	installPlugins(t, root)
	return &Emulator{Env: []string{
		"PATH=" + os.Getenv("PATH"), "PULUMI_BACKEND_URL=file://" + t.TempDir(), "PULUMI_CONFIG_PASSPHRASE=test",
		"PULUMI_SKIP_UPDATE_CHECK=true", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true",
	}}
}

// installPlugins has the CLI on PATH fetch the plugins that the stages need, where they are missing: later, a test may
// take the way to the internet away.
func installPlugins(t *testing.T, root string) {
	t.Helper()
	for name, module := range map[string]string{
		"aws": "pulumi-aws/sdk/v6", "random": "pulumi-random/sdk/v4", "tls": "pulumi-tls/sdk/v5",
	} {
		list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "github.com/pulumi/"+module)
		list.Dir = root
		version, err := list.Output()
		if err != nil {
			t.Fatalf("which version of %s: %v", module, err)
		}
		install := exec.CommandContext(t.Context(), "pulumi", "plugin", "install", "resource", name,
			strings.TrimSpace(string(version)))
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("the Pulumi CLI cannot install its plugin %s: %v\n%s", name, err, out)
		}
	}
}

// Setenv puts the account's environment into the test's own.
func (e *Emulator) Setenv(t *testing.T) {
	t.Helper()
	for _, pair := range e.Env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// Reset empties the account, whatever a test before left. Without an account it does nothing.
func (e *Emulator) Reset(t *testing.T) {
	t.Helper()
	switch {
	case e.script != "":
		e.run(t, "reset")
	case e.endpoint != "":
		response, err := http.Post(e.endpoint+"/moto-api/reset", "", nil) //nolint:noctx // a server of the test's own
		if err != nil {
			t.Fatalf("empty moto's account: %v", err)
		}
		_ = response.Body.Close()
	}
}

// Leftovers fails the test if anything is left in the account.
func (e *Emulator) Leftovers(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), e.script, "leftovers", "--dir", e.dir).CombinedOutput(); err != nil {
		t.Errorf("left in the account: %v\n%s", err, out)
	}
}

// Left is what is left in the account, in the emulator's words.
func (e *Emulator) Left(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), e.script, "leftovers", "--dir", e.dir).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // its status says that something is there
		t.Fatalf("look into the account: %v", err)
	}
	return string(out)
}

// Fault switches one of the emulator's faults on until the end of the test; the emulator's README lists
// them. An argument is needed by few of them and may be empty.
func (e *Emulator) Fault(t *testing.T, name, argument string) {
	t.Helper()
	e.run(t, "fault", name, argument, "on")
	t.Cleanup(func() { e.Mend(t, name) })
}

// Mend switches a fault off.
func (e *Emulator) Mend(t *testing.T, name string) {
	t.Helper()
	e.run(t, "fault", name, "", "off")
}

// Call is one call of the AWS API, as the emulator's log has it.
type Call struct {
	Service string // as boto3 names it, such as elbv2
	Action  string
	Region  string
	Status  int    // of HTTP
	Error   string // AWS's code, empty if there is none
	// Params are the request's, flat, with dotted names; secrets are ***.
	Params map[string]any
}

// Calls is the log of API calls since the start or the last Reset, in the order of their answers.
func (e *Emulator) Calls(t *testing.T) (calls []Call) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(e.run(t, "calls")))
	for decoder.More() {
		var c Call
		if err := decoder.Decode(&c); err != nil {
			t.Fatalf("read the emulator's log of calls: %v", err)
		}
		calls = append(calls, c)
	}
	return calls
}

// run runs the emulator's script; empty words are left out.
func (e *Emulator) run(t *testing.T, words ...string) []byte {
	t.Helper()
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	cmd := exec.Command(e.script, append(words, "--dir", e.dir)...) // in a Cleanup too, when the test's context is done
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("emulator.sh %s: %v\n%s%s", strings.Join(words, " "), err, out, stderr.Bytes())
	}
	return out
}
