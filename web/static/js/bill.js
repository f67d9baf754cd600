// What was or is about to be bought, with its total: a cart or an order.
import { count, price } from "./format.js";
import { html } from "./html.js";

export const pieces = ({ items }) => items.reduce((sum, item) => sum + item.quantity, 0);

export const FEW = 5; // at or below this the shopper is told how many are left

// scarcity tells of a product, or of a line of a cart, that it is sold out or that at most a few are left.
export function scarcity({ stock }, few) {
  if (stock === 0) return html`<p class="stock none">Out of stock</p>`;
  if (stock <= few) return html`<p class="stock few">Only ${stock} left</p>`;
  return "";
}

const line = (item, currency) =>
  html`<li class="line">
    <img src="${item.image_url}" alt="" width="600" height="600" />
    <div class="line-text">
      <h2><a href="/product?id=${item.product_id}">${item.name}</a></h2>
      <p>${item.quantity} × ${price(item.unit_price_cents, currency)}</p>
      ${item.stock < item.quantity && scarcity(item, item.quantity)}
    </div>
    <p class="price">${price(item.subtotal_cents, currency)}</p>
  </li>`;

export const bill = (bought) =>
  html`<ul class="lines" role="list">${bought.items.map((item) => line(item, bought.currency))}</ul>
    <p class="sum-line"><span>${count(pieces(bought), "piece")}, total</span>
      <strong class="price">${price(bought.total_cents, bought.currency)}</strong></p>`;
