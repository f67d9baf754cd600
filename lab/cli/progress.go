package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress tells what a command is doing: one line that turns and counts on a terminal, a plain
// line for each step elsewhere.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	what  string
	began time.Time
	stop  chan struct{} // nil while nothing turns
	wg    sync.WaitGroup
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// step says what is being done now.
func (p *progress) step(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		p.print("%s ...\n", what)
		return
	}
	p.what, p.began = what, time.Now()
	if p.stop == nil {
		p.stop = make(chan struct{})
		p.wg.Go(func() { p.turn(p.stop) })
	}
}

// done takes the turning line away.
func (p *progress) done() {
	p.mu.Lock()
	stop := p.stop
	p.stop = nil
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		p.wg.Wait()
	}
}

func (p *progress) turn(stop <-chan struct{}) {
	const clearLine = "\r\x1b[K"
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		p.mu.Lock()
		p.print("%s%c %s (%.0f s)", clearLine, []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[i%10], p.what, time.Since(p.began).Seconds())
		p.mu.Unlock()
		select {
		case <-tick.C:
		case <-stop:
			p.print(clearLine)
			return
		}
	}
}

// print writes to the terminal; a terminal that is gone is nothing to stop for.
func (p *progress) print(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format, args...) }
