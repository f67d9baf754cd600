package report

import "strings"

// plainItems are items of a price list in words. What is not here is named by its service and unit.
var plainItems = map[string]string{
	"alb/hour": "load balancer, by the hour", "alb/lcu": "load balancer, by traffic",
	"nlb/hour": "load balancer, by the hour", "nlb/lcu": "load balancer, by traffic",
	"clb/hour": "load balancer, by the hour", "clb/gb": "load balancer, by traffic",
	"fargate/arm/vcpu": "Fargate, CPU", "fargate/x86/vcpu": "Fargate, CPU",
	"fargate/arm/gb": "Fargate, memory", "fargate/x86/gb": "Fargate, memory",
	"fargate/spot/arm/vcpu": "Fargate Spot, CPU", "fargate/spot/x86/vcpu": "Fargate Spot, CPU",
	"fargate/spot/arm/gb": "Fargate Spot, memory", "fargate/spot/x86/gb": "Fargate Spot, memory",
	"ipv4/hour": "public IPv4 addresses", "nat/hour": "NAT gateway, by the hour", "nat/gb": "NAT gateway, by traffic",
	"transfer/out": "data sent to the internet", "transfer/zone": "data between zones",
	"cloudfront/gb": "CloudFront, data sent", "cloudfront/10k": "CloudFront, requests",
	"cloudfront/function": "CloudFront, functions",
	"ecr/gb":              "container images", "logs/gb": "logs written",
	"logs/infrequent/gb": "logs written, infrequent access",
	"logs/stored":        "logs kept",
	"cloudwatch/metric":  "metrics", "cloudwatch/alarm": "alarms", "cloudwatch/dashboard": "dashboards",
	"secret/month": "secrets", "secret/10k": "secrets, calls", "ssm/advanced": "advanced parameters",
	"lambda/requests": "Lambda, requests", "lambda/arm/gb-s": "Lambda, time of memory",
	"lambda/x86/gb-s":       "Lambda, time of memory",
	"scheduler/invocations": "Schedules",
	"apigateway/http":       "API gateway, requests", "apigateway/rest": "API gateway, requests",
	"s3/gb": "stored objects", "s3/put": "stored objects, writes", "s3/get": "stored objects, reads",
	"route53/zone": "DNS zone", "route53/query": "DNS queries",
}

// services are an item's first word, where a family of prices differs by type or class alone.
var services = map[string]string{
	"accelerator": "Global Accelerator", "alb": "load balancer", "apigateway": "API gateway", "aurora": "Aurora",
	"clb":        "load balancer",
	"cloudfront": "CloudFront", "cloudwatch": "CloudWatch", "codebuild": "CodeBuild", "dynamodb": "DynamoDB",
	"ebs": "disks",
	"ec2": "servers", "ecr": "container images", "efs": "file system", "eks": "Kubernetes control plane",
	"elasticache": "cache",
	"endpoint":    "VPC endpoints", "events": "events", "fargate": "Fargate", "ipv4": "public IPv4 addresses",
	"kinesis": "Kinesis",
	"kms":     "keys", "lambda": "Lambda", "logs": "logs", "nat": "NAT gateway", "nlb": "load balancer", "rds": "database",
	"route53": "DNS", "s3": "stored objects", "secret": "secrets", "sns": "notifications", "sqs": "queues",
	"ssm": "parameters",
	"tgw": "transit gateway", "transfer": "data transfer", "vpn": "VPN", "waf": "web firewall",
}

// plainItem is what an item of a price list is, in words: "servers, t4g.small" for ec2/t4g.small.
func plainItem(item, unit string) string {
	if words, ok := plainItems[item]; ok {
		return words
	}
	first, rest, _ := strings.Cut(item, "/")
	service, ok := services[first]
	if !ok {
		return item
	}
	last := rest[strings.LastIndexByte(rest, '/')+1:]
	switch kind := strings.TrimPrefix(strings.TrimPrefix(last, "db."), "cache."); {
	case strings.Contains(rest, "credits/"):
		return service + ", CPU beyond the baseline"
	case unit == "hour" && strings.Contains(last, "."): // a type of machine
		return service + ", " + kind
	case unit == "GB-month" && (first == "rds" || first == "aurora"):
		return service + ", disk"
	case unit == "GB-month" && first == "ebs":
		return service
	}
	return service + ", per " + unit
}
