package cli

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"shoplab/lab/forecast"
)

// mixOf makes shares of ERRAND=SHARE pairs; nil for none.
func mixOf(pairs []string) (map[string]float64, error) {
	var shares map[string]float64
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		n, err := strconv.Atoi(value)
		if !found || err != nil || n < 0 || n > 1_000_000 {
			return nil, fmt.Errorf("--mix %q: want ERRAND=SHARE, such as browse=60", pair)
		}
		if _, twice := shares[name]; twice {
			return nil, fmt.Errorf("--mix names %s twice", name)
		}
		if shares == nil {
			shares = map[string]float64{}
		}
		shares[name] = float64(n)
	}
	return shares, nil
}

// composed says how far errands by themselves are off what the mix took.
func composed(d forecast.Demands) string {
	var said []string
	for _, p := range []string{forecast.PartService, forecast.PartDatabase} {
		if d.Of(p).Seconds.Value > 0 {
			said = append(said, fmt.Sprintf("%+.0f%% of the %s's CPU", 100*d.Composed(p), p))
		}
	}
	return strings.Join(said, " and ") + ", which is in the interval"
}

// crossover says which stage is the cheapest at which traffic, each with the instances that it takes.
func (f *forecasting) crossover(out io.Writer, stages []forecast.Stage) error {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // a terminal that is gone
	decide := 0
	for _, s := range stages {
		if s.Decides() {
			decide++
		}
	}
	if decide == 0 {
		line("No forecast validated, so none says which stage is the cheapest at which traffic.")
		return nil
	}
	crossings, err := forecast.Crossings(stages)
	if err != nil {
		return err
	}
	for _, c := range crossings {
		why := "costs less in all from there on"
		if c.Ends {
			why = "is the cheapest that carries more"
		}
		line("%s, then %s, from %s requests a month (%s to %s): %s %s",
			c.From, c.To, volume(c.Requests), volume(c.Low), volume(c.High), c.To, why)
	}
	if len(crossings) == 0 {
		line("Of the stages whose forecast validated one is the cheapest at all traffic that any of them carries.")
	}
	if f.curve {
		return printCurve(out, stages)
	}
	return nil
}

// volume is a number of requests in three digits, with its unit.
func volume(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.of {
			return fmt.Sprintf("%.3g%s", v/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", math.Round(v))
}

// printCurve is a row a volume: the instances of each stage, and its dollars a month.
func printCurve(out io.Writer, stages []forecast.Stage) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
	p("REQUESTS A MONTH")
	volumes := forecast.Volumes()
	var rows [][]string
	for i := 0; i < len(volumes); i += 20 {
		rows = append(rows, []string{volume(volumes[i])})
	}
	for _, s := range stages {
		if s.Err != nil {
			continue
		}
		curve, err := s.CostCurve(volumes, 1)
		if err != nil {
			return err
		}
		name := s.Measured.Name
		if !s.Decides() {
			name += " (did not validate)"
		}
		p("\t%s", name)
		for i := range rows {
			text := "no price"
			if curve != nil {
				if point := curve[20*i]; point.Carried {
					text = fmt.Sprintf("%d x, $%.2f", point.Instances, point.Monthly)
				} else {
					text = "too many"
				}
			}
			rows[i] = append(rows[i], text)
		}
	}
	p("\n")
	for _, r := range rows {
		p("%s\n", strings.Join(r, "\t"))
	}
	return w.Flush()
}
