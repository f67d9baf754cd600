// Command draw draws the report's charts: from standard input a list of chart.Chart as JSON, to standard output a
// list of SVG elements. It is a program of its own because the plotting library takes long to compile. lab starts it
// when it writes a report.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"shoplab/lab/chart"
	"shoplab/lab/chart/svg"
)

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func draw(in io.Reader, out io.Writer) error {
	var charts []chart.Chart
	if err := json.NewDecoder(in).Decode(&charts); err != nil {
		return fmt.Errorf("read the charts: %w", err)
	}
	drawn, err := svg.Draw(charts)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(drawn)
}
