package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"shoplab/lab/paging"
	"shoplab/lab/stage"
	"shoplab/lab/sweep"
	"shoplab/lab/target/aws"
	"shoplab/lab/watch"
)

// breaker breaks parts of a stage that is up, and waits until what replaces them serves. It finds them by their tags.
type breaker struct {
	cfg   awssdk.Config
	stage stage.Stage
	// every is between two looks at what AWS does, and notice how long AWS may take until it says that something has
	// begun.
	every, notice time.Duration
}

// breakPart carries out an act on a stage, and says what was done.
func breakPart(ctx context.Context, r aws.Request) (string, error) {
	if len(r.Stages) != 1 {
		return "", fmt.Errorf("%d stages: want one", len(r.Stages))
	}
	declared, err := stage.Read(r.Root, r.Stages[0])
	if err != nil {
		return "", err
	}
	if r.Instances > 0 {
		declared.Instances = r.Instances
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region))
	if err != nil {
		return "", fmt.Errorf("read AWS settings: %w", err)
	}
	b := breaker{cfg: cfg, stage: declared, every: 2 * time.Second, notice: 30 * time.Second}
	if cfg.BaseEndpoint != nil { // an emulated account, where nothing takes its time
		b.notice = 0
	}
	return b.do(ctx, r.Act)
}

func (b breaker) do(ctx context.Context, act aws.Act) (string, error) {
	do := map[aws.Act]func(context.Context) (string, error){
		aws.ActKill: b.kill, aws.ActHang: b.hang, aws.ActRestartProxy: b.restartProxy, aws.ActEmptyCache: b.emptyCache,
		aws.ActRestartDatabase: b.restartDatabase, aws.ActCrashDatabase: b.crashDatabase,
		aws.ActStopZone: b.stopZone, aws.ActStartZone: b.startZone,
	}[act]
	if do == nil {
		return "", fmt.Errorf("%q is nothing that can be done to a stage", act)
	}
	done, err := do(ctx)
	if err != nil {
		return done, fmt.Errorf("%s: %w", act, err)
	}
	return done, nil
}

// kill ends one instance of the shop at once, and waits for its replacement.
func (b breaker) kill(ctx context.Context) (string, error) {
	switch b.stage.Topology {
	case stage.Single:
		return b.run(ctx, killProcess+awaitReady)
	case stage.Balanced:
		server, err := b.server(ctx)
		if err != nil {
			return "", err
		}
		return b.terminate(ctx, server)
	case stage.Fargate:
		return b.stopTask(ctx)
	case stage.Mesh:
		return b.run(ctx, deleteShopPod)
	}
	return "", errors.ErrUnsupported
}

// hang stops the process of one instance. Where somebody finds it, it waits for the replacement.
func (b breaker) hang(ctx context.Context) (string, error) {
	switch b.stage.Topology {
	case stage.Single:
		return b.run(ctx, stopProcess)
	case stage.Balanced:
		server, err := b.server(ctx)
		if err != nil {
			return "", err
		}
		if _, err := b.runOn(ctx, server, stopProcess); err != nil {
			return "", err
		}
		return "SIGSTOP of the shop on " + server, b.whole(ctx, server)
	case stage.Mesh:
		return b.run(ctx, stopProcess+awaitEnd+awaitPods)
	}
	return "", errors.ErrUnsupported
}

// restartProxy ends the proxy before the shop where it is the stage's own.
func (b breaker) restartProxy(ctx context.Context) (string, error) {
	switch b.stage.Topology {
	case stage.Single:
		return b.run(ctx, killNginx)
	case stage.Mesh:
		return b.run(ctx, deleteGatewayPod)
	}
	return "", errors.ErrUnsupported
}

// servers are the stage's in a state, by id.
func (b breaker) servers(ctx context.Context, state ec2types.InstanceStateName) (found []ec2types.Instance, err error) {
	if found, err = instances(ctx, b.cfg, b.stage.Name, state); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(x, y ec2types.Instance) int { return compare(x.InstanceId, y.InstanceId) })
	return found, nil
}

// server is one that runs.
func (b breaker) server(ctx context.Context) (string, error) {
	running, err := b.servers(ctx, ec2types.InstanceStateNameRunning)
	if err != nil {
		return "", err
	}
	if len(running) == 0 {
		return "", fmt.Errorf("no server of %s runs", b.stage.Name)
	}
	return awssdk.ToString(running[0].InstanceId), nil
}

// terminate ends servers for good and waits until as many as the stage has serve without them.
func (b breaker) terminate(ctx context.Context, ids ...string) (string, error) {
	_, err := ec2.NewFromConfig(b.cfg).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("terminated %v", ids), b.whole(ctx, ids...)
}

// tagged are the stage's resources of a type, such as "rds:db", by ARN.
func (b breaker) tagged(ctx context.Context, kind string) (arns []string, err error) {
	in := &tagging.GetResourcesInput{ResourceTypeFilters: []string{kind}, TagFilters: []tagtypes.TagFilter{
		{Key: awssdk.String("project"), Values: []string{sweep.Project}},
		{Key: awssdk.String("stage"), Values: []string{b.stage.Name}},
	}}
	for page, err := range paging.Pages(ctx, tagging.NewGetResourcesPaginator(tagging.NewFromConfig(b.cfg), in)) {
		if err != nil {
			return nil, fmt.Errorf("find the stage's resources by their tags: %w", err)
		}
		for _, m := range page.ResourceTagMappingList {
			arns = append(arns, awssdk.ToString(m.ResourceARN))
		}
	}
	return arns, nil
}

// await looks until something holds.
func (b breaker) await(ctx context.Context, what string, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ok {
			return nil
		}
		if !watch.Until(ctx, time.Now().Add(b.every)) {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
}

func compare(x, y *string) int {
	switch a, b := awssdk.ToString(x), awssdk.ToString(y); {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
