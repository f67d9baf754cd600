// One product.
import { MOST } from "../cart.js";
import { price } from "../format.js";
import { html, render } from "../html.js";
import { addToCart, cards, getProduct, listProducts, sellFrom, stock } from "../product.js";
import { load } from "../view.js";

const ALSO = 4; // other products of the same category

const element = document.getElementById("product");
const also = document.getElementById("also");
const id = new URLSearchParams(location.search).get("id") ?? "";

const buy = (product) =>
  product.stock === 0
    ? html`<p class="note">It is sold out. Pieces held by unpaid orders may come back.</p>`
    : html`<form class="buy" id="buy">
        <label for="quantity">Quantity</label>
        <input id="quantity" name="quantity" type="number" inputmode="numeric" value="1" min="1"
          max="${Math.min(product.stock, MOST)}" required />
        <button class="button" type="submit">Add to cart</button>
      </form>`;

function showProduct(product) {
  document.title = `${product.name} · Shoplab`;
  render(
    element,
    html`<img src="${product.image_url}" alt="${product.name}" width="600" height="600" />
      <div class="product-text">
        <p class="category"><a href="/?${new URLSearchParams({ category: product.category })}">${product.category}</a></p>
        <h1>${product.name}</h1>
        <p class="price">${price(product.price_cents, product.currency)}</p>
        <p class="description">${product.description}</p>
        ${stock(product)} ${buy(product)}
      </div>`,
  );
  document.getElementById("buy")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const quantity = event.target.elements.quantity.valueAsNumber;
    addToCart(event.submitter ?? event.target.querySelector("button"), product.id, product.name, quantity);
  });
}

// The others are an extra: if they cannot be had, the page does without.
async function showOthers(product) {
  const page = await listProducts({ category: product.category, limit: ALSO + 1 });
  const others = page.items.filter((other) => other.id !== product.id).slice(0, ALSO);
  if (others.length === 0) return;
  render(also, html`<h2>More in ${product.category}</h2><ul class="cards" role="list">${cards(others)}</ul>`);
  sellFrom(also);
}

load(element, async () => {
  const product = await getProduct(id);
  showProduct(product);
  showOthers(product).catch(() => {});
});
