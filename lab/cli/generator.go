package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"shoplab/lab/load"
	"shoplab/lab/stage"
	"shoplab/lab/target/aws"
)

// sending is who sends a load: --generator and --shards.
type sending struct {
	generator string // here, aws, or "" for what the target asks for
	shards    int    // 0: as many as the load asks for
	given     func(flag string) bool
}

func (s *sending) flags(f *pflag.FlagSet) {
	f.StringVar(&s.generator, "generator", "",
		"where the load is sent from: `here|aws`; with --target aws from tasks in the shop's region, unless told otherwise")
	s.given = f.Changed
	f.IntVar(&s.shards, "shards", 0, "how many `processes` share the load: by default one here, and on AWS as many "+
		"tasks as it asks for")
}

// check fills in what follows from the target.
func (s *sending) check(target string) error {
	if s.generator == "" {
		s.generator = map[string]string{"aws": "aws"}[target]
	}
	s.generator = cmp.Or(s.generator, "here")
	switch {
	case s.generator != "here" && s.generator != "aws":
		return fmt.Errorf("--generator is %q, want here or aws", s.generator)
	case s.generator == "aws" && target != "aws":
		return errors.New("--generator aws reaches what is on AWS: say --target aws too")
	case s.given("shards") && (s.shards < 1 || s.shards > maxShards):
		return fmt.Errorf("--shards is %d, want 1 to %d", s.shards, maxShards)
	}
	return nil
}

// setUp returns who sends the load, and what takes down what that brings up.
func (s *sending) setUp(
	ctx context.Context, root, region string, config []string, say func(string),
) (load.Gatherer, func(context.Context) error, error) {
	if s.generator == "here" {
		return processes(max(1, s.shards)), func(context.Context) error { return nil }, nil
	}
	say("building the programs that bring load generators up on AWS (the first time takes minutes)")
	g, err := aws.NewGenerator(ctx, root, region, s.shards, generatorConfig(config), say)
	if err != nil {
		return nil, nil, err
	}
	return g, g.Down, nil
}

// generatorKeys begins the names of the generator's own configuration.
const generatorKeys = "shoplab-generator:"

// generatorConfig are the settings of a run that the generator's stack has too: its own, and the provider's.
func generatorConfig(all []string) (some []string) {
	for _, pair := range all {
		if strings.HasPrefix(pair, generatorKeys) || strings.HasPrefix(pair, "aws:") {
			some = append(some, pair)
		}
	}
	return some
}

// regionOf is the one region that the stages are in.
func regionOf(root string, stages, config []string) (string, error) {
	for _, pair := range slices.Backward(config) {
		if region, ok := strings.CutPrefix(pair, "aws:region="); ok {
			return region, nil
		}
	}
	region, first := "", ""
	for _, name := range stages {
		s, err := stage.Read(root, name)
		if err != nil {
			return "", err
		}
		if region != "" && s.Region != region {
			return "", fmt.Errorf("%s is in %s and %s in %s: load generators are in one region, so run them one after the other",
				first, region, name, s.Region)
		}
		region, first = s.Region, name
	}
	return region, nil
}

// regionHere is the region that AWS's own settings name; "" if they do not.
func regionHere() string { return cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")) }
