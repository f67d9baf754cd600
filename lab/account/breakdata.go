package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"shoplab/lab/stage"
)

// restartDatabase reboots RDS, or restarts the server's own PostgreSQL.
func (b breaker) restartDatabase(ctx context.Context) (string, error) {
	if b.stage.Topology == stage.Single {
		return b.run(ctx, restartPostgres)
	}
	db, err := b.database(ctx)
	if err != nil {
		return "", err
	}
	_, err = rds.NewFromConfig(b.cfg).RebootDBInstance(ctx,
		&rds.RebootDBInstanceInput{DBInstanceIdentifier: db.DBInstanceIdentifier})
	if err != nil {
		return "", err
	}
	return "rebooted " + awssdk.ToString(db.DBInstanceIdentifier), b.awaitDatabase(ctx, "available", true)
}

// crashDatabase ends the server's own PostgreSQL at once.
func (b breaker) crashDatabase(ctx context.Context) (string, error) {
	if b.stage.Topology != stage.Single {
		return "", errors.ErrUnsupported
	}
	return b.run(ctx, crashPostgres)
}

// database is the stage's.
func (b breaker) database(ctx context.Context) (db rdstypes.DBInstance, err error) {
	arns, err := b.tagged(ctx, "rds:db")
	if err != nil {
		return db, err
	}
	if len(arns) != 1 {
		return db, fmt.Errorf("%s has %d databases: want one", b.stage.Name, len(arns))
	}
	name := arns[0][strings.LastIndex(arns[0], ":")+1:]
	out, err := rds.NewFromConfig(b.cfg).DescribeDBInstances(ctx,
		&rds.DescribeDBInstancesInput{DBInstanceIdentifier: &name})
	if err != nil {
		return db, err
	}
	if len(out.DBInstances) != 1 {
		return db, fmt.Errorf("no database %s", name)
	}
	return out.DBInstances[0], nil
}

// awaitDatabase waits for a status. From a change that it should show first, the status may be the old one for a while.
func (b breaker) awaitDatabase(ctx context.Context, status string, changes bool) error {
	began, changed := time.Now(), !changes
	return b.await(ctx, "wait until the database is "+status, func() (bool, error) {
		db, err := b.database(ctx)
		now := awssdk.ToString(db.DBInstanceStatus)
		changed = changed || now != status || time.Since(began) >= b.notice
		return changed && now == status, err
	})
}

// emptyCache reboots the cache's node, which loses what it holds, or starts the server's own Redis empty.
func (b breaker) emptyCache(ctx context.Context) (string, error) {
	if b.stage.Topology == stage.Single {
		return b.run(ctx, restartRedis)
	}
	node, err := b.cacheNode(ctx)
	if err != nil {
		return "", err
	}
	client := elasticache.NewFromConfig(b.cfg)
	_, err = client.RebootCacheCluster(ctx, &elasticache.RebootCacheClusterInput{
		CacheClusterId:       &node,
		CacheNodeIdsToReboot: []string{"0001"},
	})
	if err != nil {
		return "", err
	}
	began, changed := time.Now(), false
	return "rebooted " + node, b.await(ctx, "wait until the cache is available", func() (bool, error) {
		out, err := client.DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{CacheClusterId: &node})
		if err != nil || len(out.CacheClusters) != 1 {
			return false, err
		}
		now := awssdk.ToString(out.CacheClusters[0].CacheClusterStatus)
		changed = changed || now != "available" || time.Since(began) >= b.notice
		return changed && now == "available", nil
	})
}

// cacheNode is the first node of the stage's replication group, whose cluster mode is off.
func (b breaker) cacheNode(ctx context.Context) (string, error) {
	arns, err := b.tagged(ctx, "elasticache:replicationgroup")
	if err != nil {
		return "", err
	}
	if len(arns) != 1 {
		return "", fmt.Errorf("%s has %d caches: want one", b.stage.Name, len(arns))
	}
	return arns[0][strings.LastIndex(arns[0], ":")+1:] + "-001", nil
}
