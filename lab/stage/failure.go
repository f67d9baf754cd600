package stage

import (
	"fmt"
	"strings"

	"shoplab/lab/cost"
)

// Loss is what a shop loses with a part of its stage.
type Loss string

// The losses.
const (
	LossNone   Loss = "goes on"             // there is another, or the shop does without
	LossPart   Loss = "goes on without it"  // the only one is gone, and the shop serves all the same
	LossShop   Loss = "down"                // until the part is back
	LossNobody Loss = "down until a person" // and nothing brings it back by itself
)

// Failure is something that may be gone, and what the stage is without it.
type Failure struct {
	// What is gone: "a process", "a server", "a zone", "the database", "the cache", "the gateway", "istiod".
	What string
	// Resource is the part's name in the graph, "" where there are several or none.
	Resource string
	// Count is how many there are of it.
	Count int
	Loss  Loss
	Why   string
}

// Single says that there is one of it: a single point of failure, of the shop where it is down without.
func (f Failure) Single() bool { return f.Count == 1 }

// Survived says that shoppers are served without it.
func (f Failure) Survived() bool { return f.Loss == LossNone || f.Loss == LossPart }

// SinglePoints are the failures of parts of which there is one and without which the shop is down. A zone is no part:
// what is in it is counted.
func SinglePoints(g cost.Graph) []Failure {
	var single []Failure
	for _, f := range Failures(g) {
		if f.What != zone && f.Single() && !f.Survived() {
			single = append(single, f)
		}
	}
	return single
}

// Failures counts a stage's parts in its resource graph and says what the shop is without each, the smallest
// part first. A graph without a server, an Auto Scaling group, an ECS service or a function has none.
func Failures(g cost.Graph) []Failure {
	c := compute(g)
	if c.name == "" {
		return nil
	}
	failures := []Failure{c.process()}
	if c.onServers {
		failures = append(failures, c.server())
	}
	if f, ok := gateway(g); ok {
		failures = append(failures, f)
	}
	if f, ok := istiod(g); ok {
		failures = append(failures, f)
	}
	data, inZone := database(g)
	failures = append(failures, data...)
	if f, ok := cache(g); ok {
		failures = append(failures, f)
	}
	return append(failures, c.zone(inZone))
}

// zone is where parts are.
const zone = "a zone"

// computed is what runs the shop.
type computed struct {
	name       string // of the resource
	processes  int    // of the shop
	servers    int
	zones      int
	onServers  bool // whose loss somebody has to notice: not on Fargate or Lambda
	replaced   bool // a lost one is replaced without a person
	everything bool // the database is on the same server
}

// compute finds what runs the shop.
func compute(g cost.Graph) computed {
	if r, ok := first(g, "aws:autoscaling/group:Group"); ok {
		n := whole(r.Inputs["minSize"])
		return computed{
			name: r.Name, processes: n, servers: n, zones: min(n, zonesOf(g, r.Inputs["vpcZoneIdentifiers"])), onServers: true,
			replaced: true,
		}
	}
	if r, ok := first(g, "aws:ecs/service:Service"); ok {
		n := whole(r.Inputs["desiredCount"])
		return computed{
			name: r.Name, processes: n, zones: min(n, zonesOf(g, at(r.Inputs, "networkConfiguration", "subnets"))),
			replaced: true,
		}
	}
	if r, ok := first(g, "aws:ec2/instance:Instance"); ok {
		c := computed{name: r.Name, processes: 1, servers: 1, zones: 1, onServers: true}
		if pods, ok := first(g, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"); ok {
			c.processes = whole(at(pods.Inputs, "spec", "minReplicas"))
		}
		_, apart := first(g, "aws:rds/instance:Instance")
		c.everything = !apart
		return c
	}
	if r, ok := first(g, "aws:lambda/function:Function"); ok {
		// Source: AWS Lambda Developer Guide, "Resilience in AWS Lambda": functions run in several zones.
		return computed{name: r.Name, processes: 2, zones: 2, replaced: true}
	}
	return computed{}
}

func (c computed) process() Failure {
	f := Failure{
		What: "a process", Resource: c.name, Count: c.processes, Loss: LossNone,
		Why: "another serves, and it is started again",
	}
	if c.processes == 1 {
		f.Loss, f.Why = LossShop, "there is no other; it is started again at once"
	}
	return f
}

func (c computed) server() Failure {
	f := Failure{
		What: "a server", Resource: c.name, Count: c.servers, Loss: LossNone, Why: "another serves, and the group starts a " +
			"new one",
	}
	switch {
	case c.servers > 1:
	case c.replaced:
		f.Loss, f.Why = LossShop, "there is no other until the group has started a new one"
	case c.everything:
		f.Loss, f.Why = LossNobody, "there is no other, and the database is on it"
	default:
		f.Loss, f.Why = LossNobody, "there is no other"
	}
	return f
}

// zone judges the loss of the worst zone: the one in which the single parts are.
func (c computed) zone(database bool) Failure {
	f := Failure{What: zone, Count: c.zones, Loss: LossNone, Why: fmt.Sprintf("the shop runs in %d", c.zones)}
	switch {
	case c.zones < 2:
		f.Loss, f.Why = LossNobody, "everything that serves is in one"
	case database:
		f.Loss, f.Why = LossNobody, fmt.Sprintf("the shop runs in %d, but its database is in one", c.zones)
	}
	return f
}

// database is the database's own failure, and whether it is in one zone. On a server of everything it is none of its
// own.
func database(g cost.Graph) (failures []Failure, oneZone bool) {
	r, ok := first(g, "aws:rds/instance:Instance")
	if !ok {
		return nil, false
	}
	f := Failure{
		What: "the database", Resource: r.Name, Count: 1, Loss: LossShop, Why: "there is no standby (multiAz is off)",
	}
	if standby, _ := r.Inputs["multiAz"].(bool); standby {
		f.Count, f.Loss, f.Why = 2, LossNone, "a standby in another zone takes over"
	}
	return []Failure{f}, f.Count == 1
}

func cache(g cost.Graph) (Failure, bool) {
	r, ok := first(g, "aws:elasticache/replicationGroup:ReplicationGroup", "aws:elasticache/cluster:Cluster",
		"aws:elasticache/serverlessCache:ServerlessCache")
	if !ok {
		return Failure{}, false
	}
	f := Failure{
		What: "the cache", Resource: r.Name, Count: max(1, whole(r.Inputs["numCacheClusters"])), Loss: LossPart,
		Why: "the shop asks its database instead",
	}
	if strings.Contains(r.Type, "serverless") || f.Count > 1 {
		f.Loss, f.Why = LossNone, "there is another node"
		f.Count = max(2, f.Count)
	}
	return f, true
}

// gateway is a mesh's way in, which is a pod of its own.
func gateway(g cost.Graph) (Failure, bool) {
	for _, r := range ofType(g, "kubernetes:helm.sh/v3:Release") {
		if r.Inputs["chart"] == "gateway" {
			n := max(1, whole(at(r.Inputs, "values", "replicaCount")))
			f := Failure{What: "the gateway", Resource: r.Name, Count: n, Loss: LossNone, Why: "another pod of it serves"}
			if n == 1 {
				f.Loss, f.Why = LossShop, "there is no other; Kubernetes starts it again"
			}
			return f, true
		}
	}
	return Failure{}, false
}

func istiod(g cost.Graph) (Failure, bool) {
	for _, r := range ofType(g, "kubernetes:helm.sh/v3:Release") {
		if r.Inputs["chart"] == "istiod" {
			return Failure{
				What: "istiod", Resource: r.Name, Count: max(1, whole(at(r.Inputs, "values", "replicaCount"))), Loss: LossPart,
				Why: "proxies keep the configuration that they have; pods that start meanwhile wait for it",
			}, true
		}
	}
	return Failure{}, false
}

func ofType(g cost.Graph, types ...string) (found []cost.Resource) {
	for _, r := range g.Resources {
		for _, t := range types {
			if r.Type == t {
				found = append(found, r)
			}
		}
	}
	return found
}

func first(g cost.Graph, types ...string) (cost.Resource, bool) {
	if found := ofType(g, types...); len(found) > 0 {
		return found[0], true
	}
	return cost.Resource{}, false
}

// zonesOf is in how many zones some subnets are, which a graph has by their ids.
func zonesOf(g cost.Graph, ids any) int {
	zones := map[any]bool{}
	list, _ := ids.([]any)
	for _, id := range list {
		for _, subnet := range ofType(g, "aws:ec2/subnet:Subnet") {
			if subnet.ID == id {
				zones[subnet.Inputs["availabilityZone"]] = true
			}
		}
	}
	return len(zones)
}

// at is what lies under some keys, nil where nothing does.
func at(m map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		m, _ = m[key].(map[string]any)
	}
	return m[path[len(path)-1]]
}

// whole is a number of a graph, 0 for anything else.
func whole(v any) int {
	n, _ := v.(float64)
	return int(n)
}
