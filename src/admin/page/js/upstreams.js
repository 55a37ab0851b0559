// Upstreams with their endpoints: what state each is in, since when, and why.
import { attribute, byId, h, keyed, redraw, sentence, setTime, sinceElement, text } from "./dom.js";
import { count, ms, percent, rate, words } from "./format.js";
import { List } from "./list.js";
import { filters } from "./filters.js";

// Words and shapes beside the colours: `good`, `weak` (less than all is well), `bad`, `off` (as was wanted).
const STATES = { up: "good", half_open: "weak", drained: "off", down: "bad", circuit_open: "bad", unresolved: "bad" };

const list = () =>
  new List({
    place: byId("upstreams"),
    path: "upstreams",
    name: "upstreams",
    search: "Search upstreams",
    sort: "-state",
    key: ({ name }) => name,
    parameters: () => ({ code: filters().code }),
    empty: () => (filters().code ? `No recent request that ended with ${filters().code} went to an upstream.` : "No upstream is configured. Routes that forward to a service bring one."),
    columns: [
      { label: "Upstream", sort: "name", class: "name", cell: showName },
      { label: "Endpoints", sort: "state", descending: true, class: "endpoints", cell: showEndpoints },
      { label: "Req/s", sort: "requests_per_second", class: "number", cell: (td, it) => text(td, rate(it.requests_per_second)) },
      { label: "p50", class: "number", cell: (td, it) => text(td, ms(it.p50_ms)) },
      { label: "p99", sort: "p99_ms", class: "number", cell: (td, it) => text(td, ms(it.p99_ms)) },
      { label: "In flight", class: "number", cell: showInFlight },
    ],
  });

export function startUpstreams() {
  return list();
}

function showName(th, { name, balance, endpoints }) {
  const up = endpoints.filter(({ state }) => state === "up").length;
  redraw(th, [name, balance, up, endpoints.length], () => [
    h("b", {}, name),
    h("small", {}, `${words(balance).replace("-", " ")} · ${up} of ${endpoints.length} up`),
  ]);
}

function showInFlight(td, { in_flight, max_requests, waiting }) {
  const most = max_requests === null || max_requests === undefined ? "" : ` of ${count(max_requests)}`;
  redraw(td, [in_flight, most, waiting], () => [
    `${count(in_flight)}${most}`,
    waiting > 0 ? h("small", { class: "warn" }, `${count(waiting)} waiting`) : null,
  ]);
}

function showEndpoints(td, { endpoints }) {
  td.list ??= td.appendChild(h("ul", { class: "endpoint-list" }));
  keyed(td.list, endpoints, ({ url, address }) => `${url} ${address ?? ""}`, makeEndpoint, updateEndpoint);
}

function makeEndpoint() {
  return h(
    "li",
    { class: "endpoint" },
    h("span", { class: "badge" }),
    h("span", { class: "url" }),
    h("span", { class: "why" }, h("span", {}), " ", sinceElement(null)),
    h("span", { class: "numbers" }),
  );
}

function updateEndpoint(li, it) {
  const [badge, url, why, numbers] = li.children;
  attribute(badge, "data-tone", STATES[it.state] ?? "weak");
  text(badge, words(it.state));
  const extra = [it.backup ? "backup" : null, it.weight > 1 ? `weight ${it.weight}` : null].filter(Boolean).join(", ");
  redraw(url, [it.url, it.address, extra], () => [
    h("code", {}, it.url),
    it.address && !it.url.includes(it.address) ? h("small", {}, it.address) : null,
    extra ? h("small", {}, extra) : null,
  ]);
  sentence(why.firstElementChild, it.why ?? "");
  why.lastElementChild.hidden = !it.since;
  if (it.since) setTime(why.lastElementChild, it.since);
  const asked = it.requests_per_second > 0;
  text(numbers, asked ? `${rate(it.requests_per_second)} /s · ${percent(it.error_ratio)} errors · ${ms(it.latency_ms)}` : "no requests");
  attribute(numbers, "title", `${count(it.in_flight)} in flight`);
}
