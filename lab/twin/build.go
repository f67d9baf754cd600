package twin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Build compiles a program of the repository as it is deployed, without cgo, into root/bin and
// returns its path. name is the file's, pkg the package, such as "./service".
func Build(ctx context.Context, root, name, pkg string) (string, error) {
	out, err := filepath.Abs(filepath.Join(root, "bin", name))
	if err != nil {
		return "", fmt.Errorf("find the build's folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, pkg) // #nosec G204 -- the repository's own
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, bytes.TrimSpace(output.Bytes()))
	}
	return out, nil
}
