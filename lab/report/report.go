package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"shoplab/lab/chart"
	"shoplab/lab/result"
)

// Names of the files that Write makes.
const (
	HTMLFile     = "index.html"
	MarkdownFile = "report.md"
)

// HTML renders results as one self-contained page, with the charts as draw draws them.
func HTML(w io.Writer, draw chart.Draw, results ...result.Result) error {
	d := build(results)
	if err := drawFigures(d, draw); err != nil {
		return err
	}
	return writeHTML(w, d)
}

// Markdown renders results as GitHub-flavoured Markdown.
func Markdown(w io.Writer, results ...result.Result) error {
	return writeMarkdown(w, build(results))
}

// Summary writes the summary and the advice as plain text, for a terminal.
func Summary(w io.Writer, results ...result.Result) error {
	return writeText(w, summarySection(merge(results)))
}

// Stages are the stages of some results: of one that several hold, the last.
func Stages(results ...result.Result) []result.Stage { return merge(results).stages }

// Write renders both into dir, which is made if it is missing.
func Write(dir string, draw chart.Draw, results ...result.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a report is for anybody to read
		return fmt.Errorf("write report: %w", err)
	}
	for name, render := range map[string]func(io.Writer) error{
		MarkdownFile: func(w io.Writer) error { return Markdown(w, results...) },
		HTMLFile:     func(w io.Writer) error { return HTML(w, draw, results...) },
	} {
		var b bytes.Buffer
		if err := render(&b); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}
