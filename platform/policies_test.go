package platform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// statement is one of an IAM policy. Actions and resources are a text or a list of them.
type statement struct {
	Effect                      string
	Action, Resource, Condition any
}

// managed are policies of AWS as their JSON said on 2026-11-27. Source, for each name:
// docs.aws.amazon.com/aws-managed-policy/latest/reference/NAME.html. Whoever attaches another one adds it here; the
// last two are here to be refused.
var managed = map[string][]statement{
	"AmazonEC2ContainerRegistryPullOnly": {allow(
		"*", "ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchImportUpstreamImage",
	)},
	"AmazonECSTaskExecutionRolePolicy": {allow(
		"*", "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
		"ecr:BatchGetImage",
		"logs:CreateLogStream", "logs:PutLogEvents",
	)},
	"AmazonSSMManagedInstanceCore": {
		allow(
			"*", "ssm:DescribeAssociation", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetDocument",
			"ssm:DescribeDocument",
			"ssm:GetManifest", "ssm:GetParameter", "ssm:GetParameters", "ssm:ListAssociations", "ssm:ListInstanceAssociations",
			"ssm:PutInventory", "ssm:PutComplianceItems", "ssm:PutConfigurePackageResult", "ssm:UpdateAssociationStatus",
			"ssm:UpdateInstanceAssociationStatus", "ssm:UpdateInstanceInformation",
		),
		allow(
			"*", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
			"ssmmessages:OpenDataChannel",
		),
		allow(
			"*", "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
			"ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
		),
	},
	"CloudWatchAgentServerPolicy": {
		allow(
			"*", "cloudwatch:PutMetricData", "ec2:DescribeVolumes", "ec2:DescribeTags", "logs:PutLogEvents",
			"logs:PutRetentionPolicy",
			"logs:DescribeLogStreams", "logs:DescribeLogGroups", "logs:CreateLogStream", "logs:CreateLogGroup",
			"xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
			"xray:GetSamplingStatisticSummaries",
		),
		allow("arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*", "ssm:GetParameter"),
	},
}

func allow(resource string, actions ...string) statement {
	return statement{Effect: "Allow", Action: actions, Resource: resource}
}

// everywhere are the actions that a role may have on every resource: those that know no resources, pulling
// images, and writing to a log. Nothing here reads what somebody keeps secret.
var everywhere = []string{
	"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchImportUpstreamImage",
	"ecr:BatchCheckLayerAvailability", "logs:CreateLogStream", "logs:PutLogEvents", "ssm:UpdateInstanceInformation",
	"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
	"ssmmessages:OpenDataChannel",
}

// unbounded are what deletes and knows neither tags nor names in a condition; it may only be where a stage ends by
// itself.
// Source: Service Authorization Reference, Amazon ECS and Amazon CloudFront.
var unbounded = []string{"ecs:DeregisterTaskDefinition", "cloudfront:DeleteOriginAccessControl"}

// tellsSecrets matches what reads more than names, tags and states.
var tellsSecrets = regexp.MustCompile(`^(ssm:GetParam|secretsmanager:Get|s3:Get|logs:(Get|Filter)|` +
	`lambda:(GetFunction|ListFunctions)|[a-z-]+:(Put|Create|Update|Delete|Modify))`)

// ownTags tells a condition by which only what carries the stage's own tags can be meant.
func (g *graphOf) ownTags(condition any) bool {
	operators, _ := condition.(map[string]any)
	equal, _ := operators["StringEquals"].(map[string]any)
	return len(operators) == 1 && len(equal) == 2 && equal["aws:ResourceTag/project"] == "shoplab" &&
		equal["aws:ResourceTag/stage"] == strings.TrimPrefix(g.stack(), "shoplab-")
}

// granted: a role reads the parameters of its own stage and no others, reaches no more of S3 than one folder of
// a bucket that is not the stack's, and makes no log group, which would come back after destroy. A managed
// policy counts as what is in it.
func (g *graphOf) granted(res registered) {
	if strings.HasPrefix(res.Type, "aws:s3/") {
		g.violate(res, "belongs to the user: dumps outlive the stack")
	}
	all := g.statements(res)
	for _, s := range all {
		if s.Effect == "Deny" || attaches(s, all) {
			continue
		}
		for _, action := range texts(s.Action) {
			if strings.Contains(action, "*") || action == "logs:CreateLogGroup" {
				g.violate(res, "lets a role do %s", action)
			}
			for _, on := range texts(s.Resource) {
				g.limited(res, action, on, s.Condition)
			}
		}
	}
}

// attaches says whether a statement only lets Lambda attach a function to its VPC, which knows no resources: what it
// allows the policy denies to the function's own code.
func attaches(s statement, all []statement) bool {
	return slices.ContainsFunc(all, func(other statement) bool {
		condition, err := json.Marshal(other.Condition)
		return err == nil && other.Effect == "Deny" && strings.Contains(string(condition), "lambda:SourceFunctionArn") &&
			slices.Equal(texts(s.Action), texts(other.Action)) && strings.HasPrefix(texts(s.Action)[0], "ec2:")
	})
}

// limited holds one action on one resource against what a role may do.
func (g *graphOf) limited(res registered, action, on string, condition any) {
	service, _, _ := strings.Cut(action, ":")
	_, parameter, _ := strings.Cut(on, ":parameter")
	own := "/shoplab/" + strings.TrimPrefix(g.stack(), "shoplab-")
	switch {
	case on == "*":
		ends := res.Parent == "expires" && (slices.Contains(looking, action) && !tellsSecrets.MatchString(action) ||
			slices.Contains(unbounded, action))
		if !slices.Contains(everywhere, action) && !ends && !g.ownTags(condition) {
			g.violate(res, "%s on all resources", action)
		}
	case strings.HasPrefix(action, "ssm:GetParameter"):
		if parameter != own && !strings.HasPrefix(parameter, own+"/") {
			g.violate(res, "%s beyond the stage's own: %s", action, on)
		}
	case service == "s3":
		folder := strings.HasSuffix(on, "/*") && !strings.HasSuffix(on, ":::*")
		if !folder && (action != "s3:ListBucket" || condition == nil) {
			g.violate(res, "%s on all of %s", action, on)
		}
	}
}

// stack is the name of the stack that the graph's components belong to, such as shoplab-stage1.
func (g *graphOf) stack() string {
	for _, res := range g.all {
		if strings.HasPrefix(res.Parent, "shoplab-") {
			return res.Parent
		}
	}
	return ""
}

// statements are those of a role's inline policy, or of the managed one that is attached.
func (g *graphOf) statements(res registered) []statement {
	switch res.Type {
	case "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
		arn := res.text("policyArn")
		found, ok := managed[arn[strings.LastIndex(arn, "/")+1:]]
		if !ok || !strings.HasPrefix(arn, "arn:aws:iam::aws:policy/") {
			g.violate(res, "attaches %s, whose actions nobody has looked at", arn)
		}
		return found
	case "aws:iam/rolePolicy:RolePolicy":
		var policy struct{ Statement []statement }
		if err := json.Unmarshal([]byte(res.text("policy")), &policy); err != nil {
			g.violate(res, "policy: %v", err)
		}
		return policy.Statement
	}
	return nil
}

// texts are the items of what JSON has as a text or a list of texts.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		for _, item := range v {
			all = append(all, fmt.Sprint(item))
		}
	}
	return all
}
