package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeText writes a section's text, lists and tables as plain text.
func writeText(w io.Writer, s section) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, b := range s.Blocks {
		if b.Heading != "" {
			fmt.Fprintln(t, b.Heading)
		}
		if b.Text != "" {
			fmt.Fprintln(t, b.Text)
		}
		for _, item := range b.List {
			fmt.Fprintln(t, "- "+item)
		}
		if b.Table == nil {
			continue
		}
		fmt.Fprintln(t, strings.ToUpper(strings.Join(b.Table.Head, "\t")))
		for _, row := range b.Table.Rows {
			var texts []string
			for _, c := range row {
				texts = append(texts, strings.TrimSuffix(c.Text+" ("+c.Note+")", " ()"))
			}
			fmt.Fprintln(t, strings.Join(texts, "\t"))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}
