// Money, dates and counts as people read them, formatted the way the browser is set up.

const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

// price of an integer number of minor units, in a currency that has a hundred of them.
export const price = (cents, currency = "usd") =>
  new Intl.NumberFormat(undefined, { style: "currency", currency }).format(cents / 100);

export const moment = (iso) => date.format(new Date(iso));

// clock leaves the date out when it is today's.
export function clock(iso) {
  const at = new Date(iso);
  return (day.format(at) === day.format(new Date()) ? time : date).format(at);
}

export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
