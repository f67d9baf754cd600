package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// slowKubectl makes a namespace only when it is let, and says when it has begun.
const slowKubectl = `#!/bin/sh
cd "$2"
touch asked
until [ -e let ]; do sleep 0.05; done
touch made
`

// TestNoNamespaceIsForgotten: Ctrl-C while the namespace is made does not leave one of which its maker knows nothing.
func TestNoNamespaceIsForgotten(t *testing.T) {
	dir := t.TempDir()
	exists := func(name string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(slowKubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Kubectl{Kubeconfig: dir}.Prepare(ctx, Place{Namespace: "copy"}) }()
	for end := time.Now().Add(time.Minute); !exists("asked"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("kubectl was not started")
		}
	}
	interrupt()
	if err := os.WriteFile(filepath.Join(dir, "let"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !exists("made") {
		t.Errorf("Prepare is cut short: %v; made: %t", err, exists("made"))
	}
}
