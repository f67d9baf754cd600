// Creating an account.
import { account, next, register } from "../account.js";
import { onSubmit } from "../form.js";

if (account.value) location.replace(next());
document.getElementById("other").search = location.search;
onSubmit(document.getElementById("form"), async (fields) => {
  await register(fields);
  location.replace(next());
});
