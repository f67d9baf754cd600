package result

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram is how many requests took how long, in buckets that grow with the value, so that it is as exact
// for 1 ms as for 10 s; two of them can be merged. In JSON it is the format that all HdrHistogram libraries
// exchange (V2, deflated, base64), in microseconds. The zero value is not usable.
type Histogram struct{ hdr *hdrhistogram.Histogram }

// HistogramMax is the longest time that a histogram tells from longer ones: the 10 s after which a shopper gives
// up, and a queue of minutes before the request was sent.
const HistogramMax = 10 * time.Minute

// NewHistogram has so many significant digits: 3 are within 0.1%, 2 within 1% and take an eighth of the memory.
func NewHistogram(digits int) *Histogram {
	return &Histogram{hdrhistogram.New(1, HistogramMax.Microseconds(), digits)}
}

// Record adds one request.
func (h *Histogram) Record(d time.Duration) {
	d = min(max(d, 0), HistogramMax)
	if err := h.hdr.RecordValue(d.Microseconds()); err != nil {
		panic(err) // within the bounds it was made with
	}
}

// Merge adds all of another's requests; nil has none.
func (h *Histogram) Merge(other *Histogram) {
	if other != nil {
		h.hdr.Merge(other.hdr) // drops nothing: all have the same bounds
	}
}

// Count is how many requests there are.
func (h *Histogram) Count() int { return int(h.hdr.TotalCount()) }

// Percentile is the nearest rank of a share of the requests (0 to 1), in milliseconds; NaN for none.
func (h *Histogram) Percentile(q float64) float64 {
	n := float64(h.hdr.TotalCount())
	if n == 0 {
		return math.NaN()
	}
	rank := max(1, math.Ceil(q*n-1e-9)) // the library would round the rank, see stats.Percentile
	return milliseconds(h.least(h.hdr.ValueAtPercentile(100 * rank / n)))
}

// least is the smallest value that is counted as v is. The library names the largest, by which a request that
// takes exactly as long as an objective allows would miss it. Buckets are as wide as a power of two, so that at
// least 2*10^digits of them fill each doubling.
func (h *Histogram) least(v int64) int64 {
	magnitude := int(math.Ceil(math.Log2(2 * math.Pow10(int(h.hdr.SignificantFigures())))))
	width := int64(1) << max(0, bits.Len64(uint64(v))-magnitude)
	return v &^ (width - 1)
}

// Latency sums the histogram up and keeps it; nil for no requests.
func (h *Histogram) Latency() *Latency {
	if h.Count() == 0 {
		return nil
	}
	return &Latency{
		MeanMS: h.hdr.Mean() / 1000, MaxMS: milliseconds(h.hdr.Max()),
		P50MS: h.Percentile(.50), P90MS: h.Percentile(.90), P95MS: h.Percentile(.95), P99MS: h.Percentile(.99),
		Histogram: h,
	}
}

// Bucket is how many requests took longer than FromMS and at most ToMS milliseconds.
type Bucket struct {
	FromMS, ToMS float64
	Count        int
}

// Buckets are those with requests in them, the fastest first.
func (h *Histogram) Buckets() []Bucket {
	var all []Bucket
	for _, b := range h.hdr.Distribution() {
		if b.Count > 0 {
			all = append(all, Bucket{FromMS: milliseconds(b.From), ToMS: milliseconds(b.To), Count: int(b.Count)})
		}
	}
	return all
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }

// MarshalText implements encoding.TextMarshaler.
func (h *Histogram) MarshalText() ([]byte, error) {
	data, err := h.hdr.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode a histogram: %w", err)
	}
	return data, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Histogram) UnmarshalText(text []byte) error {
	hdr, err := hdrhistogram.Decode(text)
	if err != nil {
		return fmt.Errorf("decode a histogram: %w", err)
	}
	h.hdr = hdr
	return nil
}
