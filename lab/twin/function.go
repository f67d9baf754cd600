package twin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"shoplab/contract"
	"shoplab/lab/lambda"
	"shoplab/lab/process"
)

const (
	// Placement is how long a cold start takes on AWS before the process starts: at least. Source: Brooker and others,
	// "On-demand Container Loading in AWS Lambda", 2023: start-up times "as low as 50ms".
	Placement = 50 * time.Millisecond
	// refusal is how long an HTTP API takes to refuse a request. Source: AWS Compute Blog, "Building faster, lower cost,
	// better APIs", 2020: "99% of all requests (p99) have less than 10 ms of additional latency from HTTP API".
	refusal = 10 * time.Millisecond
	// idle is how long AWS keeps an environment without requests, which it documents nowhere. Source: a measurement,
	// mikhail.io/2019/08/aws-lambda-cold-starts-after-10-minutes.
	idle = 10 * time.Minute
	// backgroundEvery is the platform's schedule.
	backgroundEvery = time.Minute
)

// startFunction starts the HTTP API before a function that has no environment yet, has it do a round of background
// work as a new version does on AWS, which is the first cold start, and goes on with one a minute.
func (r *run) startFunction(ctx context.Context, databaseURL string) (err error) {
	r.databaseURL = databaseURL
	if r.key, err = sessionKey(r.opts.Data); err != nil {
		return err
	}
	log, err := r.log.file("shop")
	if err != nil {
		return fmt.Errorf("open the log of the function: %w", err)
	}
	file, isFile := log.(*os.File)
	if isFile {
		r.onStop(func(context.Context) error { return file.Close() })
	}
	s := r.twin.Stage
	r.twin.Function = lambda.New(lambda.Options{
		Name: "shop", Path: r.binary, Env: append(append(r.env(), contract.EnvAdminAddr+"=127.0.0.1:0"), s.Env...),
		Concurrency: s.MaxInstances, Placement: Placement, Refusal: refusal, Idle: idle, Timeout: r.opts.Timeout,
		Log: func(int) io.Writer {
			if isFile { // all environments write to it, as a function's log group holds what all of them do
				return file
			}
			return r.log.named("shop")
		},
		Enter: r.enterEnvironment,
	})
	r.onStop(r.twin.Function.Stop)
	for i := range s.MaxInstances {
		r.twin.Instances = append(r.twin.Instances, &Instance{
			Part: Part{Name: fmt.Sprintf("shop-%d", i+1), Kind: "shop", Group: r.groups.shop[i]},
		})
	}
	if _, err := r.twin.Function.Invoke(ctx, []byte(contract.BackgroundEvent)); err != nil {
		return fmt.Errorf("start the function: %w", err)
	}
	if err := r.serveFunction(); err != nil {
		return err
	}
	r.scheduleBackground()
	return nil
}

// enterEnvironment puts an environment's process where its limits are.
func (r *run) enterEnvironment(n, pid int) error {
	if enter := r.groups.shop[n].enter(); enter != nil {
		return enter(pid)
	}
	return nil
}

// serveFunction serves the HTTP API on the twin's port.
func (r *run) serveFunction() error {
	port := r.opts.Port
	if port == 0 {
		var err error
		if port, err = process.FreePort(); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("listen as HTTP API: %w", err)
	}
	server := &http.Server{Handler: r.twin.Function, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends with the twin
	r.onStop(func(context.Context) error { return server.Close() })
	r.twin.URL = "http://" + listener.Addr().String()
	return nil
}

// scheduleBackground sends what EventBridge Scheduler sends.
func (r *run) scheduleBackground() {
	ctx, cancel := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	log := r.log.named("schedule")
	sending.Go(func() {
		tick := time.NewTicker(backgroundEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if _, err := r.twin.Function.Invoke(ctx, []byte(contract.BackgroundEvent)); err != nil && ctx.Err() == nil {
				_, _ = fmt.Fprintf(log, "background work: %v\n", err) // the next minute's does it
			}
		}
	})
	r.onStop(func(context.Context) error {
		cancel()
		sending.Wait()
		return nil
	})
}
