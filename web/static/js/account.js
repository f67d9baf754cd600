// Who is signed in. The session itself is an HttpOnly cookie; what is kept here is only the first
// name, so that pages can greet before the shop has answered, and guests need not be asked about.
import { api } from "./api.js";
import { forgetOrder } from "./order.js";
import { Store } from "./store.js";

const NAME = "first_name"; // the key in localStorage

// {first_name} of whoever is signed in as far as this browser knows, or null.
export const account = new Store(remembered());

function remembered() {
  const name = localStorage.getItem(NAME);
  return name === null ? null : { first_name: name };
}

function remember(user) {
  if (user) localStorage.setItem(NAME, user.first_name);
  else localStorage.removeItem(NAME);
  account.value = user;
}

// Another tab, or a page brought back by the back button, may have missed a change.
const recall = () => {
  if (localStorage.getItem(NAME) !== (account.value?.first_name ?? null)) account.value = remembered();
};
addEventListener("storage", recall);
addEventListener("pageshow", recall);

export async function register(fields) {
  remember((await api.post("/api/auth/register", fields)).user);
}

export async function login(fields) {
  remember((await api.post("/api/auth/login", fields)).user);
}

async function leave(path) {
  await api.post(path);
  forgetOrder();
  remember(null);
}

export const logout = () => leave("/api/auth/logout");

// logoutEverywhere ends the account's sessions on all devices, this one included.
export const logoutEverywhere = () => leave("/api/auth/logout-everywhere");

// signedIn runs work that needs an account. Whoever has none, or whose session has ended, is sent
// to log in and comes back to this page.
export async function signedIn(work) {
  try {
    if (account.value) return await work();
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    remember(null);
  }
  location.replace(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  return new Promise(() => {}); // the page is being left
}

// next is where to go after signing in: a page of this shop, whatever the query says. The address is
// given whole: of "/.//host" only "//host" is left as a path, which by itself names another host.
export function next() {
  const wanted = URL.parse(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  const here = wanted?.protocol === location.protocol && wanted.host === location.host;
  return here ? location.origin + wanted.pathname + wanted.search + wanted.hash : "/";
}
