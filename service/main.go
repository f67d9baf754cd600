// Command service is the shop: HTTP API and storefront, one static binary, configured by its
// environment. service --help prints how.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // for an image that holds nothing else

	_ "golang.org/x/crypto/x509roots/fallback" // for an image that holds nothing else

	"shoplab/contract"
	"shoplab/service/lambda"
)

// errUsage is an error about the command line.
var errUsage = errors.New("usage: service [healthcheck | version | licenses | --help]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// After the first signal, a second one kills.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "service:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// run is the program: it returns when ctx is done and everything has stopped.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	if len(args) > 1 {
		return errUsage
	}
	switch command {
	case "":
	case "-h", "-help", "--help", "help":
		return printUsage(stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, version())
		return err
	case "licenses":
		_, err := io.WriteString(stdout, licenses)
		return err
	case "healthcheck":
		return healthcheck(ctx, getenv)
	default:
		return errUsage
	}
	getenv, err := withParameters(ctx, getenv)
	if err != nil {
		return err
	}
	c, err := loadConfig(getenv)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: c.logLevel}))
	return serve(ctx, c, log)
}

// withParameters is the environment with the secrets that only Parameter Store has, where it names some.
func withParameters(ctx context.Context, getenv func(string) string) (func(string) string, error) {
	list := getenv(contract.EnvParameters)
	if list == "" {
		return getenv, nil
	}
	values, err := lambda.Parameters(ctx, list, getenv)
	if err != nil {
		return nil, err
	}
	return func(name string) string { return cmp.Or(getenv(name), values[name]) }, nil
}

// version is what the build has noted about the source: a tag, or else a commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+dirty"
		}
	}
	if revision != "" && (info.Main.Version == "" || info.Main.Version == "(devel)") {
		return revision + changed
	}
	return cmp.Or(info.Main.Version, "(devel)")
}

// healthcheck asks the service on this host whether it is ready. It needs nothing but this binary,
// for container health checks in an image that holds nothing else.
func healthcheck(ctx context.Context, getenv func(string) string) error {
	var c config
	for _, v := range c.variables() {
		if v.name == contract.EnvAddr {
			value, err := v.value(getenv)
			if err == nil {
				err = v.read(value)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	host, port, err := net.SplitHostPort(c.addr)
	if err != nil {
		return fmt.Errorf("%s: %w", contract.EnvAddr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+contract.ReadyPath,
		nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answers %s", contract.ReadyPath, res.Status)
	}
	return nil
}
