package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// gate holds a program back until it may begin, by a shell that reads a line and then becomes the program, under the
// same process id. Put into a control group while it runs, a program such as nginx may have started others already,
// which stay outside.
type gate struct {
	reads  *os.File // the shell's end; its descriptor 3
	writes *os.File
}

// newGate changes a command that has not been started.
func newGate(cmd *exec.Cmd) (*gate, error) {
	if _, err := exec.LookPath(cmd.Path); err != nil {
		return nil, err
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, err
	}
	g := &gate{}
	if g.reads, g.writes, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd.ExtraFiles = []*os.File{g.reads}
	cmd.Args = append([]string{shell, "-c", `read -r line <&3 && exec "$0" "$@" 3<&-`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = shell
	return g, nil
}

// open lets the program begin.
func (g *gate) open() error {
	_, err := g.writes.WriteString("\n")
	return err
}

// close is for when the command was started or could not be; a program that may not begin yet then never does.
func (g *gate) close() error { return errors.Join(g.reads.Close(), g.writes.Close()) }
