// Package report renders results: pure functions from what was measured to HTML and Markdown.
//
// A report is a document of sections, built once and written in both forms. A cell that was not
// measured says so, and a stage that failed its validity gate is INVALID, not a number.
package report

import "shoplab/lab/chart"

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
	Heading string // of what follows in the section
	Text    string
	List    []string
	Table   *table
	Figure  *figure
}

type table struct {
	Caption string
	Head    []string
	Rows    [][]cell
	// Terms explain what the head does not say by itself.
	Terms []term
	// Cards has a narrow screen show each row as a card, so that nothing has to be scrolled sideways.
	Cards bool
}

// term is a column and what it means.
type term struct{ Name, Text string }

// cell is a value, with what the original experiment published beside it.
type cell struct {
	Text      string
	Note      string // what belongs to it, in small print
	Published string
	Class     string // "absent", "invalid", "number" or "total", for the style sheet
}

// figure is a chart, and the sentence that says the same to who cannot see it.
type figure struct {
	Name  string // of its file, without .svg
	Chart chart.Chart
	SVG   string // the chart as drawn, a complete document
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

func (c cell) noting(note string) cell {
	c.Note = note
	return c
}
