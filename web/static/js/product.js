// Products: reading the catalog, and how a product looks in a list.
import { api } from "./api.js";
import { FEW, pieces, scarcity } from "./bill.js";
import { addItem, cart } from "./cart.js";
import { price } from "./format.js";
import { html } from "./html.js";
import { announce, busy, words } from "./view.js";

const EAGER = 8; // pictures that are likely in sight at once

// listProducts returns {items, next_cursor}; empty fields of the query are left out.
export function listProducts(query, signal) {
  const set = Object.entries(query).filter(([, value]) => value);
  return api.get(`/api/products?${new URLSearchParams(set)}`, { signal });
}

export const getProduct = (id) => api.get(`/api/products/${encodeURIComponent(id)}`);

export const listCategories = async () => (await api.get("/api/categories")).items;

export function stock(product) {
  return scarcity(product, FEW) || html`<p class="stock">In stock</p>`;
}

const card = (product, index) =>
  html`<li class="card">
    <img src="${product.image_url}" alt="" width="600" height="600" ${index < EAGER ? "" : html`loading="lazy"`} />
    <div class="card-text">
      <p class="category">${product.category}</p>
      <h2><a href="/product?id=${product.id}">${product.name}</a></h2>
      ${stock(product)}
    </div>
    <div class="card-buy">
      <p class="price">${price(product.price_cents, product.currency)}</p>
      <button class="button small" type="button" data-add="${JSON.stringify(product.id)}" data-name="${product.name}"
        ${product.stock === 0 && "disabled"}>Add<span class="unseen"> ${product.name} to the cart</span></button>
    </div>
  </li>`;

export const cards = (products) => products.map(card);

// added says what came of adding: more may be in the cart now than can be ordered.
function added(id, name) {
  const item = cart.value.items.find((line) => line.product_id === id);
  if (!item || item.quantity <= item.stock) return `${name} is in your cart.`;
  if (item.stock === 0) return `${name} is sold out. It waits in your cart in case pieces come back.`;
  return `${name} is in your cart, but only ${item.stock} of your ${item.quantity} are left.`;
}

// addToCart puts pieces into the cart and tells how it went.
export async function addToCart(button, id, name, quantity) {
  if (button.ariaDisabled) return;
  try {
    await busy(button, () => addItem(id, quantity));
    announce(added(id, name), { href: "/cart", text: `View cart (${pieces(cart.value)})` });
  } catch (problem) {
    announce(words(problem));
  }
}

// sellFrom makes the "Add" buttons of a list of cards work.
export function sellFrom(list) {
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-add]");
    if (button) addToCart(button, JSON.parse(button.dataset.add), button.dataset.name, 1);
  });
}
