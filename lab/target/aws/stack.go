package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"

	"shoplab/contract"
	"shoplab/lab/program"
	"shoplab/lab/target"
)

// stack is a stage on AWS, brought up and down by the program lab/automate.
type stack struct {
	binary, root, name string
	say                func(string)
	outputs            map[string]any
}

// errInUse is wrapped when the stack was up before the run and was left alone.
var errInUse = errors.New("the stack is up already, and is left alone")

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

// update brings the stack, which is up, to another configuration or to what the program in another folder makes of it.
func (s *stack) update(ctx context.Context, root string, more ...string) error {
	other := *s
	other.root = root
	out, err := other.run(ctx, "update", more...)
	if err != nil {
		return err
	}
	s.outputs = nil
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
	out, err := program.Output(ctx, s.say, nil, s.binary, append([]string{verb, s.root, s.name}, more...)...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		return nil, fmt.Errorf("%w: %w", errInUse, err)
	case err != nil:
		return nil, fmt.Errorf("pulumi %s of %s: %w", verb, s.name, err)
	}
	return out, nil
}

// output is a stack output as text, "" if there is none or it is no text.
func (s *stack) output(name string) string {
	text, _ := s.outputs[name].(string)
	return text
}

// capacity is a number of the stack output "capacity".
func (s *stack) capacity(name string) (int, bool) {
	values, _ := s.outputs[contract.OutputCapacity].(map[string]any)
	n, ok := values[name].(float64)
	return int(n), ok
}
