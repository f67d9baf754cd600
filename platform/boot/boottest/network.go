package boottest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The two ends of the wire between a machine and the world outside it.
const outsideAddress, insideAddress = "10.255.0.1", "10.255.0.2"

// inside6 is the machine's address on the link of MetadataAddress6.
const inside6 = "fd00:ec2::2"

// outside is what a namespace's name ends with that is the world outside a machine.
const outside = "-outside"

// wire joins a machine's network namespace to a new one, by a pair of interfaces.
func wire(t *testing.T, machine string) error {
	t.Helper()
	world := machine + outside
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", world).Run() })
	for _, command := range []string{
		"netns add " + world,
		"-n " + machine + " link add veth-outside type veth peer name veth-machine netns " + world,
		"-n " + world + " addr add " + outsideAddress + "/30 dev veth-machine",
		"-n " + world + " addr add " + MetadataAddress + "/32 dev veth-machine",
		"-n " + world + " addr add " + MetadataAddress6 + "/64 dev veth-machine nodad",
		"-n " + world + " link set veth-machine up",
		"-n " + machine + " addr add " + insideAddress + "/30 dev veth-outside",
		"-n " + machine + " addr add " + inside6 + "/64 dev veth-outside nodad",
		"-n " + machine + " link set veth-outside up",
		"-n " + machine + " route add " + MetadataAddress + "/32 dev veth-outside",
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	return nil
}

// await polls until the condition holds; false if the machine's boot ended before.
func await(ctx context.Context, stopped <-chan struct{}, condition func() bool) bool {
	for !condition() {
		select {
		case <-ctx.Done():
			return false
		case <-stopped:
			return condition()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

// start serves HTTP, or HTTPS, on an address of a network namespace.
func start(t *testing.T, namespace, address string, secure *tls.Config, handler http.HandlerFunc) {
	t.Helper()
	listener, err := listen(namespace, address)
	if err != nil {
		t.Error(err)
		return
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
}

// listen opens a listener in another network namespace. A socket stays in the namespace in which it
// was made; the thread that made it is thrown away.
func listen(namespace, address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with this goroutine
		var r result
		file, err := os.Open("/run/netns/" + namespace)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			_ = file.Close()
		}
		if err == nil {
			r.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		}
		if err != nil {
			r.err = fmt.Errorf("listen on %s in %s: %w", address, namespace, err)
		}
		done <- r
	}()
	r := <-done
	return r.listener, r.err
}

// forward joins what connects to an address of a network namespace to an address of this one.
func forward(t *testing.T, namespace, address, target string) {
	t.Helper()
	listener, err := listen(namespace, address)
	if err != nil {
		t.Error(err)
		return
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { join(t.Context(), in, target) })
		}
	})
}

// join copies both ways until one side ends, or the test.
func join(ctx context.Context, in net.Conn, target string) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		_ = in.Close()
		return
	}
	closeBoth := func() { _, _ = in.Close(), out.Close() }
	defer context.AfterFunc(ctx, closeBoth)()
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			closeBoth()
		})
	}
	copying.Wait()
}
