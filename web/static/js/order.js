// Orders: placing one exactly once, reading, canceling, and waiting for one to be paid.
import { api } from "./api.js";

const KEY = "order_key"; // the key in sessionStorage
const FIRST_WAIT = 300; // milliseconds before the second look at an order
const LONGEST_WAIT = 5_000;
const PATIENCE = 60_000;

// A request to order that has not been answered for good: {key, basket, total}. As long as it is
// kept, ordering the same basket again sends the same key, so that a retry never buys twice.
const kept = () => JSON.parse(sessionStorage.getItem(KEY) ?? "null");

export const unanswered = () => kept() !== null;

export const forgetOrder = () => sessionStorage.removeItem(KEY);

// crypto.randomUUID would do, were it not withheld from pages that came by plain HTTP.
const randomKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// placeOrder orders what is in the cart at the total that was shown with it. An empty cart with an
// unanswered request means that the order was placed and its answer lost: the key then brings that
// very order back.
export async function placeOrder(cart) {
  const basket = cart.items.map((item) => `${item.product_id}x${item.quantity}`).join();
  let request = kept();
  if (!request || (basket && (basket !== request.basket || cart.total_cents !== request.total))) {
    request = { key: randomKey(), basket, total: cart.total_cents };
    sessionStorage.setItem(KEY, JSON.stringify(request));
  }
  try {
    const order = await api.post("/api/orders", { expected_total_cents: request.total }, { "Idempotency-Key": request.key });
    forgetOrder();
    return order;
  } catch (problem) {
    if (problem.final) forgetOrder();
    throw problem;
  }
}

const orderURL = (id) => `/api/orders/${encodeURIComponent(id)}`;

export const getOrder = (id) => api.get(orderURL(id));

export const cancelOrder = (id) => api.post(`${orderURL(id)}/cancel`);

export const listOrders = (cursor) =>
  api.get(`/api/orders?${new URLSearchParams({ limit: 10, ...(cursor && { cursor }) })}`);

// settled waits until the order is no longer pending and returns it; still pending after a minute,
// it is returned as it is. A look that fails is not the end: the next one may succeed.
export async function settled(id) {
  const deadline = Date.now() + PATIENCE;
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 1.6, LONGEST_WAIT)) {
    try {
      const order = await getOrder(id);
      if (order.status !== "pending" || Date.now() > deadline) return order;
    } catch (problem) {
      if (problem.final || Date.now() > deadline) throw problem;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// What each status is called, and what it means to the shopper.
export const statuses = {
  pending: { label: "Waiting for payment" },
  paid: { label: "Paid", meaning: "Thank you. Nothing is left for you to do." },
  canceled: { label: "Canceled", meaning: "The goods went back on the shelf. A payment that arrives late is given back." },
  expired: { label: "Expired", meaning: "It was not paid in time, so the goods went back on the shelf. A payment that arrives late is given back." },
  refunded: { label: "Refunded", meaning: "The money was given back." },
};

// What is said beside the status when the shopper's bank was asked to take the payment back.
export const disputes = {
  open: "Your bank is looking into a dispute of this payment.",
  won: "The dispute of this payment is closed: the payment stands.",
  lost: "Your bank gave the money back after a dispute.",
};
