// What every page has: the bar that tells where the shop is running, the header, the footer and
// the announcements.
import { account, logout } from "./account.js";
import { pieces } from "./bill.js";
import { cart, loadCart } from "./cart.js";
import { html, render } from "./html.js";
import { info } from "./info.js";
import { announce, busy, words } from "./view.js";

const SHOWN = 6_000; // milliseconds that an announcement stays

const flask = html`<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
  <path class="glass" d="M12 3h8M13.5 3v9L5.6 25.2A2.5 2.5 0 0 0 7.8 29h16.4a2.5 2.5 0 0 0 2.2-3.8L18.5 12V3" />
  <path class="liquid" d="M10.6 19h10.8l3.6 6.2a1.4 1.4 0 0 1-1.2 2.1H8.2A1.4 1.4 0 0 1 7 25.2z" />
</svg>`;

const basket = html`<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
  <path d="M3 9h18l-2 11H5zM8 9l3-6M16 9l-3-6M9.5 13v3.5M14.5 13v3.5" />
</svg>`;

const lens = html`<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
  <path d="M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5 21 21" />
</svg>`;

const header = html`<aside class="where" id="where" aria-label="Where this shop is running"></aside>
  <header class="top">
    <a class="brand" href="/">${flask}<span>Shoplab</span></a>
    <form class="search" role="search" action="/" method="get">
      <label class="unseen" for="q">Search the shop</label>
      <input id="q" name="q" type="search" placeholder="Search the shop" maxlength="100" autocomplete="off" />
      <button type="submit" aria-label="Search">${lens}</button>
    </form>
    <nav aria-label="Account and cart">
      <span class="account" id="account"></span>
      <a class="cart-link" href="/cart">
        ${basket}<span class="cart-word">Cart</span><span class="cart-count" id="cart-count"></span>
      </a>
    </nav>
  </header>`;

const footer = html`<footer class="bottom">
  <p>Shoplab is a laboratory: one shop, built to be run on different infrastructures and loaded until it breaks.</p>
  <p>It sells nothing real and ships nothing.</p>
</footer>`;

function markCurrent(root) {
  for (const link of root.querySelectorAll("a[href]")) {
    if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
  }
}

function showAccount(element, user) {
  render(
    element,
    user
      ? html`<a href="/orders" title="Signed in as ${user.first_name}">Orders</a>
          <button class="plain" type="button" id="logout">Log out</button>`
      : html`<a href="/login">Log in</a>`,
  );
  markCurrent(element);
}

function showCount(element, value) {
  const n = value ? pieces(value) : 0;
  element.hidden = n === 0;
  render(element, html`${n > 99 ? "99+" : n}<span class="unseen"> ${n === 1 ? "piece" : "pieces"}</span>`);
}

async function showWhere(element) {
  try {
    const { stage, topology, instance, payments } = await info();
    const parts = [
      ["Stage", stage],
      ["Topology", topology],
      ["Instance", instance],
      ["Payments", payments],
    ].filter(([, value]) => value);
    element.title = parts.map(([name, value]) => `${name}: ${value}`).join(", ");
    render(
      element,
      parts.map(([name, value]) => html`<span data-info="${name.toLowerCase()}"><span class="name">${name}</span> ${value}</span>`),
    );
  } catch {
    element.textContent = "Where this shop is running could not be found out.";
  }
}

customElements.define(
  "site-header",
  class extends HTMLElement {
    connectedCallback() {
      render(this, header);
      markCurrent(this);
      showWhere(this.querySelector("#where"));
      const menu = this.querySelector("#account");
      account.watch((user) => showAccount(menu, user));
      menu.addEventListener("click", (event) => {
        if (event.target.id === "logout") leave(event.target);
      });
      const badge = this.querySelector("#cart-count");
      cart.watch((value) => showCount(badge, value));
    }
  },
);

async function leave(button) {
  try {
    await busy(button, logout);
    location.assign("/");
  } catch (problem) {
    announce(words(problem));
  }
}

customElements.define(
  "site-footer",
  class extends HTMLElement {
    connectedCallback() {
      render(this, html`${footer}<div class="announcement" id="announcement" role="status"></div>`);
      const element = this.querySelector("#announcement");
      let timer;
      const hide = () => {
        if (element.matches(":hover, :focus-within")) timer = setTimeout(hide, SHOWN);
        else element.replaceChildren();
      };
      document.addEventListener("announce", ({ detail }) => {
        clearTimeout(timer);
        const link = detail.link && html`<a href="${detail.link.href}">${detail.link.text}</a>`;
        render(element, html`<p><span>${detail.text}</span>${link}</p>`);
        timer = setTimeout(hide, SHOWN);
      });
    }
  },
);

// The count in the header is a nicety: when it cannot be had, the page itself will say what is
// wrong as soon as the shopper does something.
const recount = () => loadCart().catch(() => {});
recount();
addEventListener("pageshow", (event) => event.persisted && recount());
