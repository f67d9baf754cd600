//go:build unix

package program

import (
	"os/exec"
	"syscall"
)

// OwnGroup puts a program into a process group of its own: Ctrl-C in the terminal then reaches only
// the laboratory, which ends it through the context and must not end what it does after that to clean up.
func OwnGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
