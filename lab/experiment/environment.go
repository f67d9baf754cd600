package experiment

import (
	"context"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"shoplab/lab/process"
	"shoplab/lab/result"
	"shoplab/lab/twin"
)

// Environment describes the machine, the source and the programs that take part.
func Environment(ctx context.Context, root string) result.Environment {
	e := result.Environment{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Limits: twin.Limits(),
		Versions: map[string]string{"go": runtime.Version()},
	}
	e.Kernel = output(ctx, "uname", "-r")
	e.CPU, e.MemoryBytes = hardware(ctx)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/tsenart/vegeta/v12", "github.com/gofiber/fiber/v2", "github.com/jackc/pgx/v5":
				e.Versions[d.Path] = d.Version
			}
		}
	}
	e.Commit = commit(ctx, root)
	for _, tool := range []string{"postgres", "redis-server", "nginx", "envoy", "pgbouncer", "pulumi"} {
		if v := version(ctx, tool); v != "" {
			e.Versions[tool] = v
		}
	}
	return e
}

// commit is the source revision, marked when files differ from it.
func commit(ctx context.Context, root string) string {
	rev := output(ctx, "git", "-C", root, "rev-parse", "--short=12", "HEAD")
	if rev != "" && output(ctx, "git", "-C", root, "status", "--porcelain", "--untracked-files=no") != "" {
		rev += "-dirty"
	}
	return rev
}

var number = regexp.MustCompile(`\d+(\.\d+)+`)

// version asks a program for its version; "" when it is not installed.
func version(ctx context.Context, tool string) string {
	arg := "--version"
	if tool == "nginx" {
		arg = "-v"
	}
	if tool == "pulumi" {
		arg = "version"
	}
	path, err := process.LookPath(tool)
	if err != nil {
		return ""
	}
	return number.FindString(strings.TrimPrefix(output(ctx, path, arg), path)) // Envoy prints its path first
}

// output is the first line that a program prints to either stream; "" when it fails.
func output(ctx context.Context, name string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // fixed names
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n") // Envoy begins with an empty line
	return strings.TrimSpace(first)
}
