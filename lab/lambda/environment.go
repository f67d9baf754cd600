package lambda

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"shoplab/lab/process"
)

const (
	// initLimit is how long a process may take until it asks for its first event. Lambda gives 10 s and then
	// begins again within the event's own time; here a busy machine may have more.
	initLimit = time.Minute
	// shutdownLimit is how long a process may take to end, from SIGTERM on. Lambda gives 500 ms with an internal
	// extension; here a busy machine may have more.
	shutdownLimit = 5 * time.Second
)

// environment is an execution environment: one process, and the runtime API that it asks for events.
type environment struct {
	options Options
	number  int
	version int // of the function
	process *process.Process
	server  *http.Server
	idle    *time.Timer // ends it; nil while it is busy

	events  chan event  // what the process gets next
	asked   chan string // the process asks: "runtime" for an event, "extension" for a phase of its life
	answers chan answer // what became of an event
	gone    chan struct{}

	mu        sync.Mutex
	extension bool // the process has registered one, and gets SIGTERM
	frozen    bool
	once      sync.Once
}

type event struct {
	id       string
	payload  []byte
	deadline time.Time
}

type answer struct {
	id     string
	body   []byte
	failed bool
}

// start places the environment, starts its process and waits until that asks for its first event.
func (e *environment) start(ctx context.Context) error {
	e.events, e.asked, e.answers = make(chan event), make(chan string, 16), make(chan answer, 1)
	e.gone = make(chan struct{})
	select {
	case <-time.After(e.options.Placement):
	case <-ctx.Done():
		return ctx.Err()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen as runtime API: %w", err)
	}
	e.server = &http.Server{Handler: e.runtimeAPI(), ReadHeaderTimeout: time.Minute}
	go func() { _ = e.server.Serve(listener) }() // it ends with the environment
	spec := process.Spec{
		Name: fmt.Sprintf("%s-%d", e.options.Name, e.number+1), Path: e.options.Path, Args: e.options.Args,
		Env: append([]string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String()}, e.options.Env...),
		Log: e.options.Log(e.number), StopTimeout: shutdownLimit,
	}
	if e.options.Enter != nil {
		spec.Enter = func(pid int) error { return e.options.Enter(e.number, pid) }
	}
	p, err := process.Start(spec)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.process = p
	e.mu.Unlock()
	return e.await(time.Now().Add(initLimit))
}

// await returns when the process asks for an event.
func (e *environment) await(deadline time.Time) error {
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	for {
		select {
		case who := <-e.asked:
			if who == "runtime" {
				return nil
			}
		case <-e.process.Done():
			return e.process.Err()
		case <-e.gone:
			return errors.New("the environment was ended")
		case <-timeout.C:
			return fmt.Errorf("%s did not ask for an event in time; its last lines:\n%s", e.process.Name(), e.process.Tail())
		}
	}
}

// settle returns when the process asks for its next event: until then it still works on the last one.
func (e *environment) settle() error { return e.await(time.Now().Add(e.options.Timeout)) }

// errTimeout is wrapped when an event took too long. Lambda ends the environment then.
var errTimeout = errors.New("the function did not answer in time")

// invoke wakes the process, hands it an event and returns its answer. A signal, if not 0, is sent to the process first.
func (e *environment) invoke(payload []byte, sig syscall.Signal) ([]byte, error) {
	if err := e.thaw(); err != nil {
		return nil, err
	}
	if sig != 0 {
		if err := e.process.Signal(sig); err != nil {
			return nil, err
		}
	}
	ev := event{id: newID(), payload: payload, deadline: time.Now().Add(e.options.Timeout)}
	timeout := time.NewTimer(e.options.Timeout)
	defer timeout.Stop()
	select {
	case e.events <- ev:
	case <-e.process.Done():
		return nil, e.process.Err()
	case <-e.gone:
		return nil, errors.New("the environment was ended")
	case <-timeout.C:
		return nil, fmt.Errorf("%w: it did not take the event within %s", errTimeout, e.options.Timeout)
	}
	for {
		select {
		case a := <-e.answers:
			switch {
			case a.id != ev.id, sig == syscall.SIGSTOP: // which a process on another core may outrun: it hangs all the same
			case a.failed:
				return nil, fmt.Errorf("the function failed: %s", a.body)
			default:
				return a.body, nil
			}
		case <-e.process.Done():
			return nil, e.process.Err()
		case <-e.gone:
			return nil, errors.New("the environment was ended")
		case <-timeout.C:
			return nil, fmt.Errorf("%w: %s", errTimeout, e.options.Timeout)
		}
	}
}

// busy keeps the environment from being recycled.
func (e *environment) busy() {
	if e.idle != nil {
		e.idle.Stop()
		e.idle = nil
	}
}

// freeze stops the process where it is.
func (e *environment) freeze() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.frozen = true
	return e.process.Signal(syscall.SIGSTOP)
}

// thaw lets it go on.
func (e *environment) thaw() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.frozen {
		return nil
	}
	e.frozen = false
	return e.process.Signal(syscall.SIGCONT)
}

// kill ends the process at once, if there is one yet.
func (e *environment) kill() {
	e.mu.Lock()
	p := e.process
	e.mu.Unlock()
	if p != nil {
		p.Kill()
	}
}

// stop ends the process as Lambda does: by SIGTERM if it has registered an extension, else at once.
func (e *environment) stop(ctx context.Context) {
	e.once.Do(func() {
		if e.process != nil {
			_ = e.thaw() // else it would take no signal but the one that kills
			if !e.registered() {
				_ = e.process.Signal(syscall.SIGKILL)
			}
			_ = e.process.Stop(ctx) // it kills what does not stop
		}
		if e.gone != nil {
			close(e.gone)
		}
		if e.server != nil {
			_ = e.server.Close()
		}
	})
}

func (e *environment) registered() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.extension
}

// runtimeAPI is Lambda's runtime API, and as much of its extensions API as has a process get SIGTERM.
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API" and "Using the Lambda Extensions API".
func (e *environment) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		e.ask("runtime")
		select {
		case ev := <-e.events:
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", ev.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(ev.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:"+e.options.Name)
			h.Set("Content-Type", "application/json")
			_, _ = w.Write(ev.payload) // a process that is gone is seen elsewhere
		case <-r.Context().Done():
		case <-e.gone:
		}
	})
	result := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			select {
			case e.answers <- answer{r.PathValue("id"), body, failed}:
			case <-e.gone:
			}
			w.WriteHeader(http.StatusAccepted)
		}
	}
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", result(false))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", result(true))
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		e.extension = true
		e.mu.Unlock()
		w.Header().Set("Lambda-Extension-Identifier", newID())
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		e.ask("extension")
		select { // nothing ever comes for an extension that wants no events
		case <-r.Context().Done():
		case <-e.gone:
		}
	})
	return mux
}

func (e *environment) ask(who string) {
	select {
	case e.asked <- who:
	case <-e.gone:
	}
}

// newID is a UUID of version 4, as Lambda's request ids are.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
