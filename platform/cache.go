package platform

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/elasticache"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const redisPort = 6379

// Cache is an ElastiCache Valkey node in the private subnets, with TLS and a password, open to what
// computes.
type Cache struct {
	pulumi.ResourceState
	Group *elasticache.ReplicationGroup
	// URL is the service's REDIS_URL, a secret.
	URL pulumi.StringOutput
}

// CacheArgs are the arguments of NewCache.
type CacheArgs struct {
	Config  Config
	Network *Network
}

// NewCache makes the cache of a stage. It is a replication group of one: AWS offers a password with
// no other kind.
func NewCache(ctx *pulumi.Context, name string, args CacheArgs, opts ...pulumi.ResourceOption) (*Cache, error) {
	c, cache := args.Config, &Cache{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Cache", name, cache, opts...); err != nil {
		return nil, err
	}
	subnets, err := elasticache.NewSubnetGroup(ctx, name+"-subnets", &elasticache.SubnetGroupArgs{
		SubnetIds: args.Network.PrivateSubnets,
	}, child(cache)...)
	if err != nil {
		return nil, err
	}
	group, err := newGroup(ctx, name+"-group", "Valkey", args.Network.VPC, cache)
	if err != nil {
		return nil, err
	}
	if err := openTo(ctx, name+"-from-compute", group, args.Network.Compute, redisPort, cache); err != nil {
		return nil, err
	}
	password, err := random.NewRandomPassword(ctx, name+"-password", &random.RandomPasswordArgs{
		Length: pulumi.Int(48), Special: pulumi.Bool(false), // AWS takes 16 to 128 characters
	}, child(cache)...)
	if err != nil {
		return nil, err
	}
	cache.Group, err = elasticache.NewReplicationGroup(ctx, name+"-nodes", &elasticache.ReplicationGroupArgs{
		ReplicationGroupId: pulumi.String(c.owner()), // nothing else tells whose a snapshot of it is
		Description:        pulumi.String(fmt.Sprintf("Shoplab %s: catalogue cache and rate limits", c.Stack)),
		Engine:             pulumi.String("valkey"), EngineVersion: pulumi.String(c.CacheVersion),
		NodeType: pulumi.String(c.CacheNodeType), NumCacheClusters: pulumi.Int(1),
		Port: pulumi.Int(redisPort), AutomaticFailoverEnabled: pulumi.Bool(false),
		SubnetGroupName: subnets.Name, SecurityGroupIds: pulumi.StringArray{group.ID()},
		AuthToken: password.Result, AuthTokenUpdateStrategy: pulumi.String("ROTATE"),
		TransitEncryptionEnabled: pulumi.Bool(true), AtRestEncryptionEnabled: pulumi.Bool(true),
		SnapshotRetentionLimit: pulumi.Int(0), ApplyImmediately: pulumi.Bool(true),
	}, child(cache, pulumi.DeleteBeforeReplace(true))...)
	if err != nil {
		return nil, err
	}
	cache.URL = pulumi.Sprintf("rediss://:%s@%s:%d", password.Result, cache.Group.PrimaryEndpointAddress, redisPort)
	return cache, ctx.RegisterResourceOutputs(cache, pulumi.Map{"endpoint": cache.Group.PrimaryEndpointAddress})
}
