package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// errNotDue is wrapped when the stage is not to end now.
var errNotDue = errors.New("the stage is not to end now")

// schedule is what invoked the function. That it is there and its time has come is the order to end the stage: destroy
// deletes it, and up with a later time moves it, also while the function runs.
type schedule struct {
	client      *scheduler.Client
	group, name string
}

// scheduled is the schedule of an ARN: arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME.
func scheduled(cfg aws.Config, arn string) (schedule, error) {
	_, path, found := strings.Cut(arn, ":schedule/")
	group, name, named := strings.Cut(path, "/")
	if !found || !named {
		return schedule{}, fmt.Errorf(`the event names no schedule (%q): want {"schedule": ARN}, as the stage's own sends it`,
			arn)
	}
	return schedule{client: scheduler.NewFromConfig(cfg), group: group, name: name}, nil
}

// due is an error unless the stage is to end now.
func (s schedule) due(ctx context.Context) error {
	out, err := s.client.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &s.group, Name: &s.name})
	var gone *types.ResourceNotFoundException
	switch {
	case errors.As(err, &gone):
		return fmt.Errorf("%w: the schedule %s is gone", errNotDue, s.name)
	case err != nil:
		return fmt.Errorf("look for the schedule %s: %w", s.name, err)
	case out.State == types.ScheduleStateDisabled:
		return fmt.Errorf("%w: the schedule %s is disabled", errNotDue, s.name)
	case out.StartDate == nil || time.Now().Before(*out.StartDate):
		return fmt.Errorf("%w: the schedule %s begins later", errNotDue, s.name)
	}
	return nil
}
