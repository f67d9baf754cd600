//go:build unix && !linux

package process

import "syscall"

// sysProcAttr puts the program into a process group of its own, so that a Ctrl-C in the terminal
// reaches the lab only, which then stops its programs in order.
func sysProcAttr(s Spec) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if s.User != nil {
		a.Credential = &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID}
	}
	return a
}

// withoutForks runs f. Elsewhere than on Linux the net package takes the lock of forks by itself, and
// taking it twice may wait forever.
func withoutForks(f func() error) error { return f() }
