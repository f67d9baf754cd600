package sweep

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// caches are the kinds of ElastiCache that keep data.
var caches = []string{"elasticache:cluster", "elasticache:replicationgroup", "elasticache:serverlesscache"}

// deletionsData are what deletions are, of databases and caches. Data is not saved: a laboratory's is seeded again.
var deletionsData = map[string]deletion{
	"rds:db": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		_, err := rds.NewFromConfig(cfg).DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{
			DBInstanceIdentifier: &id, SkipFinalSnapshot: aws.Bool(true), DeleteAutomatedBackups: aws.Bool(true),
		})
		return err
	}},
	"rds:subgrp": {after: []string{"rds:db"}, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := rds.NewFromConfig(cfg).DeleteDBSubnetGroup(ctx, &rds.DeleteDBSubnetGroupInput{DBSubnetGroupName: &name})
		return err
	}},
	"rds:pg": {after: []string{"rds:db"}, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := rds.NewFromConfig(cfg).DeleteDBParameterGroup(ctx, &rds.DeleteDBParameterGroupInput{
			DBParameterGroupName: &name,
		})
		return err
	}},
	"rds:snapshot": {after: []string{"rds:db"}, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		if automatic(id) {
			return errBelongs // only its database's deletion takes it
		}
		_, err := rds.NewFromConfig(cfg).DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: &id})
		return err
	}},
	"rds:auto-backup": {after: []string{"rds:db"}, ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
		_, err := rds.NewFromConfig(cfg).DeleteDBInstanceAutomatedBackup(ctx, &rds.DeleteDBInstanceAutomatedBackupInput{
			DBInstanceAutomatedBackupsArn: &arn,
		})
		return err
	}},
	"elasticache:replicationgroup": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		_, err := elasticache.NewFromConfig(cfg).DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{
			ReplicationGroupId: &id,
		})
		return err
	}},
	"elasticache:cluster": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		c := elasticache.NewFromConfig(cfg)
		out, err := c.DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{CacheClusterId: &id})
		if err != nil {
			return err
		}
		for _, cluster := range out.CacheClusters {
			if cluster.ReplicationGroupId != nil {
				return errBelongs
			}
		}
		_, err = c.DeleteCacheCluster(ctx, &elasticache.DeleteCacheClusterInput{CacheClusterId: &id})
		return err
	}},
	"elasticache:serverlesscache": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := elasticache.NewFromConfig(cfg).DeleteServerlessCache(ctx, &elasticache.DeleteServerlessCacheInput{
			ServerlessCacheName: &name,
		})
		return err
	}},
	"elasticache:snapshot": {after: caches, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		if automatic(name) {
			return errBelongs
		}
		_, err := elasticache.NewFromConfig(cfg).DeleteSnapshot(ctx, &elasticache.DeleteSnapshotInput{SnapshotName: &name})
		return err
	}},
	"elasticache:subnetgroup": {after: caches, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := elasticache.NewFromConfig(cfg).DeleteCacheSubnetGroup(ctx, &elasticache.DeleteCacheSubnetGroupInput{
			CacheSubnetGroupName: &name,
		})
		return err
	}},
}
