package platform

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// expirePackage is the function that ends a stage, compiled as the service is.
const expirePackage = "./lab/expire"

// The function's invocations: the longest that Lambda allows, and a pause, so that none meets the one before.
const (
	expireSeconds = 900
	expireEvery   = "rate(20 minutes)"
)

// expireEvent is what the schedule sends: its own ARN, by which the function asks whether the stage is still to end.
// Source: EventBridge Scheduler User Guide, "Adding context attributes".
const expireEvent = `{"schedule":"<aws.scheduler.schedule-arn>"}`

// warning is how long before its end a stage's alertEmail is told.
const warning = 24 * time.Hour

// Expiry ends the stack by itself when its time is up: a schedule invokes a function from shoplab:expires on, which
// deletes everything of the stage and then itself, its role and its schedule (0120).
type Expiry struct {
	pulumi.ResourceState

	name     string
	config   Config
	at       time.Time
	function *lambda.Function
	group    *scheduler.ScheduleGroup
}

// NewExpiry makes the function and its schedule. Nothing depends on the schedule: up makes it with the first resources,
// destroy deletes it with the first, and the function, should it run by then, stops (0160).
func NewExpiry(ctx *pulumi.Context, name string, c Config, opts ...pulumi.ResourceOption) (*Expiry, error) {
	at, err := time.Parse(time.RFC3339, c.Expires)
	if err != nil {
		return nil, err // loadConfig has checked it
	}
	e := &Expiry{name: name, config: c, at: at.UTC()}
	if err := ctx.RegisterComponentResource("shoplab:platform:Expiry", name, e, opts...); err != nil {
		return nil, err
	}
	if err := e.compile(ctx); err != nil {
		return nil, err
	}
	e.group, err = scheduler.NewScheduleGroup(ctx, name+"-schedules", &scheduler.ScheduleGroupArgs{
		NamePrefix: pulumi.String(c.physical()),
	}, child(e)...)
	if err != nil {
		return nil, err
	}
	if err := e.end(ctx); err != nil {
		return nil, err
	}
	err = e.schedule(ctx, "end", &scheduler.ScheduleArgs{
		Description:        pulumi.String("Deletes the stage " + c.Stack + ", again until nothing is left"),
		ScheduleExpression: pulumi.String(expireEvery), StartDate: pulumi.String(e.at.Format(time.RFC3339)),
	}, "lambda:InvokeFunction", e.function.Arn, pulumi.String(expireEvent))
	if err != nil {
		return nil, err
	}
	return e, ctx.RegisterResourceOutputs(e, pulumi.Map{"at": pulumi.String(e.at.Format(time.RFC3339))})
}

// Announce writes to who is told of the stage's alarms, a day before its end. A stage that has less time left than that
// is not announced.
func (e *Expiry) Announce(ctx *pulumi.Context, topic pulumi.StringInput) error {
	day := e.at.Add(-warning)
	if topic == nil || !now().Before(day) {
		return nil
	}
	return e.schedule(ctx, "warning", &scheduler.ScheduleArgs{
		Description:        pulumi.String("Says that the stage " + e.config.Stack + " ends in a day"),
		ScheduleExpression: pulumi.String("at(" + day.Format("2006-01-02T15:04:05") + ")"),
	}, "sns:Publish", topic,
		pulumi.String(fmt.Sprintf("Shoplab %[1]s ends by itself at %[2]s: everything of it is deleted then, its data too. "+
			"To keep it: pulumi config set -s %[1]s expires LATER && pulumi up -s %[1]s", e.config.Stack,
			e.at.Format(time.RFC3339))))
}

// now is the clock, which tests set.
var now = time.Now

// compile leaves the function's archive where Pulumi finds it: the same source and toolchain give the same bytes.
func (e *Expiry) compile(ctx *pulumi.Context) error {
	binary, err := compile(ctx.Context(), ctx.RootDirectory(), expirePackage, "arm64")
	if err != nil {
		return err
	}
	archive, err := bootstrap(binary)
	if err != nil {
		return err
	}
	path := e.archive(ctx)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make a folder for the function's archive: %w", err)
	}
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		return fmt.Errorf("write the function's archive: %w", err)
	}
	return nil
}

func (e *Expiry) archive(ctx *pulumi.Context) string {
	return filepath.Join(ctx.RootDirectory(), "bin", "expire-"+e.config.Stack+".zip")
}

// bootstrap is what Lambda's runtime provided.al2023 runs: an archive with an executable of that name.
func bootstrap(binary []byte) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate} // no time: the archive is reproducible
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = f.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack the function: %w", err)
	}
	return out.Bytes(), nil
}

// end makes the function, with its log group and its role.
func (e *Expiry) end(ctx *pulumi.Context) error {
	c, name := e.config, e.name
	logs, err := cloudwatch.NewLogGroup(ctx, name+"-logs", &cloudwatch.LogGroupArgs{
		Name: pulumi.String("/shoplab/" + c.Stack + "/" + name), RetentionInDays: pulumi.Int(c.LogRetentionDays),
	}, child(e)...)
	if err != nil {
		return err
	}
	role, err := newRole(ctx, name, "lambda.amazonaws.com", e)
	if err != nil {
		return err
	}
	rights, err := e.rights(ctx, role, logs)
	if err != nil {
		return err
	}
	e.function, err = lambda.NewFunction(ctx, name+"-function", &lambda.FunctionArgs{
		Description: pulumi.String("Ends the stage " + c.Stack),
		Runtime:     pulumi.String("provided.al2023"), Handler: pulumi.String("bootstrap"),
		Architectures: pulumi.ToStringArray([]string{"arm64"}),
		Code:          pulumi.NewFileArchive(e.archive(ctx)),
		Role:          role.Arn, MemorySize: pulumi.Int(256), Timeout: pulumi.Int(expireSeconds),
		Environment:   lambda.FunctionEnvironmentArgs{Variables: pulumi.StringMap{"SHOPLAB_STAGE": pulumi.String(c.Stack)}},
		LoggingConfig: lambda.FunctionLoggingConfigArgs{LogFormat: pulumi.String("Text"), LogGroup: logs.Name},
	}, child(e, pulumi.DependsOn(rights))...)
	return err
}

// schedule makes a schedule and its role, which may do this one thing with the target.
func (e *Expiry) schedule(
	ctx *pulumi.Context, short string, args *scheduler.ScheduleArgs, action string, target pulumi.StringInput,
	input pulumi.StringPtrInput,
) error {
	name := e.name + "-" + short
	role, err := newScheduleRole(ctx, name, e.group, e)
	if err != nil {
		return err
	}
	right, err := grant(ctx, name+"-right", role, e, pulumi.Map{
		"Effect": pulumi.String("Allow"), "Action": pulumi.String(action), "Resource": target,
	})
	if err != nil {
		return err
	}
	args.GroupName, args.FlexibleTimeWindow = e.group.Name, scheduler.ScheduleFlexibleTimeWindowArgs{
		Mode: pulumi.String("OFF"),
	}
	args.Target = scheduler.ScheduleTargetArgs{Arn: target, RoleArn: role.Arn, Input: input}
	_, err = scheduler.NewSchedule(ctx, name+"-schedule", args, child(e, pulumi.DependsOn([]pulumi.Resource{right}))...)
	return err
}

// newScheduleRole makes the role of the schedules in a group.
func newScheduleRole(
	ctx *pulumi.Context, name string, group *scheduler.ScheduleGroup, parent pulumi.Resource,
) (*iam.Role, error) {
	return iam.NewRole(ctx, name+"-role", &iam.RoleArgs{
		AssumeRolePolicy: pulumi.JSONMarshal(pulumi.Map{
			"Version": pulumi.String("2012-10-17"),
			"Statement": pulumi.Array{pulumi.Map{
				"Effect": pulumi.String("Allow"), "Action": pulumi.String("sts:AssumeRole"),
				"Principal": pulumi.Map{"Service": pulumi.String("scheduler.amazonaws.com")},
				// Source: EventBridge Scheduler User Guide, "Confused deputy prevention": the schedule's group.
				"Condition": pulumi.Map{"StringEquals": pulumi.Map{"aws:SourceArn": group.Arn}},
			}},
		}),
		ForceDetachPolicies: pulumi.Bool(true),
	}, child(parent)...)
}
