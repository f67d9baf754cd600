package shard

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"shoplab/lab/load"
)

// ServePipe is a shard whose orders come as lines of JSON, and whose answers go as such.
func ServePipe(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := make(chan Order)
	var broken error
	go func() {
		defer close(orders)
		for lines := json.NewDecoder(in); ; {
			var o Order
			if err := lines.Decode(&o); err != nil {
				if !errors.Is(err, io.EOF) {
					broken = fmt.Errorf("read orders: %w", err)
				}
				return
			}
			orders <- o
		}
	}()
	to := json.NewEncoder(out)
	err := Serve(ctx, orders, func(a Answer) error { return to.Encode(a) })
	if err != nil {
		return err // the reader may still wait for a line
	}
	return broken
}

// pipe is a shard as a process of this machine. It ends when its orders do, so that none outlives the laboratory.
type pipe struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan Answer
	said    bytes.Buffer // on standard error; read once done is closed
	done    chan struct{}
	err     error // set before done is closed

	once sync.Once
}

// Start starts a program that serves a pipe, or passes one on, with more environment.
func Start(path string, args, env []string) (Conn, error) {
	p, err := startPipe(path, args, env)
	if err != nil {
		return nil, err // and no Conn that is none
	}
	return p, nil
}

func startPipe(path string, args, env []string) (*pipe, error) {
	cmd := exec.Command(path, args...) //nolint:gosec // this program itself
	p := &pipe{cmd: cmd, answers: make(chan Answer, 1), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = 2 * time.Second
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a shard: %w", err)
	}
	go p.read(out)
	return p, nil
}

// read passes answers on until the shard is gone.
func (p *pipe) read(out io.Reader) {
	defer close(p.answers)
	for lines := json.NewDecoder(bufio.NewReader(out)); ; {
		var a Answer
		if lines.Decode(&a) != nil {
			break // the end, or a program that is no shard: it says more itself
		}
		p.answers <- a
	}
	_, _ = io.Copy(io.Discard, out)
	how := "it ended"
	if err := p.cmd.Wait(); err != nil {
		how = err.Error()
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(p.said.String()), "\n"); first != "" {
		how += ": " + first
	}
	p.err = errors.New(how)
	close(p.done)
}

// Send implements Conn.
func (p *pipe) Send(_ context.Context, o Order) error { return json.NewEncoder(p.in).Encode(o) }

// Answers implements Conn.
func (p *pipe) Answers() <-chan Answer { return p.answers }

// Err implements Conn.
func (p *pipe) Err() error {
	<-p.done
	return p.err
}

// closePatience is how long a shard may take to break off what it does.
const closePatience = 10 * time.Second

// Close implements Conn.
func (p *pipe) Close() error {
	p.once.Do(func() {
		_ = p.in.Close() // of a shard that is gone it is closed already
		go func() {
			for range p.answers {
				// Nobody waits for them any more.
			}
		}()
		select {
		case <-p.done:
		case <-time.After(closePatience):
			_ = p.cmd.Process.Kill() // gone meanwhile is what is wanted
			<-p.done
		}
	})
	return nil
}

// Processes are shards as processes of this machine.
type Processes struct {
	N int
	// Program and its arguments serve a pipe; this program's own hidden command if empty.
	Program string
	Args    []string
}

// processLead is time enough for an order to reach the shards of a busy machine.
const processLead = 300 * time.Millisecond

// Gather implements load.Gatherer. The shards share what CPU this process may use.
func (p Processes) Gather(ctx context.Context, o load.Options) (load.Generator, load.Info, error) {
	if o.Dial != nil {
		return nil, load.Info{}, errors.New("shards are processes of their own: they cannot use a network of this one")
	}
	program, args := p.Program, p.Args
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, load.Info{}, fmt.Errorf("find this program, to start shards of it: %w", err)
		}
		args = []string{Command}
	}
	cores := max(1, runtime.GOMAXPROCS(0)/p.N)
	var conns []Conn
	var pids []int
	for range p.N {
		c, err := startPipe(program, args, []string{fmt.Sprintf("GOMAXPROCS=%d", cores)})
		if err != nil {
			Close(conns)
			return nil, load.Info{}, err
		}
		conns, pids = append(conns, c), append(pids, c.cmd.Process.Pid)
	}
	f, info, err := NewFleet(ctx, o, conns, Place{Lead: processLead, OneMachine: true, PIDs: pids})
	if err != nil {
		return nil, info, err
	}
	return f, info, nil
}

// Command is the name of the command that serves a pipe.
const Command = "shard"
