package experiment

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"shoplab/lab/cost"
	"shoplab/lab/result"
)

// complexity counts what the stage asks of its operators. What cannot be counted here is left out.
func complexity(root, stage, topology string, target result.Target) *result.Complexity {
	c := &result.Complexity{}
	if g, err := declaredGraph(root, stage); err == nil {
		types := map[string]bool{}
		for _, r := range g.Resources {
			types[r.Type] = true
		}
		c.Resources, c.ResourceTypes = result.Ptr(len(g.Resources)), result.Ptr(len(types))
	}
	if n, ok := configLines(filepath.Join(root, "Pulumi."+stage+".yaml")); ok {
		c.ConfigLines = &n
	}
	if n, ok := codeLines(root, topology); ok {
		c.StageLines = &n
	}
	c.CommandsRun = []string{"pulumi up -s " + stage}
	if target == result.TargetLocal {
		c.CommandsRun = []string{"go run ./lab up " + stage}
	}
	c.Commands = result.Ptr(len(c.CommandsRun))
	return c
}

// declaredGraph is the resource graph that the platform declares for the stage; its tests hold the program to it.
func declaredGraph(root, stage string) (cost.Graph, error) {
	f, err := os.Open(filepath.Join(root, "platform", "graphs", stage+".json"))
	if err != nil {
		return cost.Graph{}, err
	}
	defer f.Close()
	return cost.ReadGraph(f)
}

// configLines counts the lines of a YAML file that say something.
func configLines(name string) (int, bool) {
	f, err := os.Open(name)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text := strings.TrimSpace(lines.Text()); text != "" && !strings.HasPrefix(text, "#") {
			n++
		}
	}
	return n, true
}
