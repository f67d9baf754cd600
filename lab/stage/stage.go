// Package stage is a stage of the shop as Pulumi.stageN.yaml configures it, one change to it, and the
// sizes of the machines that it names. It knows neither Pulumi nor AWS.
package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"shoplab/contract"
	"shoplab/lab/result"
)

// Topology is how a stage is put together.
type Topology string

// The topologies, in the words of shoplab:topology.
const (
	Single   Topology = "single"
	Balanced Topology = "balanced"
	Fargate  Topology = "fargate"
	Mesh     Topology = "mesh"
)

// Stage is what shapes a stage's capacity, as Pulumi.stageN.yaml has it.
type Stage struct {
	Name                string
	Topology            Topology
	Region              string
	InstanceType        string // "" on Fargate
	Instances           int
	MaxInstances        int
	CPU                 int // CPU units of one instance, 1024 = 1 vCPU
	Memory              int // MiB of one instance
	PoolPerInstance     int
	DatabaseClass       string // "" when PostgreSQL shares the instance
	DatabaseConnections int
	CacheNodeType       string // "" when Redis shares the instance
	HealthCheckInterval time.Duration
	HealthCheckPath     string

	// What follows no file has: a change may set it.

	// DatabaseCPU is CPU units of the database's machine: what its class has. 0 where it shares the
	// server, or its class is not known.
	DatabaseCPU int
	// Pooler puts PgBouncer between the instances and PostgreSQL: "session" or "transaction".
	Pooler string
	// PoolerSize is how many connections PgBouncer opens to PostgreSQL; 0: as many as the database accepts.
	PoolerSize int
	// Env is added to the environment of every instance, such as "ORDER_TTL=1m".
	Env []string
	// HostCPUs is how many CPUs of the one machine that runs everything the whole stage may use, where
	// it runs as a twin; 0: all of them.
	HostCPUs float64
}

// Change is one thing about a stage that an experiment turns; nil changes nothing.
type Change func(*Stage)

// With is the stage with the changes made.
func (s Stage) With(changes ...Change) Stage {
	s.Env = slices.Clone(s.Env)
	for _, change := range changes {
		if change != nil {
			change(&s)
		}
	}
	s.MaxInstances = max(s.MaxInstances, s.Instances)
	return s
}

// Config is the stage as the result file has it.
func (s Stage) Config() result.Config {
	return result.Config{
		Region: s.Region, InstanceType: s.InstanceType, DatabaseClass: s.DatabaseClass, CacheNodeType: s.CacheNodeType,
		Instances: result.Ptr(s.Instances), MaxInstances: result.Ptr(s.MaxInstances), CPUUnits: result.Ptr(s.CPU),
		MemoryMiB: result.Ptr(s.Memory), PoolPerInstance: result.Ptr(s.PoolPerInstance),
		DatabaseConnections: result.Ptr(s.DatabaseConnections),
		HealthCheckSeconds:  result.Ptr(s.HealthCheckInterval.Seconds()), HealthCheckPath: s.HealthCheckPath, PoolerMode: s.Pooler,
	}
}

// Read reads Pulumi.<name>.yaml below root, and from Pulumi.yaml the defaults of what the
// stage leaves out.
func Read(root, name string) (Stage, error) {
	config, err := readConfig(root, name)
	if err != nil {
		return Stage{}, err
	}
	s := Stage{Name: name, HealthCheckPath: contract.ReadyPath}
	r := reader{config: config}
	s.Topology = Topology(r.text("topology"))
	s.Region, _ = config["aws:region"].(string)
	s.InstanceType = r.optional("instanceType")
	if s.Topology != Single { // there the server has both, and Pulumi.yaml's defaults mean nothing
		s.DatabaseClass = r.optional("databaseInstanceClass")
		s.CacheNodeType = r.optional("cacheNodeType")
	}
	s.Instances = r.number("instances")
	s.MaxInstances = r.number("maxInstances")
	s.CPU = r.number("cpu")
	s.Memory = r.number("memory")
	s.PoolPerInstance = r.number("poolPerInstance")
	s.DatabaseConnections = r.number("databaseConnections")
	s.HealthCheckInterval = time.Duration(r.number("healthCheckInterval")) * time.Second
	switch s.Topology {
	case Single, Balanced, Fargate, Mesh:
	default:
		r.problem("topology", "single, balanced, fargate or mesh")
	}
	database, _ := SizeOf(s.DatabaseClass)
	s.DatabaseCPU = int(database.CPUs * 1024)
	if len(r.problems) > 0 {
		return Stage{}, fmt.Errorf("read Pulumi.%s.yaml: %s", name, strings.Join(r.problems, "; "))
	}
	return s, nil
}

// reader collects every problem instead of stopping at the first.
type reader struct {
	config   map[string]any
	problems []string
}

func (r *reader) problem(key, want string) {
	r.problems = append(r.problems, fmt.Sprintf("shoplab:%s is %v, want %s", key, r.config["shoplab:"+key], want))
}

func (r *reader) optional(key string) string {
	s, _ := r.config["shoplab:"+key].(string)
	return s
}

func (r *reader) text(key string) string {
	s := r.optional(key)
	if s == "" {
		r.problem(key, "a word")
	}
	return s
}

// number reads 2 and "2": Pulumi quotes numbers when it writes the file.
func (r *reader) number(key string) int {
	n, err := strconv.Atoi(fmt.Sprint(r.config["shoplab:"+key]))
	if err != nil || n <= 0 {
		r.problem(key, "a positive number")
	}
	return n
}

// readConfig merges the defaults of Pulumi.yaml with the stage's own configuration.
func readConfig(root, name string) (map[string]any, error) {
	var project, stack struct {
		Config map[string]any `yaml:"config"`
	}
	if err := readYAML(filepath.Join(root, "Pulumi.yaml"), &project); err != nil {
		return nil, err
	}
	if err := readYAML(filepath.Join(root, "Pulumi."+name+".yaml"), &stack); err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for key, v := range project.Config {
		if !strings.Contains(key, ":") {
			key = "shoplab:" + key
		}
		if declared, ok := v.(map[string]any); ok {
			v = declared["default"]
		}
		if v != nil {
			merged[key] = v
		}
	}
	for key, v := range stack.Config {
		merged[key] = v
	}
	return merged, nil
}

func readYAML(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the stage's configuration: %w", err)
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}

// Names lists the stages that have a Pulumi.<name>.yaml below root, in order.
func Names(root string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, "Pulumi.*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list the stages: %w", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "Pulumi."), ".yaml"))
	}
	return names, nil
}
