// Package report renders results: pure functions from what was measured to HTML and Markdown.
//
// A report is a document of sections, built once and written in both forms. A cell that was not
// measured says so, and a stage that failed its validity gate is INVALID, not a number.
package report

import (
	"html/template"

	"shoplab/lab/chart"
)

// document is a report, whatever it is rendered to.
type document struct {
	Title    string
	Labels   []string // what a reader must know before any figure
	Sections []section
}

type section struct {
	Title  string
	Blocks []block
}

// block is one piece of a section; exactly one field is set.
type block struct {
	Text   string
	List   []string
	Table  *table
	Figure *figure
}

type table struct {
	Caption string
	Head    []string
	Rows    [][]cell
}

// cell is a value, with what the original experiment published beside it.
type cell struct {
	Text      string
	Published string
	Class     string // "absent", "invalid" or "number", for the style sheet
}

// figure is a chart, and the sentence that says the same to who cannot see it.
type figure struct {
	Chart chart.Chart
	SVG   template.HTML // the chart as drawn; only a page needs it
	Alt   string
}

const (
	notMeasured = "not measured"
	invalid     = "INVALID"
)

func text(s string) cell   { return cell{Text: s} }
func number(s string) cell { return cell{Text: s, Class: "number"} }
func absent() cell         { return cell{Text: notMeasured, Class: "absent"} }
func (c cell) beside(published string) cell {
	c.Published = published
	return c
}
