package report

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"shoplab/lab/chart/svg"
)

// TestPageInABrowser opens the report where a person does: nothing may come from the network or be
// refused by the page's own policy, every chart must have a size, and a phone must not scroll sideways.
func TestPageInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on PATH: apt-get install chromium")
	}
	asked := make(chan string, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		if err := HTML(w, svg.Draw, sample()); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()

	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	err = chromedp.Listen(ctx, func(e any) {
		if e, ok := e.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError {
			t.Errorf("the browser reports: %s", e.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/index.html")); err != nil {
		t.Fatal(err)
	}
	count := func(script string) int {
		t.Helper()
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](script))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(`document.querySelectorAll("figure svg").length`); n != charts {
		t.Errorf("%d charts, want %d", n, charts)
	}
	if n := count(`[...document.querySelectorAll("figure svg")].
		filter(s => s.getBoundingClientRect().height < 100).length`); n != 0 {
		t.Errorf("%d charts have no height", n)
	}
	if n := count(`document.documentElement.scrollWidth - document.documentElement.clientWidth`); n > 0 {
		t.Errorf("%d pixels too wide for a phone", n)
	}
	checkAccess(ctx, t, count)
	close(asked)
	for path := range asked {
		if path != "/index.html" && path != "/favicon.ico" {
			t.Errorf("the page asked for %s", path)
		}
	}
}

// checkAccess holds the page against axe-core, where that is installed, narrow and wide, light and dark.
func checkAccess(ctx context.Context, t *testing.T, count func(script string) int) {
	t.Helper()
	file := os.Getenv("SHOPLAB_AXE")
	if file == "" {
		t.Log("the page is not held against axe-core: npm pack axe-core, and its axe.min.js in SHOPLAB_AXE")
		return
	}
	script, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{375, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			media := emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844),
				chromedp.Evaluate[chromedp.Void](string(script))); err != nil {
				t.Fatal(err)
			}
			count(`delete window.axeFound && axe.run().then((r) => { window.axeFound =
				r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + ", " + n.failureSummary).join("; ")); }) && 1`)
			for count(`Array.isArray(window.axeFound) ? 1 : 0`) == 0 { // until ctx ends
				time.Sleep(20 * time.Millisecond)
			}
			found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`window.axeFound`))
			if err != nil {
				t.Fatal(err)
			}
			for _, violation := range found {
				t.Errorf("%d pixels wide, %s: axe-core: %s", width, scheme, violation)
			}
		}
	}
}
