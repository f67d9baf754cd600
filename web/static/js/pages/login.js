// Logging in.
import { account, login, next } from "../account.js";
import { onSubmit } from "../form.js";

if (account.value) location.replace(next());
document.getElementById("other").search = location.search;
onSubmit(document.getElementById("form"), async (fields) => {
  await login(fields);
  location.replace(next());
});
