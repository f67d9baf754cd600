package platform

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"
)

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// stackConfig is a stack's configuration file with changes; an empty value takes a key away.
func stackConfig(t *testing.T, stack string, change map[string]string) map[string]string {
	t.Helper()
	var file struct{ Config map[string]string }
	readYAML(t, "../Pulumi."+stack+".yaml", &file)
	maps.Copy(file.Config, change)
	maps.DeleteFunc(file.Config, func(_, value string) bool { return value == "" })
	return file.Config
}

// load runs loadConfig as Pulumi would.
func load(t *testing.T, stack string, change map[string]string) (Config, error) {
	t.Helper()
	return loadAs(t, stack, stackConfig(t, stack, change))
}

// loadAs is load for a stack without a file.
func loadAs(t *testing.T, stack string, values map[string]string) (Config, error) {
	t.Helper()
	setConfig(t, values)
	var c Config
	err := runProgram(t, stack, &recorder{}, func(ctx *pulumi.Context) (err error) {
		c, err = loadConfig(ctx)
		return err
	})
	return c, err
}

// setConfig hands configuration to the program as the engine does: through the environment.
func setConfig(t *testing.T, values map[string]string) {
	t.Helper()
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(data))
}

func TestStacksAreValid(t *testing.T) {
	for _, stack := range []string{"stage1", "stage2", "stage3", "stage4", "stage5"} {
		t.Run(stack, func(t *testing.T) {
			c, err := load(t, stack, operator(stack))
			if err != nil {
				t.Fatal(err)
			}
			if need := c.ConnectionsNeeded(); need > c.DatabaseConnections {
				t.Errorf("needs %d connections of %d", need, c.DatabaseConnections)
			}
		})
	}
}

// operator is what a stack's file cannot know: who operates it.
func operator(stack string) map[string]string {
	if stack == "stage4" {
		return map[string]string{"shoplab:operatorCidr": "203.0.113.7/32", "shoplab:wait": "false"} // nothing answers there
	}
	return nil
}

func TestConfigProblems(t *testing.T) {
	for name, test := range map[string]struct {
		stack  string
		change map[string]string
		want   string
	}{
		"unknown key":    {"stage3", map[string]string{"shoplab:instanses": "3"}, "shoplab:instanses is not a key"},
		"missing key":    {"stage3", map[string]string{"shoplab:cpu": ""}, "shoplab:cpu is required"},
		"missing region": {"stage3", map[string]string{"aws:region": ""}, "aws:region is required"},
		"unknown region": {
			"stage3", map[string]string{"aws:region": "mars-north-1"}, "add rds-ca-rsa2048-g1 of that region",
		},
		"not a number":     {"stage3", map[string]string{"shoplab:instances": "two"}, `"two", not a whole number`},
		"not a boolean":    {"stage3", map[string]string{"shoplab:meshery": "maybe"}, "neither true nor false"},
		"unknown topology": {"stage3", map[string]string{"shoplab:topology": "serverless"}, `"serverless"; choose one of`},
		"connection budget": {
			"stage3", map[string]string{"shoplab:poolPerInstance": "25"}, "2 x 8 maxInstances x 25 poolPerInstance + 10 in " +
				"reserve = 410 connections, but the database accepts 79",
		},
		"max below start": {"stage3", map[string]string{"shoplab:instances": "9"}, "maxInstances is 8, not between 9"},
		"one server": {
			"stage1",
			map[string]string{"shoplab:maxInstances": "2", "shoplab:poolPerInstance": "5"},
			"topology single is one server",
		},
		"no such task size": {
			"stage3", map[string]string{"shoplab:memory": "4096"}, "with 256 CPU units Fargate takes 512 to 2048",
		},
		"no such task CPU": {"stage3", map[string]string{"shoplab:cpu": "300"}, "Fargate takes 256, 512"},
		"wrong architecture": {
			"stage2", map[string]string{"shoplab:instanceType": "t3.small"}, "t3.small does not run arm64",
		},
		"image by tag": {
			"stage3", map[string]string{"shoplab:image": "registry/shop:latest"}, "not registry/name@sha256",
		},
		"domain without a name": {
			"stage3", map[string]string{"shoplab:https": "domain"}, "needs shoplab:domain and shoplab:zone",
		},
		"domain elsewhere": {
			"stage3", map[string]string{
				"shoplab:https": "domain", "shoplab:domain": "shop.example.org", "shoplab:zone": "example.com",
			}, "is not in the zone",
		},
		"Stripe without keys": {"stage3", map[string]string{"shoplab:payments": "stripe"}, "needs shoplab:stripeSecretKey"},
		"Stripe over plain HTTP": {
			"stage3", map[string]string{"shoplab:payments": "stripe", "shoplab:https": "off"}, "needs HTTPS",
		},
		"expiry in the past": {
			"stage3", map[string]string{"shoplab:expires": "2026-01-01T00:00:00+02:00"}, "which has passed",
		},
		"expiry not a time": {"stage3", map[string]string{"shoplab:expires": "tomorrow"}, `"tomorrow", not a time`},
		"key in the clear": {
			"stage4", map[string]string{"shoplab:kubeconfig": "x"}, "pulumi config set --secret kubeconfig",
		},
		"dumps of RDS": {
			"stage3", map[string]string{"shoplab:dumpBucket": "mine"}, "dumpBucket belongs to topology single",
		},
		"standby of a server": {
			"stage1", map[string]string{"shoplab:databaseStandby": "true"}, "databaseStandby is for a database of RDS",
		},
		"no bucket": {
			"stage1", map[string]string{"shoplab:dumpBucket": "My_Bucket"}, `"My_Bucket", not bucket or bucket/prefix`,
		},
		"no calendar": {
			"stage1",
			map[string]string{"shoplab:dumpBucket": "mine", "shoplab:dumpCalendar": "now; reboot"},
			"not a time such as hourly",
		},
		"odd retention": {"stage3", map[string]string{"shoplab:logRetentionDays": "8"}, "logRetentionDays is 8"},
		"no key version": {
			"stage3", map[string]string{"shoplab:sessionKeyVersion": "0"}, "sessionKeyVersion is 0, not between 1",
		},
		"everybody operates": {
			"stage4", map[string]string{"shoplab:operatorCidr": "0.0.0.0/0"}, "not a network of /8 or narrower",
		},
		"IPv6 operates": {"stage4", map[string]string{"shoplab:operatorCidr": "2001:db8::/64"}, "name an IPv4 network"},
		"no network operates": {
			"stage4", map[string]string{"shoplab:operatorCidr": "203.0.113.7/24"}, "begins at 203.0.113.0/24",
		},
		"function's CPU": {
			"stage5", map[string]string{"shoplab:cpu": "1024"}, "Lambda gives a function of 1024 MiB 592 CPU units",
		},
		"function's memory": {
			"stage5", map[string]string{"shoplab:memory": "64", "shoplab:cpu": "37"}, "memory is 64, not between 128 and 10240",
		},
		"functions at once": {
			"stage5", map[string]string{"shoplab:maxInstances": "35"}, "2 x 35 maxInstances x 1 poolPerInstance",
		},
		"functions to start": {"stage5", map[string]string{"shoplab:instances": "2"}, "write 1"},
		"image of a function": {
			"stage5",
			map[string]string{"shoplab:image": "registry.example.com/shop@sha256:" + strings.Repeat("a", 64)},
			"private ECR repository",
		},
		"cluster elsewhere": {"stage3", map[string]string{"shoplab:kubeconfig": "x"}, "belongs to topology mesh"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.stack, test.change)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestStackNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"stage9": true, "eu-west-2": true, strings.Repeat("x", 28): true,
		"Stage9": false, "my_shop": false, "a--b": false, "stage-": false, strings.Repeat("x", 29): false,
	} {
		if _, err := loadAs(t, name, stackConfig(t, "stage3", nil)); (err == nil) != ok {
			t.Errorf("stack %s: %v", name, err)
		}
	}
}

// TestConfigListsAllProblems: whoever has three mistakes learns of three.
func TestConfigListsAllProblems(t *testing.T) {
	_, err := load(t, "stage3", map[string]string{
		"shoplab:https": "maybe", "shoplab:instanses": "1", "shoplab:poolPerInstance": "25", "shoplab:cpu": "",
		"aws:region": "",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"5 problem(s)", "instanses", "maybe", "410", "cpu is required", "aws:region"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in: %v", want, err)
		}
	}
}

// TestStandby: the key is what decides whether RDS keeps one.
func TestStandby(t *testing.T) {
	for value, want := range map[string]bool{"": false, "true": true} {
		r, _ := deploy(t, "stage2", map[string]string{"shoplab:databaseStandby": value})
		for _, res := range r.resources {
			if res.Type == "aws:rds/instance:Instance" && res.Inputs["multiAz"].BoolValue() != want {
				t.Errorf("databaseStandby %q: multiAz is %v", value, !want)
			}
		}
	}
}
