package bill

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"shoplab/lab/cost"
	"shoplab/lab/sweep"
)

// backup is how a kind of backup is priced, and how its size is asked for.
type backup struct {
	typ  string // of package cost
	size func(ctx context.Context, cfg aws.Config, name string) (gb float64, err error)
}

// backups are by service and resource type, as ARNs spell them. A machine image is billed by its snapshots.
var backups = map[string]backup{
	"ec2:snapshot":         {"aws:ebs/snapshot:Snapshot", volumeSnapshot},
	"rds:snapshot":         {"aws:rds/snapshot:Snapshot", databaseSnapshot},
	"elasticache:snapshot": {cost.CacheSnapshot, cacheSnapshot},
}

// Backups estimates what backups cost at most: billed is what is in them, and not what is free beside a database, while
// the services tell the size of what was saved. Those of which no size is told are Unknown in the estimate.
func Backups(ctx context.Context, cfg aws.Config, kept []sweep.Resource) (cost.Estimate, error) {
	table, err := cost.Prices()
	if err != nil {
		return cost.Estimate{}, err
	}
	var g cost.Graph
	usage := cost.Usage{Resources: map[string]map[string]float64{}}
	for _, r := range kept {
		kind, name := r.Kind()
		b, billed := backups[kind]
		if !billed {
			continue
		}
		gb, err := b.size(ctx, cfg, name)
		if err != nil {
			return cost.Estimate{}, fmt.Errorf("the size of %s: %w", r.ID, err)
		}
		g.Resources = append(g.Resources, cost.Resource{
			URN: "sweep::" + b.typ + "::" + name, Type: b.typ, Name: name, Inputs: map[string]any{},
		})
		if gb > 0 {
			usage.Resources[b.typ+" "+name] = map[string]float64{"storage_gb": gb}
		}
	}
	return table.Of(g, usage), nil
}

func volumeSnapshot(ctx context.Context, cfg aws.Config, id string) (gb float64, err error) {
	out, err := ec2.NewFromConfig(cfg).DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
	if err != nil {
		return 0, err
	}
	for _, s := range out.Snapshots {
		gb += float64(aws.ToInt32(s.VolumeSize))
	}
	return gb, nil
}

func databaseSnapshot(ctx context.Context, cfg aws.Config, id string) (gb float64, err error) {
	out, err := rds.NewFromConfig(cfg).DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id})
	if err != nil {
		return 0, err
	}
	for _, s := range out.DBSnapshots {
		gb += float64(aws.ToInt32(s.AllocatedStorage))
	}
	return gb, nil
}

func cacheSnapshot(ctx context.Context, cfg aws.Config, name string) (gb float64, err error) {
	out, err := elasticache.NewFromConfig(cfg).DescribeSnapshots(ctx, &elasticache.DescribeSnapshotsInput{
		SnapshotName: &name,
	})
	if err != nil {
		return 0, err
	}
	for _, s := range out.Snapshots {
		for _, node := range s.NodeSnapshots {
			gb += gigabytes(aws.ToString(node.CacheSize))
		}
	}
	return gb, nil
}

// gigabytes reads a size as ElastiCache writes it, such as "3 MB"; 0 if it cannot be read.
func gigabytes(text string) float64 {
	var n float64
	var unit string
	if _, err := fmt.Sscan(text, &n, &unit); err != nil {
		return 0
	}
	return n * map[string]float64{"B": 1e-9, "KB": 1e-6, "MB": 1e-3, "GB": 1, "TB": 1e3}[strings.ToUpper(unit)]
}
