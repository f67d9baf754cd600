package sweep

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kinds are what an inventory calls the stages' types of resources. "" stands for what goes with another one.
var kinds = map[string]string{
	"apigatewayv2/api": "apigateway:", "apigatewayv2/integration": "", "apigatewayv2/route": "",
	"apigatewayv2/stage":    "apigateway:",
	"appautoscaling/policy": "", "appautoscaling/target": "application-autoscaling:scalable-target",
	"autoscaling/group": "autoscaling:autoScalingGroup", "autoscaling/policy": "",
	"budgets/budget":          "budgets:budget",
	"cloudfront/distribution": "cloudfront:distribution", "cloudfront/vpcOrigin": "cloudfront:vpcorigin",
	"cloudwatch/dashboard": "cloudwatch:dashboard", "cloudwatch/logGroup": "logs:log-group",
	"cloudwatch/metricAlarm":   "cloudwatch:alarm",
	"ec2/defaultSecurityGroup": "ec2:security-group", "ec2/egressOnlyInternetGateway": "ec2:egress-only-internet-gateway",
	"ec2/eip": "ec2:elastic-ip", "ec2/eipAssociation": "", "ec2/instance": "ec2:instance",
	"ec2/internetGateway": "ec2:internet-gateway",
	"ec2/launchTemplate":  "ec2:launch-template", "ec2/networkInterface": "ec2:network-interface", "ec2/route": "",
	"ec2/routeTable": "ec2:route-table", "ec2/routeTableAssociation": "", "ec2/securityGroup": "ec2:security-group",
	"ec2/subnet": "ec2:subnet", "ec2/vpc": "ec2:vpc", "ec2/vpcEndpoint": "ec2:vpc-endpoint",
	"ecr/lifecyclePolicy": "", "ecr/repository": "ecr:repository", "ecr/repositoryPolicy": "",
	"ecs/cluster": "ecs:cluster", "ecs/clusterCapacityProviders": "", "ecs/service": "ecs:service",
	"ecs/taskDefinition":           "ecs:task-definition",
	"elasticache/replicationGroup": "elasticache:replicationgroup", "elasticache/subnetGroup": "elasticache:subnetgroup",
	"iam/instanceProfile": "iam:instance-profile", "iam/role": "iam:role", "iam/rolePolicy": "",
	"iam/rolePolicyAttachment": "",
	"lambda/alias":             "", "lambda/function": "lambda:function", "lambda/functionEventInvokeConfig": "",
	"lambda/invocation": "",
	"lambda/permission": "",
	"lb/listener":       "elasticloadbalancing:listener", "lb/loadBalancer": "elasticloadbalancing:loadbalancer",
	"lb/targetGroup": "elasticloadbalancing:targetgroup",
	"rds/instance":   "rds:db", "rds/subnetGroup": "rds:subgrp",
	"scheduler/schedule": "scheduler:schedule", "scheduler/scheduleGroup": "scheduler:schedule-group",
	"ssm/parameter":               "ssm:parameter",
	"vpc/securityGroupEgressRule": "ec2:security-group-rule", "vpc/securityGroupIngressRule": "ec2:security-group-rule",
}

// TestTypesAreKnown: whatever a stage makes can be deleted, or goes with what can.
func TestTypesAreKnown(t *testing.T) {
	graphs, err := filepath.Glob("../../platform/graphs/*.json")
	if err != nil || len(graphs) != 5 {
		t.Fatalf("graphs %v, %v", graphs, err)
	}
	for _, name := range graphs {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var graph []struct{ Type, Name string }
		if err := json.Unmarshal(data, &graph); err != nil {
			t.Fatal(err)
		}
		for _, r := range graph {
			typ, aws := strings.CutPrefix(r.Type, "aws:")
			if !aws {
				continue
			}
			typ, _, _ = strings.Cut(typ, ":")
			kind, known := kinds[typ]
			if _, deleted := deletions[kind]; !known || kind != "" && !deleted {
				t.Errorf("%s has %s, of the type %s: say in deletions*.go how lab sweep deletes it, and its kind in "+
					"kinds_test.go", filepath.Base(name), r.Name, r.Type)
			}
		}
	}
}
