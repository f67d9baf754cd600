// The order history, newest first.
import { logoutEverywhere, signedIn } from "../account.js";
import { pieces } from "../bill.js";
import { count, moment, price } from "../format.js";
import { append, html, render } from "../html.js";
import { listOrders, statuses } from "../order.js";
import { announce, busy, empty, load, words } from "../view.js";

const element = document.getElementById("orders");
const more = document.getElementById("more");
const everywhere = document.getElementById("logout-everywhere");
let cursor;

const row = (order) =>
  html`<li class="order-row">
    <div class="thumbs">
      ${order.items.slice(0, 4).map((item) => html`<img src="${item.image_url}" alt="" width="600" height="600" />`)}
    </div>
    <div>
      <h2><a href="/order?id=${order.id}">Order ${order.id}</a></h2>
      <p>${moment(order.created_at)}, ${count(pieces(order), "piece")}</p>
    </div>
    <p class="pill ${order.status}">${statuses[order.status].label}</p>
    <p class="price">${price(order.total_cents, order.currency)}</p>
  </li>`;

load(element, async () => {
  const page = await signedIn(() => listOrders());
  cursor = page.next_cursor;
  more.hidden = !cursor;
  everywhere.hidden = false;
  if (page.items.length) render(element, html`<ul class="order-rows" role="list">${page.items.map(row)}</ul>`);
  else render(element, empty("No orders yet", "What you order will be listed here.", "/", "Go shopping"));
});

more.addEventListener("click", async () => {
  if (more.ariaDisabled) return;
  try {
    const page = await busy(more, () => signedIn(() => listOrders(cursor)));
    const list = element.querySelector("ul");
    const before = list.children.length;
    append(list, page.items.map(row));
    list.children[before]?.querySelector("a").focus();
    cursor = page.next_cursor;
    more.hidden = !cursor;
  } catch (problem) {
    announce(words(problem));
  }
});

everywhere.addEventListener("click", async () => {
  if (everywhere.ariaDisabled) return;
  try {
    await busy(everywhere, () => signedIn(logoutEverywhere));
    location.assign("/");
  } catch (problem) {
    announce(words(problem));
  }
});
