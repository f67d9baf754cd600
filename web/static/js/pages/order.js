// One order: what it is, where it stands, and while it is unpaid, paying or canceling it.
import { signedIn } from "../account.js";
import { bill } from "../bill.js";
import { clock, moment, price } from "../format.js";
import { html, render } from "../html.js";
import { cancelOrder, disputes, getOrder, settled, statuses } from "../order.js";
import { announce, busy, inform, load } from "../view.js";

const element = document.getElementById("order");
const dialog = document.getElementById("cancel-dialog");
const alert = document.getElementById("cancel-alert");

const query = new URLSearchParams(location.search);
const id = query.get("id") ?? "";
// Set by the checkout after a simulated payment, and by Stripe when it sends the browser back.
const outcome = query.get("redirect_status");
history.replaceState(history.state, "", `/order?${new URLSearchParams({ id })}`);

const actions = (order) =>
  order.status === "pending" &&
  html`<div class="actions">
    <a class="button" href="/checkout?order=${order.id}">Pay ${price(order.total_cents, order.currency)}</a>
    <button class="button quiet" type="button" id="cancel">Cancel the order</button>
  </div>`;

const meaning = (order) =>
  order.status === "pending"
    ? `The goods are held for you until ${clock(order.expires_at)}.`
    : statuses[order.status].meaning;

// What else is to be said of the money: what was given back in part, and a dispute.
const money = (order) => [
  order.status === "paid" &&
    order.refunded_cents > 0 &&
    html`<p data-refunded>${price(order.refunded_cents, order.currency)} of it was given back.</p>`,
  order.dispute && html`<p data-dispute="${order.dispute}">${disputes[order.dispute]}</p>`,
];

function show(order, note) {
  const status = statuses[order.status];
  document.title = `Order ${order.id} · Shoplab`;
  render(
    element,
    html`<h1>Order ${order.id}</h1>
      <p>Placed ${moment(order.created_at)}</p>
      <section class="standing ${order.status}" aria-labelledby="standing">
        <h2 id="standing" data-status="${order.status}">${status.label}</h2>
        <p>${note ?? meaning(order)}</p>
        ${money(order)} ${actions(order)}
      </section>
      ${bill(order)}`,
  );
  document.getElementById("cancel")?.addEventListener("click", () => {
    inform(alert, null);
    dialog.showModal();
  });
}

function showWaiting(order) {
  show(order, "Your payment is on its way. This page shows it as soon as it has arrived.");
  element.querySelector(".standing").classList.add("waiting");
  element.querySelector("#standing").textContent = "Waiting for your payment to arrive";
  element.querySelector(".actions").remove();
}

// awaitPayment shows how the order stands once its payment has arrived.
async function awaitPayment(order) {
  showWaiting(order);
  const now = await signedIn(() => settled(id));
  if (now.status === "pending") {
    show(now, "The payment has not arrived yet. If you have paid, look at this page again later; do not pay twice.");
  } else {
    show(now);
  }
  announce(`Order ${now.id}: ${statuses[now.status].label}.`);
}

dialog.addEventListener("close", () => document.getElementById("cancel")?.focus());
document.getElementById("cancel-confirm").addEventListener("click", async (event) => {
  if (event.target.ariaDisabled) return;
  try {
    const order = await busy(event.target, () => cancelOrder(id));
    dialog.close();
    show(order);
    announce(`Order ${order.id} is canceled.`);
    document.getElementById("main").focus();
  } catch (problem) {
    if (problem.code !== "ORDER_NOT_PENDING") return inform(alert, problem);
    // It was paid or has expired meanwhile: the page shows how it stands now.
    dialog.close();
    await load(element, async () => show(await signedIn(() => getOrder(id))));
    announce(problem.message);
  }
});

load(element, async () => {
  const order = await signedIn(() => getOrder(id));
  if (order.status !== "pending" || !outcome) show(order);
  else if (outcome === "failed") show(order, "The payment did not go through. Nothing was charged; you can try again.");
  else await awaitPayment(order);
});
