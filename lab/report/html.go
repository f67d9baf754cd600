package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
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

// writeHTML writes one self-contained page: no script, nothing from the network.
func writeHTML(w io.Writer, d document) error {
	if err := htmlTemplate.Execute(w, d); err != nil {
		return fmt.Errorf("render HTML: %w", err)
	}
	return nil
}
