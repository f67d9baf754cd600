package platform

import (
	"encoding/base64"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// gracePeriod, in seconds, is how long a new server may fail its health check before it is replaced: several times
// what a boot takes where it was measured (docs/deploy.md), because the packages' mirrors are not always quick. A
// server that answers earlier serves earlier.
const gracePeriod = 600

// Fleet is an Auto Scaling group of like servers behind a load balancer.
type Fleet struct {
	pulumi.ResourceState
	Group *autoscaling.Group
}

// FleetArgs are the arguments of NewFleet.
type FleetArgs struct {
	Config   Config
	Network  *Network
	Balancer *Balancer
	Secrets  *Secrets
	UserData pulumi.StringOutput
}

// NewFleet makes the group. A new image or configuration is a new version of the launch template, which an
// instance refresh rolls out before the group is updated: a new server first, then an old one goes.
func NewFleet(ctx *pulumi.Context, name string, args FleetArgs, opts ...pulumi.ResourceOption) (*Fleet, error) {
	f := &Fleet{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Fleet", name, f, opts...); err != nil {
		return nil, err
	}
	role, err := newInstanceRole(ctx, name, args.Config, f, args.Secrets.Folder)
	if err != nil {
		return nil, err
	}
	template, err := f.template(ctx, name, args, role)
	if err != nil {
		return nil, err
	}
	c := args.Config
	var tags autoscaling.GroupTagArray
	all := c.tags(name)
	for _, key := range names(all) {
		tags = append(tags, autoscaling.GroupTagArgs{
			Key: pulumi.String(key), Value: pulumi.String(all[key]), PropagateAtLaunch: pulumi.Bool(true),
		})
	}
	needs := append(append(role.Ready, args.Secrets, args.Balancer.Listening), args.Network.Online...)
	rolled, err := c.before(ctx, name+"-refresh", f, refreshGroup)
	if err != nil {
		return nil, err
	}
	healthy, patience := pulumi.IntPtr(c.Instances), "15m"
	if !c.Wait {
		healthy, patience = nil, "0"
	}
	f.Group, err = autoscaling.NewGroup(ctx, name+"-group", &autoscaling.GroupArgs{
		VpcZoneIdentifiers: args.Network.PublicSubnets,
		MinSize:            pulumi.Int(c.Instances), DesiredCapacity: pulumi.Int(c.Instances),
		MaxSize:         pulumi.Int(c.MaxInstances),
		TargetGroupArns: pulumi.StringArray{args.Balancer.TargetGroup.Arn},
		HealthCheckType: pulumi.String("ELB"), HealthCheckGracePeriod: pulumi.Int(gracePeriod),
		LaunchTemplate: autoscaling.GroupLaunchTemplateArgs{
			Id:      template.ID().ToStringOutput(),
			Version: template.LatestVersion.ApplyT(func(v int) string { return strconv.Itoa(v) }).(pulumi.StringOutput),
		},
		WaitForElbCapacity: healthy, WaitForCapacityTimeout: pulumi.String(patience),
		ForceDelete: pulumi.Bool(true), Tags: tags,
	}, child(f, pulumi.DependsOn(needs), pulumi.IgnoreChanges([]string{"desiredCapacity"}), // scaling moves it
		pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{rolled}}))...)
	if err != nil {
		return nil, err
	}
	if _, err := autoscaling.NewPolicy(ctx, name+"-cpu", &autoscaling.PolicyArgs{
		AutoscalingGroupName: f.Group.Name, PolicyType: pulumi.String("TargetTrackingScaling"),
		TargetTrackingConfiguration: autoscaling.PolicyTargetTrackingConfigurationArgs{
			PredefinedMetricSpecification: autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs{
				PredefinedMetricType: pulumi.String("ASGAverageCPUUtilization"),
			},
			TargetValue: pulumi.Float64(targetCPU),
		},
	}, child(f)...); err != nil {
		return nil, err
	}
	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"group": f.Group.Name})
}

// template says what a server of the fleet is.
func (f *Fleet) template(
	ctx *pulumi.Context, name string, args FleetArgs, role *InstanceRole,
) (*ec2.LaunchTemplate, error) {
	image, err := debianImage(ctx, name, args.Config, f)
	if err != nil {
		return nil, err
	}
	var tags ec2.LaunchTemplateTagSpecificationArray
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		tags = append(tags, ec2.LaunchTemplateTagSpecificationArgs{
			ResourceType: pulumi.String(kind), Tags: pulumi.ToStringMap(args.Config.tags(name)),
		})
	}
	return ec2.NewLaunchTemplate(ctx, name+"-template", &ec2.LaunchTemplateArgs{
		ImageId: image, InstanceType: pulumi.String(args.Config.InstanceType),
		UpdateDefaultVersion: pulumi.Bool(true),
		IamInstanceProfile:   ec2.LaunchTemplateIamInstanceProfileArgs{Arn: role.Profile.Arn},
		NetworkInterfaces: ec2.LaunchTemplateNetworkInterfaceArray{ec2.LaunchTemplateNetworkInterfaceArgs{
			AssociatePublicIpAddress: pulumi.String("true"), DeleteOnTermination: pulumi.String("true"),
			SecurityGroups: pulumi.StringArray{args.Network.Compute.ID()},
		}},
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"),
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{ec2.LaunchTemplateBlockDeviceMappingArgs{
			DeviceName: pulumi.String("/dev/xvda"), // the root device of Debian's images
			Ebs: ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
				VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(rootVolumeGiB),
				Encrypted: pulumi.String("true"), DeleteOnTermination: pulumi.String("true"),
			},
		}},
		// The CPU that scaling follows, each minute instead of every five.
		Monitoring:          ec2.LaunchTemplateMonitoringArgs{Enabled: pulumi.Bool(true)},
		CreditSpecification: ec2.LaunchTemplateCreditSpecificationArgs{CpuCredits: pulumi.String(cpuCredits)},
		TagSpecifications:   tags,
		UserData: args.UserData.ApplyT(func(text string) string {
			return base64.StdEncoding.EncodeToString([]byte(text))
		}).(pulumi.StringOutput),
	}, child(f)...)
}
