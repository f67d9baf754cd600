// Where this shop is running and how it takes payments.
import { api } from "./api.js";

let asked;

// info returns {stage, topology, instance, version, payments, publishable_key}, asked for once.
export function info() {
  asked ??= api.get("/api/info").catch((problem) => {
    asked = undefined; // so that trying again asks again
    throw problem;
  });
  return asked;
}
