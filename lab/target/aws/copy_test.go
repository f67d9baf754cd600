package aws

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The copy of the repository has what compiles the service, and its service differs.
func TestChangedCopy(t *testing.T) {
	dir, remove, err := changedCopy("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"Pulumi.yaml", "Pulumi.stage3.yaml", "go.mod", "main.go", "lab/report/build.go",
		"web/web.go",
	} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{".git", "bin"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was copied", name)
		}
	}
	binary := filepath.Join(t.TempDir(), "shop")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-o", binary, "./service")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the service of the copy: %v\n%s", err, out)
	}
	built, err := os.ReadFile(binary)
	if err != nil || !bytes.Contains(built, []byte("SHOPLAB_IMAGE_OF_")) {
		t.Errorf("the binary is what it was (%d bytes): %v", len(built), err)
	}
	remove()
	if _, err := os.Stat(dir); err == nil {
		t.Error("the copy stays")
	}
}
