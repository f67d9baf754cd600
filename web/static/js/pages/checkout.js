// The checkout: first what is bought is reviewed and ordered, then it is paid (?order=ID).
import { signedIn } from "../account.js";
import { Problem } from "../api.js";
import { bill } from "../bill.js";
import { cart, loadCart, removeItem, setItem } from "../cart.js";
import { clock, price } from "../format.js";
import { html, render } from "../html.js";
import { info } from "../info.js";
import { getOrder, placeOrder, unanswered } from "../order.js";
import { openPayment, simulate, stripeForm } from "../payment.js";
import { busy, empty, inform, load } from "../view.js";

const element = document.getElementById("checkout");
const orderID = new URLSearchParams(location.search).get("order");

function markStep(current) {
  for (const step of document.querySelectorAll("#steps li")) {
    if (step.dataset.step === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
}

const toPayment = (order) => location.replace(`/checkout?${new URLSearchParams({ order: order.id })}`);

// The totals of a cart whose prices changed after it was shown: {expected_total_cents, total_cents}.
const change = ({ expected_total_cents: shown, total_cents: total, currency }) =>
  html`<div class="alert" role="alert" id="change">
    <p>A price changed after this cart was shown to you, so nothing was ordered.</p>
    <dl class="totals">
      <dt>You were shown</dt><dd class="price">${price(shown, currency)}</dd>
      <dt>The total is now</dt><dd class="price">${price(total, currency)}</dd>
    </dl>
  </div>`;

function showReview(value, changed) {
  render(
    element,
    html`${bill(value)} ${changed && change(changed)}
      <div class="alert" role="alert" id="alert" hidden></div>
      <div class="remedy" id="remedy"></div>
      <div class="actions">
        <button class="button" type="button" id="place">
          ${changed ? `Order for ${price(value.total_cents, value.currency)}` : "Place the order"}
        </button>
        <a class="button quiet" href="/cart">Change the cart</a>
      </div>
      <p class="note">The goods are set aside for you when you place the order. You pay in the next step.</p>`,
  );
  document.getElementById("place").addEventListener("click", (event) => place(event.target));
}

async function place(button) {
  if (button.ariaDisabled) return;
  const alert = document.getElementById("alert");
  inform(alert, null);
  render(document.getElementById("remedy"), "");
  try {
    toPayment(await busy(button, () => signedIn(() => placeOrder(cart.value))));
  } catch (problem) {
    inform(alert, problem);
    if (problem.code === "OUT_OF_STOCK") offerRemedy(alert, problem.members);
    if (problem.code === "EMPTY_CART") await load(element, () => review());
    if (problem.code === "PRICE_CHANGED") return load(element, () => review(problem.members));
    if (!problem.final) button.textContent = "Try again";
  }
}

// offerRemedy lets the shopper take what is left, or do without.
function offerRemedy(alert, { product_id: id, name, available }) {
  const remedy = document.getElementById("remedy");
  render(
    remedy,
    html`<button class="button quiet" type="button">
      ${available > 0 ? `Take the ${available} that ${available === 1 ? "is" : "are"} left` : `Go on without ${name}`}
    </button>`,
  );
  const button = remedy.firstElementChild;
  button.addEventListener("click", async () => {
    if (button.ariaDisabled) return;
    try {
      await busy(button, () => (available > 0 ? setItem(id, available) : removeItem(id)));
      await load(element, () => review());
    } catch (problem) {
      inform(alert, problem);
    }
  });
}

// review shows what is about to be ordered; changed are the totals if they are not what was shown.
async function review(changed) {
  markStep("review");
  const value = await signedIn(loadCart);
  // The cart of an order whose answer was lost is empty: its key brings the order back.
  if (value.items.length === 0 && unanswered()) return toPayment(await signedIn(() => placeOrder(value)));
  if (value.items.length) return showReview(value, changed);
  render(element, empty("There is nothing to check out", "Your cart is empty.", "/", "Go shopping"));
}

const paidURL = (order, more) => `/order?${new URLSearchParams({ id: order.id, ...more })}`;

const payment = (order, form) =>
  html`<p>Order ${order.id} is held for you until ${clock(order.expires_at)}.</p>
    <section class="payment" aria-labelledby="payment-title">
      <h2 id="payment-title">Pay ${price(order.total_cents, order.currency)}</h2>
      ${form}
      <div class="alert" role="alert" id="alert" hidden></div>
    </section>
    <details class="bill"><summary>What you are buying</summary>${bill(order)}</details>
    <p><a href="${paidURL(order)}">Pay later, or cancel the order</a></p>`;

// attempt runs work of a payment button and shows what went wrong, if anything did.
async function attempt(button, work) {
  if (button.ariaDisabled) return;
  const alert = document.getElementById("alert");
  inform(alert, null);
  try {
    await busy(button, work);
  } catch (problem) {
    inform(alert, problem);
  }
}

function showSimulated(order, secret) {
  render(
    element,
    payment(
      order,
      html`<p class="note">Payments are simulated here: no card is asked for and no money moves. You choose how it ends.</p>
        <div class="actions">
          <button class="button" type="button" id="pay">Pay (simulated)</button>
          <button class="button quiet" type="button" id="fail">Let the payment fail</button>
        </div>`,
    ),
  );
  document.getElementById("pay").addEventListener("click", (event) =>
    attempt(event.target, async () => {
      await simulate(secret, "succeeded");
      location.assign(paidURL(order, { redirect_status: "succeeded" }));
    }),
  );
  document.getElementById("fail").addEventListener("click", (event) =>
    attempt(event.target, async () => {
      await simulate(secret, "failed");
      throw new Problem({
        code: "PAYMENT_REFUSED",
        detail: "The payment was refused, as you asked. Nothing was charged, and the order is still held for you.",
      });
    }),
  );
}

async function showStripe(order, secret, publishableKey) {
  render(
    element,
    payment(
      order,
      html`<div class="stripe" id="stripe"></div>
        <button class="button" type="button" id="pay" disabled>Pay ${price(order.total_cents, order.currency)}</button>`,
    ),
  );
  const button = document.getElementById("pay");
  const returnURL = new URL(paidURL(order), location.origin).href;
  const confirm = await stripeForm(document.getElementById("stripe"), publishableKey, secret, returnURL);
  button.disabled = false;
  button.addEventListener("click", () => attempt(button, confirm));
}

async function pay() {
  markStep("pay");
  const placed = await signedIn(() => getOrder(orderID));
  if (placed.status !== "pending") return location.replace(paidURL(placed));
  const [{ client_secret: secret }, { payments, publishable_key: key }] = await Promise.all([
    signedIn(() => openPayment(placed.id)),
    info(),
  ]);
  const order = await signedIn(() => getOrder(orderID)); // held for longer now
  if (payments === "stripe") await showStripe(order, secret, key);
  else showSimulated(order, secret);
}

load(element, orderID ? pay : () => review());
