package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestFirstRunCompilesLittle: who types `go run ./lab up` waits for everything that lab imports. What talks to
// AWS, drives Pulumi and draws charts are programs of their own (0083). go-redis would add a quarter.
func TestFirstRunCompilesLittle(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		for _, heavy := range []string{
			"github.com/aws/aws-sdk-go-v2", "github.com/pulumi/", "gonum.org/v1/plot", "github.com/redis/",
		} {
			if strings.HasPrefix(pkg, heavy) {
				t.Errorf("lab imports %s", strings.TrimSpace(pkg))
			}
		}
	}
}
