package platform

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"shoplab/contract"
	"shoplab/stack"
)

// accepted is how many connections of the shop's role a class of RDS instance takes; the same number
// is shoplab:databaseConnections in the stages' files.
var accepted = map[string]float64{"db.t4g.micro": 79}

var (
	poolInUserData  = regexp.MustCompile(`(?m)^\s*` + contract.EnvDatabaseMaxConns + `=(\S+)$`)
	limitInUserData = regexp.MustCompile(`(?m)^\s*max_connections = (\d+)$`)
)

// connections: the pools of all instances that a deploy may have running at once, as they are
// registered, fit into the database.
func (g *graphOf) connections() {
	instances, times, pool, limit := 1.0, 1.0, 0.0, 0.0
	for _, res := range g.all {
		switch res.Type {
		case "aws:appautoscaling/target:Target":
			instances = res.number("maxCapacity")
		case "aws:ecs/service:Service":
			times = percent(res, "deploymentMaximumPercent", 200)
		case "aws:autoscaling/group:Group":
			// A refresh goes beyond the group's maximum by contract.RefreshMost, and what drains holds its connections
			// too: both are within the double that the configuration is checked for.
			instances, times = res.number("maxSize"), max(2, contract.RefreshMost/100.0)
		case "aws:lambda/function:Function":
			if !res.has("vpcConfig") {
				continue // it ends the stage
			}
			// The environments of the version before keep their connections until Lambda ends them.
			instances, times = res.number("reservedConcurrentExecutions"), 2
		case "kubernetes:autoscaling/v2:HorizontalPodAutoscaler":
			// Not maxReplicas + maxSurge: a pod that drains holds its connections and is not counted.
			instances, times = res.number("spec.maxReplicas"), 2
		case "aws:rds/instance:Instance":
			limit = accepted[res.text("instanceClass")]
		case "kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet":
			if res.text("metadata.name") == "database" {
				limit = contract.PostgresMaxConnections - contract.SuperuserReservedConnections
			}
		}
		if found := limitInUserData.FindStringSubmatch(res.userData()); found != nil {
			n, _ := strconv.ParseFloat(found[1], 64) // digits by the expression
			limit = n - contract.SuperuserReservedConnections
		}
		for _, text := range res.settings(contract.EnvDatabaseMaxConns) {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || n < 1 {
				g.violate(res, "%s is %q", contract.EnvDatabaseMaxConns, text)
			}
			pool = max(pool, n)
		}
	}
	all := registered{Type: "connections", Name: "of the stage"}
	switch need := instances*times*pool + stack.ConnectionReserve; {
	case pool == 0:
		g.violate(all, "nothing sets %s", contract.EnvDatabaseMaxConns)
	case limit == 0:
		g.violate(all, "nobody knows how many connections the database accepts")
	case need > limit:
		g.violate(all, "%v x %v instances with pools of %v and %d in reserve need %v connections of %v",
			times, instances, pool, stack.ConnectionReserve, need, limit)
	}
}

// percent is an input that is a percentage, as a factor; standard is AWS' value where it is not set.
func percent(res registered, path string, standard float64) float64 {
	if res.has(path) {
		standard = res.number(path)
	}
	return standard / 100
}

// userData is the text that a server's cloud-init gets.
func (res registered) userData() string {
	text := res.text("userData")
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil &&
		res.Type == "aws:ec2/launchTemplate:LaunchTemplate" {
		return string(decoded)
	}
	return text
}

// settings are the values of one of the service's variables in what a resource runs, as the containers get
// them.
func (res registered) settings(name string) (all []string) {
	if found := regexp.MustCompile(`(?m)^\s*` + name + `=(\S+)$`).FindStringSubmatch(res.userData()); found != nil {
		all = append(all, found[1])
	}
	for _, c := range res.containers() {
		for _, v := range c.Environment {
			if v.Name == name {
				all = append(all, v.Value)
			}
		}
	}
	if value := res.text("environment.variables." + name); value != "" {
		all = append(all, value)
	}
	if res.Type != "kubernetes:apps/v1:Deployment" {
		return all
	}
	for _, c := range res.list("spec.template.spec.containers") {
		env, _ := c["env"].([]any)
		for _, item := range env {
			if v, _ := item.(map[string]any); v["name"] == name {
				text, _ := v["value"].(string)
				all = append(all, text)
			}
		}
	}
	return all
}

// TestConnectionBudgetCanFail breaks what each stage really runs: every break must be seen.
func TestConnectionBudgetCanFail(t *testing.T) {
	set := func(path string, value any) func(*registered) {
		return func(res *registered) { put(res.Inputs, strings.Split(path, "."), resource.NewPropertyValue(value)) }
	}
	inUserData := func(expression *regexp.Regexp, line string) func(*registered) {
		return func(res *registered) {
			text := expression.ReplaceAllString(res.userData(), line)
			if res.Type == "aws:ec2/launchTemplate:LaunchTemplate" {
				text = base64.StdEncoding.EncodeToString([]byte(text))
			}
			res.Inputs["userData"] = resource.NewProperty(text)
		}
	}
	bigPool := "    " + contract.EnvDatabaseMaxConns + "=90"
	for name, test := range map[string]struct {
		stack, resource string
		spoil           func(*registered)
		want            string
	}{
		"single pool":     {"stage1", "server-instance", inUserData(poolInUserData, bigPool), "need 100 connections of 97"},
		"single database": {"stage1", "server-instance", inUserData(limitInUserData, "      max_connections = 30"), "of 27"},
		"single unset":    {"stage1", "server-instance", inUserData(poolInUserData, ""), "nothing sets"},
		"fleet pool":      {"stage2", "fleet-template", inUserData(poolInUserData, bigPool), "pools of 90"},
		"fleet maximum":   {"stage2", "fleet-group", set("maxSize", 5.0), "2 x 5 instances"},
		"fleet database":  {"stage2", "database-instance", set("instanceClass", "db.t4g.nano"), "nobody knows"},
		"fargate maximum": {"stage3", "tasks-scaling", set("maxCapacity", 9.0), "2 x 9 instances"},
		"fargate deploy":  {"stage3", "tasks-service", set("deploymentMaximumPercent", 300.0), "3 x 8 instances"},
		"lambda maximum":  {"stage5", "function-shop", set("reservedConcurrentExecutions", 35.0), "2 x 35 instances"},
		"lambda pool":     {"stage5", "function-shop", set("environment.variables.DATABASE_MAX_CONNS", "2"), "pools of 2"},
		"lambda unset":    {"stage5", "function-shop", set("environment.variables.DATABASE_MAX_CONNS", nil), "nothing sets"},
		"mesh maximum":    {"stage4", "mesh-autoscaler", set("spec.maxReplicas", 5.0), "2 x 5 instances"},
		"mesh pool": {"stage4", "mesh-deployment", set("spec.template.spec.containers", []any{map[string]any{
			"env": []any{map[string]any{"name": contract.EnvDatabaseMaxConns, "value": "9"}},
		}}), "pools of 9"},
		"mesh unset": {"stage4", "mesh-deployment", set("spec.template.spec.containers", nil), "nothing sets"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := deploy(t, test.stack, map[string]string{"shoplab:image": anImage})
			if before := violations(r.resources); len(before) > 0 {
				t.Fatalf("not clean to begin with: %v", before)
			}
			i := slices.IndexFunc(r.resources, func(res registered) bool { return res.Name == test.resource })
			test.spoil(&r.resources[i])
			got := violations(r.resources)
			if !slices.ContainsFunc(got, func(v string) bool {
				return strings.HasPrefix(v, "connections ") && strings.Contains(v, test.want)
			}) {
				t.Errorf("got %q, want a violation with %q", got, test.want)
			}
		})
	}
}

// TestConnectionsInForeignCluster: the database there is a plain PostgreSQL.
func TestConnectionsInForeignCluster(t *testing.T) {
	g := &graphOf{all: meshes(t)["foreign"].resources}
	if g.connections(); len(g.found) > 0 {
		t.Error(g.found)
	}
}
