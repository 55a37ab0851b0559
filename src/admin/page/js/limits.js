// Limits, and the store that counts for them: this process or Redis.
import { byId, h, redraw, text } from "./dom.js";
import { compact, count, ms, percent, rate, seconds, words } from "./format.js";
import { List } from "./list.js";
import { filters } from "./filters.js";

export function startLimits() {
  const number = (label, name, sort) => ({ label, sort, class: "number", cell: (td, it) => text(td, compact(it[name]), count(it[name])) });
  return new List({
    place: byId("limits"),
    path: "limits",
    name: "limits",
    key: ({ policy }) => policy,
    parameters: () => ({ code: filters().code }),
    empty: () => (filters().code ? `No limit has refused a recent request with ${filters().code}.` : "No limits are configured: nobody is held back."),
    columns: [
      { label: "Policy", sort: "policy", class: "name", cell: (th, it) => redraw(th, [it.policy, it.mode], () => [h("b", {}, it.policy), it.mode === "shadow" ? h("small", {}, "shadow: counts, refuses nobody") : null]) },
      { label: "Allows", class: "name", cell: (td, it) => text(td, `${count(it.limit)} per ${seconds(it.window_seconds)} by ${words(it.by)}`, words(it.algorithm)) },
      number("Allowed", "allowed", "allowed"),
      number("Limited", "limited", "limited"),
      number("Shadow", "shadow"),
      number("Without Redis", "degraded"),
      number("From cache", "cached"),
    ],
  });
}

export function showStore(store) {
  const redis = store.kind === "redis";
  const facts = [
    ["Counted", redis ? "in Redis" : "in this process", null],
    redis ? ["Redis", store.up ? "answers" : "away", store.up ? "good" : "bad", store.since] : null,
    redis ? ["Circuit", words(store.breaker) || "–", null] : null,
    redis ? ["Gateways", count(store.fleet), null] : null,
    redis ? ["Calls", `${rate(store.calls_per_second)} /s`, null] : null,
    redis ? ["Calls a request", store.calls_per_request === null ? "–" : store.calls_per_request.toFixed(2), null] : null,
    redis ? ["Call p99", ms(store.p99_ms), null] : null,
    redis ? ["Leases", count(store.leases), null] : null,
    ["Counters here", `${count(store.memory_keys)} of ${compact(store.max_keys)} (${percent(store.max_keys ? store.memory_keys / store.max_keys : null)})`, null],
  ];
  showFacts(byId("store"), facts);
}

/** Facts as `[name, value, tone, title]`; those that are null are left out. */
export function showFacts(dl, facts) {
  const wanted = facts.filter(Boolean);
  redraw(dl, wanted.map(([name, , tone]) => [name, tone]), () =>
    wanted.map(([name, , tone]) => h("div", {}, h("dt", {}, name), h("dd", { "data-tone": tone }))),
  );
  wanted.forEach(([, value, , title], n) => text(dl.children[n].lastElementChild, value, title ?? ""));
}
