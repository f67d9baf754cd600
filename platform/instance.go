package platform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// rootVolumeGiB holds Debian, the image and, on one server, the database.
const rootVolumeGiB = 20

// cpuCredits lets a server of a t family use its CPUs whole from the first second. In standard mode a T3
// or T4g starts without credits, and would boot and be measured at its baseline (0086).
// Source: Amazon EC2 User Guide, "Standard mode concepts for burstable instances".
const cpuCredits = "unlimited"

// sessionManager is what Session Manager asks of a server, and no more. AmazonSSMManagedInstanceCore also lets it
// read every parameter of the account (0088).
// Source: AWS Systems Manager User Guide, "Create a custom IAM role for Session Manager"; the managed policy
// AWSCloud9SSMInstanceProfile is these five.
var sessionManager = []string{
	"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
	"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
}

// InstanceRole is the IAM role of EC2 instances, with the profile that gives it to them. It lets them be reached by
// Session Manager, pull images, read the parameters of their stage, write their log, and keep dumps of their database.
type InstanceRole struct {
	Profile *iam.InstanceProfile
	// Ready is everything that an instance needs from its first second on.
	Ready []pulumi.Resource
}

// newInstanceRole makes the instance role of a component, and the log group. paths are the ARNs of SSM
// parameter folders.
func newInstanceRole(
	ctx *pulumi.Context, name string, c Config, parent pulumi.Resource, paths ...pulumi.StringInput,
) (*InstanceRole, error) {
	role, err := newRole(ctx, name, "ec2.amazonaws.com", parent)
	if err != nil {
		return nil, err
	}
	pull, err := iam.NewRolePolicyAttachment(ctx, name+"-pull", &iam.RolePolicyAttachmentArgs{
		Role: role.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"),
	}, child(parent)...)
	if err != nil {
		return nil, err
	}
	sessions, err := grant(ctx, name+"-session-manager", role, parent, pulumi.Map{
		"Effect": pulumi.String("Allow"), "Action": pulumi.ToStringArray(sessionManager), "Resource": pulumi.String("*"),
	})
	if err != nil {
		return nil, err
	}
	m := &InstanceRole{Ready: []pulumi.Resource{pull, sessions}}
	if len(paths) > 0 {
		policy, err := readParameters(ctx, name+"-parameters", role, parent, paths...)
		if err != nil {
			return nil, err
		}
		m.Ready = append(m.Ready, policy)
	}
	logs, err := c.newLogGroup(ctx, name, parent)
	if err != nil {
		return nil, err
	}
	writeLogs, err := grant(ctx, name+"-write-logs", role, parent, pulumi.Map{
		"Effect": pulumi.String("Allow"),
		// Not logs:CreateLogGroup: a server that logs while it shuts down would make the group anew after destroy.
		"Action":   pulumi.ToStringArray([]string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}),
		"Resource": pulumi.Array{logs.Arn, pulumi.Sprintf("%s:*", logs.Arn)},
	})
	if err != nil {
		return nil, err
	}
	m.Ready = append(m.Ready, logs, writeLogs)
	if c.DumpBucket != "" {
		keepDumps, err := grant(ctx, name+"-dumps", role, parent, dumpStatements(c.DumpBucket)...)
		if err != nil {
			return nil, err
		}
		m.Ready = append(m.Ready, keepDumps)
	}
	m.Profile, err = iam.NewInstanceProfile(ctx, name+"-profile", &iam.InstanceProfileArgs{Role: role.Name},
		child(parent)...)
	return m, err
}

// newRole makes a role that an AWS service may take on.
func newRole(ctx *pulumi.Context, name, service string, parent pulumi.Resource) (*iam.Role, error) {
	return iam.NewRole(ctx, name+"-role", &iam.RoleArgs{
		AssumeRolePolicy: pulumi.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Action":"sts:AssumeRole","Principal":{"Service":"` + service + `"}}]}`),
		ForceDetachPolicies: pulumi.Bool(true),
	}, child(parent)...)
}

// readParameters lets a role read and decrypt the parameters in folders, given by their ARNs. The
// account's own key for parameters needs no grant.
func readParameters(
	ctx *pulumi.Context, name string, role *iam.Role, parent pulumi.Resource, paths ...pulumi.StringInput,
) (*iam.RolePolicy, error) {
	var resources pulumi.Array
	for _, path := range paths {
		resources = append(resources, path, pulumi.Sprintf("%s/*", path))
	}
	return grant(ctx, name, role, parent, pulumi.Map{
		"Effect":   pulumi.String("Allow"),
		"Action":   pulumi.ToStringArray([]string{"ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"}),
		"Resource": resources,
	})
}

// dumpStatements let a role write and read dumps below a prefix, and list them, but not delete.
func dumpStatements(target string) []pulumi.Input {
	bucket, prefix, _ := strings.Cut(target, "/")
	return []pulumi.Input{
		pulumi.Map{
			"Effect": pulumi.String("Allow"), "Action": pulumi.ToStringArray([]string{"s3:GetObject", "s3:PutObject"}),
			"Resource": pulumi.String("arn:aws:s3:::" + target + "/*"),
		},
		pulumi.Map{
			"Effect": pulumi.String("Allow"), "Action": pulumi.String("s3:ListBucket"),
			"Resource":  pulumi.String("arn:aws:s3:::" + bucket),
			"Condition": pulumi.Map{"StringLike": pulumi.Map{"s3:prefix": pulumi.String(prefix + "/*")}},
		},
	}
}

// grant adds an inline policy to a role.
func grant(
	ctx *pulumi.Context, name string, role *iam.Role, parent pulumi.Resource, statements ...pulumi.Input,
) (*iam.RolePolicy, error) {
	return iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Role: role.Name,
		Policy: pulumi.JSONMarshal(pulumi.Map{
			"Version": pulumi.String("2012-10-17"), "Statement": pulumi.Array(statements),
		}),
	}, child(parent)...)
}

// debianImage is the id of a component's Debian image in the region, as it was found when the component was first
// deployed: an image that Debian publishes later replaces no server. Its name holds what was asked for, so that
// another release, build or architecture is looked up anew (0089).
func debianImage(ctx *pulumi.Context, name string, c Config, parent pulumi.Resource) (pulumi.StringOutput, error) {
	path := fmt.Sprintf("/aws/service/debian/release/%s/%s", c.Debian, c.Architecture)
	found, err := ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{Name: path}, pulumi.Parent(parent))
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("find the Debian image %s (shoplab:debian): %w", path, err)
	}
	kept, err := pulumi.NewStash(ctx, fmt.Sprintf("%s-debian-%s-%s", name, strings.ReplaceAll(c.Debian, "/", "-"),
		c.Architecture),
		&pulumi.StashArgs{Input: pulumi.String(found.Value)}, child(parent, pulumi.IgnoreChanges([]string{"input"}))...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return kept.Output.ApplyT(func(image any) string { return fmt.Sprint(image) }).(pulumi.StringOutput), nil
}

// Server is one EC2 instance. Its network interface with both addresses stays when the instance is replaced.
type Server struct {
	pulumi.ResourceState
	Instance *ec2.Instance
	// Address is the public IPv4 address; DNSName is its public name.
	Address pulumi.StringOutput
	DNSName pulumi.StringOutput
}

// ServerArgs are the arguments of NewServer.
type ServerArgs struct {
	Config  Config
	Network *Network
	// Paths are the ARNs of the SSM parameter folders that the server may read.
	Paths []pulumi.StringInput
	// UserData renders the cloud-init document; the address exists before the instance.
	UserData func(address pulumi.StringOutput) pulumi.StringOutput
	// HopLimit of the instance metadata service: 1, or 2 where pods ask it.
	HopLimit int
	// Needs are what must exist before the server boots, such as its parameters.
	Needs []pulumi.Resource
}

// NewServer makes a server in the first public subnet. Changed user data replaces it. The server that goes keeps its
// address until it has shut down, and with it the way to where it saves its data: the address is the interface's,
// not the instance's.
func NewServer(ctx *pulumi.Context, name string, args ServerArgs, opts ...pulumi.ResourceOption) (*Server, error) {
	s := &Server{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Server", name, s, opts...); err != nil {
		return nil, err
	}
	address, err := ec2.NewEip(ctx, name+"-address", &ec2.EipArgs{Domain: pulumi.String("vpc")},
		child(s, pulumi.DependsOn(args.Network.Online))...)
	if err != nil {
		return nil, err
	}
	s.Address, s.DNSName = address.PublicIp, address.PublicDns
	role, err := newInstanceRole(ctx, name, args.Config, s, args.Paths...)
	if err != nil {
		return nil, err
	}
	image, err := debianImage(ctx, name, args.Config, s)
	if err != nil {
		return nil, err
	}
	nic, link, err := s.connect(ctx, name, args.Network, address)
	if err != nil {
		return nil, err
	}
	needs := slices.Concat(role.Ready, args.Needs, args.Network.Online, []pulumi.Resource{link})
	s.Instance, err = ec2.NewInstance(ctx, name+"-instance", &ec2.InstanceArgs{
		Ami: image, InstanceType: pulumi.String(args.Config.InstanceType),
		NetworkInterfaces: ec2.InstanceNetworkInterfaceArray{ec2.InstanceNetworkInterfaceArgs{
			DeviceIndex: pulumi.Int(0), NetworkInterfaceId: nic.ID(), DeleteOnTermination: pulumi.Bool(false),
		}},
		IamInstanceProfile: role.Profile.Name,
		UserData:           args.UserData(s.Address), UserDataReplaceOnChange: pulumi.Bool(true),
		MetadataOptions: ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"),
			HttpPutResponseHopLimit: pulumi.Int(args.HopLimit),
		},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
			VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(rootVolumeGiB), Encrypted: pulumi.Bool(true),
			DeleteOnTermination: pulumi.Bool(true), Tags: pulumi.ToStringMap(args.Config.tags(name)),
		},
		CreditSpecification: ec2.InstanceCreditSpecificationArgs{CpuCredits: pulumi.String(cpuCredits)},
	}, child(s, pulumi.DependsOn(needs), pulumi.DeleteBeforeReplace(true))...) // two cannot have the interface
	if err != nil {
		return nil, err
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"address": s.Address})
}

// connect makes the network interface that every instance of the server uses in its turn, and gives it the address.
func (s *Server) connect(
	ctx *pulumi.Context, name string, network *Network, address *ec2.Eip,
) (*ec2.NetworkInterface, pulumi.Resource, error) {
	nic, err := ec2.NewNetworkInterface(ctx, name+"-interface", &ec2.NetworkInterfaceArgs{
		SubnetId: network.PublicSubnets[0], SecurityGroups: pulumi.StringArray{network.Compute.ID()},
		Description: pulumi.String("The server's own, whichever instance it is"),
	}, child(s)...)
	if err != nil {
		return nil, nil, err
	}
	link, err := ec2.NewEipAssociation(ctx, name+"-address-link", &ec2.EipAssociationArgs{
		AllocationId: address.AllocationId, NetworkInterfaceId: nic.ID(),
		AllowReassociation: pulumi.Bool(true), // from the instance itself, in a stack of an earlier shape
	}, child(s)...)
	return nic, link, err
}
