// Package program compiles and runs this repository's other programs: the shop, and the parts of the laboratory
// that only some of its commands need, so that `go run ./lab up` compiles neither AWS clients nor plotting.
package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"shoplab/contract"
)

// Find returns the path of a part of the laboratory, such as "draw": the program lab-draw in the folder of the
// running one, as a release has it, and otherwise ./lab/draw of the repository, compiled.
func Find(ctx context.Context, root, name string) (string, error) {
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), "lab-"+name)
		if runtime.GOOS == "windows" {
			beside += ".exe"
		}
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	if root == "" {
		return "", fmt.Errorf("lab-%s is not beside lab; put it there, or run lab inside the repository, which has its "+
			"source", name)
	}
	return build(ctx, root, name, "./lab/"+name)
}

// Build compiles a program of the repository as it is deployed, without cgo, into root/bin and returns its path.
// name is the file's, pkg the package, such as "./service".
func Build(ctx context.Context, root, name, pkg string) (string, error) {
	return build(ctx, root, name, pkg, "CGO_ENABLED=0")
}

// build compiles with more environment. Without any it shares with lab itself what both import: Go's cache keeps
// what was compiled with cgo apart from what was compiled without.
func build(ctx context.Context, root, name, pkg string, env ...string) (string, error) {
	out, err := filepath.Abs(filepath.Join(root, "bin", name))
	if err != nil {
		return "", fmt.Errorf("find the build's folder: %w", err)
	}
	// #nosec G204 -- the repository's own
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", contract.BuildTags, "-o", out, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
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

// Output runs a program to its end and returns what it prints. Each line that it writes to standard error goes
// to say; the last one is part of the error when it fails. An *exec.ExitError has its exit status.
func Output(ctx context.Context, say func(string), stdin io.Reader, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // built here
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Minute // Pulumi finishes what it has begun
	OwnGroup(cmd)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = stdin, &out
	progress, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	last := ""
	// A Scanner would give up at a very long line, and the program with its pipe.
	for lines := bufio.NewReader(progress); err == nil; {
		var text string
		text, err = lines.ReadString('\n')
		if text = strings.TrimSpace(text); text != "" {
			last = text
			say(text)
		}
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, last)
	}
	return out.Bytes(), nil
}

// Exit is the exit status of a program that has said itself what went wrong.
type Exit int

// Error implements error.
func (e Exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Run runs a program in the place of this one, with its input and output. It ends with an Exit unless with
// status 0.
func Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // built here
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return Exit(exit.ExitCode())
	case err != nil:
		return fmt.Errorf("run %s: %w", filepath.Base(path), err)
	}
	return nil
}
