package main

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"shoplab/platform/awstest"
)

func TestScheduled(t *testing.T) {
	s, err := scheduled(aws.Config{}, "arn:aws:scheduler:us-east-1:123456789012:schedule/shoplab-stage1-2f/expires-end-3c")
	if err != nil || s.group != "shoplab-stage1-2f" || s.name != "expires-end-3c" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, arn := range []string{
		"", "<aws.scheduler.schedule-arn>", "arn:aws:scheduler:us-east-1:123456789012:schedule-group/default",
	} {
		if s, err := scheduled(aws.Config{}, arn); err == nil {
			t.Errorf("%q: %+v", arn, s)
		}
	}
}

// TestDue: the stage ends while its schedule is there, is on, and has begun.
func TestDue(t *testing.T) {
	awstest.Emulate(t, "../..").Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	s := schedule{client: scheduler.NewFromConfig(cfg), group: "default", name: "end"}
	wants := func(when string, due bool) {
		t.Helper()
		if err := s.due(t.Context()); (err == nil) != due || err != nil && !errors.Is(err, errNotDue) {
			t.Errorf("%s: %v", when, err)
		}
	}
	wants("before it is made", false)
	in := scheduler.CreateScheduleInput{
		GroupName: &s.group, Name: &s.name, ScheduleExpression: aws.String("rate(20 minutes)"),
		StartDate:          aws.Time(time.Now().Add(time.Hour)),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{
			Arn:     aws.String("arn:aws:lambda:us-east-1:123456789012:function:f"),
			RoleArn: aws.String("arn:aws:iam::123456789012:role/r"),
		},
	}
	if _, err := s.client.CreateSchedule(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	wants("before its time", false)
	for state, due := range map[types.ScheduleState]bool{
		types.ScheduleStateEnabled: true, types.ScheduleStateDisabled: false,
	} {
		if _, err := s.client.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
			GroupName: in.GroupName, Name: in.Name, ScheduleExpression: in.ScheduleExpression,
			FlexibleTimeWindow: in.FlexibleTimeWindow,
			Target:             in.Target, StartDate: aws.Time(time.Now().Add(-time.Minute)), State: state,
		}); err != nil {
			t.Fatal(err)
		}
		wants("a minute after its time, "+string(state), due)
	}
	if _, err := s.client.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{
		GroupName: &s.group, Name: &s.name,
	}); err != nil {
		t.Fatal(err)
	}
	wants("when it is deleted", false)
}
