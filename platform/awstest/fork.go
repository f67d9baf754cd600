package awstest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Forkable starts an account as Emulate does, of which Fork makes copies.
func Forkable(t *testing.T, root string) *Emulator {
	t.Helper()
	e := &Emulator{script: findScript(t, root), dir: t.TempDir()}
	fork, err := filepath.Abs(filepath.Join(root, "platform", "awstest", "fork.py"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(e.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	port := freePort(t)
	server := exec.Command("python3", "-B", fork, filepath.Dir(e.script), "-H", "127.0.0.1", "-p", port)
	server.Dir, server.Stdout, server.Stderr = e.dir, log, log
	if err := server.Start(); err != nil {
		t.Skipf("the emulated AWS account does not start: %v; it needs Python 3 with moto[server]", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	e.endpoint = "http://127.0.0.1:" + port
	e.found(t, server.Process.Pid)
	awaitMoto(t, e.endpoint)
	e.attach(t)
	return e
}

// found leaves word of a running account where the emulator's script looks for it.
func (e *Emulator) found(t *testing.T, pid int) {
	t.Helper()
	for name, text := range map[string]string{"pid": strconv.Itoa(pid), "url": e.endpoint} {
		if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// forking is held while a copy is made, in which only the thread that makes it goes on.
var forking sync.Mutex

// Fork is a copy of an account that Forkable started, or of a copy, for the length of the test. It has what the account
// has, and the stacks with their state, which the copy changes for itself. Nothing may use the account meanwhile.
func (e *Emulator) Fork(t *testing.T) *Emulator {
	t.Helper()
	copied := &Emulator{script: e.script, dir: t.TempDir()}
	pid, port := e.forked(t, copied.dir)
	copied.endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
	copied.found(t, pid)
	t.Cleanup(func() { copied.down(t) })
	if err := os.CopyFS(filepath.Join(copied.dir, "state"), os.DirFS(filepath.Join(e.dir, "state"))); err != nil {
		t.Fatalf("copy the stacks' state: %v", err)
	}
	const plugins = "home/plugins"
	if err := os.Mkdir(filepath.Join(copied.dir, "home"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(e.dir, plugins), filepath.Join(copied.dir, plugins)); err != nil {
		t.Fatal(err)
	}
	for _, pair := range e.Env {
		if strings.HasPrefix(pair, endpointURL) {
			pair = endpointURL + likeAWS(t, copied.endpoint)
		}
		copied.Env = append(copied.Env, strings.ReplaceAll(pair, e.dir, copied.dir))
	}
	return copied
}

// forked asks the account's process for its copy, which works in a folder.
func (e *Emulator) forked(t *testing.T, folder string) (pid, port int) {
	t.Helper()
	forking.Lock()
	defer forking.Unlock()
	request := e.endpoint + "/motobed/fork?dir=" + url.QueryEscape(folder)
	response, err := http.Post(request, "", nil) //nolint:noctx // a server of the test's own
	if err != nil {
		t.Fatalf("copy the account: %v", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if _, bad := fmt.Sscan(string(answer), &pid, &port); err != nil || bad != nil {
		t.Fatalf("copy the account: %s %v\n%s", response.Status, err, answer)
	}
	return pid, port
}
