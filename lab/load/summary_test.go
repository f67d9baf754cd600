package load

import (
	"testing"

	"shoplab/lab/result"
)

func TestALateGeneratorSaysNothingOfTheShop(t *testing.T) {
	tests := []struct {
		name          string
		missed        int // of 1000
		p95           float64
		kept, unknown bool
	}{
		{"served", 10, 20, true, false},
		{"slow", 10, 900, false, false},
		{"served, but late", 11, 20, false, true},
		{"slow and late", 500, 900, false, false},
	}
	objective := result.Objective{P95MS: 500, MaxErrorRatio: .01}
	for _, test := range tests {
		s := result.Step{
			Purpose: result.PurposeRate, Loop: result.LoopOpen, Rate: 100, Seconds: 10, Requests: 1000, Throughput: 100,
			MissedSends: &test.missed, Latency: &result.Latency{P95MS: test.p95},
		}
		s.ObjectiveKept = kept(s, objective)
		if unknown := Unknown(s, objective); s.ObjectiveKept != test.kept || unknown != test.unknown {
			t.Errorf("%s: kept %v, unknown %v", test.name, s.ObjectiveKept, unknown)
		}
	}
}

func TestAnAccountIsFreeOnceItsCartIsAnOrder(t *testing.T) {
	c := &Crowd{run: "r", url: "http://shop"}
	c.accounts.add(&account{token: "t"})
	c.catalog.products = []id{"1"}
	s := c.enter()
	for s.flow == nil || s.flow.name != "buy" {
		s.leave()
		s.begin()
	}
	if c.accounts.lease() != nil {
		t.Fatal("a buyer's account is lent to another")
	}
	s.at = 2
	clicks := 0
	for s.at == 2 {
		if clicks++; c.accounts.lease() != nil {
			t.Fatal("the account is lent out before the order stands")
		}
		s.op().ask(s)
		if kind := s.take(201, nil, []byte(`{"id":"7","total_cents":5}`), nil); kind != "" {
			t.Fatal(kind)
		}
	}
	if acc := c.accounts.lease(); acc == nil {
		t.Fatal("the account is still held after the order")
	} else if s.account != acc {
		t.Fatal("the buyer forgot whose order it is")
	}
	s.leave()
	if c.accounts.lease() != nil {
		t.Fatal("an account was given back twice")
	}
}
