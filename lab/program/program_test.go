package program

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/exectest"
)

// TestMain makes this test binary the program that the tests run: it prints its input, says what it was told to
// say, and ends with the status that it was told.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		_, _ = io.Copy(os.Stdout, os.Stdin)
		_, _ = os.Stderr.WriteString("one\n\ntwo\n")
		os.Exit(len(os.Args) - 2)
	}
	os.Exit(m.Run())
}

func TestOutput(t *testing.T) {
	var said []string
	say := func(s string) { said = append(said, s) }
	out, err := Output(t.Context(), say, strings.NewReader("in"), exectest.Self(t), "echo")
	if err != nil || string(out) != "in" || strings.Join(said, " ") != "one two" {
		t.Errorf("printed %q, said %q, %v", out, said, err)
	}
	_, err = Output(t.Context(), say, nil, exectest.Self(t), "echo", "a", "b")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(err.Error(), "two") {
		t.Errorf("ended with %v, want exit status 2 and what was said last", err)
	}
}

func TestRunHandsOverInputOutputAndStatus(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := Run(t.Context(), strings.NewReader("in"), &stdout, &stderr, exectest.Self(t), "echo"); err != nil {
		t.Error(err)
	}
	if stdout.String() != "in" || !strings.Contains(stderr.String(), "two") {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
	var exit Exit
	if err := Run(t.Context(), nil, io.Discard, io.Discard, exectest.Self(t), "echo", "a"); !errors.As(err, &exit) ||
		exit != 1 {
		t.Errorf("ended with %v, want exit status 1", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, nil, io.Discard, io.Discard, exectest.Self(t), "echo"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestFind(t *testing.T) {
	if _, err := Find(t.Context(), "", "missing"); err == nil || !strings.Contains(err.Error(), "inside the repository") {
		t.Errorf("neither beside nor in a repository: %v", err)
	}
	beside := filepath.Join(filepath.Dir(exectest.Self(t)), "lab-test")
	if err := os.WriteFile(beside, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(t.Context(), "", "test"); err != nil || got != beside {
		t.Errorf("found %q, %v, want the one beside this program", got, err)
	}
}
