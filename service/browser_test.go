package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const patience = 15 * time.Second // for one step in the browser

// startBrowser starts Chromium, or skips the test where there is none.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"google-chrome", "chromium-browser", "chromium"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
		}
	}
	if path == "" {
		t.Skip("no browser on PATH; Debian and Ubuntu: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 { // Chromium's sandbox does not work as root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, closeBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(closeBrowser)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// tab is a page of a browser that knows nothing yet: no cookies, nothing stored.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string // of the shop
	axe string // axe-core, "" without

	mu       sync.Mutex
	said     []string // errors and warnings on the console
	expected []string // parts of those that the test provokes
}

// layoutShifts adds up what the page shifts, as https://web.dev/articles/cls defines it, but over the
// page's whole life, and shifts after an input too: a phone's viewport counts as one while it settles.
const layoutShifts = `
	window.layoutShift = 0;
	new PerformanceObserver((list) => {
		for (const entry of list.getEntries()) window.layoutShift += entry.value;
	}).observe({ type: "layout-shift", buffered: true });`

// openTab makes a tab of the given size in pixels. When the test ends, the console must hold nothing
// but what was expected; the browser reports violations of the Content-Security-Policy there too.
func openTab(browser context.Context, t *testing.T, url string, width, height int64) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, url: url, axe: axeScript(t)}
	var options []chromedp.EmulateViewportOption
	if width < 500 {
		options = append(options, chromedp.EmulateMobile)
	}
	if err := chromedp.Do(ctx); err != nil { // not in do: the tab would close with do's context
		t.Fatalf("open a tab: %v", err)
	}
	b.do("size the window", chromedp.EmulateViewport(width, height, options...))
	b.do("observe layout shifts", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: layoutShifts})
		return err
	}))
	console := chromedp.Console(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for message, err := range console {
			if err != nil {
				return
			}
			if kind := message.Type; kind == "error" || kind == "warning" || message.IsException() {
				b.mu.Lock()
				b.said = append(b.said, fmt.Sprintf("%s: %s (%s)", kind, message.Text, message.URL))
				b.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		closeTab()
		<-done
		for _, line := range b.said {
			if !b.foreseen(line) {
				t.Errorf("console: %s", line)
			}
		}
	})
	return b
}

// expect says that the console may hold a message with this in it.
func (b *tab) expect(part string) { b.expected = append(b.expected, part) }

func (b *tab) foreseen(line string) bool {
	for _, part := range b.expected {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}

func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, actions...)
	for err != nil && strings.Contains(err.Error(), "Could not find node") && ctx.Err() == nil {
		err = chromedp.Do(ctx, actions...) // the page changed between finding the node and using it
	}
	if err != nil {
		b.fail(what, err)
	}
}

// fail ends the test with what the page shows.
func (b *tab) fail(what string, cause error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		shown = err.Error()
	}
	b.t.Fatalf("%s: %v\n%s", what, cause, shown)
}

func (b *tab) visit(path string) {
	b.t.Helper()
	b.do("visit "+path, chromedp.Navigate(b.url+path))
}

// back is the browser's button. (chromedp.NavigateBack waits for a load that does not come when the
// page was kept in memory.)
func (b *tab) back() {
	b.t.Helper()
	b.do("go back", chromedp.Evaluate[chromedp.Void](`history.back()`))
}

// see waits until the first element that the selector finds is visible.
func (b *tab) see(selector string) {
	b.t.Helper()
	b.do("see "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (b *tab) fill(selector, value string) {
	b.t.Helper()
	b.do("fill "+selector, chromedp.SendKeys(chromedp.CSS(selector), value))
}

func (b *tab) press(key string) {
	b.t.Helper()
	b.do("press a key", chromedp.KeyEvent(key))
}

// tabTo moves the focus with the Tab key alone to the element that the selector finds.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 80 {
		b.press(kb.Tab)
		if evaluate[bool](b, `document.activeElement.matches(`+quote(selector)+`)`) {
			return
		}
	}
	b.fail("tab to "+selector, fmt.Errorf("not reached by 80 Tabs"))
}

// until waits until the expression is true, on the page that is shown or on one that replaces it. (After
// the browser went back to a page that it kept in memory, chromedp.Poll may wait for ever for chromedp's
// own picture of that page.)
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if is && err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.fail("wait for "+expression, cmp.Or(err, ctx.Err()))
		}
	}
}

// says waits until the element holds the text.
func (b *tab) says(selector, text string) {
	b.t.Helper()
	b.until(`(document.querySelector(` + quote(selector) + `)?.textContent ?? "").includes(` + quote(text) + `)`)
}

func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.fail("evaluate "+expression, err)
	}
	return value
}

func quote(text string) string { return fmt.Sprintf("%q", text) }

// measure visits every page, at most 0.1 of which may shift (the limit for "good" of
// https://web.dev/articles/cls), none of which may be wider than the window, and in none of which axe-core
// finds anything.
func (b *tab) measure(email string) {
	b.openProduct("Teapot for Two")
	product := evaluate[string](b, `location.pathname + location.search`)
	for _, path := range []string{"/", "/?category=Paper", product, "/cart", "/login", "/register"} {
		b.measurePage(path)
	}
	b.register(email)
	b.see("#logout")
	b.checkShiftIsSeen()
	b.checkAccessCanFail()
	b.visit(product)
	b.click("#buy button")
	b.says("#cart-count", "1")
	b.measurePage("/cart")
	b.measurePage("/checkout")
	b.click("#place")
	b.see("#pay")
	payment := evaluate[string](b, `location.pathname + location.search`)
	for _, path := range []string{payment, strings.Replace(payment, "/checkout?order=", "/order?id=", 1), "/orders"} {
		b.measurePage(path)
	}
}

// checkShiftIsSeen shifts a page on purpose: a measure that cannot fail proves nothing.
func (b *tab) checkShiftIsSeen() {
	b.visit("/cart")
	b.until(`!document.querySelector("[aria-busy]")`)
	evaluate[string](b, `document.querySelector("site-header").style.marginBottom = "200px"`)
	b.until(`window.layoutShift > 0`)
}

func (b *tab) measurePage(path string) {
	b.t.Helper()
	b.visit(path)
	b.until(`!document.querySelector("[aria-busy]") && document.getElementById("where").textContent !== ""`)
	b.until(`[...document.images].every((image) => image.complete || image.loading === "lazy")`)
	if shift := evaluate[float64](b, `window.layoutShift`); shift >= 0.1 {
		b.t.Errorf("%s: layout shift %.3f, want below 0.1", path, shift)
	} else {
		b.t.Logf("%s: layout shift %.3f", path, shift)
	}
	if over := evaluate[int](b, `document.documentElement.scrollWidth - window.innerWidth`); over > 0 {
		b.t.Errorf("%s: %d pixels wider than the window", path, over)
	}
	if n := evaluate[int](b, `document.querySelectorAll("main h1").length`); n != 1 {
		b.t.Errorf("%s: %d main headings", path, n)
	}
	b.checkAccess(path)
}
