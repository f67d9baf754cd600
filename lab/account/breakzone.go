package main

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"shoplab/lab/stage"
)

// stopZone takes away what the stage has in one zone: the database's, or that of the one server. AWS cannot stop a
// node of the cache; it is rebooted.
func (b breaker) stopZone(ctx context.Context) (string, error) {
	switch b.stage.Topology {
	case stage.Single:
		return b.stopServer(ctx)
	case stage.Mesh:
		done, err := b.stopServer(ctx)
		if err != nil {
			return done, err
		}
		more, err := b.stopData(ctx)
		return done + ", " + more, err
	}
	db, err := b.database(ctx)
	if err != nil {
		return "", err
	}
	done, err := b.loseInstances(ctx, awssdk.ToString(db.AvailabilityZone))
	if err != nil {
		return done, err
	}
	more, err := b.stopData(ctx)
	return done + more, err
}

// loseInstances ends the servers or tasks in a zone, and waits for nobody: the group or ECS starts others.
func (b breaker) loseInstances(ctx context.Context, zone string) (string, error) {
	switch b.stage.Topology {
	case stage.Balanced:
		running, err := b.servers(ctx, ec2types.InstanceStateNameRunning)
		if err != nil {
			return "", err
		}
		var ids []string
		for _, server := range running {
			if server.Placement != nil && awssdk.ToString(server.Placement.AvailabilityZone) == zone {
				ids = append(ids, awssdk.ToString(server.InstanceId))
			}
		}
		if len(ids) == 0 {
			return "", nil
		}
		_, err = ec2.NewFromConfig(b.cfg).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
		return fmt.Sprintf("terminated %v, ", ids), err
	case stage.Fargate:
		cluster, _, running, err := b.serving(ctx)
		if err != nil {
			return "", err
		}
		stopped := 0
		for _, task := range running {
			if awssdk.ToString(task.AvailabilityZone) != zone {
				continue
			}
			in := &ecs.StopTaskInput{Cluster: &cluster, Task: task.TaskArn}
			if _, err := ecs.NewFromConfig(b.cfg).StopTask(ctx, in); err != nil {
				return "", err
			}
			stopped++
		}
		return fmt.Sprintf("stopped %d tasks, ", stopped), nil
	}
	return "", nil // of a function AWS offers nothing to stop
}

// stopServer stops the one server; its disk and address stay.
func (b breaker) stopServer(ctx context.Context) (string, error) {
	id, err := b.server(ctx)
	if err != nil {
		return "", err
	}
	_, err = ec2.NewFromConfig(b.cfg).StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return "", err
	}
	return "stopped " + id, b.await(ctx, "wait until the server has stopped", func() (bool, error) {
		stopped, err := b.servers(ctx, ec2types.InstanceStateNameStopped)
		return len(stopped) > 0, err
	})
}

// stopData stops the database, and reboots the cache's node meanwhile.
func (b breaker) stopData(ctx context.Context) (string, error) {
	db, err := b.database(ctx)
	if err != nil {
		return "", err
	}
	name := awssdk.ToString(db.DBInstanceIdentifier)
	_, err = rds.NewFromConfig(b.cfg).StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: &name})
	if err != nil {
		return "", err
	}
	rebooted, err := b.emptyCache(ctx)
	if err != nil {
		return "stopped " + name, err
	}
	return "stopped " + name + ", " + rebooted, b.awaitDatabase(ctx, "stopped", false)
}

// startZone brings back what stopZone has taken away.
func (b breaker) startZone(ctx context.Context) (string, error) {
	done := "started"
	if b.stage.Topology != stage.Single {
		db, err := b.database(ctx)
		if err != nil {
			return "", err
		}
		_, err = rds.NewFromConfig(b.cfg).StartDBInstance(ctx,
			&rds.StartDBInstanceInput{DBInstanceIdentifier: db.DBInstanceIdentifier})
		if err != nil {
			return "", err
		}
		done += " " + awssdk.ToString(db.DBInstanceIdentifier)
		if err := b.awaitDatabase(ctx, "available", false); err != nil {
			return done, err
		}
	}
	switch b.stage.Topology {
	case stage.Single, stage.Mesh:
		stopped, err := b.servers(ctx, ec2types.InstanceStateNameStopped)
		if err != nil {
			return done, err
		}
		for _, server := range stopped {
			id := awssdk.ToString(server.InstanceId)
			_, err := ec2.NewFromConfig(b.cfg).StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}})
			if err != nil {
				return done, err
			}
			done += " " + id
		}
		return done, b.await(ctx, "wait until the server runs", func() (bool, error) {
			running, err := b.servers(ctx, ec2types.InstanceStateNameRunning)
			return len(running) > 0, err
		})
	case stage.Balanced, stage.Fargate:
		return done, b.whole(ctx)
	}
	return done, nil
}
