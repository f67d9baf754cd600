package aws

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"shoplab/lab/target"
	"shoplab/lab/twin"
)

// stack is a stage on AWS, brought up and down by the program lab/automate.
type stack struct {
	binary, root, name string
	say                func(string)
	outputs            map[string]any
}

// errInUse is wrapped when the stack was up before the run and was left alone.
var errInUse = errors.New("the stack is up already, and is left alone")

// buildAutomate compiles lab/automate.
func buildAutomate(ctx context.Context, root string) (string, error) {
	return twin.Build(ctx, root, "automate", "./lab/automate")
}

// up brings the stack up. Unless the error is errInUse, there may be resources for down to destroy
// even when it failed.
func (s *stack) up(ctx context.Context, more ...string) error {
	out, err := s.run(ctx, "up", more...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &s.outputs); err != nil {
		return fmt.Errorf("read the stack's outputs: %w", err)
	}
	return nil
}

func (s *stack) down(ctx context.Context) error {
	if _, err := s.run(ctx, "down"); err != nil {
		return fmt.Errorf("%w: `pulumi destroy -s %s`, then lab sweep: %w", target.ErrLeft, s.name, err)
	}
	return nil
}

// run starts automate and says its progress; what it prints is returned.
func (s *stack) run(ctx context.Context, verb string, more ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.binary, append([]string{verb, s.root, s.name}, more...)...) //nolint:gosec // built here
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Minute // Pulumi finishes what it has begun
	ownGroup(cmd)
	var out bytes.Buffer
	cmd.Stdout = &out
	progress, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start pulumi %s: %w", verb, err)
	}
	last := ""
	// A Scanner would give up at a very long line, and the program with its pipe.
	for lines := bufio.NewReader(progress); err == nil; {
		var text string
		text, err = lines.ReadString('\n')
		if text = strings.TrimSpace(text); text != "" {
			last = text
			s.say(text)
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		return nil, fmt.Errorf("%w: %s", errInUse, last)
	case err != nil:
		return nil, fmt.Errorf("pulumi %s of %s: %w: %s", verb, s.name, err, last)
	}
	return out.Bytes(), nil
}

// output is a stack output as text, "" if there is none or it is no text.
func (s *stack) output(name string) string {
	text, _ := s.outputs[name].(string)
	return text
}

// capacity is a number of the stack output "capacity".
func (s *stack) capacity(name string) (int, bool) {
	values, _ := s.outputs["capacity"].(map[string]any)
	n, ok := values[name].(float64)
	return int(n), ok
}
