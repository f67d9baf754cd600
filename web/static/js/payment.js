// Paying for an order: Stripe's Payment Element, or the simulation where the shop says so.
import { Problem, api } from "./api.js";

// openPayment returns {client_secret, amount_cents, currency}, the same for every call.
export const openPayment = (orderID) =>
  api.post(`/api/orders/${encodeURIComponent(orderID)}/payment`);

// simulate makes a simulated payment end as told: "succeeded" or "failed".
export const simulate = (clientSecret, outcome) =>
  api.post("/api/payments/simulate", { client_secret: clientSecret, outcome });

const unavailable = () =>
  new Problem({
    code: "PAYMENT_UNAVAILABLE",
    detail: "The payment form could not be loaded. Your order is kept; try again in a moment.",
  });

function loadStripe() {
  if (window.Stripe) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "https://js.stripe.com/v3/";
    script.onload = resolve;
    script.onerror = () => {
      script.remove();
      reject(unavailable());
    };
    document.head.append(script);
  });
}

// stripeForm mounts the Payment Element and returns a function that confirms the payment. On
// success Stripe sends the browser to returnURL; a refusal is thrown in Stripe's words.
export async function stripeForm(element, publishableKey, clientSecret, returnURL) {
  await loadStripe();
  const stripe = window.Stripe(publishableKey);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const elements = stripe.elements({ clientSecret, appearance: { theme: dark ? "night" : "stripe" } });
  const form = elements.create("payment");
  await new Promise((resolve, reject) => {
    form.on("ready", resolve);
    form.on("loaderror", () => reject(unavailable()));
    form.mount(element);
  });
  return async () => {
    const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: returnURL } });
    if (error) throw new Problem({ code: "PAYMENT_REFUSED", detail: error.message });
  };
}
