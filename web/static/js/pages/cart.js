// The cart.
import { FEW, pieces, scarcity } from "../bill.js";
import { MOST, cart, clearCart, loadCart, removeItem, setItem } from "../cart.js";
import { count, price } from "../format.js";
import { html, render } from "../html.js";
import { announce, empty, inform, load } from "../view.js";

const element = document.getElementById("cart");
const alert = document.getElementById("alert");
const heading = document.querySelector("h1");

const row = (item, currency) => {
  const id = item.product_id;
  return html`<li class="line" data-id="${id}" data-name="${item.name}">
    <img src="${item.image_url}" alt="" width="600" height="600" />
    <div class="line-text">
      <h2><a href="/product?id=${id}">${item.name}</a></h2>
      ${item.gone
        ? html`<p class="stock none">No longer sold. Remove it to order the rest.</p>`
        : html`<p>${price(item.unit_price_cents, currency)} each</p>
            ${scarcity(item, Math.max(FEW, item.quantity))}`}
    </div>
    <div class="quantity" role="group" aria-label="Quantity of ${item.name}">
      <button type="button" id="less-${id}" data-step="-1" aria-label="One less">−</button>
      <input id="quantity-${id}" type="number" inputmode="numeric" min="0" max="${MOST}"
        value="${item.quantity}" aria-label="Quantity" />
      <button type="button" id="more-${id}" data-step="1" aria-label="One more"
        ${(item.gone || item.quantity >= MOST) && "disabled"}>+</button>
    </div>
    <p class="price">${price(item.subtotal_cents, currency)}</p>
    <button class="plain" type="button" data-remove>Remove<span class="unseen"> ${item.name}</span></button>
  </li>`;
};

function show(value) {
  if (!value) return;
  if (value.items.length === 0) {
    render(element, empty("Your cart is empty", "Everything you add is kept here, also when you log in later.", "/", "Go shopping"));
    return;
  }
  const total = price(value.total_cents, value.currency);
  render(
    element,
    html`<ul class="lines" role="list">${value.items.map((item) => row(item, value.currency))}</ul>
      <div class="sum">
        <p><span>${count(pieces(value), "piece")}, total</span> <strong class="price" id="total">${total}</strong></p>
        <a class="button" href="/checkout">Check out</a>
        <button class="plain" type="button" id="clear">Empty the cart</button>
      </div>`,
  );
}

// change carries out a request and says what came of it. If it fails, the cart is shown again as
// it is.
async function change(request, said) {
  inform(alert, null);
  const focused = document.activeElement;
  try {
    const value = await request();
    announce(`${said} Total ${price(value.total_cents, value.currency)}.`);
  } catch (problem) {
    inform(alert, problem);
    show(cart.value);
  }
  if (!focused.isConnected && document.activeElement === document.body) heading.focus();
}

function set({ id, name }, quantity) {
  const wanted = Math.max(0, Math.min(MOST, quantity));
  if (!Number.isInteger(wanted)) return show(cart.value);
  return change(() => setItem(id, wanted), wanted ? `${name}: ${count(wanted, "piece")}.` : `${name} is removed.`);
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "clear") return change(clearCart, "Your cart is empty.");
  const line = button.closest(".line").dataset;
  if (button.dataset.step) {
    const now = cart.value.items.find((item) => String(item.product_id) === line.id).quantity;
    return set(line, now + Number(button.dataset.step));
  }
  return change(() => removeItem(line.id), `${line.name} is removed.`);
});
element.addEventListener("change", (event) => set(event.target.closest(".line").dataset, event.target.valueAsNumber));

load(element, async () => {
  await loadCart();
  cart.watch(show);
});
