// The cart, a guest's or an account's, as the shop last told it.
import { api } from "./api.js";
import { Store } from "./store.js";

// null until the shop has answered.
export const cart = new Store(null);

export const MOST = 99; // pieces of one product

let last = Promise.resolve();

// Requests go out one after the other, so that an early answer never replaces a later one.
function inTurn(request) {
  last = last.catch(() => {}).then(async () => (cart.value = await request()));
  return last;
}

const itemURL = (productID) => `/api/cart/items/${encodeURIComponent(productID)}`;

export const loadCart = () => inTurn(() => api.get("/api/cart"));

export const addItem = (productID, quantity) =>
  inTurn(() => api.post("/api/cart/items", { product_id: productID, quantity }));

export const setItem = (productID, quantity) =>
  inTurn(() => api.put(itemURL(productID), { quantity }));

export const removeItem = (productID) => inTurn(() => api.delete(itemURL(productID)));

export const clearCart = () =>
  inTurn(async () => {
    await api.delete("/api/cart");
    return api.get("/api/cart");
  });
