package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"shoplab/platform/awstest"
)

// TestRemoveBackups: a snapshot that somebody took is kept, and told with what it costs at most, and no question is
// asked as nothing is deleted; --backups deletes it.
func TestRemoveBackups(t *testing.T) {
	awstest.Emulate(t, "../..").Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	c, name := rds.NewFromConfig(cfg), aws.String("shoplab-stage1-1")
	if _, err := c.CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: name, Engine: aws.String("postgres"), DBInstanceClass: aws.String("db.t4g.micro"),
		AllocatedStorage: aws.Int32(20), MasterUsername: aws.String("shop"), MasterUserPassword: aws.String("s3cret-s3cret"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{
		DBInstanceIdentifier: name, FinalDBSnapshotIdentifier: aws.String("the-last"),
	}); err != nil {
		t.Fatal(err)
	}
	sweep := func(more string) (out, said, failed string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		request := `{"Region":"us-east-1","Stages":["stage1"],"Remove":true,"IgnoreState":true` + more + `}`
		if err := run(t.Context(), []string{"sweep", request}, strings.NewReader(""), &stdout, &stderr); err != nil {
			failed = err.Error()
		}
		return stdout.String(), stderr.String(), failed
	}
	out, said, failed := sweep("")
	if !strings.Contains(out, "snapshot:the-last") || strings.Contains(out, "found: nothing") ||
		!strings.Contains(failed, "--backups") || !strings.Contains(said, "up to 0.06 USD a day") {
		t.Errorf("without --backups:\n%s\n%s\n%s", said, out, failed)
	}
	out, said, failed = sweep(`,"Backups":true,"Yes":true`)
	if !strings.Contains(out, "deleted: 1") || !strings.Contains(out, "found: nothing") || failed != "" {
		t.Errorf("with --backups:\n%s\n%s\n%s", said, out, failed)
	}
}
