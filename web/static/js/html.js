// A template tag that escapes every value, so that no page ever builds markup from raw text.

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

class Markup {
  constructor(text) {
    this.text = text;
  }
}

// Text of a value inside a template: markup as it is, lists joined, null and false as nothing, and
// anything else escaped for text and for quoted attributes.
function markup(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(markup).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"']/g, (c) => entities[c]);
}

export const html = (strings, ...values) =>
  new Markup(String.raw({ raw: strings }, ...values.map(markup)));

// render replaces what is in the element. Focus stays on the element with the same id, so that a
// keyboard user is not thrown back to the top by an update.
export function render(element, content) {
  const focused = element.contains(document.activeElement) && document.activeElement.id;
  element.innerHTML = markup(content);
  if (focused) document.getElementById(focused)?.focus();
}

export const append = (element, content) => element.insertAdjacentHTML("beforeend", markup(content));
