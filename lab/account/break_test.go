package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"shoplab/lab/stage"
	"shoplab/lab/target/aws"
)

// script answers as AWS's API documents it: each action has its answers, one after the other, of which the last one
// stays.
type script map[string][]string

// scripted is an account that answers by a script and notes what it is asked.
type scripted struct {
	t       *testing.T
	answers script

	mu    sync.Mutex
	asked []string // "StopTask task-1"
}

// play breaks a stage in an account that answers by a script.
func play(t *testing.T, topology stage.Topology, act aws.Act, answers script) (done string, asked []string, err error) {
	t.Helper()
	s := &scripted{t: t, answers: answers}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	b := breaker{
		cfg: awssdk.Config{
			Region: "us-east-1", BaseEndpoint: &srv.URL,
			Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		},
		stage: stage.Stage{Name: "stageX", Topology: topology, Instances: 2}, every: time.Millisecond, notice: time.Hour,
	}
	done, err = b.do(t.Context(), act)
	return done, s.asked, err
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, action, _ := strings.Cut(target, ".")
		var in struct {
			Task, InstanceId    string
			InstanceIds         []string
			Parameters          map[string][]string
			ResourceTypeFilters []string
		}
		if err := json.Unmarshal(body, &in); err != nil {
			s.t.Errorf("%s: %v", action, err)
		}
		key := action
		if len(in.ResourceTypeFilters) > 0 {
			key = in.ResourceTypeFilters[0]
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, s.answer(key, action, in.Task, strings.Join(in.InstanceIds, " "),
			strings.Join(in.Parameters["commands"], "\n")))
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	action := r.FormValue("Action")
	text := s.answer(action, action, r.FormValue("InstanceId.1"), r.FormValue("DBInstanceIdentifier"),
		r.FormValue("CacheClusterId"))
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult>%[2]s</%[1]sResponse>", action,
		text) // EC2 has no result
}

// answer is the next one of a key, and notes what was asked.
func (s *scripted) answer(key, action string, about ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, strings.TrimSpace(action+" "+strings.TrimSpace(strings.Join(about, " "))))
	list, known := s.answers[key]
	if !known {
		s.t.Errorf("nobody was to ask for %s", key)
		return "{}"
	}
	if len(list) > 1 {
		s.answers[key] = list[1:]
	}
	return list[0]
}

// changes are the calls that change something.
func changes(asked []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(call string) bool {
		return strings.HasPrefix(call, "Describe") || strings.HasPrefix(call, "Get") || strings.HasPrefix(call, "List")
	})
}

func count(asked []string, action string) (n int) {
	for _, call := range asked {
		if call == action || strings.HasPrefix(call, action+" ") {
			n++
		}
	}
	return n
}

func tagged(arn string) []string {
	return []string{`{"ResourceTagMappingList":[{"ResourceARN":"` + arn + `"}]}`}
}

func servers(state string, ids ...string) string {
	items := ""
	for _, id := range ids {
		items += "<item><instanceId>" + id + "</instanceId><instanceState><name>" + state +
			"</name></instanceState><placement><availabilityZone>us-east-1a</availabilityZone></placement></item>"
	}
	return "<reservationSet><item><instancesSet>" + items + "</instancesSet></item></reservationSet>"
}

// health are targets with their states: "i-1 healthy".
func health(targets ...string) string {
	members := ""
	for _, target := range targets {
		id, state, _ := strings.Cut(target, " ")
		members += "<member><Target><Id>" + id + "</Id></Target><TargetHealth><State>" + state +
			"</State></TargetHealth></member>"
	}
	return "<TargetHealthDescriptions>" + members + "</TargetHealthDescriptions>"
}

func database(status string) string {
	return "<DBInstances><DBInstance><DBInstanceIdentifier>db</DBInstanceIdentifier><DBInstanceStatus>" + status +
		"</DBInstanceStatus><AvailabilityZone>us-east-1a</AvailabilityZone></DBInstance></DBInstances>"
}

func node(status string) string {
	return "<CacheClusters><CacheCluster><CacheClusterStatus>" + status +
		"</CacheClusterStatus></CacheCluster></CacheClusters>"
}

var (
	targetGroup = tagged("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/shop/1")
	service     = tagged("arn:aws:ecs:us-east-1:1:service/cluster/shop")
	db          = tagged("arn:aws:rds:us-east-1:1:db:db")
	cache       = tagged("arn:aws:elasticache:us-east-1:1:replicationgroup:cache")
)

// tasks are running tasks with addresses 10.0.0.N in a zone: "1a" is task 1 in us-east-1a.
func tasks(names ...string) (listed, described string) {
	var arns, all []string
	for _, name := range names {
		arns = append(arns, `"task-`+name[:1]+`"`)
		all = append(all, `{"taskArn":"task-`+name[:1]+`","lastStatus":"RUNNING","availabilityZone":"us-east-1`+name[1:]+
			`","attachments":[{"details":[{"name":"privateIPv4Address","value":"10.0.0.`+name[:1]+`"}]}]}`)
	}
	return `{"taskArns":[` + strings.Join(arns, ",") + `]}`, `{"tasks":[` + strings.Join(all, ",") + `]}`
}

// want checks that exactly these calls changed something, and how often AWS was looked at until it was over.
func want(t *testing.T, asked []string, err error, changed []string, look string, looks int) {
	t.Helper()
	if err != nil || !slices.Equal(changes(asked), changed) || count(asked, look) != looks {
		t.Errorf("changed %q, want %q; asked %d times for %s, want %d: %v",
			changes(asked), changed, count(asked, look), look, looks, err)
	}
}

// A server that is killed is terminated, and the act is over once as many others are healthy.
func TestServerKilled(t *testing.T) {
	_, asked, err := play(t, stage.Balanced, aws.ActKill, script{
		"DescribeInstances": {servers("running", "i-2", "i-1")}, "TerminateInstances": {""},
		"elasticloadbalancing:targetgroup": targetGroup,
		"DescribeTargetHealth": {
			health("i-1 healthy", "i-2 healthy"), health("i-2 healthy"), health("i-2 healthy", "i-3 initial"),
			health("i-2 healthy", "i-3 healthy"),
		},
	})
	want(t, asked, err, []string{"TerminateInstances i-1"}, "DescribeTargetHealth", 4)
}

// A server hangs by a command, and is replaced.
func TestServerHangs(t *testing.T) {
	_, asked, err := play(t, stage.Balanced, aws.ActHang, script{
		"DescribeInstances": {servers("running", "i-1", "i-2")}, "SendCommand": {`{"Command":{"CommandId":"c"}}`},
		"GetCommandInvocation":             {`{"Status":"Pending"}`, `{"Status":"InProgress"}`, `{"Status":"Success"}`},
		"elasticloadbalancing:targetgroup": targetGroup,
		"DescribeTargetHealth": {
			health("i-1 unhealthy", "i-2 healthy"), health("i-1 draining", "i-2 healthy", "i-3 healthy"),
		},
	})
	command := "SendCommand i-1 set -eu\n" + strings.TrimSpace(stopProcess)
	want(t, asked, err, []string{command}, "GetCommandInvocation", 3)
	want(t, asked, err, []string{command}, "DescribeTargetHealth", 2)
}

// A command that fails says why.
func TestCommandFails(t *testing.T) {
	_, _, err := play(t, stage.Single, aws.ActRestartProxy, script{
		"DescribeInstances": {servers("running", "i-1")}, "SendCommand": {`{"Command":{"CommandId":"c"}}`},
		"GetCommandInvocation": {`{"Status":"Failed","StandardErrorContent":"no nginx here\n"}`},
	})
	const why = "restart the proxy: wait for the command on i-1: it ended as Failed: no nginx here"
	if err == nil || err.Error() != why {
		t.Errorf("got %v, want %s", err, why)
	}
}

// A task is stopped, and the act is over once another runs and is healthy.
func TestTaskKilled(t *testing.T) {
	list1, describe1 := tasks("1a", "2b")
	list2, describe2 := tasks("2b")
	list3, describe3 := tasks("2b", "3a")
	_, asked, err := play(t, stage.Fargate, aws.ActKill, script{
		"ecs:service": service, "ListTasks": {list1, list2, list3}, "StopTask": {"{}"},
		"DescribeTasks":                    {describe1, describe2, describe3},
		"elasticloadbalancing:targetgroup": targetGroup,
		"DescribeTargetHealth": {
			health("10.0.0.1 healthy", "10.0.0.2 healthy"), health("10.0.0.2 healthy", "10.0.0.3 healthy"),
		},
	})
	want(t, asked, err, []string{"StopTask task-1"}, "ListTasks", 3)
	want(t, asked, err, []string{"StopTask task-1"}, "DescribeTargetHealth", 2)
}

// The database is available again only after it has shown that it reboots; so is the cache's node.
func TestRebooted(t *testing.T) {
	_, asked, err := play(t, stage.Fargate, aws.ActRestartDatabase, script{
		"rds:db": db, "RebootDBInstance": {""},
		"DescribeDBInstances": {
			database("available"), database("available"), database("rebooting"), database("available"),
		},
	})
	want(t, asked, err, []string{"RebootDBInstance db"}, "DescribeDBInstances", 4)
	_, asked, err = play(t, stage.Lambda, aws.ActEmptyCache, script{
		"elasticache:replicationgroup": cache, "RebootCacheCluster": {""},
		"DescribeCacheClusters": {node("available"), node("rebooting cluster nodes"), node("available")},
	})
	want(t, asked, err, []string{"RebootCacheCluster cache-001"}, "DescribeCacheClusters", 3)
}

// A zone takes what is in it, and the database; it is back when that is, and all instances serve.
func TestZone(t *testing.T) {
	list, describe := tasks("1a", "2b")
	_, asked, err := play(t, stage.Fargate, aws.ActStopZone, script{
		"ecs:service": service, "ListTasks": {list}, "DescribeTasks": {describe}, "StopTask": {"{}"},
		"rds:db": db, "StopDBInstance": {""}, "elasticache:replicationgroup": cache, "RebootCacheCluster": {""},
		"DescribeDBInstances": {
			database("available"), database("available"), database("stopping"), database("stopped"),
		},
		"DescribeCacheClusters": {node("rebooting"), node("available")},
	})
	want(t, asked, err, []string{"StopTask task-1", "StopDBInstance db", "RebootCacheCluster cache-001"},
		"DescribeDBInstances", 4)
	_, asked, err = play(t, stage.Fargate, aws.ActStartZone, script{
		"rds:db": db, "StartDBInstance": {""},
		"DescribeDBInstances":              {database("stopped"), database("starting"), database("available")},
		"elasticloadbalancing:targetgroup": targetGroup,
		"DescribeTargetHealth": {
			health("10.0.0.2 healthy"), health("10.0.0.2 healthy", "10.0.0.3 healthy"),
		},
	})
	want(t, asked, err, []string{"StartDBInstance db"}, "DescribeTargetHealth", 2)
	_, asked, err = play(t, stage.Mesh, aws.ActStopZone, script{
		"DescribeInstances": {servers("running", "i-1"), servers("stopped"), servers("stopped", "i-1")},
		"StopInstances":     {""}, "rds:db": db, "DescribeDBInstances": {database("stopped")}, "StopDBInstance": {""},
		"elasticache:replicationgroup": cache, "RebootCacheCluster": {""},
		"DescribeCacheClusters": {node("rebooting"), node("available")},
	})
	want(t, asked, err, []string{"StopInstances i-1", "StopDBInstance db", "RebootCacheCluster cache-001"},
		"DescribeInstances", 3)
}

// Of the servers of a group those in the database's zone are terminated.
func TestZoneOfAGroup(t *testing.T) {
	_, asked, err := play(t, stage.Balanced, aws.ActStopZone, script{
		"DescribeInstances": {servers("running", "i-1")}, "TerminateInstances": {""},
		"rds:db": db, "DescribeDBInstances": {database("stopped")}, "StopDBInstance": {""},
		"elasticache:replicationgroup": cache, "RebootCacheCluster": {""},
		"DescribeCacheClusters": {node("rebooting"), node("available")},
	})
	want(t, asked, err, []string{"TerminateInstances i-1", "StopDBInstance db", "RebootCacheCluster cache-001"},
		"DescribeCacheClusters", 2)
}

// What cannot be done is refused, in words.
func TestActsThatCannotBeDone(t *testing.T) {
	nobody := []string{`{"ResourceTagMappingList":[]}`}
	for problem, one := range map[string]struct {
		topology stage.Topology
		act      aws.Act
	}{
		"nothing that can be done":         {stage.Single, "sing"},
		"kill an instance: unsupported":    {stage.Lambda, aws.ActKill},
		"have an instance hang":            {stage.Fargate, aws.ActHang},
		"crash the database: unsupported":  {stage.Mesh, aws.ActCrashDatabase},
		"restart the proxy: unsupported":   {stage.Balanced, aws.ActRestartProxy},
		"no server of stageX runs":         {stage.Single, aws.ActKill},
		"stageX has 0 databases: want one": {stage.Fargate, aws.ActRestartDatabase},
		"stageX has 0 caches: want one":    {stage.Fargate, aws.ActEmptyCache},
	} {
		_, asked, err := play(t, one.topology, one.act, script{
			"DescribeInstances": {servers("running")}, "rds:db": nobody, "elasticache:replicationgroup": nobody,
			"ecs:service": nobody,
		})
		if err == nil || !strings.Contains(err.Error(), problem) || len(changes(asked)) > 0 {
			t.Errorf("%s on %s: %v, asked %v", one.act, one.topology, err, asked)
		}
	}
}
