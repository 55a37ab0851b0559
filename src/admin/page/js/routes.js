// Routes, the busiest first. A click on a name shows only that route: charts and requests.
import { byId, h, redraw, svg, text } from "./dom.js";
import { compact, count, ms, percent, rate } from "./format.js";
import { List } from "./list.js";
import { filters, toggle } from "./filters.js";

// Of the statuses from 400 on.
const SHOWN = 4;

export function startRoutes() {
  return new List({
    place: byId("routes"),
    path: "routes",
    name: "routes",
    search: "Search routes",
    sort: "-requests",
    key: ({ name, prefix, hosts, methods }) => [name, prefix, hosts, methods].join(" "),
    parameters: () => ({ code: filters().code }),
    empty: () => (filters().code ? `No recent request that ended with ${filters().code} was for a route.` : "No routes are configured."),
    columns: [
      { label: "Route", sort: "name", class: "name", cell: showName },
      { label: "Last minute", class: "spark", cell: showSpark },
      { label: "Req/s", sort: "requests_per_second", class: "number", cell: (td, it) => text(td, rate(it.requests_per_second)) },
      { label: "Requests", sort: "requests", class: "number", cell: (td, it) => text(td, compact(it.requests), count(it.requests)) },
      { label: "Errors", sort: "error_ratio", class: "number", cell: showErrors },
      { label: "p50", class: "number", cell: (td, it) => text(td, ms(it.p50_ms)) },
      { label: "p90", class: "number less", cell: (td, it) => text(td, ms(it.p90_ms)) },
      { label: "p99", sort: "p99_ms", class: "number", cell: (td, it) => text(td, ms(it.p99_ms)) },
      { label: "Gateway p99", class: "number less", cell: showGateway },
      { label: "In flight", class: "number less", cell: (td, it) => text(td, count(it.in_flight)) },
      { label: "Answers of 400 and above", class: "code-list", cell: showStatuses },
    ],
    row: (tr, { name }) => tr.classList.toggle("chosen", filters().route === name),
  });
}

function showName(th, it) {
  const { name, prefix, upstream, hosts, methods } = it;
  redraw(th, [name, prefix, upstream, hosts, methods, it.protected, it.limits, filters().route === name], () => [
    h(
      "button",
      { type: "button", class: "link", "aria-pressed": String(filters().route === name), title: "Show only this route", click: () => toggle("route", name) },
      name || prefix || "(no route)",
    ),
    h("small", {}, about(it)),
  ]);
}

function about({ name, prefix, upstream, hosts, methods, limits, protected: closed }) {
  const from = name && name !== prefix ? prefix : null;
  return [
    [from, upstream ? `→ ${upstream}` : null].filter(Boolean).join(" "),
    hosts?.join(", "),
    methods?.join(" "),
    closed ? "needs a key" : null,
    limits?.length ? `limits: ${limits.join(", ")}` : null,
  ].filter(Boolean).join(" · ");
}

// What is split finer than a column has room for, as the pointer shows it.
function showGateway(td, it) {
  const split = `the gateway itself: p50 ${ms(it.gateway_p50_ms)}, p90 ${ms(it.gateway_p90_ms)}, p99 ${ms(it.gateway_p99_ms)}`;
  text(td, ms(it.gateway_p99_ms), split);
}

function showErrors(td, { error_ratio }) {
  text(td, percent(error_ratio));
  td.classList.toggle("alarm", error_ratio >= 0.01);
}

function showStatuses(td, { codes }) {
  const all = Object.entries(codes ?? {}).filter(([status, n]) => n > 0 && !(status < 400));
  all.sort(([, one], [, other]) => other - one);
  redraw(td, all, () => [
    ...all.slice(0, SHOWN).map(([status, n]) =>
      h("span", { class: "status-count", title: `${count(n)} answers` }, h("b", { class: "status", "data-class": status[0] }, status), compact(n)),
    ),
    all.length > SHOWN ? h("small", {}, `and ${all.length - SHOWN} more`) : null,
  ]);
}

const WIDTH = 90;
const HEIGHT = 22;

function showSpark(td, { spark }) {
  const values = spark ?? [];
  const most = Math.max(...values, 0);
  if (!td.line) {
    td.line = svg("polyline", { fill: "none", "stroke-width": "1.5" });
    td.replaceChildren(svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img" }, td.line));
  }
  const step = WIDTH / Math.max(values.length - 1, 1);
  const y = (value) => (HEIGHT - 2 - (most > 0 ? (value / most) * (HEIGHT - 4) : 0)).toFixed(1);
  td.line.setAttribute("points", values.map((value, n) => `${(n * step).toFixed(1)},${y(value)}`).join(" "));
  td.firstElementChild.setAttribute("aria-label", `at most ${rate(most)} requests a second`);
}
