package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"

	"shoplab/lab/chart"
)

//go:embed report.html.tmpl
var htmlSource string

var htmlTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"together": together, "inline": inline,
}).Parse(htmlSource))

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

// fixedSize is the width and height in points that package svg puts on the root element; the
// page scales the drawing by its viewBox instead.
var fixedSize = regexp.MustCompile(`(<svg[^>]*?) width="[^"]*" height="[^"]*"`)

// themed are the colours, as package svg spells them, that the page sets itself: light ones on a dark page, and no
// background. The page also fills text, whose black the SVG leaves to the default.
var themed = map[string]string{
	"fill:#FFFFFF": "fill:none", "stroke:#000000": "stroke:currentColor",
	"#0072B2": "var(--c1)", "#D55E00": "var(--c2)", "#009E73": "var(--c3)", "#8D4A85": "var(--c4)", "#6B6B6B": "var(--c5)",
}

// inline is a drawing as a part of the page, in the page's colours.
func inline(f *figure) template.HTML {
	_, svg, _ := strings.Cut(f.SVG, "<svg")
	svg = fixedSize.ReplaceAllString("<svg"+svg, "$1")
	for hex, variable := range themed {
		svg = strings.ReplaceAll(svg, hex, variable)
	}
	return template.HTML(svg) //nolint:gosec // package svg escapes the text in it
}

// drawFigures draws every chart of the document, all by one call.
func drawFigures(d document, draw chart.Draw) error {
	figures := d.figures()
	if len(figures) == 0 {
		return nil
	}
	var charts []chart.Chart
	for _, f := range figures {
		charts = append(charts, f.Chart)
	}
	drawn, err := draw(charts)
	if err != nil {
		return fmt.Errorf("draw the report's charts: %w", err)
	}
	if len(drawn) != len(figures) {
		return fmt.Errorf("draw the report's charts: %d drawn of %d", len(drawn), len(figures))
	}
	for i, f := range figures {
		f.SVG = drawn[i]
	}
	return nil
}

// figures are those of all sections, in their order.
func (d document) figures() (all []*figure) {
	for _, s := range d.Sections {
		for _, b := range s.Blocks {
			if b.Figure != nil {
				all = append(all, b.Figure)
			}
		}
	}
	return all
}

// writeHTML writes one self-contained page: no script, nothing from the network.
func writeHTML(w io.Writer, d document) error {
	if err := htmlTemplate.Execute(w, d); err != nil {
		return fmt.Errorf("render HTML: %w", err)
	}
	return nil
}
