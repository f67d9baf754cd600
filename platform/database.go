package platform

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
	"shoplab/stack"
)

const postgresPort = 5432

// Database is an RDS PostgreSQL instance in the private subnets, open to what computes.
type Database struct {
	pulumi.ResourceState
	Instance *rds.Instance
	// URL is the service's DATABASE_URL, a secret.
	URL pulumi.StringOutput
}

// DatabaseArgs are the arguments of NewDatabase.
type DatabaseArgs struct {
	Config  Config
	Network *Network
}

// NewDatabase makes the database of a stage. Nothing of it outlives the stack: a laboratory's data
// is seeded again.
func NewDatabase(
	ctx *pulumi.Context, name string, args DatabaseArgs, opts ...pulumi.ResourceOption,
) (*Database, error) {
	c, d := args.Config, &Database{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Database", name, d, opts...); err != nil {
		return nil, err
	}
	subnets, err := rds.NewSubnetGroup(ctx, name+"-subnets", &rds.SubnetGroupArgs{
		SubnetIds: args.Network.PrivateSubnets,
	}, child(d)...)
	if err != nil {
		return nil, err
	}
	group, err := newGroup(ctx, name+"-group", "PostgreSQL", args.Network.VPC, d)
	if err != nil {
		return nil, err
	}
	if err := openTo(ctx, name+"-from-compute", group, args.Network.Compute, postgresPort, d); err != nil {
		return nil, err
	}
	password, err := random.NewRandomPassword(ctx, name+"-password", &random.RandomPasswordArgs{
		Length: pulumi.Int(32), Special: pulumi.Bool(false),
	}, child(d)...)
	if err != nil {
		return nil, err
	}
	d.Instance, err = rds.NewInstance(ctx, name+"-instance", &rds.InstanceArgs{
		IdentifierPrefix: pulumi.String(c.physical()), // its automated backups carry it, and no tags
		Engine:           pulumi.String("postgres"), EngineVersion: pulumi.String(c.DatabaseVersion),
		InstanceClass:    pulumi.String(c.DatabaseInstanceClass),
		AllocatedStorage: pulumi.Int(c.DatabaseStorage), StorageType: pulumi.String("gp3"),
		StorageEncrypted: pulumi.Bool(true), CopyTagsToSnapshot: pulumi.Bool(true),
		DbName: pulumi.String("shop"), Username: pulumi.String("shop"), Password: password.Result,
		DbSubnetGroupName: subnets.Name, VpcSecurityGroupIds: pulumi.StringArray{group.ID()},
		// Named, so that an instance with another group comes back to it.
		ParameterGroupName: pulumi.Sprintf("default.postgres%d", stack.PostgresMajor(c.DatabaseVersion)),
		CaCertIdentifier:   pulumi.String(contract.RDSAuthority),
		PubliclyAccessible: pulumi.Bool(false), MultiAz: pulumi.Bool(c.DatabaseStandby),
		AutoMinorVersionUpgrade: pulumi.Bool(false), ApplyImmediately: pulumi.Bool(true),
		BackupRetentionPeriod:  pulumi.Int(c.DatabaseBackupDays),
		DeleteAutomatedBackups: pulumi.Bool(true), DeletionProtection: pulumi.Bool(false),
		SkipFinalSnapshot: pulumi.Bool(true),
	}, child(d)...)
	if err != nil {
		return nil, err
	}
	d.URL = pulumi.Sprintf("postgres://shop:%s@%s/shop?sslmode=verify-full", password.Result, d.Instance.Endpoint)
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"endpoint": d.Instance.Endpoint})
}
