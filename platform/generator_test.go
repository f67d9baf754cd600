package platform

import (
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// deployGenerator runs the load generator's program against a recorder and a registry of its own.
func deployGenerator(t *testing.T, config map[string]string) (*recorder, error) {
	t.Helper()
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	r := &recorder{registry: strings.TrimPrefix(images.URL, "http://")}
	setConfig(t, config)
	root := filepath.Join(standIn(t), "generator")
	return r, runProgram(t, "generator", r, DeployGenerator, func(info *pulumi.RunInfo) { info.RootDirectory = root })
}

// The load generator's stack keeps the rules of a stage that can be asked of it, lets nothing in, and its tasks may
// read orders and write answers, and nothing else.
func TestGenerator(t *testing.T) {
	r, err := deployGenerator(t, map[string]string{
		"aws:region": "us-east-1", "shoplab-generator:shards": "3", "shoplab-generator:expires": "2026-11-28T00:00:00Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &graphOf{all: r.resources}
	for _, rule := range []func(registered){g.tagged, g.closed, g.encrypted, g.destroyable, g.afterGateway} {
		for _, res := range r.resources {
			rule(res)
		}
	}
	for _, found := range g.found {
		t.Error(found)
	}
	var allowed []string
	for _, res := range r.resources {
		switch {
		case strings.Contains(res.Type, "SecurityGroupIngressRule"):
			t.Errorf("%s lets something in", res.Name)
		case res.Type == "aws:ecs/service:Service" && res.number("desiredCount") != 3:
			t.Errorf("%g tasks, want 3", res.number("desiredCount"))
		case res.Name == "generator-task-policy":
			for _, s := range g.statements(res) {
				for _, action := range texts(s.Action) {
					for _, on := range texts(s.Resource) {
						_, folder, _ := strings.Cut(on, "/")
						allowed = append(allowed, action+" "+folder)
					}
				}
			}
		}
	}
	const want = "s3:ListBucket , s3:GetObject orders/*, s3:PutObject hello/*, s3:PutObject answers/*"
	if strings.Join(allowed, ", ") != want {
		t.Errorf("a task may %q, want %q", allowed, want)
	}
}

func TestGeneratorConfiguration(t *testing.T) {
	for shards, want := range map[string]string{"0": "want 1 to 64", "many": "want 1 to 64", "65": "want 1 to 64"} {
		if _, err := deployGenerator(t, map[string]string{
			"aws:region": "us-east-1", "shoplab-generator:shards": shards,
		}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s shards: %v", shards, err)
		}
	}
	if _, err := deployGenerator(t, map[string]string{"shoplab-generator:shards": "1"}); err == nil ||
		!strings.Contains(err.Error(), "aws:region") {
		t.Errorf("no region: %v", err)
	}
}
