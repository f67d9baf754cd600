package twin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadStage(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Pulumi.yaml", "name: shoplab\nconfig:\n  poolPerInstance: {type: integer, default: 7}\n  shoplab:healthCheckInterval: {type: integer, default: 30}\n  instances: {type: integer, default: 9}\n")
	write("Pulumi.good.yaml", "config:\n  aws:region: us-east-1\n  shoplab:topology: fargate\n  shoplab:instances: 2\n  shoplab:maxInstances: 8\n"+
		"  shoplab:cpu: \"256\"\n  shoplab:memory: 512\n  shoplab:databaseInstanceClass: db.t4g.micro\n  shoplab:databaseConnections: 79\n")
	got, err := ReadStage(dir, "good")
	want := Stage{
		Name: "good", Topology: Fargate, Region: "us-east-1", Instances: 2, MaxInstances: 8, CPU: 256, Memory: 512,
		PoolPerInstance: 7, DatabaseClass: "db.t4g.micro", DatabaseConnections: 79,
		HealthCheckInterval: 30 * time.Second, HealthCheckPath: "/readyz",
	}
	if err != nil || got != want {
		t.Errorf("got  %+v\nwant %+v\n%v", got, want, err)
	}

	write("Pulumi.bad.yaml", "config:\n  shoplab:topology: heap\n  shoplab:cpu: many\n  shoplab:memory: 0\n")
	_, err = ReadStage(dir, "bad")
	for _, problem := range []string{"topology is heap", "cpu is many", "memory is 0", "maxInstances is <nil>", "databaseConnections is <nil>"} {
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("error %v does not say that %s", err, problem)
		}
	}
	if names, err := Stages(dir); err != nil || strings.Join(names, " ") != "bad good" {
		t.Errorf("stages %v, %v", names, err)
	}
}

// The four stages of this repository can be read, and every machine they name has a known size.
func TestEveryStageIsKnown(t *testing.T) {
	names, err := Stages(root)
	if err != nil || len(names) < 4 {
		t.Fatalf("stages %v, %v", names, err)
	}
	for _, name := range names {
		s, err := ReadStage(root, name)
		if err != nil {
			t.Error(err)
			continue
		}
		if alone := s.DatabaseClass == "" && s.CacheNodeType == ""; alone != (s.Topology == Single) {
			t.Errorf("%s (%s): database %q, cache %q", name, s.Topology, s.DatabaseClass, s.CacheNodeType)
		}
		for _, kind := range []string{s.InstanceType, s.DatabaseClass, s.CacheNodeType} {
			if _, ok := sizeOf(kind); !ok && kind != "" {
				t.Errorf("%s: the size of %q is not known", name, kind)
			}
		}
	}
}

func TestThresholds(t *testing.T) {
	var tg target
	for i, step := range []struct{ ok, changed, out bool }{
		{true, false, false}, {false, false, false}, {true, false, false}, // one failure is none
		{false, false, false}, {false, true, true}, // two in a row are
		{true, false, true}, {false, false, true}, {true, false, true}, {true, true, false},
	} {
		if changed := tg.observe(step.ok); changed != step.changed || tg.out != step.out {
			t.Errorf("check %d: changed %v, out %v; want %v, %v", i, changed, tg.out, step.changed, step.out)
		}
	}
	a, b := &target{host: "a", out: true}, &target{host: "b"}
	if got := healthy([]*target{a, b}); len(got) != 1 || got[0] != "b" {
		t.Errorf("healthy %v, want b", got)
	}
	b.out = true
	if got := healthy([]*target{a, b}); len(got) != 2 {
		t.Errorf("healthy %v when none is, want all", got)
	}
}
