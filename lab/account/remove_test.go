package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"shoplab/platform/awstest"
)

// TestRemove types a stage's name wrongly, then rightly; before that Pulumi's state has to allow it.
func TestRemove(t *testing.T) {
	awstest.Emulate(t, "../..").Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	tag := func(key, value string) types.Tag { return types.Tag{Key: aws.String(key), Value: aws.String(value)} }
	if _, err := ec2.NewFromConfig(cfg).AllocateAddress(t.Context(),
		&ec2.AllocateAddressInput{TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeElasticIp, Tags: []types.Tag{tag("project", "shoplab"), tag("stage", "stage1")},
		}}}); err != nil {
		t.Fatal(err)
	}
	state := func(text string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":/usr/bin:/bin")
	}
	type outcome struct{ out, said, err string }
	remove := func(typed, more string) (o outcome) {
		var out, said bytes.Buffer
		request := `{"Region":"us-east-1","Stages":["stage1"],"Remove":true` + more + `}`
		if err := run(t.Context(), []string{"sweep", request}, strings.NewReader(typed), &out, &said); err != nil {
			o.err = err.Error()
		}
		o.out, o.said = out.String(), said.String()
		return o
	}
	state(`echo 'error: no Pulumi.yaml project file found' >&2; exit 1`)
	if o := remove("stage1\n", ""); !strings.Contains(o.err, "is not known") ||
		!strings.Contains(o.err, "--ignore-state") {
		t.Errorf("without a state: %+v", o)
	}
	state(`echo 'error: failed to load checkpoint: EOF' >&2; exit 255`)
	if o := remove("stage1\n", ""); !strings.Contains(o.err, "find .pulumi -name '*.attrs' -empty -delete") {
		t.Errorf("with a state that Pulumi was killed over: %+v", o)
	}
	state(`echo '{"deployment":{"resources":[` +
		`{"custom":true,"type":"aws:ec2/eip:Eip"},
		{"type":"shoplab:platform:Network"}]}}'`)
	if o := remove("stage1\n", ""); !strings.Contains(o.err, "pulumi destroy -s stage1") {
		t.Errorf("with a state that lists something: %+v", o)
	}
	state(`echo "error: no stack named 'stage1' found" >&2; exit 255`)
	if o := remove("stage2\n", ""); !strings.Contains(o.err, "nothing was deleted") ||
		!strings.Contains(o.said, "0.12 USD a day") {
		t.Errorf("with another name: %+v", o)
	}
	if o := remove("", ""); !strings.Contains(o.err, "nothing was deleted") {
		t.Errorf("without an answer: %+v", o)
	}
	state(`echo '{"deployment":{"resources":[],"pending_operations":[{"type":"creating"}]}}'`)
	o := remove("stage1\n", "")
	if o.err != "" || !strings.Contains(o.out, "elastic-ip/") || !strings.Contains(o.out, "found: nothing") ||
		!strings.Contains(o.said, "pulumi stack rm -s stage1 --force") {
		t.Errorf("with its name: %+v", o)
	}
	if o := remove("", `,"Yes":true`); o.err != "" || !strings.Contains(o.out, "found: nothing") {
		t.Errorf("once more: %+v", o)
	}
	var answer bytes.Buffer
	if err := run(t.Context(), []string{"remove", `{"Region":"us-east-1","Stages":["stage1","stage2"]}`}, nil, &answer,
		io.Discard); err != nil || !strings.Contains(answer.String(), `"clean":true`) {
		t.Errorf("what a run left: %s, %v", answer.String(), err)
	}
	if err := run(t.Context(), []string{"sweep", `{"Remove":true}`}, nil, io.Discard, io.Discard); err == nil ||
		errors.Is(err, io.EOF) {
		t.Errorf("without a stage: %v", err)
	}
}
