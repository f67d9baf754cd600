package platform

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// looking are what an inventory asks. They read names, tags and states, no data: not the value of a parameter, not an
// object, not a log.
var looking = []string{
	"acm:DescribeCertificate", "apigateway:GET", "application-autoscaling:DescribeScalableTargets",
	"autoscaling:DescribeAutoScalingGroups",
	"budgets:ViewBudget", "cloudfront:DescribeFunction", "cloudfront:GetDistribution", "cloudfront:GetOriginAccessControl",
	"cloudfront:GetVpcOrigin", "cloudfront:ListDistributions", "cloudfront:ListOriginAccessControls",
	"cloudfront:ListTagsForResource",
	"cloudfront:ListVpcOrigins", "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListDashboards",
	"ec2:DescribeAddresses", "ec2:DescribeEgressOnlyInternetGateways", "ec2:DescribeImages", "ec2:DescribeInstances",
	"ec2:DescribeInternetGateways",
	"ec2:DescribeLaunchTemplates", "ec2:DescribeNatGateways", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
	"ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "ec2:DescribeSnapshots", "ec2:DescribeSubnets",
	"ec2:DescribeTags",
	"ec2:DescribeVolumes", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
	"ecr:DescribeRepositories", "ecr:ListTagsForResource", "ecs:DescribeClusters", "ecs:DescribeServices",
	"ecs:DescribeTaskDefinition", "ecs:ListClusters",
	"ecs:ListTasks", "elasticache:DescribeCacheClusters", "elasticache:DescribeCacheSubnetGroups",
	"elasticache:DescribeReplicationGroups", "elasticache:DescribeServerlessCaches", "elasticache:DescribeSnapshots",
	"elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancers",
	"elasticloadbalancing:DescribeRules",
	"elasticloadbalancing:DescribeTargetGroups", "iam:GetInstanceProfile", "iam:GetRole", "iam:ListAttachedRolePolicies",
	"iam:ListInstanceProfiles", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:ListRoles",
	"iam:ListRoleTags",
	"lambda:GetEventSourceMapping", "lambda:ListTags", "logs:DescribeLogGroups",
	"rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBInstances", "rds:DescribeDBParameterGroups",
	"rds:DescribeDBSnapshots", "rds:DescribeDBSubnetGroups", "rds:ListTagsForResource",
	"scheduler:GetSchedule", "scheduler:GetScheduleGroup",
	"scheduler:ListScheduleGroups", "scheduler:ListSchedules", "scheduler:ListTagsForResource", "sns:GetTopicAttributes",
	"ssm:DescribeParameters", "tag:GetResources",
}

// deleting are what deletes the stage's resources, each bounded by the tags of what it deletes, which AWS lets a
// condition name for all of them.
// Source: Service Authorization Reference, "Actions, resources, and condition keys" of each service, August 2026.
var deleting = []string{
	"acm:DeleteCertificate", "apigateway:DELETE", "application-autoscaling:DeregisterScalableTarget",
	"autoscaling:DeleteAutoScalingGroup",
	"cloudfront:DeleteDistribution", "cloudfront:DeleteFunction", "cloudfront:DeleteVpcOrigin",
	"cloudfront:UpdateDistribution",
	"cloudwatch:DeleteAlarms", "ec2:DeleteEgressOnlyInternetGateway", "ec2:DeleteInternetGateway",
	"ec2:DeleteLaunchTemplate", "ec2:DeleteNatGateway", "ec2:DeleteNetworkInterface",
	"ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteVolume",
	"ec2:DeleteVpc",
	"ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable",
	"ec2:ReleaseAddress",
	"ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:TerminateInstances", "ecr:DeleteRepository",
	"ecs:DeleteCluster", "ecs:DeleteService", "ecs:StopTask", "elasticache:DeleteCacheCluster",
	"elasticache:DeleteCacheSubnetGroup",
	"elasticache:DeleteReplicationGroup", "elasticache:DeleteServerlessCache",
	"elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup", "iam:DeleteInstanceProfile",
	"iam:DeleteRole",
	"iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:RemoveRoleFromInstanceProfile", "lambda:DeleteEventSourceMapping",
	"lambda:DeleteFunction", "logs:DeleteLogGroup", "rds:DeleteDBInstance", "rds:DeleteDBParameterGroup",
	"rds:DeleteDBSubnetGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup", "sns:DeleteTopic",
	"ssm:DeleteParameter",
}

// rights are what the function may: look, delete what carries the tags of its stage, delete what is the stage's by its
// name, and write its log.
func (e *Expiry) rights(ctx *pulumi.Context, role *iam.Role, logs *cloudwatch.LogGroup) ([]pulumi.Resource, error) {
	c := e.config
	allow := func(actions []string, resource pulumi.Input) pulumi.Map {
		return pulumi.Map{"Effect": pulumi.String("Allow"), "Action": pulumi.ToStringArray(actions), "Resource": resource}
	}
	tagged := allow(deleting, pulumi.String("*"))
	tagged["Condition"] = pulumi.Map{"StringEquals": pulumi.ToStringMap(map[string]string{
		"aws:ResourceTag/project": "shoplab", "aws:ResourceTag/stage": c.Stack,
	})}
	var all []pulumi.Resource
	for short, statements := range map[string][]pulumi.Input{
		"look": {
			allow(looking, pulumi.String("*")),
			allow([]string{"apigateway:GET"}, pulumi.String("arn:aws:apigateway:"+c.Region+"::/apis*")), // not /apikeys
		},
		"delete": {tagged},
		"named": {
			allow([]string{"budgets:ModifyBudget"}, pulumi.String("arn:aws:budgets::*:budget/"+c.physical()+"*")),
			allow([]string{"cloudwatch:DeleteDashboards"}, pulumi.String("arn:aws:cloudwatch::*:dashboard/shoplab-"+c.Stack)),
			allow([]string{"logs:DeleteLogGroup"}, pulumi.String("arn:aws:logs:"+c.Region+":*:log-group:/shoplab/"+c.Stack+
				"/*")),
			// AWS bounds these by nothing. What they take costs nothing, and an access control in use is refused.
			allow([]string{"ecs:DeregisterTaskDefinition", "cloudfront:DeleteOriginAccessControl"}, pulumi.String("*")),
		},
		"log": {
			// Not logs:CreateLogGroup: a line written after the group is deleted would bring it back.
			allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, pulumi.Sprintf("%s:*", logs.Arn)),
		},
	} {
		policy, err := grant(ctx, e.name+"-"+short, role, e, statements...)
		if err != nil {
			return nil, err
		}
		all = append(all, policy)
	}
	return all, nil
}
