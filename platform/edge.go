package platform

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudfront"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// originPort is where a stage's origin listens: the load balancer, nginx or the mesh's gateway.
const originPort = 80

// CloudFront's managed policies have the same ids in every account:
// docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
const (
	cachingDisabled   = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" // CachingDisabled
	forwardEverything = "216adef6-5c7f-47e4-b989-5492eafa07d3" // AllViewer
	// forwardButHost is for an origin that answers to its own name alone: AllViewerExceptHostHeader.
	forwardButHost = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
)

// cachedErrors are the errors that CloudFront would answer others with for ten seconds. Source: its API reference,
// CustomErrorResponse; 416 it never keeps.
var cachedErrors = []int{400, 403, 404, 405, 414, 500, 501, 502, 503, 504}

// privateOrigin says that CloudFront reaches the stage's load balancer inside the VPC. A stage of one server
// is reached at its public address (0090).
func (c Config) privateOrigin() bool {
	return c.HTTPS != contract.HTTPSOff && (c.Topology == contract.Balanced || c.Topology == contract.Fargate)
}

// vpcOriginTimeout is how long CloudFront may take to make or remove a VPC origin: "up to 15 minutes" by
// its developer guide, which is also where the provider would give up and lose sight of what it made.
const vpcOriginTimeout = "30m"

// Edge is the way in: CloudFront with its own certificate or with your domain's, or nothing.
type Edge struct {
	pulumi.ResourceState
	// Secret is the value of contract.OriginHeader; unset if the edge is off, or private.
	Secret pulumi.StringOutput

	name       string
	config     Config
	prefixList string
}

// NewEdge prepares the way in. Admit and Serve or ServeBalancer do the rest, when there is an origin.
func NewEdge(ctx *pulumi.Context, name string, c Config, opts ...pulumi.ResourceOption) (*Edge, error) {
	e := &Edge{name: name, config: c}
	if err := ctx.RegisterComponentResource("shoplab:platform:Edge", name, e, opts...); err != nil {
		return nil, err
	}
	if !e.Closed() {
		return e, nil
	}
	if c.Topology == contract.Lambda { // which has no security group that CloudFront would have to pass
		return e, e.proof(ctx)
	}
	list, err := ec2.LookupManagedPrefixList(ctx, &ec2.LookupManagedPrefixListArgs{
		Name: pulumi.StringRef("com.amazonaws.global.cloudfront.origin-facing"),
	}, pulumi.Parent(e))
	if err != nil {
		return nil, fmt.Errorf("find CloudFront's prefix list: %w", err)
	}
	e.prefixList = list.Id // not what is in it: AWS changes that often, and every change would be a deploy
	if e.Private() {
		return e, nil
	}
	return e, e.proof(ctx)
}

// proof makes the secret by which CloudFront proves itself.
func (e *Edge) proof(ctx *pulumi.Context) error {
	secret, err := random.NewRandomPassword(ctx, e.name+"-origin-secret", &random.RandomPasswordArgs{
		Length: pulumi.Int(48), Special: pulumi.Bool(false),
	}, child(e)...)
	if err != nil {
		return err
	}
	e.Secret = secret.Result
	return nil
}

// Closed says that only CloudFront may reach the origin.
func (e *Edge) Closed() bool { return e.config.HTTPS != contract.HTTPSOff }

// Private says that CloudFront reaches the origin inside the VPC: it has no public address, and needs no
// proof of where a request comes from.
func (e *Edge) Private() bool { return e.config.privateOrigin() }

// Proven says that a request has to carry the origin secret.
func (e *Edge) Proven() bool { return e.Closed() && !e.Private() }

// Admit opens the origin's port in its security group: to CloudFront, or to the world. What comes from a VPC
// origin matches the list too, and not the VPC's own range: CloudFront developer guide, "Restrict access with
// VPC origins", which offers the list or a group that AWS makes with the first VPC origin. CloudFront's
// list counts as 55 of the 60 rules that a group may have, so a group admits it on one port only.
func (e *Edge) Admit(ctx *pulumi.Context, name string, group *ec2.SecurityGroup, parent pulumi.Resource) error {
	args := &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: group.ID(),
		IpProtocol:      pulumi.String("tcp"), FromPort: pulumi.Int(originPort), ToPort: pulumi.Int(originPort),
	}
	if e.Closed() {
		args.PrefixListId = pulumi.String(e.prefixList)
	} else {
		args.CidrIpv4 = pulumi.String(anyIPv4)
	}
	// EC2 refuses to give a rule a source of another kind, which is what a change of shoplab:https asks for.
	_, err := vpc.NewSecurityGroupIngressRule(ctx, name, args,
		child(parent, pulumi.ReplaceOnChanges([]string{"cidrIpv4", "prefixListId"}))...)
	return err
}

// Serve puts the edge before an origin with a public DNS name, and returns what a shopper opens.
func (e *Edge) Serve(ctx *pulumi.Context, origin pulumi.StringOutput) (pulumi.StringOutput, error) {
	if !e.Closed() {
		return pulumi.Sprintf("http://%s", origin), ctx.RegisterResourceOutputs(e, pulumi.Map{})
	}
	return e.distribute(ctx, e.publicOrigin(origin, "http-only"))
}

// ServeGateway puts the edge before an HTTP API, and returns what a shopper opens. Without an edge that is the
// API itself, which speaks HTTPS.
func (e *Edge) ServeGateway(ctx *pulumi.Context, g *Gateway) (pulumi.StringOutput, error) {
	if !e.Closed() {
		return g.API.ApiEndpoint, ctx.RegisterResourceOutputs(e, pulumi.Map{})
	}
	return e.distribute(ctx, e.publicOrigin(g.Host(), "https-only"))
}

// publicOrigin is an origin with a public address, to which CloudFront proves itself.
func (e *Edge) publicOrigin(host pulumi.StringOutput, protocol string) cloudfront.DistributionOriginArgs {
	return cloudfront.DistributionOriginArgs{
		OriginId: pulumi.String("origin"), DomainName: host,
		CustomHeaders: cloudfront.DistributionOriginCustomHeaderArray{
			cloudfront.DistributionOriginCustomHeaderArgs{Name: pulumi.String(contract.OriginHeader), Value: e.Secret},
		},
		CustomOriginConfig: cloudfront.DistributionOriginCustomOriginConfigArgs{
			HttpPort: pulumi.Int(originPort), HttpsPort: pulumi.Int(443),
			OriginProtocolPolicy: pulumi.String(protocol), OriginSslProtocols: pulumi.ToStringArray([]string{"TLSv1.2"}),
		},
	}
}

// ServeBalancer puts the edge before a load balancer, and returns what a shopper opens.
func (e *Edge) ServeBalancer(ctx *pulumi.Context, b *Balancer) (pulumi.StringOutput, error) {
	if !e.Private() {
		return e.Serve(ctx, b.LoadBalancer.DnsName)
	}
	origin, err := e.vpcOrigin(ctx, b)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return e.distribute(ctx, cloudfront.DistributionOriginArgs{
		OriginId: pulumi.String("origin"), DomainName: b.LoadBalancer.DnsName,
		VpcOriginConfig: cloudfront.DistributionOriginVpcOriginConfigArgs{VpcOriginId: origin.ID()},
	})
}

// vpcOrigin makes CloudFront's interfaces in the load balancer's subnets. While a distribution uses it
// nothing about it can change, its tags included (aws/aws-cdk#35765, hashicorp/terraform-provider-aws#40905):
// another load balancer is another VPC origin, and its tags stay.
func (e *Edge) vpcOrigin(ctx *pulumi.Context, b *Balancer) (*cloudfront.VpcOrigin, error) {
	return cloudfront.NewVpcOrigin(ctx, e.name+"-vpc-origin", &cloudfront.VpcOriginArgs{
		VpcOriginEndpointConfig: cloudfront.VpcOriginVpcOriginEndpointConfigArgs{
			Name: b.LoadBalancer.Name, Arn: b.LoadBalancer.Arn,
			HttpPort: pulumi.Int(originPort), HttpsPort: pulumi.Int(443),
			OriginProtocolPolicy: pulumi.String("http-only"),
			OriginSslProtocols: cloudfront.VpcOriginVpcOriginEndpointConfigOriginSslProtocolsArgs{
				Items: pulumi.ToStringArray([]string{"TLSv1.2"}), Quantity: pulumi.Int(1), // asked for, unused with http-only
			},
		},
		Timeouts: cloudfront.VpcOriginTimeoutsArgs{
			Create: pulumi.String(vpcOriginTimeout), Delete: pulumi.String(vpcOriginTimeout),
		},
	}, child(e, pulumi.DependsOn([]pulumi.Resource{b.Listening}),
		pulumi.ReplaceOnChanges([]string{"vpcOriginEndpointConfig"}), pulumi.IgnoreChanges([]string{"tags", "tagsAll"}))...)
}

// distribute makes the distribution before an origin, and its name and certificate with https domain.
func (e *Edge) distribute(ctx *pulumi.Context, origin cloudfront.DistributionOriginArgs) (pulumi.StringOutput, error) {
	args := e.distribution(origin)
	var zone string
	if e.config.HTTPS == contract.HTTPSDomain {
		found, err := route53.LookupZone(ctx, &route53.LookupZoneArgs{Name: pulumi.StringRef(e.config.Zone)},
			pulumi.Parent(e))
		if err != nil {
			return pulumi.StringOutput{}, fmt.Errorf("find the Route 53 zone %s: %w", e.config.Zone, err)
		}
		zone = found.ZoneId
		certificate, err := e.certificate(ctx, zone)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		args.Aliases = pulumi.ToStringArray([]string{e.config.Domain})
		args.ViewerCertificate = cloudfront.DistributionViewerCertificateArgs{
			AcmCertificateArn: certificate, SslSupportMethod: pulumi.String("sni-only"),
			MinimumProtocolVersion: pulumi.String("TLSv1.2_2021"),
		}
	}
	distribution, err := cloudfront.NewDistribution(ctx, e.name+"-distribution", args, child(e)...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	url := pulumi.Sprintf("https://%s", distribution.DomainName)
	if zone != "" {
		if _, err := route53.NewRecord(ctx, e.name+"-record", &route53.RecordArgs{
			ZoneId: pulumi.String(zone), Name: pulumi.String(e.config.Domain), Type: pulumi.String("A"),
			Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name: distribution.DomainName, ZoneId: distribution.HostedZoneId, EvaluateTargetHealth: pulumi.Bool(false),
			}},
		}, child(e)...); err != nil {
			return pulumi.StringOutput{}, err
		}
		url = pulumi.String("https://" + e.config.Domain).ToStringOutput()
	}
	return url, ctx.RegisterResourceOutputs(e, pulumi.Map{"url": url})
}

// distribution forwards every request with every header and cookie. It caches nothing, errors (0170) included: what a
// shopper sees depends on who asks, and the stages are compared by what the origin carries. Accept-Encoding is
// one of the headers: CachingDisabled has both of its EnableAcceptEncoding flags off, and CloudFront then
// treats the header like any other (API reference, ParametersInCacheKeyAndForwardedToOrigin). The shop
// compresses what may be; CloudFront itself is not to, as it cannot tell the answers to one person.
func (e *Edge) distribution(origin cloudfront.DistributionOriginArgs) *cloudfront.DistributionArgs {
	forward := forwardEverything
	if e.config.Topology == contract.Lambda {
		forward = forwardButHost
	}
	var kept cloudfront.DistributionCustomErrorResponseArray
	for _, code := range cachedErrors {
		kept = append(kept, cloudfront.DistributionCustomErrorResponseArgs{
			ErrorCode: pulumi.Int(code), ErrorCachingMinTtl: pulumi.Int(0),
		})
	}
	return &cloudfront.DistributionArgs{
		Enabled: pulumi.Bool(true), Comment: pulumi.String("Shoplab " + e.config.Stack),
		HttpVersion: pulumi.String("http2and3"), IsIpv6Enabled: pulumi.Bool(true),
		PriceClass: pulumi.String("PriceClass_100"),
		Origins:    cloudfront.DistributionOriginArray{origin},
		DefaultCacheBehavior: cloudfront.DistributionDefaultCacheBehaviorArgs{
			TargetOriginId: pulumi.String("origin"), ViewerProtocolPolicy: pulumi.String("redirect-to-https"),
			AllowedMethods: pulumi.ToStringArray([]string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}),
			CachedMethods:  pulumi.ToStringArray([]string{"GET", "HEAD"}),
			CachePolicyId:  pulumi.String(cachingDisabled), OriginRequestPolicyId: pulumi.String(forward),
			Compress: pulumi.Bool(false),
		},
		CustomErrorResponses: kept,
		Restrictions: cloudfront.DistributionRestrictionsArgs{
			GeoRestriction: cloudfront.DistributionRestrictionsGeoRestrictionArgs{RestrictionType: pulumi.String("none")},
		},
		ViewerCertificate: cloudfront.DistributionViewerCertificateArgs{CloudfrontDefaultCertificate: pulumi.Bool(true)},
	}
}

// certificate asks ACM for the domain's certificate and answers its challenge in the zone.
// CloudFront takes certificates from us-east-1 only, wherever the stage is.
func (e *Edge) certificate(ctx *pulumi.Context, zone string) (pulumi.StringOutput, error) {
	none := pulumi.StringOutput{}
	virginia, err := newRegion(ctx, e.name+"-us-east-1", "us-east-1", e)
	if err != nil {
		return none, err
	}
	certificate, err := acm.NewCertificate(ctx, e.name+"-certificate", &acm.CertificateArgs{
		DomainName: pulumi.String(e.config.Domain), ValidationMethod: pulumi.String("DNS"),
	}, child(e, pulumi.Provider(virginia))...)
	if err != nil {
		return none, err
	}
	challenge := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	answer, err := route53.NewRecord(ctx, e.name+"-certificate-challenge", &route53.RecordArgs{
		ZoneId: pulumi.String(zone), Name: challenge.ResourceRecordName().Elem(), Type: challenge.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{challenge.ResourceRecordValue().Elem()}, Ttl: pulumi.Int(60),
		AllowOverwrite: pulumi.Bool(true),
	}, child(e)...)
	if err != nil {
		return none, err
	}
	valid, err := acm.NewCertificateValidation(ctx, e.name+"-certificate-validation", &acm.CertificateValidationArgs{
		CertificateArn: certificate.Arn, ValidationRecordFqdns: pulumi.StringArray{answer.Fqdn},
	}, child(e, pulumi.Provider(virginia))...)
	if err != nil {
		return none, err
	}
	return valid.CertificateArn, nil
}
