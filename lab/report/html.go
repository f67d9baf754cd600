package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"

	"shoplab/lab/chart"
)

//go:embed report.html.tmpl
var htmlSource string

var htmlTemplate = template.Must(template.New("report").Funcs(template.FuncMap{"together": together}).Parse(htmlSource))

// Where a cell's line may not end: between a number and its unit, before what it is, inside a range.
var (
	unit       = regexp.MustCompile(`(\d|\bms) (ms|users|mean|p95)\b`)
	figureDash = regexp.MustCompile(`(\d)-(\d)`)
)

// together keeps a figure on one line of a cell.
func together(text string) string {
	text = unit.ReplaceAllString(text, "$1\u00a0$2")
	text = unit.ReplaceAllString(text, "$1\u00a0$2") // "39 ms mean" are two that share a word
	return figureDash.ReplaceAllString(text, "$1\u2011$2")
}

// drawFigures draws every chart of the document, all by one call.
func drawFigures(d document, draw chart.Draw) error {
	var figures []*figure
	var charts []chart.Chart
	for _, s := range d.Sections {
		for _, b := range s.Blocks {
			if b.Figure != nil {
				figures, charts = append(figures, b.Figure), append(charts, b.Figure.Chart)
			}
		}
	}
	if len(charts) == 0 {
		return nil
	}
	drawn, err := draw(charts)
	if err != nil {
		return fmt.Errorf("draw the report's charts: %w", err)
	}
	if len(drawn) != len(figures) {
		return fmt.Errorf("draw the report's charts: %d drawn of %d", len(drawn), len(figures))
	}
	for i, f := range figures {
		f.SVG = template.HTML(drawn[i]) //nolint:gosec // package svg escapes the text in it
	}
	return nil
}

// writeHTML writes one self-contained page: no script, nothing from the network.
func writeHTML(w io.Writer, d document) error {
	if err := htmlTemplate.Execute(w, d); err != nil {
		return fmt.Errorf("render HTML: %w", err)
	}
	return nil
}
