package forecast

import (
	"math"
	"sync"
)

// spread is a demand over its mean: exponential where requests are all alike, and Erlang's of four phases where classes
// account for most of what makes them differ.
func (s *simulation) spread() float64 {
	if len(s.net.Classes) == 0 {
		return s.rng.ExpFloat64()
	}
	return s.erlang[s.rng.IntN(len(s.erlang))]
}

// erlang are as many values of Erlang's distribution of four phases and a mean of one, each as likely as the others:
// drawing one of them takes a quarter of the time of drawing four phases.
var erlang = sync.OnceValue(func() []float64 {
	const phases = 4
	below := func(x float64) float64 { return 1 - math.Exp(-x)*(1+x*(1+x/2*(1+x/3))) }
	all, sum := make([]float64, 1024), 0.0
	for i := range all {
		low, high := 0.0, 40.0
		for range 40 {
			if x := (low + high) / 2; below(x) < (float64(i)+.5)/float64(len(all)) {
				low = x
			} else {
				high = x
			}
		}
		all[i] = low / phases
		sum += all[i]
	}
	for i := range all {
		all[i] *= float64(len(all)) / sum
	}
	return all
})

// deckSize is how many requests have the classes' shares to within one; what that is off, the next as many make up for.
const deckSize = 1000

// class draws a request's class: from a shuffled deck that has each as often as its share says, so that a heavy class
// that is rare comes up at random moments, and yet neither too often nor too seldom in the end.
func (s *simulation) class() int {
	if len(s.net.Classes) == 0 {
		return 0
	}
	if len(s.deck) == 0 {
		for i, c := range s.net.Classes {
			for s.owed[i] += c.Share * deckSize; s.owed[i] >= .5; s.owed[i]-- {
				s.deck = append(s.deck, i)
			}
		}
		s.rng.Shuffle(len(s.deck), func(i, j int) { s.deck[i], s.deck[j] = s.deck[j], s.deck[i] })
	}
	last := len(s.deck) - 1
	drawn := s.deck[last]
	s.deck = s.deck[:last]
	return drawn
}
