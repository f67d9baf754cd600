package stage

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Pulumi.yaml", "name: shoplab\n")
	write("Pulumi.good.yaml", "config:\n  aws:region: us-east-1\n  shoplab:topology: fargate\n  shoplab:instances: 2\n  "+
		"shoplab:maxInstances: 4\n  shoplab:cpu: \"256\"\n  shoplab:memory: 512\n  shoplab:poolPerInstance: 7\n  "+
		"shoplab:databaseConnections: 79\n")
	got, err := Read(dir, "good")
	want := Stage{
		Name: "good", Topology: Fargate, Region: "us-east-1", Instances: 2, MaxInstances: 4, CPU: 256, Memory: 512,
		PoolPerInstance: 7, DatabaseClass: "db.t4g.micro", DatabaseCPU: 2048, DatabaseConnections: 79,
		CacheNodeType:       "cache.t4g.micro",
		HealthCheckInterval: 30 * time.Second, HealthCheckPath: "/readyz",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v\n%v", got, want, err)
	}

	write("Pulumi.bad.yaml", "config:\n  aws:region: us-east-1\n  shoplab:topology: heap\n  shoplab:cpu: many\n  "+
		"shoplab:memory: 0\n")
	_, err = Read(dir, "bad")
	for _, problem := range []string{
		`topology is "heap"`, `cpu is "many"`, "memory is 0", "maxInstances is required", "databaseConnections is required",
	} {
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("error %v does not say that %s", err, problem)
		}
	}
	if names, err := Names(dir); err != nil || strings.Join(names, " ") != "bad good" {
		t.Errorf("stages %v, %v", names, err)
	}
}

// The stages of this repository can be read, and every machine they name has a known size.
func TestEveryStageIsKnown(t *testing.T) {
	names, err := Names("../..")
	if err != nil || len(names) < 4 {
		t.Fatalf("stages %v, %v", names, err)
	}
	for _, name := range names {
		s, err := Read("../..", name)
		if err != nil {
			t.Error(err)
			continue
		}
		if alone := s.DatabaseClass == "" && s.CacheNodeType == ""; alone != (s.Topology == Single) {
			t.Errorf("%s (%s): database %q, cache %q", name, s.Topology, s.DatabaseClass, s.CacheNodeType)
		}
		for _, kind := range []string{s.InstanceType, s.DatabaseClass, s.CacheNodeType} {
			if _, ok := SizeOf(kind); !ok && kind != "" {
				t.Errorf("%s: the size of %q is not known", name, kind)
			}
		}
	}
}

func TestAChangeLeavesTheStageAsItWas(t *testing.T) {
	before := Stage{Instances: 2, MaxInstances: 3, Env: []string{"A=1"}}
	after := before.With(nil, func(s *Stage) { s.Instances = 8; s.Env = append(s.Env, "B=2") }, func(s *Stage) {
		s.Env[0] = "A=3"
	})
	if after.Instances != 8 || after.MaxInstances != 8 || strings.Join(after.Env, " ") != "A=3 B=2" {
		t.Errorf("after the changes: %+v", after)
	}
	if before.Instances != 2 || strings.Join(before.Env, " ") != "A=1" {
		t.Errorf("the stage itself became %+v", before)
	}
}
