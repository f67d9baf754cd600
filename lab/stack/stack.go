// Package stack brings a stage up on AWS and takes it down again, with Pulumi's Automation API on
// the repository's own program and stacks.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"gopkg.in/yaml.v3"
)

// ErrInUse is wrapped by Up for a stack that has resources already: what somebody else brought up
// must not be measured to death and destroyed.
var ErrInUse = errors.New("the stack is up already")

// Stack is a stage on AWS.
type Stack struct {
	stack   auto.Stack
	config  string // the configuration file of this run
	outputs auto.OutputMap
}

// Up brings the stack named stage of the program in root up, with more configuration than its file
// has: the file itself stays as it is. Progress gets Pulumi's output. Together with an error it
// returns the Stack when there may be resources, which Down then has to destroy.
func Up(ctx context.Context, root, stage string, more map[string]string, progress io.Writer) (*Stack, error) {
	st, err := auto.UpsertStackLocalSource(ctx, stage, root)
	if err != nil {
		return nil, fmt.Errorf("select the stack: %w", hint(err))
	}
	info, err := st.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the stack: %w", hint(err))
	}
	// The stack itself counts as one resource.
	if info.ResourceCount != nil && *info.ResourceCount > 1 {
		return nil, fmt.Errorf("%w: %s has %d resources; `pulumi destroy -s %s` it first, or measure it with lab load",
			ErrInUse, stage, *info.ResourceCount, stage)
	}
	s := &Stack{stack: st}
	if s.config, err = writeConfig(filepath.Join(root, "Pulumi."+stage+".yaml"), more); err != nil {
		return nil, err
	}
	up, err := st.Up(ctx, optup.ConfigFile(s.config), optup.ProgressStreams(progress), optup.SuppressOutputs())
	if err != nil {
		return s, fmt.Errorf("pulumi up: %w", hint(err))
	}
	s.outputs = up.Outputs
	return s, nil
}

// writeConfig writes a copy of a stack's configuration with more keys, readable by this user only.
func writeConfig(name string, more map[string]string) (string, error) {
	data, err := os.ReadFile(name) //nolint:gosec // the repository's own
	if err != nil {
		return "", fmt.Errorf("read the stack's configuration: %w", err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(data, &file); err != nil {
		return "", fmt.Errorf("read %s: %w", filepath.Base(name), err)
	}
	config, ok := file["config"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("read %s: no config in it", filepath.Base(name))
	}
	for key, value := range more {
		config[key] = value
	}
	if data, err = yaml.Marshal(file); err != nil {
		return "", fmt.Errorf("write the run's configuration: %w", err)
	}
	f, err := os.CreateTemp("", "shoplab-*.yaml")
	if err != nil {
		return "", fmt.Errorf("write the run's configuration: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("write the run's configuration: %w", err)
	}
	return f.Name(), nil
}

// Output is a stack output as text, "" if there is none or it is no text.
func (s *Stack) Output(name string) string {
	text, _ := s.outputs[name].Value.(string)
	return text
}

// Capacity is the stack output "capacity": instances, maxInstances, poolPerInstance and
// databaseConnections.
func (s *Stack) Capacity() map[string]int {
	values, _ := s.outputs["capacity"].Value.(map[string]any)
	capacity := map[string]int{}
	for name, v := range values {
		if n, ok := v.(float64); ok {
			capacity[name] = int(n)
		}
	}
	return capacity
}

// Down destroys everything in the stack. The stack itself stays, empty, with its history.
func (s *Stack) Down(ctx context.Context, progress io.Writer) error {
	// After an interrupted update the stack may still be locked by it; this process was the only one.
	if err := s.stack.Cancel(ctx); err != nil && !strings.Contains(err.Error(), "no update") {
		_, _ = fmt.Fprintf(progress, "pulumi cancel: %v\n", err) // destroy will say more
	}
	_, err := s.stack.Destroy(ctx, optdestroy.ConfigFile(s.config), optdestroy.ProgressStreams(progress))
	if err != nil {
		return fmt.Errorf("pulumi destroy: %w (resources may be left: run it again, then lab sweep)", err)
	}
	if err := os.Remove(s.config); err != nil {
		return fmt.Errorf("remove the run's configuration: %w", err)
	}
	return nil
}

// hint adds what to do to errors that a first run meets.
func hint(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "executable file not found"):
		return fmt.Errorf("%w (install the Pulumi CLI: https://www.pulumi.com/docs/install/)", err)
	case strings.Contains(text, "PULUMI_ACCESS_TOKEN"):
		return fmt.Errorf("%w (or `pulumi login --local`)", err)
	case strings.Contains(text, "passphrase must be set"):
		return fmt.Errorf("%w (set PULUMI_CONFIG_PASSPHRASE)", err)
	}
	return err
}
