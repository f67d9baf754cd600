package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"shoplab/lab/load/shard"
)

// serve is a shard: it leaves its name and does what its orders say until ctx ends.
func serve(ctx context.Context, b box) error {
	name := rand.Text()[:12]
	task, err := ownTask(ctx)
	if err != nil {
		return err
	}
	if err := b.put(ctx, "hello/"+name, hello{Task: task}); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "waiting for orders as", name)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	orders := make(chan shard.Order)
	go func() {
		defer close(orders)
		for n := 1; ; n++ {
			var o shard.Order
			if err := b.wait(ctx, key("orders", name, n), &o); err != nil {
				stop(err)
				return
			}
			o.ID = n // its answer has the number of the order's letter
			select {
			case orders <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	err = shard.Serve(ctx, orders, func(a shard.Answer) error {
		if a.Error != "" {
			fmt.Fprintln(os.Stderr, a.Error)
		}
		return b.put(ctx, key("answers", name, a.ID), a)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// key names a letter.
func key(folder, shard string, n int) string { return fmt.Sprintf("%s/%s/%08d", folder, shard, n) }

// ownTask is the ARN of the task that this program runs in; "" elsewhere.
// Source: Amazon ECS Developer Guide, "Task metadata available for Amazon ECS tasks on Fargate".
func ownTask(ctx context.Context) (string, error) {
	address := os.Getenv("ECS_CONTAINER_METADATA_URI_V4")
	if address == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	//nolint:gosec // the address is the one that ECS gives
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/task", nil)
	if err != nil {
		return "", fmt.Errorf("ask for the task's name: %w", err)
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // as above
	if err != nil {
		return "", fmt.Errorf("ask for the task's name: %w", err)
	}
	defer resp.Body.Close()
	var t struct{ TaskARN string }
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return "", fmt.Errorf("read the task's name: %w", err)
	}
	return t.TaskARN, nil
}
