// How evenly the workers are loaded, and what the process takes.
import { attribute, byId, h, keyed, text } from "./dom.js";
import { bytes, count, lasting, percent, rate } from "./format.js";
import { showFacts } from "./limits.js";

let body = null;

export function startProcess() {
  body = h("tbody", {});
  const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
  byId("workers").append(
    h("div", { class: "panel table" }, h(
      "table",
      { class: "plain" },
      h("caption", { class: "unseen" }, "Workers"),
      h("thead", {}, h("tr", {}, head("Worker"), head("Share"), head("Req/s", "number"), head("In flight", "number"), head("Connections", "number"))),
      body,
    )),
  );
}

export function showProcess({ workers, process, connections, viewers, uptime_seconds: uptime, access_log_lines_dropped: lines, spans_dropped: spans }) {
  const all = workers.reduce((sum, worker) => sum + worker.requests_per_second, 0);
  keyed(body, workers, ({ worker }) => worker, makeWorker, (tr, worker) => {
    const [, share, each, inFlight, open] = tr.children;
    const part = all > 0 ? worker.requests_per_second / all : 0;
    share.firstElementChild.firstElementChild.style.width = `${part * 100}%`;
    attribute(share.firstElementChild, "aria-label", percent(part));
    text(each, rate(worker.requests_per_second));
    text(inFlight, count(worker.in_flight));
    text(open, count(worker.connections));
  });
  showFacts(byId("process"), [
    ["Up", lasting(uptime)],
    ["CPU", `${percent(process.cpu_ratio)} of a core`],
    ["Memory", bytes(process.resident_bytes)],
    ["Open files", `${count(process.open_fds)} of ${count(process.max_fds)}`, process.open_fds > 0.8 * process.max_fds ? "bad" : null],
    ["Client connections", count(connections.client)],
    ["Service connections", count(connections.upstream)],
    ["Log lines dropped", count(lines), lines > 0 ? "bad" : null],
    ["Spans dropped", count(spans), spans > 0 ? "weak" : null],
    ["Viewers of this page", count(viewers)],
  ]);
}

function makeWorker({ worker }) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, String(worker)),
    h("td", {}, h("span", { class: "meter", role: "img" }, h("span", {}))),
    ...[1, 2, 3].map(() => h("td", { class: "number" })),
  );
}
