package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shoplab/contract"
)

// minimal is the least that the service starts with.
func minimal() map[string]string {
	return map[string]string{
		contract.EnvDatabaseURL: "postgres://shop:secret-password@localhost/shop", contract.EnvSessionKey: strings.Repeat("s",
			32), contract.EnvPayments: "simulated",
	}
}

func load(env map[string]string) (config, error) {
	return loadConfig(func(name string) string { return env[name] })
}

func TestConfigDefaults(t *testing.T) {
	c, err := load(minimal())
	if err != nil {
		t.Fatal(err)
	}
	if c.addr != ":8080" || c.adminAddr != "127.0.0.1:9090" || c.databaseMaxConns != 10 || c.databaseAcquireTimeout != 2*
		time.Second ||
		c.orderHold != 5*time.Minute || c.orderTTL != 15*time.Minute || c.drainDelay != 5*time.Second || !c.rateLimit ||
		!c.accessLog || c.httpsAll || c.instance == "" || c.hashConcurrency < 1 {
		t.Errorf("defaults %+v", c)
	}
}

// TestConfigTable holds the table against the names that the platform uses.
func TestConfigTable(t *testing.T) {
	var names, secrets []string
	for _, v := range new(config).variables() {
		names = append(names, v.name)
		if v.secret {
			secrets = append(secrets, v.name)
		}
	}
	slices.Sort(names)
	slices.Sort(secrets)
	if want := slices.Sorted(slices.Values(contract.Env)); !slices.Equal(names, want) {
		t.Errorf("reads %q, the contract says %q", names, want)
	}
	if want := slices.Sorted(slices.Values(contract.SecretEnv)); !slices.Equal(secrets, want) {
		t.Errorf("secrets %q, the contract says %q", secrets, want)
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, func(string) string { return "" }, &help); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(help.String(), "  "+name) {
			t.Errorf("--help does not know %s", name)
		}
	}
}

// TestConfigRefuses mistypes each variable: it is named, and no secret is told.
func TestConfigRefuses(t *testing.T) {
	for name, values := range map[string][]string{
		contract.EnvAddr: {"8080", "localhost", ":http8", ":99999"}, contract.EnvAdminAddr: {"9090"},
		contract.EnvDatabaseURL: {
			"", "localhost/secret-password", "mysql://u:secret-password@h/d", "postgres://u:secret-password@h:port/d",
		}, contract.EnvDatabaseMaxConns: {
			"0", "-1", "ten", "1e3",
		},
		contract.EnvDatabaseAcquireTimeout: {"2", "0s", "1h"},
		contract.EnvRedisURL:               {"localhost:6379", "http://secret-password@h"},
		contract.EnvSessionKey: {
			"", " ,", "secret-password", strings.Repeat("s", 32) + ",secret-password",
			strings.Repeat(strings.Repeat("s", 32)+",", 3),
		}, contract.EnvPayments: {
			"", "simulate", "Simulated",
		},
		contract.EnvStripeAPIURL: {"ftp://h"}, contract.EnvRateLimit: {"true", "0"},
		contract.EnvTrustedProxies: {"all", "10.0.0.0/33"},
		contract.EnvHTTPS:          {"yes"}, contract.EnvOrderHold: {"5", "0s"}, contract.EnvOrderTTL: {"15", "-1m"},
		contract.EnvDrainDelay: {"-1s", "5"}, contract.EnvHashConcurrency: {"0"},
		contract.EnvLogLevel: {"INFO", "verbose"}, contract.EnvAccessLog: {"yes"},
	} {
		for _, value := range values {
			env := minimal()
			env[name] = value
			_, err := load(env)
			if err == nil || !strings.Contains(err.Error(), name+": ") {
				t.Errorf("%s=%s: %v", name, value, err)
			} else if strings.Contains(err.Error(), "secret-password") {
				t.Errorf("%s=%s: the error tells the secret: %v", name, value, err)
			}
		}
	}
}

func TestConfigTellsAllProblems(t *testing.T) {
	err := run(t.Context(), nil, func(name string) string {
		return map[string]string{contract.EnvAddr: "x", contract.EnvLogLevel: "loud"}[name]
	}, io.Discard)
	if err == nil {
		t.Fatal("started")
	}
	for _, name := range []string{
		contract.EnvAddr, contract.EnvLogLevel, contract.EnvDatabaseURL, contract.EnvSessionKey, contract.EnvPayments,
	} {
		if !strings.Contains(err.Error(), "\n"+name+": ") {
			t.Errorf("%v\ndoes not name %s", err, name)
		}
	}
}

func TestConfigSecretFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(strings.Repeat("f", 40)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := minimal()
	env[contract.EnvSessionKey] = ""
	env[contract.EnvSessionKey+"_FILE"] = file
	if c, err := load(env); err != nil || len(c.sessionKeys) != 1 || len(c.sessionKeys[0]) != 40 {
		t.Errorf("from a file: %d keys, %v", len(c.sessionKeys), err)
	}
	env[contract.EnvSessionKey] = strings.Repeat("s", 32)
	if _, err := load(env); err == nil {
		t.Error("variable and file at once are accepted")
	}
	env[contract.EnvSessionKey], env[contract.EnvSessionKey+"_FILE"] = "", file+"-absent"
	if _, err := load(env); err == nil {
		t.Error("a file that is not there is accepted")
	}
}

// TestConfigSessionKeys: one key, or a new one and the one before it.
func TestConfigSessionKeys(t *testing.T) {
	first, second := strings.Repeat("1", 40), strings.Repeat("2", 32)
	for value, want := range map[string][]string{
		first: {first}, second + "," + first: {second, first}, second + ", " + first + "\n": {second, first}, second + "\n" +
			first: {second, first},
	} {
		env := minimal()
		env[contract.EnvSessionKey] = value
		c, err := load(env)
		if err != nil || len(c.sessionKeys) != len(want) {
			t.Errorf("%q: %d keys, %v", value, len(c.sessionKeys), err)
			continue
		}
		for i, key := range c.sessionKeys {
			if string(key) != want[i] {
				t.Errorf("%q: key %d is %q", value, i, key)
			}
		}
	}
}

func TestConfigPayments(t *testing.T) {
	stripe := map[string]string{
		contract.EnvStripeSecretKey: "sk_test_1", contract.EnvStripePublishableKey: "pk_test_1",
		contract.EnvStripeWebhookSecret: "whsec_1",
	}
	env := minimal()
	maps.Copy(env, stripe)
	for _, payments := range []string{"", "stripe"} {
		env[contract.EnvPayments] = payments
		if c, err := load(env); err != nil || c.payments != "stripe" {
			t.Errorf("PAYMENTS=%s with keys: %s, %v", payments, c.payments, err)
		}
		for name := range stripe {
			less := maps.Clone(env)
			delete(less, name)
			optional := name == contract.EnvStripeWebhookSecret // it is not known before the shop's URL is
			if c, err := load(less); (err == nil) != optional {
				t.Errorf("PAYMENTS=%s without %s: %s, %v", payments, name, c.payments, err)
			}
			less[name] = "nonsense"
			if c, err := load(less); err == nil {
				t.Errorf("PAYMENTS=%s with nonsense for %s: %s", payments, name, c.payments)
			}
		}
	}
	a, err := load(minimal())
	if err != nil || a.payments != "simulated" || a.stripeWebhookSecret == "" ||
		strings.Contains(a.stripeWebhookSecret, string(a.sessionKeys[0])) {
		t.Errorf("simulated: %+v, %v", a, err)
	}
	if b, err := load(minimal()); err != nil || b.stripeWebhookSecret != a.stripeWebhookSecret {
		t.Error("instances with one session key sign their events with different secrets")
	}
}

func TestCPUStat(t *testing.T) {
	for name, test := range map[string]struct{ groups, file string }{
		"v2 on the host":      {"0::/shop.service\n", "shop.service/cpu.stat"},
		"v2 in a container":   {"0::/\n", "cpu.stat"},
		"v1 on the host":      {"3:memory:/x\n4:cpu,cpuacct:/x\n", "cpu,cpuacct/x/cpu.stat"},
		"v1 in a container":   {"4:cpu,cpuacct:/docker/0123\n", "cpu,cpuacct/cpu.stat"},
		"v1, cpu on its own":  {"1:cpuset:/\n4:cpu:/x\n", "cpu/x/cpu.stat"},
		"v1, linked from cpu": {"4:cpuacct,cpu:/x\n", "cpu/x/cpu.stat"},
	} {
		dir := t.TempDir()
		self, file := filepath.Join(dir, "cgroup"), filepath.Join(dir, "fs", test.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(self, []byte(test.groups), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("nr_periods 7\nnr_throttled 3\nthrottled_usec 1500\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := cpuStat(self, filepath.Join(dir, "fs")); got != file || cpuStatField(got, "nr_throttled") != 3 ||
			cpuStatField(got, "throttled_time") != 0 {
			t.Errorf("%s: found %q", name, got)
		}
	}
	if got := cpuStat("/absent", "/absent"); got != "" {
		t.Errorf("found %q in nothing", got)
	}
}
