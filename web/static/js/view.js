// The states that every page shares: loading, failed with a way to try again, and empty.
import { html, render } from "./html.js";

// load runs work, which fills the element. If it fails, the element says why in plain words and
// offers to try again.
export async function load(element, work) {
  element.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (problem) {
    if (problem.name === "AbortError") return;
    showProblem(element, problem, () => load(element, work));
  }
  element.removeAttribute("aria-busy");
}

function showProblem(element, problem, again) {
  report(problem);
  render(
    element,
    html`<div class="state" role="alert">
      <h2>${problem.code === "NOT_FOUND" ? "Nothing here" : "That did not work"}</h2>
      <p>${words(problem)}</p>
      ${problem.code === "NOT_FOUND"
        ? html`<a class="button" href="/">Back to the shop</a>`
        : html`<button class="button" type="button" data-again>Try again</button>`}
    </div>`,
  );
  element.querySelector("[data-again]")?.addEventListener("click", (event) => {
    event.target.disabled = true;
    event.target.textContent = "Trying again…";
    again();
  });
}

// words of a failure: what the shop said, or, for a defect of this page, that it is one.
export const words = (problem) =>
  problem.code ? problem.message : "Something on this page went wrong. Reload it and try again.";

// A failure without a code is a defect of the page: it belongs in the console.
function report(problem) {
  if (!problem.code) console.error(problem);
}

export const empty = (title, text, href, action) =>
  html`<div class="state">
    <h2>${title}</h2>
    <p>${text}</p>
    <a class="button" href="${href}">${action}</a>
  </div>`;

// inform shows a problem in an element that is already on the page with role="alert"; null clears.
export function inform(element, problem) {
  if (problem) report(problem);
  element.hidden = !problem;
  element.textContent = problem ? words(problem) : "";
}

// busy disables a button while work runs, and says so to everybody.
export async function busy(button, work) {
  button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-disabled");
    button.classList.remove("busy");
  }
}

// announce tells of something that happened: shown for a while, and read aloud politely.
export function announce(text, link) {
  document.dispatchEvent(new CustomEvent("announce", { detail: { text, link } }));
}
