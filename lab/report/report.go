package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"shoplab/lab/chart"
	"shoplab/lab/result"
)

// Names of the files that Write makes.
const (
	HTMLFile     = "index.html"
	MarkdownFile = "report.md"
)

// chartsFolder is where Write puts the charts that the Markdown shows, beside it.
const chartsFolder = "charts"

// HTML renders results as one self-contained page, with the charts as draw draws them.
func HTML(w io.Writer, draw chart.Draw, results ...result.Result) error {
	d := build(results)
	if err := drawFigures(d, draw); err != nil {
		return err
	}
	return writeHTML(w, d)
}

// Markdown renders results as GitHub-flavoured Markdown. Its charts are files that Write makes.
func Markdown(w io.Writer, results ...result.Result) error {
	return writeMarkdown(w, build(results))
}

// Summary writes the advice, what it rests on, and what was measured as plain text, for a terminal.
func Summary(w io.Writer, results ...result.Result) error {
	m := merge(results)
	m.predict()
	s := answerSection(m)
	if len(m.stages) > 0 {
		t := loadTable(m)
		for i := range t.Rows { // a terminal has no room for the last two
			t.Rows[i] = t.Rows[i][:len(t.Rows[i])-2]
		}
		t.Head = t.Head[:len(t.Head)-2]
		s.Blocks = append(s.Blocks, block{Text: "Measured " + m.where() + ":"}, block{Table: t})
	}
	return writeText(w, s)
}

// Table writes the forecast beside what was measured as one Markdown table, for a README.
func Table(w io.Writer, results ...result.Result) error {
	m := merge(results)
	m.predict()
	t := answerTable(m)
	t.Terms = nil
	here := "Measured " + m.where()
	t.Head = slices.Insert(t.Head, 2, here)
	for i, s := range m.stages {
		bp, ok := breakingPoint(s)
		c := rate(s)
		if ok && !s.Invalid() {
			c = c.noting(bp)
		}
		t.Rows[i] = slices.Insert(t.Rows[i], 2, c)
	}
	return writeMarkdownTable(w, t)
}

// Stages are the stages of some results: of one that several hold, the last.
func Stages(results ...result.Result) []result.Stage { return merge(results).stages }

// Write renders both into dir, which is made if it is missing, with the Markdown's charts below it.
func Write(dir string, draw chart.Draw, results ...result.Result) error {
	d := build(results)
	if err := drawFigures(d, draw); err != nil {
		return err
	}
	//nolint:gosec // a report is for anybody to read
	if err := os.MkdirAll(filepath.Join(dir, chartsFolder), 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	files := map[string][]byte{}
	for name, render := range map[string]func(io.Writer, document) error{
		HTMLFile: writeHTML, MarkdownFile: writeMarkdown,
	} {
		var b bytes.Buffer
		if err := render(&b, d); err != nil {
			return err
		}
		files[name] = b.Bytes()
	}
	for _, f := range d.figures() {
		files[filepath.Join(chartsFolder, f.Name+".svg")] = []byte(f.SVG)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}
