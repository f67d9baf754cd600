// Package chart describes the report's charts as data: what they show, not how it is drawn. Package svg draws
// them, and is compiled by the program lab/draw alone.
package chart

import (
	"fmt"
	"math"
)

// Chart is one picture. It has either Lines, Bars, or Groups over Categories.
type Chart struct {
	Title string
	X, Y  Axis
	Lines []Line
	// Limit is drawn beside Lines as a level one, unless 0; LimitName is its name in the legend.
	Limit     float64
	LimitName string
	Bars      []Bar
	// Categories name the places along the X axis that the Groups have a bar at, or where Lines have their points:
	// 0, 1, 2, ...
	Categories []string
	Groups     []Group
}

// Axis is a label, and whether the scale is logarithmic: then only positive values can be drawn.
type Axis struct {
	Label string
	Log   bool
}

// Point is one measured value.
type Point struct{ X, Y float64 }

// Line joins measured points. Style is its colour and its dashes: a stage has the same in all charts.
type Line struct {
	Name   string
	Style  int
	Points []Point
}

// Bar is a value with its range, drawn as a whisker where Low and High differ.
type Bar struct {
	Name           string
	Value          float64
	Low, High      float64
	ValueIsMissing bool
}

// Group is one bar a category, in the colour of its Style.
type Group struct {
	Name   string
	Style  int
	Values []float64
}

// Styles is how many lines can be told apart in one chart.
const Styles = 5

// Draw turns charts into SVG documents, in their order.
type Draw func([]Chart) ([]string, error)

// Plain is a number as a chart's axes write it: 1k, not 1e+03.
func Plain(v float64) string {
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
