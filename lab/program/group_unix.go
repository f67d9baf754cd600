//go:build unix

package program

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program into a process group of its own: Ctrl-C in the terminal then reaches only
// the laboratory, which ends it through the context and must not end the destroy that follows.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
