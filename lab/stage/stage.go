// Package stage is a stage of the shop as Pulumi.stageN.yaml configures it, one change to it, and the
// sizes of the machines that it names. It knows neither Pulumi nor AWS.
package stage

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shoplab/contract"
	"shoplab/lab/result"
	"shoplab/stack"
)

// Topology is how a stage is put together.
type Topology string

// The topologies.
const (
	Single   Topology = contract.Single
	Balanced Topology = contract.Balanced
	Fargate  Topology = contract.Fargate
	Mesh     Topology = contract.Mesh
	Lambda   Topology = contract.Lambda
)

// Stage is what shapes a stage's capacity, as Pulumi.stageN.yaml has it.
type Stage struct {
	Name                string
	Topology            Topology
	Region              string
	InstanceType        string // "" on Fargate and Lambda
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
	// WithoutMesh leaves out a mesh's gateway and sidecars; what balances elsewhere takes their place.
	WithoutMesh bool
	// Env is added to the environment of every instance, such as "ORDER_TTL=1m".
	Env []string
	// HostCPUs is how many CPUs of the one machine that runs everything the whole stage may use, where
	// it runs as a twin; 0: all of them.
	HostCPUs float64
}

// Meshed says that requests pass a gateway and sidecars.
func (s Stage) Meshed() bool { return s.Topology == Mesh && !s.WithoutMesh }

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
		HealthCheckSeconds:  result.Ptr(s.HealthCheckInterval.Seconds()), HealthCheckPath: s.HealthCheckPath,
		PoolerMode: s.Pooler,
	}
}

// Read reads Pulumi.<name>.yaml below root.
func Read(root, name string) (Stage, error) {
	c, err := stack.ReadFile(root, name)
	if err != nil {
		return Stage{}, err
	}
	s := Stage{
		Name: name, Topology: Topology(c.Topology), Region: c.Region, InstanceType: c.InstanceType,
		Instances: c.Instances, MaxInstances: c.MaxInstances, CPU: c.CPU, Memory: c.Memory,
		PoolPerInstance: c.PoolPerInstance, DatabaseConnections: c.DatabaseConnections,
		HealthCheckInterval: time.Duration(c.HealthCheckInterval) * time.Second, HealthCheckPath: contract.ReadyPath,
	}
	if s.Topology != Single { // there the server has both
		s.DatabaseClass, s.CacheNodeType = c.DatabaseInstanceClass, c.CacheNodeType
	}
	database, _ := SizeOf(s.DatabaseClass)
	s.DatabaseCPU = int(database.CPUs * 1024)
	return s, nil
}

// Most is how many instances a run on one machine has: those to start with, as nothing scales there, and of a function
// as many execution environments as its reserved concurrency lets requests start.
func (s Stage) Most() int {
	if s.Topology == Lambda {
		return s.MaxInstances
	}
	return s.Instances
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
