// Command expire is the Lambda function that ends a stage when its time is up (shoplab:expires): it does what lab sweep
// --remove does, for the one stage of its environment, and goes with it. The platform compiles and deploys it; a
// schedule invokes it from that time on, every few minutes, until nothing is left that could. It stops when that
// schedule is gone or moved: the stage is being destroyed, or is to live longer (0160).
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"shoplab/lab/sweep"
)

// stageVariable names the stage in the function's environment, which the platform sets.
const stageVariable = "SHOPLAB_STAGE"

// reserve is kept of an invocation's time for the receipt.
const reserve = 20 * time.Second

func main() { lambda.Start(handle) }

// event is what the schedule sends.
type event struct {
	Schedule string `json:"schedule"` // the schedule's ARN
}

// handle is one invocation. It returns the receipt, and an error if it could not even look; what it has not finished,
// the next invocation does.
func handle(ctx context.Context, e event) (sweep.Receipt, error) {
	stage := os.Getenv(stageVariable)
	if stage == "" {
		return sweep.Receipt{}, errors.New(stageVariable + " is not set")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return sweep.Receipt{}, fmt.Errorf("read AWS settings: %w", err)
	}
	asked, err := scheduled(cfg, e.Schedule)
	if err != nil {
		return sweep.Receipt{}, err
	}
	self, err := ownRole(ctx, cfg)
	if err != nil {
		return sweep.Receipt{}, err
	}
	work, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
	}
	defer cancel()
	var receipt sweep.Receipt
	if err = asked.due(work); err == nil {
		receipt, err = sweep.Remove(work, cfg, sweep.Removal{
			Filter: sweep.Filter{Stages: []string{stage}}, Last: []string{self}, Wanted: asked.due,
			Say: func(s string) { slog.Info(s) },
		})
	}
	switch {
	case errors.Is(err, errNotDue):
		slog.Info("stops", "stage", stage, "reason", err.Error())
		err = nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		err = nil // to be continued
	}
	slog.Info("receipt", "stage", stage, "deleted", len(receipt.Removed), "left", len(receipt.Found))
	for _, r := range receipt.Found {
		slog.Info("left: " + r.String())
	}
	return receipt, err
}

// ownRole is the ARN of the role that the function runs as.
func ownRole(ctx context.Context, cfg aws.Config) (string, error) {
	me, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask who this is: %w", err)
	}
	// arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION
	parts := strings.Split(aws.ToString(me.Arn), "/")
	if len(parts) != 3 || !strings.HasSuffix(parts[0], ":assumed-role") {
		return "", nil // a user's credentials: nothing of the stage's
	}
	out, err := iam.NewFromConfig(cfg).GetRole(ctx, &iam.GetRoleInput{RoleName: &parts[1]})
	if err != nil {
		return "", fmt.Errorf("find the function's role: %w", err)
	}
	return aws.ToString(out.Role.Arn), nil
}
