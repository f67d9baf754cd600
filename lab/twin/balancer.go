package twin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"

	"shoplab/lab/process"
)

// balancer is a proxy before one or more instances: nginx, Envoy, or the lab's own.
type balancer interface {
	// use sends requests to these host:port addresses from now on.
	use(hosts []string) error
}

// hop says what a proxy is to be.
type hop struct {
	name  string // "load balancer", "sidecar-1"
	port  int
	hosts []string
	dir   string // its own folder
	log   io.Writer
	enter func(pid int) error
	// accepts and sends have Envoy accept connections, or open them to the hosts, with mutual TLS alone.
	accepts, sends *identity
	// route has Envoy treat requests as the mesh's gateway does: contract.MeshRoutes.
	route bool
}

// started is a proxy that runs.
type started struct {
	balancer
	kind string
	proc *process.Process
}

// startNginx starts nginx with a configuration of its own.
func startNginx(h hop, path string) (*started, error) {
	user, err := process.Unprivileged()
	if err != nil {
		return nil, err
	}
	n := &nginx{hop: h}
	if err := errors.Join(os.MkdirAll(h.dir, 0o700), user.Own(h.dir), n.write(h.hosts)); err != nil {
		return nil, fmt.Errorf("configure nginx: %w", err)
	}
	n.proc, err = process.Start(process.Spec{
		Name: h.name, Path: path, Args: []string{"-p", h.dir, "-e", "stderr", "-c", n.file()},
		User: user, Log: h.log, Enter: h.enter,
		StopSignal: syscall.SIGTERM, // at once: what is in flight ends with the lab
	})
	if err != nil {
		return nil, err
	}
	return &started{balancer: n, kind: "nginx", proc: n.proc}, nil
}

type nginx struct {
	hop
	proc *process.Process
}

func (n *nginx) file() string { return filepath.Join(n.dir, "nginx.conf") }

func (n *nginx) use(hosts []string) error {
	if err := n.write(hosts); err != nil {
		return fmt.Errorf("configure nginx: %w", err)
	}
	return n.proc.Signal(syscall.SIGHUP)
}

func (n *nginx) write(hosts []string) error {
	// Each request in flight takes two descriptors; nginx may raise its soft limit to the hard one.
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	return writeTemplate(n.file(), nginxConf, map[string]any{
		"Dir": n.dir, "Port": n.port, "Hosts": hosts, "Files": min(files.Max, 65536),
	})
}

// nginxConf balances as stage1's nginx does. It does not send a failed request to a second
// instance, as an ALB does not either, and the twin's own health checks take instances out, so
// nginx's passive ones are off.
var nginxConf = template.Must(template.New("nginx").Parse(`daemon off;
worker_processes auto;
worker_rlimit_nofile {{.Files}};
pid {{.Dir}}/nginx.pid;
error_log stderr warn;
events { worker_connections {{.Files}}; }
http {
  access_log off;
  client_body_temp_path {{.Dir}}/body;
  proxy_temp_path {{.Dir}}/proxy;
  fastcgi_temp_path {{.Dir}}/fastcgi;
  uwsgi_temp_path {{.Dir}}/uwsgi;
  scgi_temp_path {{.Dir}}/scgi;
  upstream shop {
    least_conn;
{{- range .Hosts}}
    server {{.}} max_fails=0;
{{- end}}
    keepalive 1024;
    keepalive_timeout 30s;
  }
  server {
    listen 127.0.0.1:{{.Port}} backlog=4096;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    client_max_body_size 0; # an ALB has no limit either; the shop has its own
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_connect_timeout 2s;
      proxy_read_timeout 60s;
      proxy_next_upstream off;
    }
  }
}
`))

// startProxy starts the lab's own proxy, see lab/proxy.
func startProxy(h hop, path string) (*started, error) {
	stdin, control, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	p := &smallProxy{control: control}
	if err := p.use(h.hosts); err != nil {
		return nil, errors.Join(err, stdin.Close(), control.Close())
	}
	proc, err := process.Start(process.Spec{
		Name: h.name, Path: path,
		Args:  []string{"-listen", fmt.Sprintf("127.0.0.1:%d", h.port)},
		Stdin: stdin, Log: h.log, Enter: h.enter,
	})
	if err = errors.Join(err, stdin.Close()); err != nil {
		return nil, errors.Join(err, control.Close())
	}
	return &started{balancer: p, kind: "shoplab proxy", proc: proc}, nil
}

type smallProxy struct{ control *os.File }

func (p *smallProxy) use(hosts []string) error {
	if _, err := fmt.Fprintln(p.control, strings.Join(hosts, " ")); err != nil {
		return fmt.Errorf("tell the proxy its backends: %w", err)
	}
	return nil
}

// writeTemplate writes a file in one step: a reader sees the old one or the new one.
func writeTemplate(file string, t *template.Template, data any) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(t.Execute(f, data), f.Chmod(0o644), f.Close()) // #nosec G302 -- no secret
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), file)
}

// stop ends a proxy and, for the lab's own, closes the pipe to it.
func (s *started) stop(ctx context.Context) error {
	err := s.proc.Stop(ctx)
	if p, ok := s.balancer.(*smallProxy); ok {
		err = errors.Join(err, p.control.Close())
	}
	return err
}
