package stack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Namespace is the prefix of this project's keys, before a colon.
const Namespace = "shoplab"

// Value is what a stack sets a key to.
type Value struct {
	Text   string
	Secret bool // it is kept encrypted
}

// Values are a stack's configuration by full key, such as "shoplab:cpu" or "aws:region".
type Values map[string]Value

// Keys lists the full keys that Read reads.
func Keys() []string {
	keys := []string{"aws:region"}
	for _, r := range new(Config).rows() {
		keys = append(keys, r.key())
	}
	return keys
}

// Read reads and checks the configuration of a stack. The error lists every problem.
func Read(stack string, values Values) (Config, error) {
	c := Config{Stack: stack, Region: values["aws:region"].Text}
	p := problems{}
	if c.Region == "" {
		p.add("aws:region is required")
	}
	known := map[string]bool{}
	for _, r := range c.rows() {
		known[r.key()] = true
		p.read(r, values)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if strings.HasPrefix(key, Namespace+":") && !known[key] { // a mistyped key would be a silent default
			p.add("%s is not a key of this program", key)
		}
	}
	c.byTopology()
	p.check(c)
	if len(p) > 0 {
		return Config{}, fmt.Errorf("the configuration of stack %s has %d problem(s):\n  - %s", stack, len(p),
			strings.Join(p, "\n  - "))
	}
	return c, nil
}

// problems gathers everything that is wrong with a configuration.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// read reads the value of one key, or its default.
func (p *problems) read(r row, values Values) {
	value, set := values[r.key()]
	if r.secret && value.Text != "" && !value.Secret {
		p.add("%s would lie in the clear; set it with: pulumi config set --secret %s", r.key(), r.name)
	}
	text := cmp.Or(value.Text, r.value)
	switch {
	case r.required && !set:
		p.add("%s is required (%s)", r.key(), r.about)
	case text == "" && r.kind == "string": // the field is empty already
	default:
		if err := r.read(text); err != nil {
			p.add("%s is %s", r.key(), err)
		}
	}
}

// ReadFile reads and checks Pulumi.<stack>.yaml in a folder. What is encrypted there is not decrypted.
func ReadFile(folder, stack string) (Config, error) {
	name := "Pulumi." + stack + ".yaml"
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return Config{}, fmt.Errorf("read the stack's configuration: %w", err)
	}
	var file struct{ Config map[string]yaml.Node }
	if err := yaml.Unmarshal(data, &file); err != nil {
		return Config{}, fmt.Errorf("read %s: %w", name, err)
	}
	values := Values{}
	for key, node := range file.Config {
		if values[key], err = valueOf(node); err != nil {
			return Config{}, fmt.Errorf("read %s: %s: %w", name, key, err)
		}
	}
	return Read(stack, values)
}

// valueOf is a scalar as it is written, 8.0 and not 8, or an encrypted value.
func valueOf(node yaml.Node) (Value, error) {
	if node.Kind == yaml.ScalarNode {
		if node.Tag == "!!null" {
			return Value{}, nil
		}
		return Value{Text: node.Value}, nil
	}
	var encrypted struct{ Secure string }
	if err := node.Decode(&encrypted); err != nil || encrypted.Secure == "" {
		return Value{}, errors.New("want text, a number, true or false, or an encrypted value")
	}
	return Value{Text: "encrypted", Secret: true}, nil
}
