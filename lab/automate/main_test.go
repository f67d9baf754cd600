package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/platform/awstest"
)

// TestUpAndDown drives a real Pulumi CLI.
func TestUpAndDown(t *testing.T) {
	awstest.TakesMinutes(t)
	awstest.Plain(t, "../..").Setenv(t)
	root := t.TempDir()
	binary := filepath.Join(root, "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary,
		"./testdata/program").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write(t, filepath.Join(root, "Pulumi.yaml"), "name: shoplab\nruntime:\n  name: go\n  options:\n    binary: "+binary+
		"\n")
	stackFile := filepath.Join(root, "Pulumi.stage9.yaml")
	write(t, stackFile, "config:\n  shoplab:rateLimit: on\n")

	var out bytes.Buffer
	args := []string{"up", root, "stage9", "shoplab:rateLimit=off"}
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var outputs map[string]any
	if err := json.Unmarshal(out.Bytes(), &outputs); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if outputs["url"] != "http://shop.test/off" {
		t.Errorf("the run's configuration did not reach the program: %v", outputs)
	}
	if _, told := outputs["secret"]; told {
		t.Error("a secret output was printed")
	}
	if data, err := os.ReadFile(stackFile); err != nil || strings.Contains(string(data), "off") {
		t.Errorf("the stack's own file was changed: %s %v", data, err)
	}

	if err := run(t.Context(), args, io.Discard, io.Discard); !errors.Is(err, errInUse) {
		t.Errorf("up of a stack that is up: %v", err)
	}
	// An update comes from another folder, as a changed program does.
	other := t.TempDir()
	for _, name := range []string{"Pulumi.yaml", "Pulumi.stage9.yaml"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(other, name), string(data))
	}
	out.Reset()
	if err := run(t.Context(), []string{"update", other, "stage9", "shoplab:rateLimit=changed"}, &out,
		io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "http://shop.test/changed") {
		t.Errorf("after an update: %s", out.String())
	}
	for range 2 { // the second finds nothing and is no error
		if err := run(t.Context(), []string{"down", root, "stage9"}, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(t.Context(), args, io.Discard, io.Discard); err != nil {
		t.Errorf("up again after down: %v", err)
	}
}

func TestUsage(t *testing.T) {
	if err := run(t.Context(), []string{"up"}, io.Discard, io.Discard); err == nil {
		t.Error("no usage error")
	}
}

func TestConfigNeedsKeysAndValues(t *testing.T) {
	name := filepath.Join(t.TempDir(), "Pulumi.x.yaml")
	write(t, name, "config:\n  a:b: 1\n")
	if _, err := writeConfig(name, []string{"novalue"}); err == nil {
		t.Error("a pair without a value was taken")
	}
	if _, err := writeConfig(name+".missing", nil); err == nil {
		t.Error("a missing file was taken")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
