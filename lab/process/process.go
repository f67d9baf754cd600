// Package process runs the programs of a local shop (PostgreSQL, Redis, proxies, the service) so
// that none of them outlives the lab: each is stopped with its own signal and a time limit, and on
// Linux the kernel ends it when the lab itself is killed.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says what to start.
type Spec struct {
	Name string // in messages, such as "redis-server"
	Path string
	Args []string
	Env  []string // nil means the lab's own environment
	Dir  string
	User *User // nil means the lab's own user
	// Log gets standard output and standard error; nil discards them. The last lines are kept in
	// memory either way, see Tail. A program that logs much gets an *os.File, open for reading too: it
	// then writes there itself, and costs the lab nothing.
	Log io.Writer
	// StopSignal asks the program to end; it is also what the kernel sends when the lab dies
	// (Linux). Zero means SIGTERM.
	StopSignal syscall.Signal
	// StopTimeout is how long Stop waits before it kills. Zero means 10 s.
	StopTimeout time.Duration
	// Stdin is the program's standard input; nil means none.
	Stdin io.Reader
	// Enter is called with the process id before the program begins: to put it into a control group, where then is
	// all that it starts. When it fails, so does Start.
	Enter func(pid int) error
}

// User is whom a process runs as.
type User struct {
	Name     string
	UID, GID uint32
}

// Process is a started program.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	tail *tail
	done chan struct{}
	err  error // set before done is closed
}

// Start starts the program and returns without waiting for it.
func Start(s Spec) (*Process, error) {
	if s.StopSignal == 0 {
		s.StopSignal = syscall.SIGTERM
	}
	if s.StopTimeout == 0 {
		s.StopTimeout = 10 * time.Second
	}
	p := &Process{spec: s, tail: &tail{next: s.Log}, done: make(chan struct{})}
	p.cmd = exec.Command(s.Path, s.Args...) // #nosec G204 -- the lab's own programs
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdin = s.Env, s.Dir, s.Stdin
	p.cmd.Stdout, p.cmd.Stderr = p.tail, p.tail
	if f, ok := s.Log.(*os.File); ok {
		p.cmd.Stdout, p.cmd.Stderr = f, f
	}
	p.cmd.WaitDelay = 2 * time.Second // a grandchild may hold the pipe open
	p.cmd.SysProcAttr = sysProcAttr(s)

	enter := func() error { return nil }
	if s.Enter != nil {
		g, err := newGate(p.cmd)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", s.Name, err)
		}
		defer g.close()
		enter = func() error {
			if err := s.Enter(p.PID()); err != nil {
				return err
			}
			return g.open()
		}
	}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked ends, so that
		// thread stays with this goroutine until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	if err := enter(); err != nil {
		kill(p.PID())
		<-p.done
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return p, nil
}

// Name is the name that the process was started with.
func (p *Process) Name() string { return p.spec.Name }

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the process ended, with its last lines; nil while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	if lines := p.Tail(); lines != "" {
		return fmt.Errorf("%s ended: %s; its last lines:\n%s", p.spec.Name, how, lines)
	}
	return fmt.Errorf("%s ended: %s", p.spec.Name, how)
}

// Succeeded says whether the process has ended with exit status 0.
func (p *Process) Succeeded() bool {
	select {
	case <-p.done:
		return p.err == nil
	default:
		return false
	}
}

// Tail returns the last lines that the process wrote.
func (p *Process) Tail() string {
	f, ok := p.spec.Log.(*os.File)
	if !ok {
		return p.tail.String()
	}
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	end := make([]byte, min(tailBytes, info.Size()))
	n, _ := f.ReadAt(end, info.Size()-int64(len(end))) // what could be read is all there is to say
	return lastLines(end[:n])
}

// Signal sends sig; a process that has ended is no error.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.spec.Name, err)
	}
	return nil
}

// Stop asks the process to end, waits for it, and kills it and its group when the time is over or
// ctx ends, which is an error. A process that has already ended is none.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(p.spec.StopSignal); err != nil {
		return err
	}
	timer := time.NewTimer(p.spec.StopTimeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	kill(p.PID())
	<-p.done
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("killed %s: %w", p.spec.Name, err)
	}
	return fmt.Errorf("killed %s: it did not stop within %s", p.spec.Name, p.spec.StopTimeout)
}

// Kill ends the process and its group at once, as the kernel does to one without memory, and waits for its end.
func (p *Process) Kill() {
	kill(p.PID())
	<-p.done
}

// tail keeps the last lines of what passes through it.
type tail struct {
	next io.Writer
	mu   sync.Mutex
	buf  []byte
}

const (
	tailBytes = 8 << 10
	tailLines = 15
)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	if t.next != nil {
		// A log that cannot be written must not stop the program that logs.
		_, _ = t.next.Write(b)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lastLines(t.buf)
}

func lastLines(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if over := len(lines) - tailLines; over > 0 {
		lines = lines[over:]
	}
	return strings.TrimSpace(string(bytes.Join(lines, []byte("\n"))))
}
