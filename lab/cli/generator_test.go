package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"shoplab/exectest"
	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
	"shoplab/platform/awstest"
)

// TestLoadFromAWS types what a user types, against an emulated account: the stack of the load generator, its bucket,
// its roles and its teardown are real, and no task runs in it. So the test runs the program of each task that ECS
// lists, with the environment of the task's definition, as Fargate would.
func TestLoadFromAWS(t *testing.T) {
	awstest.TakesMinutes(t)
	account := awstest.Emulate(t, "../..")
	account.Setenv(t)
	// The shop is a local one, and its address leads to it through an HTTP proxy, which here is the shop itself.
	t.Setenv("HTTP_PROXY", loadtest.Serve(t, 0, 5*time.Millisecond))
	t.Setenv("NO_PROXY", "127.0.0.1")
	t.Chdir(copyOfRepository(t))
	start := func(t *testing.T, more ...string) *lab {
		t.Helper()
		l := startLab(t, append([]string{
			"load", "--url", "http://shop.example", "--target", "aws", "--region", "us-east-1", "--shards", "2",
			"--config", "aws:maxRetries=3", "--config", "shoplab-generator:image=registry.example/lab@sha256:" +
				strings.Repeat("a", 64),
		}, more...)...)
		l.said("waiting for the load generators")
		return l
	}

	t.Run("measured", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "load.json")
		lab := start(t, "--rate", "60", "--duration", "3s", "--out", out)
		runTasks(t)
		if err := lab.wait(); err != nil {
			t.Fatalf("%v\n%s", err, lab.stderr.String())
		}
		res, err := result.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		st := res.Stages[0]
		step := st.Steps[0]
		if len(step.Shards) != 2 || step.Requests != 180 || step.Failed > 0 || step.Latency.Histogram.Count() != 180 {
			t.Errorf("%+v", step)
		}
		if len(st.Labels) != 1 || !strings.Contains(st.Labels[0], "emulated account") {
			t.Errorf("labels %q", st.Labels)
		}
		account.Leftovers(t)
		account.Reset(t) // what was deleted is listed for a while
	})
	t.Run("interrupted", func(t *testing.T) {
		lab := start(t, "--users", "4", "--duration", "1h")
		runTasks(t)
		lab.said("load: 4 users")
		orphanedAddress(t, "generator") // which has to go too
		lab.signal(os.Interrupt)
		if err := lab.wait(); err == nil || lab.cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("ended with %v, want exit status 130\n%s", err, lab.stderr.String())
		}
		account.Leftovers(t)
		account.Reset(t) // what was deleted is listed for a while
	})
	t.Run("a task stops", func(t *testing.T) {
		lab := start(t, "--users", "4", "--duration", "1h")
		tasks := runTasks(t)
		lab.said("load: 4 users")
		tasks[0].stop()
		err := lab.wait()
		if err == nil || lab.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(lab.stderr.String(), "task has stopped") {
			t.Errorf("ended with %v, want exit status 1\n%s", err, lab.stderr.String())
		}
		account.Leftovers(t)
		account.Reset(t) // what was deleted is listed for a while
	})
}

// task is a program that runs as ECS's task.
type task struct {
	stop func() // as ECS's StopTask, with the program
}

// runTasks runs the program of every task of the account's one service.
func runTasks(t *testing.T) (tasks []task) {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	client := ecs.NewFromConfig(cfg)
	clusters, err := client.ListClusters(t.Context(), &ecs.ListClustersInput{})
	if err != nil || len(clusters.ClusterArns) != 1 {
		t.Fatalf("%v, clusters %+v", err, clusters)
	}
	cluster := clusters.ClusterArns[0]
	listed, err := client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: &cluster})
	if err != nil || len(listed.TaskArns) != 2 {
		t.Fatalf("%v, tasks %+v: want two", err, listed)
	}
	defined, err := client.ListTaskDefinitions(t.Context(), &ecs.ListTaskDefinitionsInput{})
	if err != nil || len(defined.TaskDefinitionArns) != 1 {
		t.Fatalf("%v, task definitions %+v", err, defined)
	}
	definition, err := client.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &defined.TaskDefinitionArns[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, arn := range listed.TaskArns {
		metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"TaskARN": arn})
		}))
		t.Cleanup(metadata.Close)
		container := definition.TaskDefinition.ContainerDefinitions[0]
		cmd := exec.CommandContext(t.Context(), "bin/generator", container.Command...)
		cmd.Env = append(os.Environ(), "ECS_CONTAINER_METADATA_URI_V4="+metadata.URL)
		for _, v := range container.Environment {
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s", aws.ToString(v.Name), aws.ToString(v.Value)))
		}
		said := &exectest.Output{}
		cmd.Stderr = said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := func() {
			_ = cmd.Process.Kill() // it may have ended with its bucket
			_ = cmd.Wait()
		}
		t.Cleanup(func() {
			end()
			if t.Failed() {
				t.Logf("a task said: %s", said.String())
			}
		})
		tasks = append(tasks, task{stop: func() {
			end()
			// The answer to this call in the emulated account is one that the client cannot read.
			_, stopped := client.StopTask(t.Context(), &ecs.StopTaskInput{
				Cluster: &cluster, Task: &arn, Reason: aws.String("the test stops it"),
			})
			listed, err := client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: &cluster})
			if err != nil || slices.Contains(listed.TaskArns, arn) {
				t.Errorf("stop the task: %v; %v, still runs", stopped, err)
			}
		}})
	}
	return tasks
}
