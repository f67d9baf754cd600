// Package svg draws charts as SVG documents.
package svg

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"shoplab/lab/chart"
)

// palette tells stages apart also for who cannot tell red from green (Okabe and Ito, Color
// Universal Design, 2008); dashes repeat it in black and white.
var palette = [chart.Styles]color.RGBA{
	{0x00, 0x72, 0xb2, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0x8d, 0x4a, 0x85, 0xff},
	{0x6b, 0x6b, 0x6b, 0xff},
}

var dashes = [chart.Styles][]vg.Length{
	nil,
	{vg.Points(6), vg.Points(3)},
	{vg.Points(2), vg.Points(2)},
	{vg.Points(8), vg.Points(3), vg.Points(2), vg.Points(3)},
	{vg.Points(12), vg.Points(4)},
}

// Draw implements chart.Draw.
func Draw(charts []chart.Chart) ([]string, error) {
	all := make([]string, len(charts))
	for i, c := range charts {
		p := newPlot(c)
		kind := lines
		switch {
		case len(c.Bars) > 0:
			kind = bars
		case len(c.Groups) > 0:
			kind = groups
		}
		if err := kind(p, c); err != nil {
			return nil, fmt.Errorf("draw the chart %q: %w", c.Title, err)
		}
		var err error
		if all[i], err = render(p); err != nil {
			return nil, fmt.Errorf("draw the chart %q: %w", c.Title, err)
		}
	}
	return all, nil
}

func newPlot(c chart.Chart) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X.Label, c.Y.Label
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Title.Padding = vg.Points(8)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(3)
	p.Y.Tick.Marker = plainTicks{}
	for _, style := range []*draw.TextStyle{
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.Legend.TextStyle,
	} {
		style.Font.Size = vg.Points(12)
	}
	p.Add(plotter.NewGrid())
	return p
}

// lines draws lines with marks at the measured points.
func lines(p *plot.Plot, c chart.Chart) error {
	if c.X.Log {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plainLogTicks{}
	} else {
		p.X.Tick.Marker = plainTicks{}
	}
	if c.Y.Log {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plainLogTicks{}
	} else {
		p.Y.Min = 0
	}
	for _, l := range c.Lines {
		points := make(plotter.XYs, len(l.Points))
		for i, point := range l.Points {
			points[i] = plotter.XY(point)
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
		line.Color, line.Width = palette[l.Style%chart.Styles], vg.Points(1.8)
		line.Dashes = dashes[l.Style%chart.Styles]
		marks.Color, marks.Shape, marks.Radius = line.Color, draw.CircleGlyph{}, vg.Points(2.6)
		p.Add(line, marks)
		p.Legend.Add(l.Name, line, marks)
	}
	if c.Limit > 0 {
		limit, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: c.Limit}, {X: p.X.Max, Y: c.Limit}})
		if err != nil {
			return fmt.Errorf("%s: %w", c.LimitName, err)
		}
		limit.Color, limit.Width = color.Black, vg.Points(1)
		p.Add(limit)
		p.Legend.Add(c.LimitName, limit)
	}
	legendRoom(p, c.Y.Log, len(c.Lines)+1)
	if len(c.Categories) > 0 {
		p.NominalX(c.Categories...)
		p.X.Min, p.X.Max = -0.4, float64(len(c.Categories))-0.6
	}
	return nil
}

// legendRoom keeps the upper part of the plot, 8% a line of the legend, free of what is drawn.
func legendRoom(p *plot.Plot, log bool, lines int) {
	share := 0.08 * float64(lines)
	if log {
		p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, share/(1-share))
		return
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) * share / (1 - share)
}

// bars draws one bar a name, with a whisker from Low to High where they differ.
func bars(p *plot.Plot, c chart.Chart) error {
	p.Y.Min = 0
	var names []string
	var whiskers struct {
		plotter.XYs
		plotter.YErrors
	}
	for i, b := range c.Bars {
		names = append(names, b.Name)
		if b.ValueIsMissing {
			continue
		}
		one, err := plotter.NewBarChart(plotter.Values{b.Value}, vg.Points(40))
		if err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
		one.XMin, one.Color, one.LineStyle.Width = float64(i), palette[i%chart.Styles], 0
		p.Add(one)
		whiskers.XYs = append(whiskers.XYs, plotter.XY{X: float64(i), Y: b.Value})
		whiskers.YErrors = append(whiskers.YErrors, struct{ Low, High float64 }{b.Value - b.Low, b.High - b.Value})
	}
	if len(whiskers.XYs) > 0 {
		errs, err := plotter.NewYErrorBars(whiskers)
		if err != nil {
			return fmt.Errorf("ranges: %w", err)
		}
		p.Add(errs)
	}
	p.Y.Max *= 1.08 // that the highest whisker has an end
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.6, float64(len(c.Bars))-0.4
	return nil
}

// groups draws the groups' bars side by side over each category.
func groups(p *plot.Plot, c chart.Chart) error {
	p.Y.Min = 0
	width := vg.Points(60 / float64(len(c.Groups)))
	for i, g := range c.Groups {
		bars, err := plotter.NewBarChart(plotter.Values(g.Values), width)
		if err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		bars.Color, bars.LineStyle.Width = palette[g.Style%chart.Styles], 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(c.Groups)-1)/2)
		p.Add(bars)
		p.Legend.Add(g.Name, bars)
	}
	p.NominalX(c.Categories...)
	p.X.Min, p.X.Max = -0.6, float64(len(c.Categories))-0.4
	legendRoom(p, false, len(c.Groups))
	return nil
}

func render(p *plot.Plot) (string, error) {
	const width, height, margin = 480, 300, 10
	canvas := vgsvg.New(vg.Points(width), vg.Points(height))
	p.Draw(draw.Crop(draw.New(canvas), 0, -vg.Points(margin), 0, 0)) // the last label stands half beside the axis
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("write SVG: %w", err)
	}
	return strings.ReplaceAll(b.String(), "font-family:Liberation Serif",
		"font-family:system-ui,'Liberation Sans',sans-serif"), nil
}

// plainTicks labels ticks as chart.Plain does.
type plainTicks struct{}

// Ticks implements plot.Ticker.
func (plainTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = chart.Plain(t.Value)
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
			ticks[i].Label = chart.Plain(t.Value)
		}
	}
	return ticks
}
