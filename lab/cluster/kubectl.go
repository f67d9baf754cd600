// Package cluster asks a Kubernetes cluster by kubectl, so that the laboratory needs no client library, and every way
// to sign in that the user's kubeconfig names works.
package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"shoplab/lab/program"
)

// Kubectl runs kubectl with a kubeconfig.
type Kubectl struct {
	Kubeconfig string // a file
}

// Run runs kubectl and returns what it prints. stdin may be nil; errors do not repeat it.
func (k Kubectl) Run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	args = append([]string{"--kubeconfig", k.Kubeconfig}, args...)
	cmd := exec.CommandContext(ctx, "kubectl", args...) //nolint:gosec // the file that a user names
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &complaints
	program.OwnGroup(cmd)
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("kubectl is not installed: kubernetes.io/docs/tasks/tools")
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return out, nil
}

// Get decodes what kubectl get prints as JSON.
func (k Kubectl) Get(ctx context.Context, into any, args ...string) error {
	text, err := k.Run(ctx, nil, append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("kubectl get %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
