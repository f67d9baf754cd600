// Command generator has both ends of the way between the laboratory and load generators on AWS. A generator cannot
// be reached from outside: what it is to do, and what it counted, are objects in a bucket of S3.
//
//	generator serve                                    what a task runs: a shard that waits for orders
//	generator await REGION BUCKET N                    prints the shards, once there are N of them, as Shards
//	generator relay REGION BUCKET CLUSTER SHARD TASK   passes orders and answers on between standard input, standard
//	                                                   output and a shard, until one of them is gone
//
// lab starts the last two. It is a program of its own because the clients of AWS take long to compile.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"shoplab/contract"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	signal.Ignore(os.Interrupt, syscall.SIGHUP) // Ctrl-C is for lab, which ends this program
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	ended := ctx.Err() != nil // by SIGTERM, which is how ECS ends a task
	stop()
	if err != nil && !ended {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	words := map[string]int{"serve": 1, "await": 4, "relay": 6}
	if len(args) == 0 || words[args[0]] != len(args) {
		return errors.New("usage: generator serve | await REGION BUCKET N | relay REGION BUCKET CLUSTER SHARD TASK; lab " +
			"starts this program")
	}
	region, bucket := "", os.Getenv(contract.EnvGeneratorBucket)
	if args[0] != "serve" {
		region, bucket = args[1], args[2]
	}
	if bucket == "" {
		return fmt.Errorf("%s is empty", contract.EnvGeneratorBucket)
	}
	var options []func(*config.LoadOptions) error
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return fmt.Errorf("read AWS settings: %w", err)
	}
	box := newBox(cfg, bucket)
	switch args[0] {
	case "serve":
		return serve(ctx, box)
	case "await":
		n, err := strconv.Atoi(args[3])
		if err != nil {
			return fmt.Errorf("%q: want how many shards", args[3])
		}
		found, err := box.await(ctx, n)
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(found)
	default:
		r := relay{box: box, shard: args[4], task: args[5], cluster: args[3], tasks: tasksOf(cfg)}
		return r.run(ctx, stdin, stdout)
	}
}

func tasksOf(cfg aws.Config) *ecs.Client { return ecs.NewFromConfig(cfg) }
