package twin

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// logs joins what the processes write.
type logs struct {
	mu  sync.Mutex
	w   io.Writer
	dir string // for files of their own; "" for none
}

// file returns a file for a process that writes a line for every request, so that the lab need not
// pass them on while it measures; without a folder, the same as named.
func (l *logs) file(name string) (io.Writer, error) {
	if l.dir == "" {
		return l.named(name), nil
	}
	return os.OpenFile(filepath.Join(l.dir, name+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
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
