package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"shoplab/lab/target/aws"
)

// stackState is what Pulumi's state says of a stack.
type stackState struct {
	resources int // of AWS
	// pending are operations that had begun when an update was cut off. Nothing ends them but these hints: pulumi destroy
	// does not know what they made, and leaves it.
	pending int
}

// emptyAttributes says what helps where a state in a folder cannot be read. Pulumi replaces the state's file in one
// step, but not the file of attributes that gocloud.dev/blob/fileblob keeps beside it: a Pulumi that is killed in
// between leaves that one empty, and every command fails, cancel too. It is not needed: without it there are no
// attributes.
const emptyAttributes = "Pulumi was killed while it wrote its state. In the folder of the state (pulumi whoami -v " +
	"names it): find .pulumi -name '*.attrs' -empty -delete"

// readState asks the Pulumi CLI, which knows where the state is.
func readState(ctx context.Context, root, stack string) (s stackState, err error) {
	if stack == aws.GeneratorStack {
		root = filepath.Join(root, stack)
	}
	words := []string{"stack", "export", "--stack", stack, "--non-interactive"}
	cmd := exec.CommandContext(ctx, "pulumi", words...) //nolint:gosec // a stage's name, checked
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch text := strings.TrimSpace(stderr.String()); {
	case errors.Is(err, exec.ErrNotFound):
		return s, errors.New("the pulumi command is not installed here")
	case err != nil && strings.Contains(text, "no stack named"):
		return s, nil
	case err != nil && strings.Contains(text, "failed to load checkpoint: EOF"):
		return s, fmt.Errorf("pulumi stack export: %w: %s: %s", err, text, emptyAttributes)
	case err != nil:
		return s, fmt.Errorf("pulumi stack export: %w: %s", err, text)
	}
	var state struct {
		Deployment struct {
			Resources []struct {
				Custom bool   `json:"custom"`
				Type   string `json:"type"`
			} `json:"resources"`
			Pending []struct{} `json:"pending_operations"`
		} `json:"deployment"`
	}
	if err := json.Unmarshal(out, &state); err != nil {
		return s, fmt.Errorf("read Pulumi's state of %s: %w", stack, err)
	}
	for _, r := range state.Deployment.Resources {
		if r.Custom && strings.HasPrefix(r.Type, "aws:") {
			s.resources++
		}
	}
	s.pending = len(state.Deployment.Pending)
	return s, nil
}

// forget says how a stack's state forgets what is gone; nothing if it lists nothing.
func (s stackState) forget(stack string) string {
	if s.resources+s.pending == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Pulumi's state of %s still lists %d resources of AWS and %d operations that were cut off. Make it "+
		"forget them:",
		stack, s.resources, s.pending)
	for _, c := range [][2]string{
		{"cancel" + selected(stack), "if an interrupted update still locks it"},
		{"stack rm" + selected(stack) + " --force --preserve-config", "forgets the whole stack, or"},
		{"refresh" + selected(stack) + " --clear-pending-creates", "keeps it, with what AWS still has"},
	} {
		fmt.Fprintf(&b, "\n  pulumi %-48s %s", c[0], c[1])
	}
	return b.String()
}

// selected are the words by which a command of Pulumi, typed in the repository, selects a stack.
func selected(stack string) string {
	if stack == aws.GeneratorStack {
		return " -C " + stack + " -s " + stack
	}
	return " -s " + stack
}
