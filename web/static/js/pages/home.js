// The catalog. What is shown is told by the URL's query alone: q, category and sort.
import { append, html, render } from "../html.js";
import { cards, listCategories, listProducts, sellFrom } from "../product.js";
import { announce, busy, empty, load, words } from "../view.js";
import { count } from "../format.js";

const PAGE = 24; // products at a time
const MOST = 100; // as many as one request may ask for

const $ = (id) => document.getElementById(id);
const [hero, heading, filters, sort, status, products, more] =
  ["hero", "heading", "filters", "sort", "status", "products", "more"].map($);
const search = document.querySelector("[role=search]");

let request = new AbortController();
let cursor = null;

function query() {
  const asked = new URLSearchParams(location.search);
  return { q: asked.get("q")?.trim() ?? "", category: asked.get("category") ?? "", sort: asked.get("sort") ?? "" };
}

// href of the catalog with some of the query changed.
function href(change) {
  const set = Object.entries({ ...query(), ...change }).filter(([, value]) => value);
  return set.length ? `/?${new URLSearchParams(set)}` : "/";
}

function title({ q, category }) {
  if (q) return category ? `“${q}” in ${category}` : `“${q}”`;
  return category || "Everything";
}

function showQuery() {
  const asked = query();
  hero.hidden = Boolean(asked.q || asked.category);
  heading.textContent = title(asked);
  document.title = asked.q || asked.category ? `${title(asked)} · Shoplab` : "Shoplab";
  search.elements.q.value = asked.q;
  sort.value = [...sort.options].some((option) => option.value === asked.sort) ? asked.sort : "";
  for (const link of filters.querySelectorAll("a")) {
    const category = link.dataset.category;
    link.href = href({ category });
    if (category === asked.category) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function showFilters(categories) {
  const all = categories.reduce((sum, category) => sum + category.count, 0);
  const chip = (name, label, n) => html`<li><a href="/" data-category="${name}">${label} <span>${n}</span></a></li>`;
  render(
    filters,
    html`<ul role="list">
      ${chip("", "Everything", all)} ${categories.map(({ name, count }) => chip(name, name, count))}
    </ul>`,
  );
  showQuery();
  filters.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function showStatus() {
  const shown = products.querySelectorAll(".card").length;
  more.hidden = !cursor;
  status.textContent = `${count(shown, "product")}${cursor ? " shown so far" : ""}`;
}

function showNone({ q }) {
  render(
    products,
    empty(
      "Nothing found",
      q ? `No product matches “${q}”. Try another word, or fewer.` : "There is no product in this category.",
      "/",
      "Show everything",
    ),
  );
}

// show fills the list from the start. Coming back to it, as many products are shown as before.
async function show() {
  request.abort();
  request = new AbortController();
  const asked = query();
  const limit = Math.min(history.state?.shown ?? PAGE, MOST);
  const page = await listProducts({ ...asked, limit }, request.signal);
  cursor = page.next_cursor;
  if (page.items.length) render(products, html`<ul class="cards" role="list">${cards(page.items)}</ul>`);
  else showNone(asked);
  showStatus();
}

const showList = () => {
  showQuery();
  more.hidden = true;
  return load(products, show);
};

// go shows another part of the catalog as a new entry of the browser's history.
function go(url) {
  if (url === location.pathname + location.search) return;
  history.pushState(null, "", url);
  showList();
}

async function showMore() {
  if (more.ariaDisabled) return;
  try {
    const page = await busy(more, () => listProducts({ ...query(), limit: PAGE, cursor }, request.signal));
    const list = products.querySelector(".cards");
    const before = list.children.length;
    append(list, cards(page.items));
    cursor = page.next_cursor;
    history.replaceState({ shown: list.children.length }, "");
    list.children[before]?.querySelector("a").focus();
    showStatus();
  } catch (problem) {
    if (problem.name !== "AbortError") announce(words(problem));
  }
}

filters.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
sort.addEventListener("change", () => go(href({ sort: sort.value })));
search.addEventListener("submit", (event) => {
  event.preventDefault();
  go(href({ q: search.elements.q.value.trim().replace(/\s+/g, " "), category: "" }));
});
more.addEventListener("click", showMore);
addEventListener("popstate", showList);
sellFrom(products);

showList();
load(filters, async () => showFilters(await listCategories()));
