// Forms: what the shop says about a field is shown at that field.
import { busy, inform } from "./view.js";

// onSubmit enables the form's button, which would do nothing without it, and sends
// the form's fields with send. The form holds an element with role="alert", and for each field NAME
// an element NAME-problem that describes it.
export function onSubmit(form, send) {
  const alert = form.querySelector("[role=alert]");
  const button = form.querySelector("[type=submit]");
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.ariaDisabled) return;
    inform(alert, null);
    mark(form, []);
    try {
      await busy(button, () => send(Object.fromEntries(new FormData(form))));
    } catch (problem) {
      inform(alert, problem);
      mark(form, problem.fields ?? []);
    }
  });
}

function mark(form, fields) {
  for (const input of form.querySelectorAll("input")) {
    const message = fields.find(({ field }) => field === input.name)?.message ?? "";
    document.getElementById(`${input.id}-problem`).textContent = message;
    input.ariaInvalid = message ? "true" : null;
  }
  form.querySelector("[aria-invalid]")?.focus();
}
