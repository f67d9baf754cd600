package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeScript is axe-core, which finds what shuts people out of a page; "" where it is not installed.
func axeScript(t *testing.T) string {
	t.Helper()
	file := os.Getenv("SHOPLAB_AXE")
	if file == "" {
		t.Log("pages are not held against axe-core: npm pack axe-core, and its axe.min.js in SHOPLAB_AXE")
		return ""
	}
	script, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// checkAccess holds the page that is shown against axe-core, if that is there.
func (b *tab) checkAccess(path string) {
	b.t.Helper()
	if b.axe == "" {
		return
	}
	b.do("load axe-core", chromedp.Evaluate[chromedp.Void](b.axe))
	b.until(`document.getAnimations().every((a) => a.playState !== "running")`) // a colour on its way is none to judge
	evaluate[bool](b, `delete window.axeFound && axe.run().then((r) => { window.axeFound =
		r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + ", " + n.failureSummary).join("; ")); }) && true`)
	b.until(`Array.isArray(window.axeFound)`)
	for _, violation := range evaluate[[]string](b, `window.axeFound`) {
		b.t.Errorf("%s: axe-core: %s", path, violation)
	}
}

// checkAccessCanFail takes a button's name away: a check that cannot fail proves nothing.
func (b *tab) checkAccessCanFail() {
	if b.axe == "" {
		return
	}
	b.visit("/cart")
	b.until(`!document.querySelector("[aria-busy]")`)
	b.do("load axe-core", chromedp.Evaluate[chromedp.Void](b.axe))
	evaluate[bool](b, `document.querySelector("main").append(document.createElement("button")) ||
		axe.run().then((r) => { window.axeFound = r.violations.map((v) => v.id); }) && true`)
	b.until(`(window.axeFound ?? []).includes("button-name")`)
}
