package stage

import (
	"fmt"
	"strings"
	"testing"

	"shoplab/lab/cost"
)

// What each stage loses with what, counted in the graphs that the platform's tests hold the program to.
func TestFailures(t *testing.T) {
	for name, want := range map[string]string{
		"stage1": "a process 1 down; a server 1 down until a person; a zone 1 down until a person",
		"stage2": "a process 2 goes on; a server 2 goes on; the database 1 down; the cache 1 goes on without it; a zone 2 " +
			"down until a person",
		"stage3": "a process 2 goes on; the database 1 down; the cache 1 goes on without it; a zone 2 down until a person",
		"stage4": "a process 2 goes on; a server 1 down until a person; the gateway 1 down; istiod 1 goes on without it; " +
			"the database 1 down; the cache 1 goes on without it; a zone 1 down until a person",
	} {
		g, err := Graph("../..", name)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(Failures(g)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func said(failures []Failure) string {
	var all []string
	for _, f := range failures {
		all = append(all, fmt.Sprintf("%s %d %s", f.What, f.Count, f.Loss))
	}
	return strings.Join(all, "; ")
}

func TestSinglePoints(t *testing.T) {
	for name, want := range map[string]int{"stage1": 2, "stage2": 1, "stage3": 1, "stage4": 3} {
		g, err := Graph("../..", name)
		if err != nil {
			t.Fatal(err)
		}
		if got := SinglePoints(g); len(got) != want {
			t.Errorf("%s has %d single points of failure, want %d: %s", name, len(got), want, said(got))
		}
	}
	if got := Failures(cost.Graph{}); got != nil {
		t.Errorf("an empty graph has failures: %v", got)
	}
}

// A second of something is counted, and makes the difference.
func TestWhatASecondOneChanges(t *testing.T) {
	two, err := Graph("../..", "stage2")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range two.Resources {
		switch r.Type {
		case "aws:rds/instance:Instance":
			r.Inputs["multiAz"] = true
		case "aws:elasticache/replicationGroup:ReplicationGroup":
			r.Inputs["numCacheClusters"] = 2.0
		}
	}
	want := "a process 2 goes on; a server 2 goes on; the database 2 goes on; the cache 2 goes on; a zone 2 goes on"
	if got := said(Failures(two)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, r := range two.Resources {
		if r.Type == "aws:autoscaling/group:Group" {
			r.Inputs["minSize"] = 1.0
		}
	}
	want = "a process 1 down; a server 1 down; the database 2 goes on; the cache 2 goes on; a zone 1 down until a person"
	if got := said(Failures(two)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
