package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSchemathesis generates requests from the OpenAPI document, good ones and bad ones, one by one and
// along the document's links, and holds the answers against it. .ci/schemathesis installs the program.
func TestSchemathesis(t *testing.T) {
	path := os.Getenv("SCHEMATHESIS")
	if path == "" {
		t.Skip("SCHEMATHESIS does not name the program; .ci/schemathesis installs it and runs this test")
	}
	config, err := filepath.Abs("testdata/schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, nil).ready(t)
	s := &shopper{url: p.url}
	s.register(t, "ada@example.com")
	cmd := exec.CommandContext(t.Context(), path, "--config-file", config, "run",
		p.url+"/api/openapi.json", "--header", "Authorization: Bearer "+s.token)
	cmd.Dir = t.TempDir() // it keeps what it found, to try that first the next time
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Test cases:") {
		t.Fatalf("%v\n%s", err, out)
	}
	_, summary, _ := strings.Cut(string(out), "SUMMARY")
	t.Log(summary)
}
