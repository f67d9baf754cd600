package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"testing"
	"time"

	"shoplab/contract"
	"shoplab/lab/backing"
	"shoplab/lab/lambda"
)

// database is the PostgreSQL that all tests share.
var database *backing.Postgres

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main() // this process is the program, as a function of Lambda
		return
	}
	os.Exit(withDatabase(m))
}

func withDatabase(m *testing.M) int {
	var err error
	database, err = backing.StartPostgres(context.Background(), backing.PostgresOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := database.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// program is the real program, started by start.
type program struct {
	url, admin string
	database   string
	stop       context.CancelFunc
	done       chan error
	function   *lambda.Function // nil but on Lambda
}

// environment is enough to start on a database of the test's own.
func environment(t testing.TB, more map[string]string) map[string]string {
	t.Helper()
	env := map[string]string{
		contract.EnvAddr: "127.0.0.1:0", contract.EnvAdminAddr: "127.0.0.1:0",
		contract.EnvSessionKey: sessionKey, contract.EnvPayments: "simulated",
		contract.EnvStripeWebhookSecret: webhookSecret, contract.EnvRateLimit: "off", contract.EnvAccessLog: "off",
		contract.EnvDrainDelay: "0s", contract.EnvHashConcurrency: "2", contract.EnvStage: "test",
	}
	if _, ok := more[contract.EnvDatabaseURL]; !ok {
		url, err := database.CreateDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		env[contract.EnvDatabaseURL] = url
	}
	maps.Copy(env, more)
	return env
}

const (
	webhookSecret = "whsec_of_the_tests"
	sessionKey    = "0123456789abcdef0123456789abcdef"
)

// start runs the program and returns when it listens. It is stopped at the end of the test.
func start(t testing.TB, more map[string]string) *program {
	t.Helper()
	env := environment(t, more)
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{database: env[contract.EnvDatabaseURL], stop: cancel, done: make(chan error, 1)}
	out, in := io.Pipe()
	go func() {
		p.done <- run(ctx, nil, func(name string) string { return env[name] }, in)
		in.Close()
	}()
	listening := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line struct {
				Level, Msg, Addr string
				Admin            string `json:"admin_addr"`
			}
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Errorf("log line %q: %v", lines.Text(), err)
			}
			if testing.Verbose() {
				fmt.Println(lines.Text())
			}
			if line.Msg == "listening" {
				p.url, p.admin = "http://"+line.Addr, "http://"+line.Admin
				close(listening)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		if err, open := <-p.done; open && err != nil {
			t.Error(err)
		}
	})
	select {
	case <-listening:
	case err := <-p.done:
		close(p.done)
		t.Fatalf("the program ended: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("the program does not listen")
	}
	return p
}

// ready waits until the program is.
func (p *program) ready(t testing.TB) *program {
	t.Helper()
	await(t, "readiness", func() bool { return status(t, p.url+contract.ReadyPath) == http.StatusOK })
	return p
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

func status(t testing.TB, url string) int {
	t.Helper()
	res, err := shared.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
