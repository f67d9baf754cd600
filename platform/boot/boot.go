// Package boot renders the cloud-init user data of every server that the platform starts. It is
// pure: strings in, a document out. No secret is ever in it; a server fetches its secrets at each
// boot, with its instance role, from the SSM parameters under Shop.Parameters.
package boot

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"shoplab/contract"
)

// MaxSize is the number of bytes of raw user data that EC2 accepts.
const MaxSize = 16 << 10

// Shop is what a server that runs the shop's container has to know.
//
// The instance role needs ssm:GetParametersByPath on Parameters, pull access to the image's ECR
// repository, and what Session Manager asks for.
type Shop struct {
	// Region is the AWS region, as "us-east-1".
	Region string
	// Image is the image by digest, as "HOST/REPOSITORY@sha256:...".
	Image string
	// Parameters is the path of the SSM SecureString parameters, as "/shoplab/stage1". Below it
	// lies one parameter for each name in Secrets.
	Parameters string
	// Secrets are the environment variables whose values are fetched from Parameters, as
	// contract.EnvSessionKey. The service reads each from a file (NAME_FILE).
	Secrets []string
	// Env are the variables that are no secret. Addresses, and whatever else follows from the
	// server's own make-up, are set here and need not be given.
	Env map[string]string
	// Memory is the server's memory in MiB, as 1024 for a t4g.micro.
	Memory int
	// LogGroup is the CloudWatch log group that the log goes to; it exists. The instance role needs
	// logs:CreateLogStream and logs:PutLogEvents there, and must lack logs:CreateLogGroup.
	LogGroup string
}

// SingleArgs are the arguments of Single.
type SingleArgs struct {
	Shop
	// MaxConnections is max_connections of the server's own PostgreSQL.
	MaxConnections int
	// OriginHeader is the name of the request header by which CloudFront proves itself to nginx, as
	// "X-Origin-Secret"; empty if anybody may ask. Its value is the parameter contract.EnvOriginSecret.
	OriginHeader string
	// DumpBucket is the S3 bucket and key prefix for dumps of the database, as "name/stage1"; empty for
	// none. The server starts with the newest dump found there. The instance role then needs s3:PutObject
	// and s3:GetObject on name/stage1/*, and s3:ListBucket with the prefix stage1/.
	DumpBucket string
	// DumpCalendar is when to dump, as systemd.time(7) writes it, as "hourly". There is also a dump
	// at each shutdown.
	DumpCalendar string
}

// FleetArgs are the arguments of Fleet. DATABASE_URL and REDIS_URL belong into Secrets.
type FleetArgs struct {
	Shop
}

// K3sArgs are the arguments of K3s.
type K3sArgs struct {
	// Region is the AWS region, as "us-east-1".
	Region string
	// Parameters is the path of the SSM SecureString parameters with the cluster's CA files, one
	// for each of CAFiles. The instance role needs ssm:GetParametersByPath there.
	Parameters string
	// CAFiles are the names of the files below /var/lib/rancher/k3s/server/tls, as
	// "server-ca.crt". A parameter's name is its file's.
	CAFiles []string
	// Version is the k3s release, as "v1.35.8+k3s1".
	Version string
	// Address is the public address (Elastic IP) of the API server.
	Address string
	// Registry is the host name of the ECR registry that pods pull from.
	Registry string
	// LogGroup is as in Shop.
	LogGroup string
}

// Single renders the user data of stage 1: nginx, the shop's container, PostgreSQL and Redis on
// one Debian 13 server.
func Single(args SingleArgs) (string, error) {
	if err := args.check(); err != nil {
		return "", fmt.Errorf("user data of the single server: %w", err)
	}
	s := newServer(args.Shop, map[string]string{
		contract.EnvAddr:           "127.0.0.1:" + strconv.Itoa(contract.Port),
		contract.EnvTrustedProxies: "127.0.0.1/32",
		contract.EnvDatabaseURL:    "postgres:///shop?host=/run/postgresql&user=shop",
		contract.EnvRedisURL:       "redis://127.0.0.1:6379",
	})
	s.Beside, s.Sockets = []string{"postgresql.service", "redis-server.service"}, []string{"/run/postgresql"}
	s.ShopMemory = args.Memory / 4
	if args.OriginHeader != "" {
		s.Fetched = append(s.Fetched, contract.EnvOriginSecret)
	}
	agent, err := logs{
		units: []string{
			"shop.service", "nginx.service", "redis-server.service", "dump-database.service", "dump-at-shutdown.service",
		},
		files: []string{"/var/log/postgresql/postgresql-17-main.log"},
	}.agentConfig(args.Region, args.LogGroup)
	if err != nil {
		return "", err
	}
	bucket, prefix, _ := strings.Cut(args.DumpBucket, "/")
	return execute("single.tmpl", struct {
		SingleArgs
		server
		Agent                        agentConfig
		Bucket, Prefix               string
		OriginSecret, OriginVariable string
	}{
		args, s, agent, bucket, prefix,
		contract.EnvOriginSecret, strings.ReplaceAll(strings.ToLower(args.OriginHeader), "-", "_"),
	})
}

// Fleet renders the user data of stage 2: the shop's container alone on a Debian 13 server; the
// load balancer talks to contract.Port directly.
func Fleet(args FleetArgs) (string, error) {
	if err := args.check(); err != nil {
		return "", fmt.Errorf("user data of the fleet: %w", err)
	}
	s := newServer(args.Shop, map[string]string{contract.EnvAddr: ":" + strconv.Itoa(contract.Port)})
	s.ShopMemory = args.Memory * 3 / 4
	agent, err := logs{units: []string{"shop.service"}}.agentConfig(args.Region, args.LogGroup)
	if err != nil {
		return "", err
	}
	return execute("fleet.tmpl", struct {
		FleetArgs
		server
		Agent agentConfig
	}{args, s, agent})
}

// K3s renders the user data of stage 4: a k3s server whose CA the program chose.
func K3s(args K3sArgs) (string, error) {
	if args.Region == "" || args.Address == "" || args.LogGroup == "" || len(args.CAFiles) == 0 ||
		!parameterPath.MatchString(args.Parameters) {
		return "", fmt.Errorf("user data of k3s: Region, Address, LogGroup, CAFiles and Parameters are required: %+v", args)
	}
	// The kubelet names a container's log POD_NAMESPACE_CONTAINER-ID.log; all three are "shop".
	agent, err := logs{
		units: []string{"k3s.service"}, files: []string{"/var/log/containers/shop-*_shop_shop-*.log"},
	}.agentConfig(args.Region, args.LogGroup)
	if err != nil {
		return "", err
	}
	return execute("k3s.tmpl", struct {
		K3sArgs
		Release string
		Agent   agentConfig
	}{args, url.PathEscape(args.Version), agent})
}

// server is what the templates need beside the arguments.
type server struct {
	Env                              map[string]string
	Fetched, Beside, Sockets         []string
	ShopMemory                       int // MiB
	UID, Port                        int
	LivePath, ReadyPath, MetricsPath string
}

func newServer(shop Shop, defaults map[string]string) server {
	env := map[string]string{contract.EnvAdminAddr: "127.0.0.1:" + strconv.Itoa(contract.AdminPort)}
	maps.Copy(env, defaults)
	maps.Copy(env, shop.Env)
	return server{
		Env: env, Fetched: slices.Clone(shop.Secrets), UID: contract.UID, Port: contract.Port,
		LivePath: contract.LivePath, ReadyPath: contract.ReadyPath, MetricsPath: contract.MetricsPath,
	}
}

//go:embed *.tmpl
var files embed.FS

var (
	imageByDigest = regexp.MustCompile(`^[a-z0-9][a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$`)
	variable      = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	blankLine     = regexp.MustCompile(`(?m)^ +$`)
	parameterPath = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)
)

// check refuses, beside what Shop.check does, a database that accepts nobody.
func (a SingleArgs) check() error {
	err := a.Shop.check()
	if a.DumpBucket != "" && !strings.Contains(a.DumpBucket, "/") {
		err = errors.Join(err, fmt.Errorf("DumpBucket %q has no prefix", a.DumpBucket))
	}
	if a.MaxConnections <= 0 {
		err = errors.Join(err, fmt.Errorf("MaxConnections is %d", a.MaxConnections))
	}
	return err
}

// check refuses what would make a server that cannot work, or put a secret into user data.
func (s Shop) check() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if s.Region == "" {
		add("Region is empty")
	}
	if !imageByDigest.MatchString(s.Image) {
		add("Image %q is not a name by digest", s.Image)
	}
	if !parameterPath.MatchString(s.Parameters) {
		add("Parameters %q is not a path such as /shoplab/stage1", s.Parameters)
	}
	if s.LogGroup == "" {
		add("LogGroup is empty")
	}
	if s.Memory <= 0 {
		add("Memory is %d MiB", s.Memory)
	}
	for name, value := range s.Env {
		if !variable.MatchString(name) || strings.ContainsAny(value, "\r\n") {
			add("Env: %q is no line of an environment file", name)
		}
		if slices.Contains(contract.SecretEnv, name) {
			add("Env: %s is a secret", name)
		}
	}
	for _, name := range s.Secrets {
		if !variable.MatchString(name) {
			add("Secrets: %q is not the name of a variable", name)
		}
	}
	return errors.Join(problems...)
}

func execute(name string, args any) (string, error) {
	functions := template.FuncMap{
		"indent": func(n int, s string) string {
			return blankLine.ReplaceAllString(strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n)), "")
		},
		"join":         func(sep string, s []string) string { return strings.Join(s, sep) },
		"mib":          func(memory, numerator, denominator int) int { return memory * numerator / denominator },
		"restartDelay": func() int { return int(contract.RestartDelay.Seconds()) },
	}
	t := template.New(name).Funcs(functions).Option("missingkey=error")
	functions["include"] = func(name string, args any) (string, error) {
		var b bytes.Buffer
		err := t.ExecuteTemplate(&b, name, args)
		return b.String(), err
	}
	t, err := t.Funcs(functions).ParseFS(files, "*.tmpl")
	if err != nil {
		return "", fmt.Errorf("parse the user data templates: %w", err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, args); err != nil {
		return "", fmt.Errorf("render user data %s: %w", name, err)
	}
	if b.Len() > MaxSize {
		return "", fmt.Errorf("user data %s has %d bytes; EC2 accepts %d", name, b.Len(), MaxSize)
	}
	return b.String(), nil
}
