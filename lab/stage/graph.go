package stage

import (
	"os"
	"path/filepath"

	"shoplab/lab/cost"
)

// Graph is the resource graph that the platform declares for the stage, in platform/graphs below root;
// the platform's tests hold the program to it.
func Graph(root, name string) (cost.Graph, error) {
	f, err := os.Open(filepath.Join(root, "platform", "graphs", name+".json"))
	if err != nil {
		return cost.Graph{}, err
	}
	defer f.Close()
	return cost.ReadGraph(f)
}
