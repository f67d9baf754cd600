package sweep

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// TestRemoveKeepsBackups: what somebody saved of a stage, without a tag, is found, by what it was made of, also when
// that is gone; it stays, is in the receipt, and goes only when that is asked for. The same of somebody else's is
// not found.
func TestRemoveKeepsBackups(t *testing.T) {
	ctx, _, cfg := emulated(t)
	data := []string{savedDatabase(t, cfg, "shoplab-stage1-1"), savedCache(t, cfg, "shoplab-stage1-001")}
	others := []string{savedDatabase(t, cfg, "somebody-1"), savedCache(t, cfg, "somebody-001")}
	all := append(savedServer(t, cfg, "stage1"), data...)
	remove := func(stage string, backups bool) Receipt {
		t.Helper()
		r, err := Remove(ctx, cfg, Removal{
			Filter: Filter{Stages: []string{stage}}, Backups: backups, Say: func(s string) { t.Log(s) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	receipt := remove("stage1", false)
	slices.Sort(all)
	if got := ids(receipt.Found); !slices.Equal(got, all) || strings.Contains(receipt.String(), "found: nothing") {
		t.Errorf("the receipt has %v, want %v:\n%s", got, all, receipt)
	}
	for _, r := range receipt.Found {
		if there, err := exists(ctx, cfg, r.ID); !there || err != nil || r.Reason != keptReason || r.Owner == "" {
			t.Errorf("%s is there: %v, %v", r, there, err)
		}
	}
	if len(receipt.Removed) == 0 || slices.ContainsFunc(receipt.Removed, Resource.Backup) {
		t.Errorf("deleted are %v", ids(receipt.Removed))
	}
	again, err := Sweep(ctx, cfg, Filter{Stages: []string{"stage1"}}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range data {
		if !slices.Contains(ids(again.Found), id) {
			t.Errorf("%s is not found when what it was made of is gone", id)
		}
	}
	if receipt = remove("stage1", true); !receipt.Clean() {
		t.Errorf("with its backups, the receipt is\n%s", receipt)
	}
	server := savedServer(t, cfg, "stage2")
	receipt = remove("stage2", true)
	for _, id := range server {
		if !receipt.Clean() || !slices.Contains(ids(receipt.Removed), id) {
			t.Errorf("%s is not deleted:\n%s", id, receipt)
		}
	}
	for _, id := range others {
		if there, err := exists(ctx, cfg, id); !there || err != nil {
			t.Errorf("somebody's %s is there: %v, %v", id, there, err)
		}
	}
}

// TestBackup tells what somebody saved from what a service saves by itself.
func TestBackup(t *testing.T) {
	for id, want := range map[string]bool{
		"arn:aws:rds:us-east-1:1:snapshot:before-the-sale":                         true,
		"arn:aws:rds:us-east-1:1:snapshot:rds:shoplab-stage3-1-2026-11-27-03-00":   false,
		"arn:aws:rds:us-east-1:1:auto-backup:ab-1":                                 false,
		"arn:aws:elasticache:us-east-1:1:snapshot:before-the-sale":                 true,
		"arn:aws:elasticache:us-east-1:1:snapshot:automatic.shoplab-stage3-001-20": false,
		"arn:aws:ec2:us-east-1:1:snapshot/snap-1":                                  true,
		"arn:aws:ec2:us-east-1::image/ami-1":                                       true,
		"arn:aws:ec2:us-east-1:1:volume/vol-1":                                     false,
	} {
		if got := (Resource{ID: id}).Backup(); got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
}

// savedDatabase takes a snapshot of a database that is deleted then, and returns its ARN.
func savedDatabase(t *testing.T, cfg aws.Config, name string) string {
	t.Helper()
	c, ctx := rds.NewFromConfig(cfg), t.Context()
	if _, err := c.CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: &name, Engine: aws.String("postgres"), DBInstanceClass: aws.String("db.t4g.micro"),
		AllocatedStorage: aws.Int32(20), MasterUsername: aws.String("shop"), MasterUserPassword: aws.String("s3cret-s3cret"),
		BackupRetentionPeriod: aws.Int32(0),
	}); err != nil {
		t.Fatal(err)
	}
	saved, err := c.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: &name, DBSnapshotIdentifier: aws.String("by-hand-" + name),
	})
	if err == nil {
		_, err = c.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{
			DBInstanceIdentifier: &name, SkipFinalSnapshot: aws.Bool(true), DeleteAutomatedBackups: aws.Bool(true),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(saved.DBSnapshot.DBSnapshotArn)
}

// savedCache takes a snapshot of a node that is deleted then, and returns its ARN.
func savedCache(t *testing.T, cfg aws.Config, node string) string {
	t.Helper()
	c, ctx := elasticache.NewFromConfig(cfg), t.Context()
	if _, err := c.CreateCacheCluster(ctx, &elasticache.CreateCacheClusterInput{
		CacheClusterId: &node, Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.micro"),
		NumCacheNodes: aws.Int32(1),
	}); err != nil {
		t.Fatal(err)
	}
	saved, err := c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{
		CacheClusterId: &node, SnapshotName: aws.String("by-hand-" + node),
	})
	if err == nil {
		_, err = c.DeleteCacheCluster(ctx, &elasticache.DeleteCacheClusterInput{CacheClusterId: &node})
	}
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(saved.Snapshot.ARN)
}

// savedServer makes a stage's server and a volume, and an image of the one and a snapshot of the other without tags,
// whose ARNs it returns.
func savedServer(t *testing.T, cfg aws.Config, stage string) []string {
	t.Helper()
	c, ctx := ec2.NewFromConfig(cfg), t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tags := func(kind ec2types.ResourceType) ec2types.TagSpecification {
		return ec2types.TagSpecification{ResourceType: kind, Tags: []ec2types.Tag{
			{Key: aws.String("project"), Value: aws.String(Project)}, {Key: aws.String("stage"), Value: &stage},
		}}
	}
	images, err := c.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	check(err)
	started, err := c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: images.Images[0].ImageId, InstanceType: ec2types.InstanceTypeT4gSmall, MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1), TagSpecifications: []ec2types.TagSpecification{tags(ec2types.ResourceTypeInstance)},
	})
	check(err)
	image, err := c.CreateImage(ctx, &ec2.CreateImageInput{
		InstanceId: started.Instances[0].InstanceId, Name: aws.String("by hand, of " + stage),
	})
	check(err)
	volume, err := c.CreateVolume(ctx, &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1),
		TagSpecifications: []ec2types.TagSpecification{tags(ec2types.ResourceTypeVolume)},
	})
	check(err)
	snapshot, err := c.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: volume.VolumeId})
	check(err)
	account, err := accountOf(ctx, cfg)
	check(err)
	return []string{
		ownedBy(cfg, account, "image", *image.ImageId, nil, stage, "").ID,
		ownedBy(cfg, account, "snapshot", *snapshot.SnapshotId, nil, stage, "").ID,
	}
}
