package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/lab/target/aws"
)

// TestStateOfTheGenerator: the load generator's stack is of a project of its own, and so are the commands for it.
func TestStateOfTheGenerator(t *testing.T) {
	root, bin := t.TempDir(), t.TempDir()
	const pulumi = "#!/bin/sh\n" + `[ "${PWD##*/}" = generator ] && echo '{"deployment":{"pending_operations":[{}]}}'` +
		"\n"
	if err := os.WriteFile(filepath.Join(bin, "pulumi"), []byte(pulumi), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "generator"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	s, err := readState(t.Context(), root, aws.GeneratorStack)
	if err != nil || s.pending != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if text := s.forget(aws.GeneratorStack); !strings.Contains(text, "pulumi cancel -C generator -s generator") {
		t.Error(text)
	}
	if text := s.forget("stage1"); !strings.Contains(text, "pulumi cancel -s stage1 ") {
		t.Error(text)
	}
}
