// Clients: how much of its quota each has used, when its keys were last used, and what expires next.
import { attribute, byId, h, redraw, setTime, text, timeElement } from "./dom.js";
import { compact, count, rate, words } from "./format.js";
import { List } from "./list.js";
import { filters, toggle } from "./filters.js";

const SOON = 14 * 86400e3;
const NOBODY = "No clients are configured: everybody is anonymous. `tollgate keys new NAME` makes a key and the lines for it.";

export function startClients() {
  return new List({
    place: byId("clients"),
    path: "clients",
    name: "clients",
    search: "Search clients",
    sort: "-requests_per_second",
    key: ({ name }) => name,
    parameters: () => ({ code: filters().code }),
    empty: () => (filters().code ? `No recent request that ended with ${filters().code} was a known client's. Addresses of others stand in the requests below.` : NOBODY),
    shown: (items) => redraw(byId("client-names"), items.map(({ name }) => name), (names) => names.map((name) => h("option", { value: name }))),
    columns: [
      { label: "Client", sort: "name", class: "name", cell: showName },
      { label: "Quota", class: "quota", cell: showQuota },
      { label: "Req/s", sort: "requests_per_second", class: "number", cell: (td, it) => text(td, rate(it.requests_per_second)) },
      { label: "Requests", class: "number", cell: (td, it) => text(td, compact(it.requests), count(it.requests)) },
      { label: "Limited", class: "number", cell: (td, it) => text(td, compact(it.limited), count(it.limited)) },
      { label: "Refused", class: "number", cell: (td, it) => text(td, compact(it.refused), count(it.refused)) },
      { label: "Errors", class: "number", cell: (td, it) => text(td, compact(it.errors), count(it.errors)) },
      { label: "Keys", sort: "last_used", descending: true, class: "keys", cell: showKeys },
      { label: "Next expiry", sort: "next_expiry", cell: showExpiry },
    ],
    row: (tr, { name }) => tr.classList.toggle("chosen", filters().client === name),
  });
}

function showName(th, { name, groups, policy }) {
  redraw(th, [name, groups, policy, filters().client === name], () => [
    h("button", { type: "button", class: "link", "aria-pressed": String(filters().client === name), title: "Show only requests of this client", click: () => toggle("client", name) }, name),
    h("small", {}, [policy, groups?.length ? `in ${groups.join(", ")}` : null].filter(Boolean).join(" · ")),
  ]);
}

function showQuota(td, { quota }) {
  if (!quota) {
    redraw(td, null, () => h("span", { class: "muted" }, "no limit counted yet"));
    return;
  }
  const { limit, used, left, resets_in_seconds: resets } = quota;
  const share = limit > 0 ? Math.min(1, (used ?? 0) / limit) : 1;
  redraw(td, "meter", () => [h("span", { class: "meter", "aria-hidden": "true" }, h("span", {})), h("small", {})]);
  const [meter, words] = td.children;
  attribute(meter, "data-tone", share >= 1 ? "bad" : share >= 0.8 ? "weak" : "good");
  meter.firstElementChild.style.width = `${share * 100}%`;
  const again = resets > 0 ? `, again in ${Math.ceil(resets)} s` : "";
  text(words, used === null ? `none of ${count(limit)} used of late` : `${count(used)} of ${count(limit)} used, ${count(left)} left${again}`);
}

function showKeys(td, { keys }) {
  redraw(td, keys ?? [], () => {
    if (!keys?.length) return h("span", { class: "muted" }, "none");
    return h("ul", {}, ...keys.map(keyLine));
  });
}

function keyLine({ key_id, last_used, state, expires, not_before }) {
  const used = timeElement(last_used);
  return h(
    "li",
    {},
    h("code", { title: "The first eight hex digits of the key's hash" }, key_id),
    state === "valid" ? null : h("span", { class: "badge", "data-tone": state === "expired" ? "bad" : "off", title: expires ?? not_before }, words(state)),
    h("small", {}, last_used ? "used " : "", used, last_used ? "" : " used since the start"),
  );
}

function showExpiry(td, { next_expiry }) {
  if (!td.time) {
    td.time = timeElement(null);
    td.append(td.time);
  }
  setTime(td.time, next_expiry);
  const left = next_expiry ? Date.parse(next_expiry) - Date.now() : Infinity;
  td.classList.toggle("alarm", left < 0);
  td.classList.toggle("warn", left >= 0 && left < SOON);
}
