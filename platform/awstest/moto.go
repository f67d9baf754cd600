package awstest

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"shoplab/exectest"
)

// Moto starts an account of what anybody can install, for the length of the test: moto's server (pip install
// 'moto[server]') and the Pulumi CLI on PATH, which fetches its plugins; without that CLI the emulator's. Nothing in
// this account becomes healthy, and it has no Debian images. It has no faults and no log of calls.
func Moto(t *testing.T, root string) *Emulator {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto is missing: pip install 'moto[server]', with its moto_server on PATH")
	}
	e := Plain(t, root)
	e.endpoint = startMoto(t, program)
	e.Env = append(slices.DeleteFunc(e.Env, func(pair string) bool {
		return strings.HasPrefix(pair, endpointURL)
	}), endpointURL+likeAWS(t, fillGaps(t, e.endpoint)))
	return e
}

// startMoto runs moto's server until the end of the test, and returns its URL once it answers.
func startMoto(t *testing.T, program string) string {
	t.Helper()
	port := freePort(t)
	var log bytes.Buffer
	server := exec.Command(program, "-H", "127.0.0.1", "-p", port)
	server.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true") // the roles of tasks have AWS's own
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatalf("start moto: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("moto's last lines:\n%s", log.Bytes()[max(0, log.Len()-4000):])
		}
	})
	endpoint := "http://127.0.0.1:" + port
	awaitMoto(t, endpoint)
	return endpoint
}

// freePort is one that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(exectest.FreeAddress(t))
	return port
}

// awaitMoto waits until moto's server answers.
func awaitMoto(t *testing.T, endpoint string) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		response, err := http.Get(endpoint + "/moto-api/") //nolint:noctx // a server of the test's own
		if err == nil {
			_ = response.Body.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("moto does not answer: %v", err)
		}
	}
}
