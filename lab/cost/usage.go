package cost

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Usage is the traffic and storage that an estimate assumes, per month where it is a flow.
type Usage struct {
	Requests           float64 // HTTP requests a month, of the whole stack
	BytesPerRequest    float64 // sent to the shopper, on average
	LogBytes           float64 // written to CloudWatch Logs per request
	CPUSeconds         float64 // that a request takes of the servers
	DatabaseCPUSeconds float64 // that a request takes of a database of its own
	FunctionSeconds    float64 // that a Lambda function is billed for a request
	CacheECPUs         float64 // ElastiCache processing units that a request takes of a serverless cache
	ImageGB            float64 // stored in ECR
	// Resources are a usage file's amounts by "TYPE NAME", or by "TYPE" for all of a type.
	Resources map[string]map[string]float64 `json:",omitempty"`
}

// DefaultUsage is the original experiment's volume, with sizes that lab load reports for a mix of
// pages, pictures and API calls, and CPU times as local runs of stages 1, 2 and 4 measured them
// (0.7 to 1.7 ms of the servers, 0.3 ms of the database). A function's time is what `lab findings lambda` measured on
// 2026-11-28, on a twin; on AWS it may be 2.4 to 18 ms (decision 0155). Two cache commands a request, each of up to a
// kilobyte, are a guess. They are assumptions: every one can be set on the command line or by a usage file.
func DefaultUsage() Usage {
	return Usage{
		Requests: 500_000, BytesPerRequest: 8 << 10, LogBytes: 400,
		CPUSeconds: 0.001, DatabaseCPUSeconds: 0.0003, FunctionSeconds: 0.0028, CacheECPUs: 2, ImageGB: 0.05,
	}
}

// maxUsage is more than any month has: of requests, of bytes, of anything.
const maxUsage = 1e15

// fields are Usage's numbers by their names in a usage file.
func (u *Usage) fields() map[string]*float64 {
	return map[string]*float64{
		"requests": &u.Requests, "bytes_per_request": &u.BytesPerRequest, "log_bytes_per_request": &u.LogBytes,
		"cpu_seconds_per_request": &u.CPUSeconds, "database_cpu_seconds_per_request": &u.DatabaseCPUSeconds,
		"function_seconds_per_request": &u.FunctionSeconds,
		"cache_ecpus_per_request":      &u.CacheECPUs, "image_gb": &u.ImageGB,
	}
}

// Check refuses what no month has: negative numbers, NaN, infinities.
func (u Usage) Check() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(u.fields())) {
		if err := checkAmount(name, *u.fields()[name]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func checkAmount(name string, v float64) error {
	if !(v >= 0 && v <= maxUsage) || math.IsNaN(v) {
		return fmt.Errorf("usage: %s is %g, want a number from 0 to %g", name, v, float64(maxUsage))
	}
	return nil
}

// amount is what a usage file says of a resource.
func (u Usage) amount(r Resource, key string) (float64, bool) {
	for _, of := range []string{r.Type + " " + r.Name, r.Type} {
		if v, ok := u.Resources[of][key]; ok {
			return v, true
		}
	}
	return 0, false
}

// usageFile is a usage file, in the shape of Infracost's with Pulumi's types and names.
type usageFile struct {
	Version  int                           `yaml:"version"`
	Stack    map[string]float64            `yaml:"stack"`
	Defaults map[string]map[string]float64 `yaml:"resource_type_default_usage"`
	Resource map[string]map[string]float64 `yaml:"resource_usage"`
}

// ReadUsage reads a usage file over u: what it does not say stays.
func ReadUsage(r io.Reader, u Usage) (Usage, error) {
	var f usageFile
	d := yaml.NewDecoder(UTF8(r))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return u, fmt.Errorf("decode usage: %w", err)
	}
	if f.Version != 1 {
		return u, fmt.Errorf("usage file of version %d, want `version: 1`", f.Version)
	}
	fields := u.fields()
	for _, name := range slices.Sorted(maps.Keys(f.Stack)) {
		if fields[name] == nil {
			return u, fmt.Errorf("usage of the stack: no %q; there are %s", name,
				strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		*fields[name] = f.Stack[name]
	}
	u.Resources = maps.Clone(u.Resources)
	if u.Resources == nil {
		u.Resources = map[string]map[string]float64{}
	}
	for _, of := range slices.Sorted(maps.Keys(f.Defaults)) {
		if err := u.set(of, of, f.Defaults[of]); err != nil {
			return u, err
		}
	}
	for _, of := range slices.Sorted(maps.Keys(f.Resource)) {
		typ, name, found := strings.Cut(of, " ")
		if !found || name == "" {
			return u, fmt.Errorf("usage of %q: want the type and the name, such as `aws:s3/bucket:Bucket pictures`", of)
		}
		if err := u.set(of, typ, f.Resource[of]); err != nil {
			return u, err
		}
	}
	return u, u.Check()
}

func (u Usage) set(of, typ string, amounts map[string]float64) error {
	rule, ok := rules[typ]
	if !ok {
		return fmt.Errorf("usage of %q: no price depends on the usage of this type", of)
	}
	for _, key := range slices.Sorted(maps.Keys(amounts)) {
		if !slices.Contains(rule.usage, key) {
			return fmt.Errorf("usage of %q: no %q; there are: %s", of, key, strings.Join(rule.usage, ", "))
		}
		if err := checkAmount(of+" "+key, amounts[key]); err != nil {
			return err
		}
	}
	u.Resources[of] = amounts
	return nil
}

// Unused returns the resources that a usage file names and none of the graphs has.
func (u Usage) Unused(graphs ...Graph) []string {
	var out []string
	for _, of := range slices.Sorted(maps.Keys(u.Resources)) {
		typ, name, byName := strings.Cut(of, " ")
		found := func(g Graph) bool {
			return slices.ContainsFunc(g.ofType(typ), func(r Resource) bool { return r.Name == name })
		}
		if byName && !slices.ContainsFunc(graphs, found) {
			out = append(out, of)
		}
	}
	return out
}
