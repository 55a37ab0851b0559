// Recent errors, refusals and slow requests, newest first, each with its ids and a way to ask why.
import { byId, h, redraw, sentence, setTime, text, timeElement } from "./dom.js";
import { count, ms } from "./format.js";
import { List } from "./list.js";
import { filters, toggle } from "./filters.js";
import { fillExplain } from "./explain.js";

const SLOW = "200ms";
// What the list begins with, and what else it can show.
const CHOICES = [
  ["trouble", "Failed, refused or slow"],
  ["5xx", "5xx: ours or the service's"],
  ["4xx", "4xx: the client's"],
  ["", "All kinds"],
];

export function startRequests() {
  const place = byId("requests");
  const status = h("select", { "aria-label": "Which requests" }, ...CHOICES.map(([value, name]) => h("option", { value }, name)));
  const slow = h("input", { type: "checkbox" });
  const note = byId("requests-note");
  const list = new List({
    place,
    path: "requests",
    name: "requests",
    sort: "-time",
    tools: [status, h("label", { class: "check" }, slow, ` slower than ${SLOW.replace("ms", " ms")}`)],
    key: ({ request_id, time }) => `${request_id} ${time}`,
    parameters: () => ({ ...filters(), ...chosen(status.value), slow: slow.checked ? SLOW : null }),
    // Rows that move away under the pointer cannot be read, nor their buttons hit.
    held: () => {
      const held = place.matches(":hover") || place.querySelector("tbody:focus-within") !== null;
      text(note, held ? "held while you are in it" : "newest first");
      return held;
    },
    empty: () => (Object.keys(filters()).length || status.value !== "trouble" || slow.checked ? "No recent request fits." : "No request has failed, been refused or been slow. The latest of them stand here, at most one of a kind in 10 ms."),
    columns: [
      { label: "When", sort: "time", descending: true, cell: showTime, class: "when" },
      { label: "Answer", cell: showAnswer, class: "answer" },
      { label: "Request", cell: showRequest, class: "request" },
      { label: "From", cell: showFrom, class: "from" },
      { label: "Went to", cell: showTo, class: "to" },
      { label: "Took", sort: "duration_ms", cell: showTook, class: "number" },
      { label: "Why", cell: showWhy, class: "explain-cell" },
    ],
  });
  status.addEventListener("change", () => list.restart());
  slow.addEventListener("change", () => list.restart());
  return list;
}

const chosen = (choice) => (choice === "trouble" ? { trouble: true } : { status: choice });

function showTime(th, { time, more }) {
  if (!th.time) {
    th.time = timeElement(time);
    th.append(th.time, h("small", {}));
  }
  setTime(th.time, time);
  text(th.lastElementChild, more > 0 ? `and ${count(more)} more` : "", more > 0 ? "Of the same kind and right after it; only one is kept." : "");
}

function showAnswer(td, { status, code }) {
  redraw(td, [status, code], () => [
    h("span", { class: "status", "data-class": Math.floor(status / 100) }, String(status)),
    code ? h("button", { type: "button", class: "code-tag", title: `Show only ${code}`, click: () => toggle("code", code) }, code) : null,
  ]);
}

function showRequest(td, { method, path, host, detail, request_id, trace_id }) {
  redraw(td, [request_id, detail], () => [
    h("span", { class: "line" }, h("b", {}, method ?? "–"), h("span", { class: "path", title: `${host ?? ""}${path ?? ""}` }, path ?? "no request that can be read")),
    detail ? detailLine(detail) : null,
    h("small", { class: "ids" }, "id ", h("code", {}, request_id), ...(trace_id ? [" trace ", h("code", {}, trace_id)] : [])),
  ]);
}

function detailLine(detail) {
  const element = h("span", { class: "detail" });
  sentence(element, detail);
  return element;
}

function showFrom(td, { client, client_kind, ip }) {
  redraw(td, [client, client_kind, ip], () => [h("span", {}, client ?? client_kind ?? "–"), h("small", {}, ip ?? "")]);
}

function showTo(td, { route, upstream, endpoint, limit }) {
  redraw(td, [route, upstream, endpoint, limit], () => [
    h("span", {}, route || "no route"),
    endpoint || upstream ? h("small", {}, endpoint ?? upstream) : null,
    limit ? h("small", {}, `limit ${limit}`) : null,
  ]);
}

function showTook(td, { duration_ms, upstream_ms, limit_ms }) {
  redraw(td, [duration_ms, upstream_ms, limit_ms], () => [
    ms(duration_ms),
    upstream_ms === null || upstream_ms === undefined ? null : h("small", {}, `service ${ms(upstream_ms)}`),
    limit_ms >= 1 ? h("small", {}, `limit ${ms(limit_ms)}`) : null,
  ]);
}

function showWhy(td, request) {
  redraw(td, request.request_id, () => h("button", { type: "button", class: "quiet", click: () => fillExplain(request) }, "Explain this"));
}
