package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestStorefront shops in a real browser, on the real program and database.
func TestStorefront(t *testing.T) {
	chromium := startBrowser(t)
	p := start(t, nil).ready(t)
	shop := p.url
	desktop := func(t *testing.T) *tab { return openTab(chromium, t, shop, 1280, 800) }
	phone := func(t *testing.T) *tab { return openTab(chromium, t, shop, 320, 640) }
	t.Run("catalog", func(t *testing.T) { desktop(t).browse() })
	t.Run("journey", func(t *testing.T) {
		b := desktop(t)
		b.fillCart()
		b.checkOutAsGuest()
		b.payOrder()
		b.cancelOrder()
		b.returnAsGuest()
		b.logOutEverywhere(phone(t))
	})
	t.Run("failures", func(t *testing.T) {
		b := desktop(t)
		b.retry()
		b.meetNewPrice(p.database)
		b.buyTooMany()
		b.meetArchived(p.database)
		b.loseAnswers()
	})
	t.Run("money that moves without the page", func(t *testing.T) { desktop(t).meetTheBank(p.database) })
	t.Run("measures of a desktop", func(t *testing.T) { desktop(t).measure("desktop@example.com") })
	t.Run("measures of a phone", func(t *testing.T) { phone(t).measure("phone@example.com") })
}

const cardCount = `document.querySelectorAll(".card h2 a").length`

// browse filters, searches, sorts and pages through the catalog, and goes back.
func (b *tab) browse() {
	b.visit("/")
	b.says("#where", "test")
	b.says("#where", "simulated")
	b.until(cardCount + ` === 24`)
	b.until(`document.querySelectorAll(".stock.none").length > 0`)
	if !evaluate[bool](b, `document.querySelector(".card:has(.stock.none) button").disabled`) {
		b.t.Error("what is out of stock can be added")
	}
	b.says(".stock.few", "Only 3 left")

	b.click(`#filters a[data-category="Kitchen"]`)
	b.until(`[...document.querySelectorAll(".card .category")].every((c) => c.textContent === "Kitchen")`)
	b.until(cardCount + ` === 9`)
	b.do("sort", chromedp.SetValue(chromedp.ID("sort"), "price"))
	evaluate[bool](b, `document.getElementById("sort").dispatchEvent(new Event("change"))`)
	b.until(`location.search === "?category=Kitchen&sort=price"`)
	b.until(`(([...p]) => p.every((x, i) => i === 0 || x >= p[i - 1]))(
		[...document.querySelectorAll(".card .price")].map((p) => Number(p.textContent.replace(/[^0-9.]/g, ""))))`)
	b.back()
	b.until(`location.search === "?category=Kitchen" && document.getElementById("sort").value === ""`)
	b.back()
	b.until(cardCount + ` === 24`)

	b.fill("#q", "kettle"+kb.Enter)
	b.says(".card h2", "Pour-Over Kettle")
	if search := evaluate[string](b, `location.search`); search != "?q=kettle" {
		b.t.Errorf("the search is not in the address: %q", search)
	}
	b.visit("/?q=nothing+is+called+this")
	b.says(".state", "No product matches")

	b.visit("/?sort=name")
	b.until(cardCount + ` === 24`)
	b.tabTo("#more")
	b.press(kb.Enter)
	b.until(cardCount + ` === 48`)
	if !evaluate[bool](b, `document.activeElement === document.querySelectorAll(".card h2 a")[24]`) {
		b.t.Error("the focus is not on the first of the products that were loaded")
	}
	names := evaluate[[]string](b, `[...document.querySelectorAll(".card h2 a")].map((a) => a.textContent.toLowerCase())`)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		b.t.Error("a product is listed twice")
	}
	b.press(kb.Enter) // opens the product that has the focus
	b.see("#product img")
	b.back()
	b.until(cardCount + ` === 48`)
}

// openProduct searches for the product and opens it.
func (b *tab) openProduct(name string) {
	b.visit("/?q=" + url.QueryEscape(name))
	b.see(".card h2 a")
	b.click(".card h2 a")
	b.see("#product h1")
	b.says("#product h1", name)
}

// fillCart puts two things into a guest's cart: one with the keyboard alone, one by clicks.
func (b *tab) fillCart() {
	b.openProduct("Stoneware Mug")
	b.tabTo("#quantity")
	b.press(kb.ArrowUp)
	b.tabTo("#buy button")
	b.press(kb.Enter)
	b.says("#announcement[role=status]", "Stoneware Mug is in your cart.")
	b.says("#cart-count", "2")

	b.visit("/?category=Bags")
	b.see(`[data-name="Canvas Backpack"]`)
	b.click(`[data-name="Canvas Backpack"]`)
	b.says("#cart-count", "3")
	b.visit("/cart")
	b.says("#total", "$127.00")
	b.click(`.line[data-name="Stoneware Mug"] [data-step="1"]`)
	b.says("#total", "$146.00")
	if !evaluate[bool](b, `document.activeElement.dataset.step === "1"`) {
		b.t.Error("the button lost the focus when the cart changed")
	}
	b.click(`.line[data-name="Stoneware Mug"] [data-remove]`)
	b.says("#total", "$89.00")
}

// register fills in the form that creates an account.
func (b *tab) register(email string) {
	b.fill("#first_name", "Ada")
	b.fill("#last_name", "Lovelace")
	b.fill("#email", email)
	b.fill("#password", "correct horse")
	b.click("form.sheet [type=submit]:enabled")
}

// checkOutAsGuest checks out as a guest, who needs an account for that, and finds the cart still there.
func (b *tab) checkOutAsGuest() {
	b.click(`.sum a[href="/checkout"]`)
	b.click(`#other[href*="next"]`)
	b.register("ada@example.com")
	b.see("#place")
	b.says("#checkout", "Canvas Backpack")
	if cookies := evaluate[string](b, `document.cookie + JSON.stringify(localStorage)`); strings.Contains(cookies, "eyJ") {
		b.t.Error("a script can read the session's token")
	}
}

// payOrder places the order, lets its payment fail, and then pays it.
func (b *tab) payOrder() {
	b.click("#place")
	b.see("#pay")
	b.says(".payment", "simulated")
	b.click("#fail")
	b.says("#alert", "Nothing was charged")
	b.click("#pay")
	b.see(`[data-status="paid"]`)
	b.visit("/orders")
	b.says(".order-row .pill", "Paid")
	b.says(".order-row .price", "$89.00")
}

// cancelOrder places a second order and cancels it.
func (b *tab) cancelOrder() {
	b.openProduct("Fountain Pen")
	b.click("#buy button")
	b.says("#cart-count", "1")
	b.visit("/checkout")
	b.click("#place")
	b.see("#pay")
	b.click(`#checkout a[href^="/order?"]`)
	b.click("#cancel")
	b.click("#cancel-confirm")
	b.see(`[data-status="canceled"]`)
	b.visit("/orders")
	b.see(".order-row")
	pills := evaluate[string](b, `[...document.querySelectorAll(".pill")].map((pill) => pill.textContent).join()`)
	if pills != "Canceled,Paid" {
		b.t.Errorf("orders are %s", pills)
	}
}

// returnAsGuest logs out, fills a cart as a guest, and finds it after logging in.
func (b *tab) returnAsGuest() {
	b.click("#logout")
	b.see(`#account a[href="/login"]`)
	b.openProduct("Trail Compass")
	b.click("#buy button")
	b.says("#cart-count", "1")
	b.click(`#account a[href="/login"]`)
	b.expect("401")
	b.fill("#email", "ada@example.com")
	b.fill("#password", "wrong"+kb.Enter)
	b.see(".sheet .alert")
	b.visit("/login")
	b.fill("#email", "ada@example.com")
	b.fill("#password", "correct horse"+kb.Enter)
	b.see("#logout")
	b.visit("/cart")
	b.says(".line h2", "Trail Compass")
}

// logOutEverywhere ends the session of another browser too.
func (b *tab) logOutEverywhere(other *tab) {
	other.visit("/login")
	other.fill("#email", "ada@example.com")
	other.fill("#password", "correct horse"+kb.Enter)
	other.see("#logout")
	b.visit("/orders")
	b.click("#logout-everywhere")
	b.see(`#account a[href="/login"]`)
	other.expect("401")
	other.visit("/orders")
	other.see("form.sheet #email") // it is asked to log in
}

// breakFetch makes the next n requests of the page fail, before or after the shop has answered.
func (b *tab) breakFetch(n int, answered bool) {
	script := fmt.Sprintf(`{
		const real = window.fetch;
		let left = %d;
		window.fetch = async (...request) => {
			if (--left === 0) window.fetch = real;
			if (%t) await real(...request);
			throw new TypeError("the network failed");
		};
	} true`, n, answered)
	evaluate[bool](b, script)
}

// retry meets a product that is not there, and a list that comes only the second time.
func (b *tab) retry() {
	b.expect("404")
	b.visit("/product?id=987654321")
	b.says("#product [role=alert]", "Nothing here")
	b.visit("/")
	b.until(cardCount + ` === 24`)
	b.breakFetch(1, false)
	b.click(`#filters a[data-category="Audio"]`)
	b.says("#products [role=alert]", "The shop did not answer.")
	b.click("[data-again]")
	b.until(cardCount + ` === 8`)
}

// meetNewPrice orders a lamp whose price changes between the review and the order: nothing is ordered
// until the shopper, who is shown both totals, goes on.
func (b *tab) meetNewPrice(database string) {
	b.visit("/register")
	b.register("grace@example.com")
	b.see("#logout")
	b.openProduct("Brass Desk Lamp")
	b.click("#buy button")
	b.says("#cart-count", "1")
	b.visit("/checkout")
	b.see("#place")
	shown := evaluate[string](b, `document.querySelector(".sum-line .price").textContent`)
	query(b.t, database, "UPDATE products SET price_cents = 12345 WHERE name = 'Brass Desk Lamp' RETURNING id")
	b.expect("409")
	b.click("#place")
	b.says("#change", shown)
	b.says("#change", "$123.45")
	b.says("#checkout .sum-line", "$123.45")
	if over := evaluate[int](b, `document.documentElement.scrollWidth - window.innerWidth`); over > 0 {
		b.t.Errorf("the changed price makes the page %d pixels wider than the window", over)
	}
	b.says("#place", "Order for $123.45")
	b.click("#place")
	b.see("#pay")
	b.says("#payment-title", "$123.45")
}

// meetTheBank looks at an order that is paid while its page offers to cancel it, and of which a part is
// given back and disputed then.
func (b *tab) meetTheBank(database string) {
	b.visit("/register")
	b.register("hedy@example.com")
	b.see("#logout")
	b.openProduct("Trail Compass")
	b.click("#buy button")
	b.says("#cart-count", "1")
	b.visit("/checkout")
	b.click("#place")
	b.see("#pay")
	b.click(`#checkout a[href^="/order?"]`)
	b.see("#cancel")
	id := query(b.t, database, "SELECT max(id) FROM orders")
	query(b.t, database, "UPDATE payments SET status = 'captured', captured_cents = amount_cents, refunded_cents = 150, "+
		"dispute = 'open' WHERE order_id = $1 RETURNING 1", id)
	query(b.t, database, "UPDATE orders SET status = 'paid' WHERE id = $1 RETURNING 1", id)
	b.expect("409")
	b.click("#cancel")
	b.click("#cancel-confirm")
	b.see(`[data-status="paid"]`)
	b.says("[data-refunded]", "$1.50")
	b.says(`[data-dispute="open"]`, "dispute")
}

// meetArchived has a product in the cart that is no longer sold, and goes on without it.
func (b *tab) meetArchived(database string) {
	b.openProduct("Dotted Notebook")
	b.click("#buy button")
	b.says("#announcement", "Dotted Notebook is in your cart.")
	query(b.t, database, "UPDATE products SET archived_at = now() WHERE slug = 'dotted-notebook' RETURNING id")
	b.visit("/cart")
	b.says(`.line[data-name="Dotted Notebook"]`, "No longer sold")
	b.visit("/checkout")
	b.click("#place")
	b.says("#remedy", "Go on without Dotted Notebook")
	b.click("#remedy button")
	b.until(`document.getElementById("place") !== null &&
		!document.getElementById("checkout").textContent.includes("Dotted Notebook")`)
}

// buyTooMany orders five of which three are left, and then takes the three. What was sold out since its page
// was shown waits in the cart, and the shopper is told.
func (b *tab) buyTooMany() {
	b.openProduct("Laptop Stand")
	b.click("#buy button")
	b.says("#cart-count", "1")
	b.visit("/cart")
	b.see(".line input")
	evaluate[bool](b, `((input) => {
		input.value = "5";
		return input.dispatchEvent(new Event("change", { bubbles: true }));
	})(document.querySelector(".line input"))`)
	b.says("#total", "$220.00")
	b.says(".line .stock.few", "Only 3 left")
	b.visit("/")
	b.see(".card:has(.stock.none) button")
	b.do("add what is sold out", chromedp.Evaluate[chromedp.Void](`((button) => {
		button.disabled = false; // as on a page that was loaded before
		button.click();
	})(document.querySelector(".card:has(.stock.none) button"))`))
	b.says("#announcement", "is sold out. It waits in your cart")
	b.visit("/cart")
	b.says(".line .stock.none", "Out of stock")
	b.click(".line:has(.stock.none) [data-remove]")
	b.says("#total", "$220.00")
	b.visit("/checkout")
	b.expect("409")
	b.click("#place")
	b.says("#remedy", "Take the 3 that are left")
	b.click("#remedy button")
	b.says("#checkout .sum-line", "$132.00")
}

// loseAnswers orders, and twice the answer does not arrive. Coming back to the checkout brings
// the one order that was placed, beside that of meetNewPrice.
func (b *tab) loseAnswers() {
	b.breakFetch(2, true)
	b.click("#place")
	b.says("#place", "Try again")
	b.says("#alert", "The shop did not answer.")
	b.click("#place")
	b.until(`!document.getElementById("alert").hidden`)
	b.visit("/checkout")
	b.see("#pay")
	b.visit("/orders")
	b.see(".order-row")
	if n := evaluate[int](b, `document.querySelectorAll(".order-row").length`); n != 2 {
		b.t.Errorf("%d orders were placed, want 2", n)
	}
}
