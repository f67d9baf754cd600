package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shoplab/lab/cost"
)

// stageGraphs is where the platform declares the stages' graphs, in the repository.
var stageGraphs = filepath.Join("platform", "graphs")

// readGraphs reads the graphs that are named: stages of this project, files, or - for standard input. Without
// a name it is all stages.
func readGraphs(stdin io.Reader, names []string) ([]priced, error) {
	files, err := graphFiles(names)
	if err != nil {
		return nil, err
	}
	var out []priced
	for i, short := range shortNames(files) {
		g, err := readGraph(stdin, files[i])
		if err != nil {
			return nil, err
		}
		out = append(out, priced{name: short, graph: g})
	}
	return out, nil
}

// graphFiles are the files of the graphs that are named. A stage goes before a file of the same name.
func graphFiles(names []string) ([]string, error) {
	var stages []string
	root, err := findRoot()
	if err == nil {
		if stages, err = filepath.Glob(filepath.Join(root, stageGraphs, "stage*.json")); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		if len(stages) == 0 {
			return nil, errors.New("no resource graph: name a file, - for standard input, or run lab in the project's folder " +
				"or below it")
		}
		return stages, nil
	}
	var files []string
	for _, name := range names {
		file := name
		if declared := filepath.Join(root, stageGraphs, name+".json"); slices.Contains(stages, declared) {
			file = declared
		}
		if slices.Contains(files, file) {
			return nil, fmt.Errorf("%s is named twice", name)
		}
		files = append(files, file)
	}
	return files, nil
}

// shortNames are names for the files that nobody mixes up: the base name, and where two have the same, all
// of the path.
func shortNames(files []string) []string {
	short := func(file string) string {
		if file == "-" {
			return "stdin"
		}
		return strings.SplitN(filepath.Base(file), ".", 2)[0]
	}
	count := map[string]int{}
	for _, file := range files {
		count[short(file)]++
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = short(file)
		if count[names[i]] > 1 || names[i] == "" {
			names[i] = file
		}
	}
	return names
}

func readGraph(stdin io.Reader, name string) (cost.Graph, error) {
	if name == "-" {
		g, err := cost.ReadGraph(stdin)
		if err != nil {
			return g, fmt.Errorf("standard input: %w", err)
		}
		return g, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return cost.Graph{}, fmt.Errorf("read resource graph (no stage has this name, and no file): %w", err)
	}
	defer func() { _ = f.Close() }()
	g, err := cost.ReadGraph(f)
	if err != nil {
		return g, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}
