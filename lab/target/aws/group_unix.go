//go:build unix

package aws

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program into a process group of its own: Ctrl-C in the terminal then reaches only
// the lab, which ends an up through its context and must not end the destroy that follows.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
