package twin

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// logs joins what the processes write.
type logs struct {
	mu sync.Mutex
	w  io.Writer
}

// named returns a writer for one process; each of its lines is marked with its name.
func (l *logs) named(name string) io.Writer { return &lines{logs: l, name: name} }

// lines passes whole lines on. One process writes to it, from one goroutine.
type lines struct {
	*logs
	name string
	rest []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		l.mu.Lock()
		_, err := fmt.Fprintf(l.w, "%-14s %s\n", l.name, line)
		l.mu.Unlock()
		l.rest = rest
		if err != nil {
			return len(b), err
		}
	}
}
