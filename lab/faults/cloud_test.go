package faults

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/target/aws"
	"shoplab/lab/watch"
)

// fakeAWS is AWS with one stage, whose shop answers 502 while something of it is broken.
type fakeAWS struct {
	url string
	// onBreak is called at each act, before it breaks anything.
	onBreak func(aws.Act) error
	quick   bool // acts break nothing while they last

	mu              sync.Mutex
	broken          bool
	refused         int // requests, since it broke
	late            int // requests that fail after all acts have returned
	acts            []aws.Act
	images          []string
	ups, downs      int
	finished        bool
	downInterrupted bool // a teardown had a context that had ended
}

// newFakeAWS has a shop that answers 50 requests a second.
func newFakeAWS(t *testing.T) *fakeAWS {
	t.Helper()
	shop, err := url.Parse(loadtest.Serve(t, 1, 20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAWS{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(shop) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		broken := f.broken
		if !broken && f.late > 0 && len(f.acts) > 0 {
			broken = true
			f.late--
		}
		if f.broken {
			f.refused++
		}
		f.mu.Unlock()
		if broken {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	f.url = front.URL
	return f
}

func (f *fakeAWS) Kind() result.Target { return result.TargetAWS }
func (f *fakeAWS) Labels() []string    { return nil }

func (f *fakeAWS) Up(context.Context, string) (target.Site, error) {
	f.ups++
	return fakeStack{f}, nil
}

func (f *fakeAWS) Finish(ctx context.Context, _ *result.Result) error {
	f.finished = true
	return ctx.Err()
}

type fakeStack struct{ *fakeAWS }

func (s fakeStack) URL() string               { return s.url }
func (s fakeStack) Stage() stage.Stage        { return stage.Stage{} }
func (s fakeStack) Started() time.Duration    { return time.Second }
func (s fakeStack) Probes() []watch.Probe     { return nil }
func (s fakeStack) Describe(st *result.Stage) { st.Notes = append(st.Notes, "a stack") }

func (s fakeStack) Down(ctx context.Context) error {
	s.downs++
	s.downInterrupted = s.downInterrupted || ctx.Err() != nil
	return nil
}

// Break has requests fail until a few have.
func (s fakeStack) Break(ctx context.Context, act aws.Act) (string, error) {
	s.mu.Lock()
	s.acts = append(s.acts, act)
	s.mu.Unlock()
	if s.onBreak != nil {
		if err := s.onBreak(act); err != nil {
			return "", err
		}
	}
	if s.quick {
		return string(act), nil
	}
	return string(act), s.fail(ctx)
}

func (s fakeStack) Redeploy(ctx context.Context, image string) (string, error) {
	s.images = append(s.images, image)
	return "an image", s.fail(ctx)
}

func (s fakeStack) fail(ctx context.Context) error {
	set := func(broken bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.broken, s.refused = broken, 0
	}
	set(true)
	defer set(false)
	for {
		s.mu.Lock()
		enough := s.refused >= 5
		s.mu.Unlock()
		if enough {
			return nil
		}
		if !watch.Until(ctx, time.Now().Add(10*time.Millisecond)) {
			return ctx.Err()
		}
	}
}

// onCloud is a gentle plan for the fake.
func onCloud(t *testing.T, at target.Target, name string, faults ...string) Plan {
	t.Helper()
	if testing.Short() {
		t.Skip("holds a load for seconds at each fault")
	}
	t.Parallel()
	p := gentle(t, name, faults...)
	p.AWS, p.Rate = at, 20
	return p
}

// On AWS each fault is an act of AWS's, nothing is assumed but what is no part of AWS, and what was brought up is taken
// down and swept.
func TestFaultsOnAWS(t *testing.T) {
	f := newFakeAWS(t)
	p := onCloud(t, f, "stage1")
	p.NewImage = "other"
	res, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := Broken(*res.Faults); err != nil {
		t.Error(err)
	}
	want := []aws.Act{
		aws.ActKill, aws.ActHang, aws.ActKill, aws.ActRestartDatabase, aws.ActCrashDatabase, aws.ActEmptyCache,
		aws.ActRestartProxy,
		aws.ActStopZone, aws.ActStartZone,
	}
	if !slices.Equal(f.acts, want) || !slices.Equal(f.images, []string{"other"}) {
		t.Errorf("acts %v, deployed %v; want %v and the other image", f.acts, f.images, want)
	}
	if res.Target != result.TargetAWS || f.ups != 1 || f.downs != 1 || !f.finished {
		t.Errorf("target %s, %d up, %d down, swept %t", res.Target, f.ups, f.downs, f.finished)
	}
	assumed := map[string][]string{hangs.name: {person}, zoneGone.name: {zoneAway}}
	for _, one := range res.Faults.Stages[0].Faults {
		if one.Name == webhooksGone.name {
			if one.Skipped == "" || len(one.Runs) > 0 {
				t.Errorf("webhooks were dropped: %+v", one)
			}
			continue
		}
		if len(one.Runs) != 1 || one.Runs[0].FailedRequests < 5 || one.What == "" ||
			!slices.Equal(one.Assumed, assumed[one.Name]) {
			t.Errorf("%s: %d runs, what %q, assumed %v", one.Name, len(one.Runs), one.What, one.Assumed)
		}
	}
	if res.Faults.Stages[0].UnavailableSecondsAYear == nil {
		t.Error("what was not offered keeps a year from being summed up")
	}
}

// What fails just after everything is back counts: the objective was kept before the fault, and that says nothing.
func TestWhatFailsAfterwardsCounts(t *testing.T) {
	f := newFakeAWS(t)
	f.quick, f.late = true, 5
	res, err := Run(t.Context(), onCloud(t, f, "stage2", restarted.name))
	if err != nil {
		t.Fatal(err)
	}
	if run := res.Faults.Stages[0].Faults[0].Runs[0]; run.FailedRequests < 5 {
		t.Errorf("%v of 5 requests failed", run.FailedRequests)
	}
}

// A part that does not come back: the stage is brought up again, and the run goes on.
func TestAnActOnAWSFails(t *testing.T) {
	f := newFakeAWS(t)
	f.onBreak = func(act aws.Act) error {
		if act == aws.ActRestartDatabase {
			return errors.New("the database does not come back")
		}
		return nil
	}
	res, err := Run(t.Context(), onCloud(t, f, "stage3", restarted.name, cacheGone.name))
	if err != nil {
		t.Fatal(err)
	}
	st := res.Faults.Stages[0]
	if f.ups != 2 || f.downs != 2 || !strings.Contains(strings.Join(st.Notes, "\n"), "does not come back") {
		t.Errorf("%d up, %d down, notes %q", f.ups, f.downs, st.Notes)
	}
	if last := st.Faults[1]; len(last.Runs) != 1 {
		t.Errorf("%s was not inflicted: %+v", last.Name, last)
	}
}

// A rate at which a stage does not keep the objective is lowered before anything is broken.
func TestTheRateIsLowered(t *testing.T) {
	f := newFakeAWS(t)
	p := onCloud(t, f, "stage1", killed.name)
	p.Rate, p.within = 0, 15*time.Second
	held := 0
	p.Say = func(text string) {
		t.Log(text)
		if strings.Contains(text, "holding") {
			held++
			f.mu.Lock()
			f.broken = held == 1
			f.mu.Unlock()
		}
	}
	res, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	st := res.Faults.Stages[0]
	if st.CapacityPerSecond == nil || st.RatePerSecond == nil || *st.RatePerSecond >= *st.CapacityPerSecond/2 || held < 2 {
		t.Errorf("held %d times, %v of %v requests a second", held, st.RatePerSecond, st.CapacityPerSecond)
	}
	if len(st.Faults[0].Runs) != 1 || !strings.Contains(strings.Join(st.Notes, "\n"), "too many without any fault") {
		t.Errorf("%d runs, notes %q", len(st.Faults[0].Runs), st.Notes)
	}
}

// Ctrl-C while something is broken: the stage is taken down all the same, and the account swept.
func TestInterruptedOnAWS(t *testing.T) {
	f := newFakeAWS(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.onBreak = func(aws.Act) error { cancel(); return ctx.Err() }
	res, err := Run(ctx, onCloud(t, f, "stage2", killed.name))
	if !errors.Is(err, context.Canceled) || res.Incomplete == "" || f.downs != 1 || f.downInterrupted || !f.finished {
		t.Errorf("%v, incomplete %q, %d down, interrupted %t, swept %t", err, res.Incomplete, f.downs, f.downInterrupted,
			f.finished)
	}
}

// What AWS offers of each fault, and why it does not offer the others.
func TestOffers(t *testing.T) {
	not := map[string][]string{
		"stage1": {webhooksGone.name},
		"stage2": {crashed.name, proxyGone.name, webhooksGone.name},
		"stage3": {hangs.name, crashed.name, proxyGone.name, webhooksGone.name},
		"stage4": {crashed.name, webhooksGone.name},
		"stage5": {killed.name, hangs.name, crashed.name, proxyGone.name, webhooksGone.name},
	}
	for name, want := range not {
		g, s := declared(t, name)
		p, err := policyOf(g, s)
		if err != nil {
			t.Fatal(err)
		}
		c := &cloud{policy: p}
		var got []string
		for _, kind := range all {
			what, skipped := c.offers(kind)
			if (what == "") == (skipped == "") {
				t.Errorf("%s, %s: what %q, skipped %q", name, kind.name, what, skipped)
			}
			if skipped != "" {
				got = append(got, kind.name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s does not offer %v, want %v", name, got, want)
		}
	}
}
