package platform

import (
	"fmt"
	"slices"
)

// lasting: a server's address is its interface's, which outlives the instance, and the instance goes before either
// goes, or the way to S3. What it saves at its shutdown would otherwise get nowhere.
func (g *graphOf) lasting(res registered) {
	switch res.Type {
	case "aws:ec2/eipAssociation:EipAssociation":
		if res.has("instanceId") || res.text("networkInterfaceId") == "" {
			g.violate(res, "gives the address to an instance, which loses it before it shuts down")
		}
	case "aws:ec2/networkInterface:NetworkInterface":
		if !res.has("securityGroups") {
			g.violate(res, "is in no security group, so in the VPC's own")
		}
	case "aws:ec2/instance:Instance":
		interfaces := res.list("networkInterfaces")
		if len(interfaces) != 1 || interfaces[0]["deviceIndex"] != 0.0 || interfaces[0]["deleteOnTermination"] != false {
			g.violate(res, "has no primary network interface that outlives it: %v", interfaces)
		}
		g.dependsOnTypes(res, "aws:ec2/eipAssociation:EipAssociation", "aws:ec2/vpcEndpoint:VpcEndpoint")
	}
}

// engineDefaults are parameters of PostgreSQL on RDS whose default from version 15 on is known.
// Source: hashicorp/terraform-provider-aws#39252.
var engineDefaults = map[string]any{"rds.force_ssl": "1"}

// settled: what starts servers names an image that was kept, so that a newer one does not replace them, and no
// parameter group says what the engine says by itself, which AWS never applies.
func (g *graphOf) settled(res registered) {
	kept := func(image string) bool {
		return slices.ContainsFunc(g.all, func(other registered) bool {
			return other.Type == "pulumi:index:Stash" && other.Parent == res.Parent && other.text("input") == image &&
				slices.Contains(other.Ignored, "input")
		})
	}
	switch res.Type {
	case "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate":
		if image := res.text("ami") + res.text("imageId"); !kept(image) {
			g.violate(res, "starts from whatever image was published last, %s today", image)
		}
	case "aws:rds/parameterGroup:ParameterGroup":
		for _, parameter := range res.list("parameters") {
			if name, value := fmt.Sprint(parameter["name"]), parameter["value"]; engineDefaults[name] == value {
				g.violate(res, "sets %s to %s, the engine's default", name, value)
			}
		}
	}
}
