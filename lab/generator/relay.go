package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"shoplab/lab/load/shard"
	"shoplab/lab/paging"
)

// relay passes on what is said between lab and one shard.
type relay struct {
	box         box
	shard       string
	task        string // its ARN; "" where it runs in none
	cluster     string
	tasks       *ecs.Client
	out         *json.Encoder
	sent        int         // letters
	ids         map[int]int // of orders that are not answered, by the number of their letter
	taskAskedAt time.Time
}

// taskEvery is how often ECS is asked whether the shard's task is there.
const taskEvery = 15 * time.Second

func (r *relay) run(ctx context.Context, in io.Reader, out io.Writer) error {
	letters, _, err := r.box.names(ctx, "orders/"+r.shard+"/") // of a run before
	if err != nil {
		return err
	}
	r.sent, r.out, r.ids, r.taskAskedAt = len(letters), json.NewEncoder(out), map[int]int{}, time.Now()
	orders, broken := read(in)
	tick := time.NewTicker(r.box.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o, more := <-orders:
			if !more {
				return <-broken
			}
			r.sent++
			if o.ID != 0 {
				r.ids[r.sent] = o.ID
			}
			if err := r.box.put(ctx, key("orders", r.shard, r.sent), o); err != nil {
				return err
			}
		case <-tick.C:
			if err := r.look(ctx); err != nil {
				return err
			}
		}
	}
}

// read is what comes as lines of JSON, and then why no more comes.
func read(in io.Reader) (<-chan shard.Order, <-chan error) {
	orders, broken := make(chan shard.Order), make(chan error, 1)
	go func() {
		defer close(orders)
		for lines := json.NewDecoder(in); ; {
			var o shard.Order
			if err := lines.Decode(&o); err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				broken <- err
				return
			}
			orders <- o
		}
	}()
	return orders, broken
}

// look passes the answers on that are there, and looks after the shard while there is none.
func (r *relay) look(ctx context.Context) error {
	for n, id := range r.ids {
		var a shard.Answer
		found, err := r.box.get(ctx, key("answers", r.shard, n), &a)
		if err != nil {
			return err
		}
		if found {
			delete(r.ids, n)
			a.ID = id
			if err := r.out.Encode(a); err != nil {
				return fmt.Errorf("pass an answer on: %w", err)
			}
		}
	}
	if len(r.ids) == 0 || r.task == "" || time.Since(r.taskAskedAt) < taskEvery {
		return nil
	}
	r.taskAskedAt = time.Now()
	return r.alive(ctx)
}

// alive is an error when ECS no longer runs the shard's task. That ECS does not answer says nothing of the task.
func (r *relay) alive(ctx context.Context) error {
	pages := ecs.NewListTasksPaginator(r.tasks, &ecs.ListTasksInput{
		Cluster: &r.cluster, DesiredStatus: types.DesiredStatusRunning,
	})
	for page, err := range paging.Pages(ctx, pages) {
		if err != nil || slices.Contains(page.TaskArns, r.task) {
			return nil //nolint:nilerr // said above
		}
	}
	why := ""
	if out, err := r.tasks.DescribeTasks(ctx, &ecs.DescribeTasksInput{
		Cluster: &r.cluster, Tasks: []string{r.task},
	}); err == nil && len(out.Tasks) > 0 {
		why = ": " + aws.ToString(out.Tasks[0].StoppedReason)
	}
	return fmt.Errorf("the load generator's task has stopped%s", why)
}
