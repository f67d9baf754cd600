package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette tells stages apart also for who cannot tell red from green (Okabe and Ito, Color
// Universal Design, 2008); dashes repeat it in black and white.
var palette = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0x8d, 0x4a, 0x85, 0xff},
}

var dashes = [][]vg.Length{nil, {vg.Points(6), vg.Points(3)}, {vg.Points(2), vg.Points(2)}, {vg.Points(8), vg.Points(3), vg.Points(2), vg.Points(3)}}

// curve is one line of a chart. Style is its place in palette and dashes: a stage has the same in all charts.
type curve struct {
	Name   string
	Style  int
	Points plotter.XYs
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Title.Padding = vg.Points(8)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(3)
	p.Y.Tick.Marker = plainTicks{}
	p.Add(plotter.NewGrid())
	return p
}

// lineChart draws curves with marks at the measured points. On a log axis only positive values
// can be drawn.
func lineChart(title, x, y string, logX, logY bool, curves []curve) (template.HTML, error) {
	p := newPlot(title, x, y)
	if logX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plainLogTicks{}
	}
	if logY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plainLogTicks{}
	} else {
		p.Y.Min = 0
	}
	for _, c := range curves {
		line, marks, err := plotter.NewLinePoints(c.Points)
		if err != nil {
			return "", fmt.Errorf("draw %s: %w", c.Name, err)
		}
		line.Color, line.Width = palette[c.Style%len(palette)], vg.Points(1.8)
		line.Dashes = dashes[c.Style%len(dashes)]
		marks.Color, marks.Shape, marks.Radius = line.Color, draw.CircleGlyph{}, vg.Points(2.6)
		p.Add(line, marks)
		p.Legend.Add(c.Name, line, marks)
	}
	legendRoom(p, logY)
	return render(p)
}

// legendRoom keeps the upper quarter of the plot free of what is drawn.
func legendRoom(p *plot.Plot, log bool) {
	if log {
		p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, 1.0/3)
		return
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) / 3
}

// bar is a value with its range.
type bar struct {
	Name           string
	Value          float64
	Low, High      float64
	ValueIsMissing bool
}

// barChart draws one bar a name, with a whisker from Low to High where they differ.
func barChart(title, y string, bars []bar) (template.HTML, error) {
	p := newPlot(title, "", y)
	p.Y.Min = 0
	var names []string
	var whiskers struct {
		plotter.XYs
		plotter.YErrors
	}
	for i, b := range bars {
		names = append(names, b.Name)
		if b.ValueIsMissing {
			continue
		}
		one, err := plotter.NewBarChart(plotter.Values{b.Value}, vg.Points(46))
		if err != nil {
			return "", fmt.Errorf("draw %s: %w", b.Name, err)
		}
		one.XMin, one.Color, one.LineStyle.Width = float64(i), palette[i%len(palette)], 0
		p.Add(one)
		whiskers.XYs = append(whiskers.XYs, plotter.XY{X: float64(i), Y: b.Value})
		whiskers.YErrors = append(whiskers.YErrors, struct{ Low, High float64 }{b.Value - b.Low, b.High - b.Value})
	}
	if len(whiskers.XYs) > 0 {
		errs, err := plotter.NewYErrorBars(whiskers)
		if err != nil {
			return "", fmt.Errorf("draw ranges: %w", err)
		}
		p.Add(errs)
	}
	p.Y.Max *= 1.08 // that the highest whisker has an end
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.6, float64(len(bars))-0.4
	return render(p)
}

// group is one bar a category, in one colour of palette.
type group struct {
	Name   string
	Style  int
	Values []float64
}

// groupChart draws the groups' bars side by side over each category.
func groupChart(title, y string, categories []string, groups []group) (template.HTML, error) {
	p := newPlot(title, "", y)
	p.Y.Min = 0
	width := vg.Points(60 / float64(len(groups)))
	for i, g := range groups {
		bars, err := plotter.NewBarChart(plotter.Values(g.Values), width)
		if err != nil {
			return "", fmt.Errorf("draw %s: %w", g.Name, err)
		}
		bars.Color, bars.LineStyle.Width = palette[g.Style%len(palette)], 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(groups)-1)/2)
		p.Add(bars)
		p.Legend.Add(g.Name, bars)
	}
	p.NominalX(categories...)
	p.X.Min, p.X.Max = -0.6, float64(len(categories))-0.4
	legendRoom(p, false)
	return render(p)
}

// fixedSize is the width and height in points that the SVG writer puts on the root element; the
// page scales the drawing by its viewBox instead.
var fixedSize = regexp.MustCompile(`(<svg[^>]*?) width="[^"]*" height="[^"]*"`)

func render(p *plot.Plot) (template.HTML, error) {
	const width, height, margin = 560, 320, 10
	canvas := vgsvg.New(vg.Points(width), vg.Points(height))
	p.Draw(draw.Crop(draw.New(canvas), 0, -vg.Points(margin), 0, 0)) // the last label stands half beside the axis
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("write SVG: %w", err)
	}
	svg := b.String()
	svg = svg[strings.Index(svg, "<svg"):]
	svg = fixedSize.ReplaceAllString(svg, "$1")
	svg = strings.ReplaceAll(svg, "font-family:Liberation Serif", "font-family:system-ui,'Liberation Sans',sans-serif")
	// The text in it went through the SVG writer, which escapes it.
	return template.HTML(svg), nil //nolint:gosec // see above
}

// plainTicks labels ticks as plain does.
type plainTicks struct{}

// Ticks implements plot.Ticker.
func (plainTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = plain(t.Value)
		}
	}
	return ticks
}

// plainLogTicks marks decades with plain numbers, 1k and not 1e+03, and over less than two decades
// also their doubles and fives.
type plainLogTicks struct{}

// Ticks implements plot.Ticker.
func (plainLogTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.LogTicks{Prec: -1}.Ticks(lo, hi)
	for i, t := range ticks {
		digit := math.Round(t.Value / math.Pow(10, math.Floor(math.Log10(t.Value)+1e-9)))
		if t.Label != "" || (hi/lo < 100 && (digit == 2 || digit == 5)) {
			ticks[i].Label = plain(t.Value)
		}
	}
	return ticks
}

func plain(v float64) string {
	switch {
	case v >= 1e9:
		return trimmed(v/1e9) + "G"
	case v >= 1e6:
		return trimmed(v/1e6) + "M"
	case v >= 1e3:
		return trimmed(v/1e3) + "k"
	case v >= 0.01, v <= 0:
		return trimmed(v)
	}
	return fmt.Sprintf("%.*f", int(math.Ceil(-math.Log10(v))), v)
}

func trimmed(v float64) string { return fmt.Sprintf("%.3g", v) }
