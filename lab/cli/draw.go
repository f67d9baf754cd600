package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"shoplab/lab/chart"
	"shoplab/lab/program"
)

// newDraw finds or builds the program that draws charts, and returns what draws with it.
func newDraw(ctx context.Context, p *progress) (chart.Draw, error) {
	p.step("building the program that draws charts (the first time takes a minute)")
	root, _ := findRoot() // outside of the repository the program may be beside this one
	path, err := program.Find(ctx, root, "draw")
	if err != nil {
		return nil, err
	}
	return func(charts []chart.Chart) ([]string, error) {
		in, err := json.Marshal(charts)
		if err != nil {
			return nil, fmt.Errorf("describe the charts: %w", err)
		}
		// An interrupted run has its report, too.
		out, err := program.Output(context.WithoutCancel(ctx), p.step, bytes.NewReader(in), path)
		if err != nil {
			return nil, err
		}
		var drawn []string
		if err := json.Unmarshal(out, &drawn); err != nil {
			return nil, fmt.Errorf("read the drawn charts: %w", err)
		}
		return drawn, nil
	}, nil
}
