// Package complexity counts what a stage asks of its operators: code, configuration, commands, resources.
package complexity

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// Count counts what the stage asks of its operators. What cannot be counted here is left out.
func Count(root, name, topology string, target result.Target) *result.Complexity {
	c := &result.Complexity{}
	if g, err := stage.Graph(root, name); err == nil {
		types := map[string]bool{}
		for _, r := range g.Resources {
			types[r.Type] = true
		}
		c.Resources, c.ResourceTypes = result.Ptr(len(g.Resources)), result.Ptr(len(types))
	}
	if n, ok := configLines(filepath.Join(root, "Pulumi."+name+".yaml")); ok {
		c.ConfigLines = &n
	}
	if n, ok := codeLines(root, topology); ok {
		c.StageLines = &n
	}
	c.CommandsRun = []string{"pulumi up -s " + name}
	if target == result.TargetLocal {
		c.CommandsRun = []string{"go run ./lab up " + name}
	}
	c.Commands = result.Ptr(len(c.CommandsRun))
	return c
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
