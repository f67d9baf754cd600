// Package boottest boots user data on a real Debian root and stands in for the few parts of AWS
// that a server asks at boot: instance metadata, SSM parameters, S3. It is for tests.
package boottest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Packages are what the templates install. In the machine's base root they save the minute that
// apt takes at each boot. curl is in the base root whatever one asks for, and is taken out: what Debian's images
// for EC2 have is not known, and the user data has to bring what it uses.
const Packages = "nginx postgresql redis-server podman nftables amazon-ecr-credential-helper awscli jq " +
	"unattended-upgrades curl-"

// bare is a base root in which the user data installs everything, as on EC2.
const bare = "curl-"

// packages are Packages, or with SHOPLAB_BOOT=bare none.
func packages() string {
	if os.Getenv("SHOPLAB_BOOT") == "bare" {
		return bare
	}
	return Packages
}

// Kit is the path of boot.sh. The test is skipped where there is none, or no root, or nobody
// asked for it.
func Kit(t *testing.T) string {
	t.Helper()
	if os.Getenv("SHOPLAB_BOOT") == "" {
		t.Skip("boots a machine, which takes minutes: make boot-test")
	}
	if os.Getuid() != 0 {
		t.Skip("booting a machine needs root")
	}
	kit, err := SharedFile("machines/boot.sh")
	if err != nil {
		t.Skipf("no boot kit: %v", err)
	}
	return kit
}

// SharedFile finds a file of the test beds: in $SHOPLAB_SHARED, or in ../shared beside the
// repository.
func SharedFile(name string) (string, error) {
	shared := os.Getenv("SHOPLAB_SHARED")
	if shared == "" {
		dir, err := os.Getwd()
		if err != nil {
			return "", fmt.Errorf("find the repository: %w", err)
		}
		for !exists(filepath.Join(dir, "go.mod")) {
			if dir == filepath.Dir(dir) {
				return "", errors.New("find the repository: no go.mod above this folder")
			}
			dir = filepath.Dir(dir)
		}
		shared = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(shared, name)
	if !exists(path) {
		return "", fmt.Errorf("%s: %w; set SHOPLAB_SHARED to the folder of the test beds", path, fs.ErrNotExist)
	}
	return path, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Options are what Boot starts.
type Options struct {
	// Name is the machine's name.
	Name string
	// UserData is the cloud-init document.
	UserData string
	// Registry is a folder of OCI layouts, one for each repository, that podman sees under the host
	// name RegistryHost; empty for none.
	Registry, RegistryHost string
	// Ports of the machine's loopback that this process wants to reach.
	Ports []int
	// AWS answers on behalf of AWS.
	AWS *AWS
}

// Machine is a booted server.
type Machine struct {
	t         *testing.T
	kit, name string
	addresses map[int]string
}

// Boot boots the user data and waits until cloud-init and systemd report that all went well. The
// machine is removed when the test ends.
func Boot(t *testing.T, kit string, o Options) *Machine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(file, []byte(o.UserData), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &Machine{t: t, kit: kit, name: o.Name, addresses: map[int]string{}}
	args := []string{"up", "--name", o.Name, "--user-data", file, "--base-packages", packages()}
	if o.Registry != "" {
		args = append(args, "--registry-dir", o.Registry, "--registry-as", o.RegistryHost)
	}
	for _, port := range o.Ports {
		args = append(args, "--expose", strconv.Itoa(port))
	}
	ownNetwork(t, o.Name)
	t.Cleanup(func() {
		if out, err := exec.Command(kit, "down", o.Name).CombinedOutput(); err != nil {
			t.Errorf("remove the machine: %v\n%s", err, out)
		}
	})
	begun := time.Now()
	var stdout, stderr bytes.Buffer
	up := exec.CommandContext(t.Context(), kit, args...)
	up.Stdout, up.Stderr = &stdout, &stderr
	if err := up.Start(); err != nil {
		t.Fatalf("start %s: %v", kit, err)
	}
	done := make(chan struct{})
	var upError error
	go func() { defer close(done); upError = up.Wait() }()
	o.AWS.serve(t, m, done)
	<-done
	if upError != nil {
		t.Fatalf("boot: %v\n%s\n%s", upError, &stderr, m.journal())
	}
	t.Logf("booted in %.0f s", time.Since(begun).Seconds())
	for lines := bufio.NewScanner(&stdout); lines.Scan(); {
		key, address, _ := strings.Cut(lines.Text(), "=")
		if port, err := strconv.Atoi(strings.TrimPrefix(key, "EXPOSE_")); err == nil {
			m.addresses[port] = address
		}
	}
	return m
}

// ownNetwork lets a machine rule over its network, as one with a kernel of its own does: systemd-nspawn reads a file
// named after it.
func ownNetwork(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join("/run/systemd/nspawn", name+".nspawn")
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("[Exec]\nCapability=CAP_NET_ADMIN\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	})
}

// journal is the end of the machine's journal, for a failed test.
func (m *Machine) journal() string {
	out, err := m.try(context.Background(), "", "journalctl", "--no-pager", "-n", "60", "-o", "cat")
	return fmt.Sprint(out, err)
}

// URL is where this process reaches a port of the machine.
func (m *Machine) URL(port int) string { return "http://" + m.addresses[port] }

func (m *Machine) try(ctx context.Context, stdin string, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, m.kit, append([]string{"exec", m.name, "--"}, command...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Run runs a command in the machine as root and returns what it printed.
func (m *Machine) Run(command ...string) string {
	m.t.Helper()
	out, err := m.try(m.t.Context(), "", command...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return out
}

// Succeeds says whether a command in the machine, as root, exits with 0.
func (m *Machine) Succeeds(command ...string) bool {
	m.t.Helper()
	_, err := m.try(m.t.Context(), "", command...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return err == nil
}

// Reaches says whether a TCP port of the machine answers from outside it, as from the internet where
// there is no security group.
func (m *Machine) Reaches(port int) bool {
	m.t.Helper()
	target := fmt.Sprintf("http://%s:%d/", insideAddress, port)
	cmd := exec.CommandContext(m.t.Context(), "ip", "netns", "exec", "shoplab-"+m.name+outside,
		"curl", "-sS", "-o", "/dev/null", "--max-time", "5", target)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true
	case errors.As(err, &exit) && exit.ExitCode() == 7: // curl: could not connect
		return false
	}
	m.t.Fatalf("reach %s from outside: %v\n%s", target, err, out)
	return false
}

// Reboot reboots the machine and waits until systemd reports that all went well.
func (m *Machine) Reboot() {
	m.t.Helper()
	begun := time.Now()
	if out, err := exec.CommandContext(m.t.Context(), m.kit, "reboot", m.name).CombinedOutput(); err != nil {
		m.t.Fatalf("reboot: %v\n%s\n%s", err, out, m.journal())
	}
	m.t.Logf("rebooted in %.0f s", time.Since(begun).Seconds())
}

// Await waits until the URL answers with the status.
func Await(t *testing.T, url string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last string
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == status {
				return
			}
			last = response.Status
		} else {
			last = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not answer %d: %s", url, status, last)
}
