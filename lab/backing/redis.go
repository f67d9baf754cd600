package backing

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"

	"shoplab/lab/process"
)

// RedisOptions say how to start Redis.
type RedisOptions struct {
	// Builtin takes the stand-in inside the lab's own process even where redis-server is installed.
	Builtin bool
	// Settings go to redis-server by name, such as "maxmemory": "384mb".
	Settings map[string]string
	Log      io.Writer
	// Enter is called with the server's process id as soon as it exists.
	Enter func(pid int) error
}

// Redis is a running Redis without persistence: the shop keeps nothing in it that it cannot lose.
type Redis struct {
	opts RedisOptions
	path string // of redis-server; "" for the built-in one
	port int
	tmp  *process.TempDir
	proc *process.Process
	mini *miniredis.Miniredis
}

// StartRedis starts redis-server from PATH, or miniredis inside the lab's own process where
// redis-server is not installed; Kind says which. It waits until the server answers.
func StartRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	r := &Redis{opts: o, port: port}
	if path, err := process.LookPath("redis-server"); err == nil && !o.Builtin {
		r.path = path
		if r.tmp, err = process.NewTempDir("redis"); err != nil {
			return nil, err
		}
	} else {
		r.mini = miniredis.NewMiniRedis()
	}
	if err := r.Start(ctx); err != nil {
		return nil, errors.Join(err, r.Shutdown(context.WithoutCancel(ctx)))
	}
	return r, nil
}

// Start starts a server that Halt ended again, on the same port.
func (r *Redis) Start(ctx context.Context) (err error) {
	if r.mini != nil {
		if err := r.mini.StartAddr(r.addr()); err != nil {
			return fmt.Errorf("start miniredis: %w", err)
		}
		return nil
	}
	args := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--save", "", "--appendonly", "no", "--dir", r.tmp.Path,
	}
	for k, v := range r.opts.Settings {
		args = append(args, "--"+k, v)
	}
	r.proc, err = process.Start(process.Spec{
		Name: "redis-server", Path: r.path, Args: args, Log: r.opts.Log, Enter: r.opts.Enter,
	})
	if err != nil {
		return err
	}
	return await(ctx, r.proc, func(ctx context.Context) error { return ping(ctx, r.addr()) })
}

func ping(ctx context.Context, addr string) (err error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+PONG") {
		err = fmt.Errorf("answer to PING: %q", answer)
	}
	return err
}

func (r *Redis) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// URL is the connection string.
func (r *Redis) URL() string { return "redis://" + r.addr() + "/0" }

// Kind is "redis-server", or "miniredis" for the stand-in inside the lab's own process.
func (r *Redis) Kind() string {
	if r.mini != nil {
		return "miniredis"
	}
	return "redis-server"
}

// Process is the server's process, nil for miniredis.
func (r *Redis) Process() *process.Process { return r.proc }

// Halt ends the server so that Start can bring it back: for tests of an outage.
func (r *Redis) Halt(ctx context.Context) error {
	if r.mini != nil {
		r.mini.Close()
		return nil
	}
	if r.proc == nil {
		return nil
	}
	return r.proc.Stop(ctx)
}

// Stop ends the server and removes its folder.
func (r *Redis) Stop() error { return r.Shutdown(context.Background()) }

// Shutdown is Stop that kills the server when ctx ends.
func (r *Redis) Shutdown(ctx context.Context) error {
	err := r.Halt(ctx)
	if r.tmp != nil {
		err = errors.Join(err, r.tmp.Remove())
	}
	return err
}
