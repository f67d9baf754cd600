package platform

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// TestBackups: snapshots that somebody took of a stage's database and cache outlive destroy, are found, and are deleted
// only when that is asked for; what ends the stage by itself leaves them, and nothing else.
func TestBackups(t *testing.T) {
	tr := trial{account: newAccount(t), stack: "stage3", other: bystander}
	tr.settle(t)
	tr.init(t, anImage)
	tr.up(t, tr.stack)
	tr.saves(t)
	tr.pulumi(t, "destroy", "-s", tr.stack, "--yes", "--skip-preview")
	tr.kept(t)

	tr.pulumi(t, "stack", "rm", tr.stack, "--yes", "--force", "--preserve-config")
	tr.init(t, anImage)
	tr.config(t, tr.stack, "expires", "2099-01-01T00:00:00Z")
	tr.up(t, tr.stack)
	tr.saves(t)
	function, schedule := tr.function(t, "expires-role-"), tr.schedule(t)
	schedule.move(t, time.Now().Add(-time.Minute))
	if receipt := function.invoke(t, tr.stack, schedule.arn); len(receipt.Found) != 2 || len(receipt.Removed) < 40 {
		t.Errorf("the function's receipt: %+v", receipt)
	}
	tr.kept(t)
	tr.end(t, "what somebody saved")
}

// saves takes a snapshot of the stage's database and of its cache's node, as the console does: without tags.
func (tr trial) saves(t *testing.T) {
	t.Helper()
	cfg, ctx := tr.client(t), t.Context()
	databases, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil || len(databases.DBInstances) != 1 {
		t.Fatalf("databases %+v, %v", databases, err)
	}
	if _, err := rds.NewFromConfig(cfg).CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: databases.DBInstances[0].DBInstanceIdentifier, DBSnapshotIdentifier: aws.String("by-hand"),
	}); err != nil {
		t.Fatal(err)
	}
	c := elasticache.NewFromConfig(cfg)
	groups, err := c.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{})
	if err != nil || len(groups.ReplicationGroups) != 1 {
		t.Fatalf("caches %+v, %v", groups, err)
	}
	if _, err := c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{
		ReplicationGroupId: groups.ReplicationGroups[0].ReplicationGroupId, SnapshotName: aws.String("by-hand"),
	}); err != nil {
		t.Fatal(err)
	}
}

// kept wants lab sweep to find both snapshots and nothing else, and to delete them with --backups alone.
func (tr trial) kept(t *testing.T) {
	t.Helper()
	for _, more := range [][]string{nil, {"--remove", "--yes"}} {
		out, err := tr.lab(t, append([]string{"sweep", tr.stack}, more...)...)
		if err == nil || strings.Count(out, ":snapshot:by-hand ("+tr.stack) < 2 || !strings.Contains(out, "found: 2") ||
			!strings.Contains(out, "--backups") {
			t.Errorf("lab sweep %v: %v\n%s", more, err, out)
		}
	}
	if out, err := tr.lab(t, "sweep", tr.stack, "--remove", "--backups", "--yes", "--ignore-state"); err != nil {
		t.Errorf("lab sweep --remove --backups: %v\n%s", err, out)
	}
}
