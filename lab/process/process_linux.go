package process

import "syscall"

// sysProcAttr puts the program into a process group of its own, so that a Ctrl-C in the terminal
// reaches the lab only, which then stops its programs in order.
func sysProcAttr(s Spec) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: s.StopSignal}
	if s.User != nil {
		a.Credential = &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID}
	}
	return a
}

// withoutForks runs f while this process starts no program: one that is just being started holds a copy
// of every open socket, and the port is in use until it has got to its own code.
func withoutForks(f func() error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return f()
}
