// The shop's HTTP API: JSON in and out, failures as RFC 9457 problem documents. Who is signed in
// and whose cart it is travels in HttpOnly cookies that scripts never see.

const TIMEOUT = 15_000; // milliseconds

// Problem is a failed request in words that a shopper can read.
export class Problem extends Error {
  constructor({ detail, code, status = 0, errors = [], ...members }) {
    super(detail);
    this.code = code;
    this.status = status; // 0 when no answer came
    this.fields = errors; // [{field, message}]
    this.members = members; // such as product_id and available of OUT_OF_STOCK
  }

  // Whether the request was certainly answered, for good. After anything else it may still have
  // been carried out, or may succeed when it is sent again.
  get final() {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

const unreachable = {
  code: "UNREACHABLE",
  detail: "The shop did not answer. Check your connection and try again.",
};

// What is said when a failure comes without a problem document, as from a proxy in between.
function nameless(status) {
  const busy = status === 429 || status >= 500;
  return {
    status,
    code: "UNKNOWN",
    detail: busy
      ? "The shop is busy right now. Wait a moment and try again."
      : "The shop could not do that. Reload the page and try again.",
  };
}

async function request(method, path, { body, headers = {}, signal } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT);
  const options = {
    method,
    headers: { Accept: "application/json", ...headers },
    credentials: "same-origin",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  let text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error; // the page itself has moved on
    throw new Problem(unreachable);
  }
  const answer = parse(text);
  if (response.ok) return answer;
  throw new Problem(answer?.detail ? { ...answer, status: response.status } : nameless(response.status));
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

export const api = {
  get: (path, options) => request("GET", path, options),
  put: (path, body) => request("PUT", path, { body }),
  post: (path, body, headers) => request("POST", path, { body, headers }),
  delete: (path) => request("DELETE", path),
};
