package sweep

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"shoplab/lab/paging"
)

// backupKinds are the kinds of what somebody saved of a stage. No stage makes any.
var backupKinds = []string{"ec2:image", "ec2:snapshot", "elasticache:snapshot", "rds:snapshot"}

// Backup tells a snapshot or machine image, which somebody made: Remove deletes it only if it is told to (0168).
func (r Resource) Backup() bool {
	kind, name := r.Kind()
	return slices.Contains(backupKinds, kind) && !automatic(name)
}

// automatic tells by its name a snapshot that RDS or ElastiCache took by itself and deletes with its database or cache.
// Source of the second: AWS CLI Command Reference, elasticache describe-snapshots.
func automatic(snapshot string) bool {
	return strings.HasPrefix(snapshot, "rds:") || strings.HasPrefix(snapshot, "automatic.")
}

// keptReason is why Remove leaves a backup.
const keptReason = "kept, since somebody made it: lab sweep --remove --backups deletes it too"

// keep takes the backups out of what was found, unless they are to go, and remembers them: those of a server or a
// volume are not found again once that is gone.
func (r *remover) keep(ctx context.Context, found []Resource) (going []Resource, err error) {
	if r.Backups {
		return found, nil
	}
	for _, res := range found {
		if res.Backup() {
			res.Reason = keptReason
			r.kept = append(r.kept, res)
		} else {
			going = append(going, res)
		}
	}
	slices.SortFunc(r.kept, func(a, b Resource) int { return cmp.Compare(a.ID, b.ID) })
	r.kept = slices.CompactFunc(r.kept, func(a, b Resource) bool { return a.ID == b.ID })
	there, err := confirmed(ctx, r.cfg, r.kept)
	if err != nil {
		return nil, err
	}
	r.kept = there
	return going, nil
}

// databaseBackups finds automated backups that were retained and snapshots, by their database's name: both outlive it,
// and neither has to have its tags.
func databaseBackups(ctx context.Context, c *rds.Client) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, rds.NewDescribeDBInstanceAutomatedBackupsPaginator(c,
		&rds.DescribeDBInstanceAutomatedBackupsInput{})) {
		if err != nil {
			return nil, err
		}
		for _, b := range page.DBInstanceAutomatedBackups {
			// Those of a database that is there go with it. Source: Amazon RDS API Reference, DBInstanceAutomatedBackup.
			if id := aws.ToString(b.DBInstanceIdentifier); named(id) && aws.ToString(b.Status) != "active" {
				out = append(out, Resource{
					Service: "rds", ID: aws.ToString(b.DBInstanceAutomatedBackupsArn), name: id, Owner: "of database " + id,
				})
			}
		}
	}
	for page, err := range paging.Pages(ctx, rds.NewDescribeDBSnapshotsPaginator(c, &rds.DescribeDBSnapshotsInput{
		SnapshotType: aws.String("manual"),
	})) {
		if err != nil {
			return nil, err
		}
		for _, s := range page.DBSnapshots {
			if id := aws.ToString(s.DBInstanceIdentifier); named(id) {
				out = append(out, Resource{Service: "rds", ID: aws.ToString(s.DBSnapshotArn), name: id, Owner: "of database " + id})
			}
		}
	}
	return out, nil
}

// cacheSnapshots finds the snapshots that somebody took of the project's caches, by the cache's name. A snapshot of a
// group of one tells the name of its node instead, which begins with the group's.
// Source: AWS CLI Command Reference, elasticache describe-snapshots.
func cacheSnapshots(ctx context.Context, c *elasticache.Client) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, elasticache.NewDescribeSnapshotsPaginator(c,
		&elasticache.DescribeSnapshotsInput{})) {
		if err != nil {
			return nil, err
		}
		for _, s := range page.Snapshots {
			id := cmp.Or(aws.ToString(s.ReplicationGroupId), aws.ToString(s.CacheClusterId))
			if named(id) && aws.ToString(s.SnapshotSource) != "automated" {
				out = append(out, Resource{Service: "elasticache", ID: aws.ToString(s.ARN), name: id, Owner: "of cache " + id})
			}
		}
	}
	return out, nil
}

// serverBackups finds the snapshots and machine images that somebody made of the project's volumes and servers. Where
// those are gone, nothing tells whose a snapshot or image without tags is.
func serverBackups(ctx context.Context, cfg aws.Config, account string) ([]Resource, error) {
	c := ec2.NewFromConfig(cfg)
	stages, err := serversAndVolumes(ctx, c)
	if err != nil || len(stages) == 0 {
		return nil, err
	}
	var out []Resource
	for page, err := range paging.Pages(ctx, ec2.NewDescribeSnapshotsPaginator(c, &ec2.DescribeSnapshotsInput{
		OwnerIds: []string{"self"},
	})) {
		if err != nil {
			return nil, fmt.Errorf("snapshots: %w", err)
		}
		for _, s := range page.Snapshots {
			if of := aws.ToString(s.VolumeId); stages[of] != "" {
				out = append(out, ownedBy(cfg, account, "snapshot", aws.ToString(s.SnapshotId), s.Tags, stages[of], "of "+of))
			}
		}
	}
	for page, err := range paging.Pages(ctx, ec2.NewDescribeImagesPaginator(c,
		&ec2.DescribeImagesInput{Owners: []string{"self"}})) {
		if err != nil {
			return nil, fmt.Errorf("machine images: %w", err)
		}
		for _, i := range page.Images {
			if of := aws.ToString(i.SourceInstanceId); stages[of] != "" {
				out = append(out, ownedBy(cfg, account, "image", aws.ToString(i.ImageId), i.Tags, stages[of], "of "+of))
			}
		}
	}
	return out, nil
}

// serversAndVolumes are the stages of the project's servers and volumes, by their ids.
func serversAndVolumes(ctx context.Context, c *ec2.Client) (map[string]string, error) {
	stages := map[string]string{}
	servers, err := Instances(ctx, c, ours()...)
	if err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	for _, i := range servers {
		stage := tagMap(i.Tags)["stage"]
		stages[aws.ToString(i.InstanceId)] = stage
		for _, d := range i.BlockDeviceMappings {
			if d.Ebs != nil {
				stages[aws.ToString(d.Ebs.VolumeId)] = stage
			}
		}
	}
	for page, err := range paging.Pages(ctx, ec2.NewDescribeVolumesPaginator(c,
		&ec2.DescribeVolumesInput{Filters: ours()})) {
		if err != nil {
			return nil, fmt.Errorf("volumes: %w", err)
		}
		for _, v := range page.Volumes {
			stages[aws.ToString(v.VolumeId)] = tagMap(v.Tags)["stage"]
		}
	}
	return stages, nil
}
