package report

import (
	"fmt"
	"io"
	"strings"
)

// writeMarkdown writes the same document as GitHub-flavoured Markdown; a chart is an image in chartsFolder,
// with its sentence below.
func writeMarkdown(w io.Writer, d document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", escape(d.Title))
	if len(d.Labels) > 0 {
		fmt.Fprintf(&b, "\n**%s**\n", escape(strings.Join(d.Labels, " · ")))
	}
	for _, s := range d.Sections {
		fmt.Fprintf(&b, "\n## %s\n", escape(s.Title))
		for _, blk := range s.Blocks {
			markdownBlock(&b, blk)
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

func markdownBlock(b *strings.Builder, blk block) {
	b.WriteByte('\n')
	switch {
	case blk.Heading != "":
		fmt.Fprintf(b, "### %s\n", escape(blk.Heading))
	case blk.Text != "":
		b.WriteString(escape(blk.Text) + "\n")
	case len(blk.List) > 0:
		for _, item := range blk.List {
			b.WriteString("- " + escape(item) + "\n")
		}
	case blk.Table != nil:
		markdownTable(b, blk.Table)
		for i, t := range blk.Table.Terms {
			if i == 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(b, "- *%s*: %s\n", escape(t.Name), escape(t.Text))
		}
	case blk.Figure != nil:
		f := blk.Figure
		alt := strings.NewReplacer("[", "(", "]", ")").Replace(escape(f.Chart.Title))
		fmt.Fprintf(b, "![%s](%s/%s.svg)\n\n*%s.* %s\n", alt, chartsFolder, f.Name, escape(f.Chart.Title), escape(f.Alt))
	}
}

// writeMarkdownTable writes a table alone.
func writeMarkdownTable(w io.Writer, t *table) error {
	var b strings.Builder
	markdownTable(&b, t)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

func markdownTable(b *strings.Builder, t *table) {
	if t.Caption != "" {
		fmt.Fprintf(b, "**%s**\n\n", escape(t.Caption))
	}
	row := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	var head, rule []string
	for _, h := range t.Head {
		head, rule = append(head, escape(h)), append(rule, "---")
	}
	row(head)
	row(rule)
	for _, r := range t.Rows {
		var cells []string
		for _, c := range r {
			cells = append(cells, markdownCell(c))
		}
		row(cells)
	}
}

func markdownCell(c cell) string {
	s := escape(c.Text)
	if c.Class == "total" && s != "" {
		s = "**" + s + "**"
	}
	if c.Note != "" {
		s += "<br>" + escape(c.Note)
	}
	if c.Published != "" {
		s += "<br>published: " + escape(c.Published)
	}
	return s
}

var markdownEscapes = strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", "~", `\~`, "`", "\\`", "\n",
	" ")

func escape(s string) string { return markdownEscapes.Replace(s) }
