// The charts, what happened meanwhile, and refusals by code. Points come with the history once and then one a
// second with the frames. With a filter the gateway is asked for what it keeps of that code or route.
import { attribute, byId, h, keyed, text } from "./dom.js";
import { count, ms, rate, words } from "./format.js";
import { get, Problem } from "./api.js";
import { BAD, Chart, WINDOW } from "./chart.js";
import { filters, onFilter, toggle } from "./filters.js";

const perSecond = (value) => `${rate(value)}${value === null || value === undefined ? "" : " /s"}`;
const axisMs = (value) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`);
// Columns of a point: `undefined` is a second that nobody sampled, `null` one in which there was nothing to
// measure. Of a single route, and of a code, only these are kept.
const KEPT = { route: [1, 2, 7], code: [1, 3] };

const CHARTS = [
  {
    title: "Requests", format: perSecond, tick: (value) => rate(value),
    series: [{ label: "answered", colour: "blue", fill: true, column: 1, fold: "mean" }],
  },
  {
    title: "Errors and refusals", format: perSecond, tick: (value) => rate(value),
    series: [
      { label: "errors", colour: "red", fill: true, width: 2, column: 2, fold: "mean" },
      { label: "refused", colour: "amber", dash: [5, 3], column: 3, fold: "mean" },
    ],
  },
  {
    title: "In flight", format: count, tick: (value) => (Number.isInteger(value) ? count(value) : ""),
    series: [{ label: "requests", colour: "violet", fill: true, column: 4, fold: "highest" }],
  },
  percentiles("Time to answer", [5, 6, 7]),
  percentiles("Where it goes: the gateway", [10, 11, 8]),
  percentiles("Where it goes: services", [12, 13, 9]),
];

/** A chart of the columns that have p50, p90 and p99. */
function percentiles(title, [p50, p90, p99]) {
  return {
    title, format: ms, tick: axisMs, log: true,
    series: [
      { label: "p50", colour: "blue", dash: [2, 2], column: p50, fold: "highest" },
      { label: "p90", colour: "violet", dash: [6, 3], column: p90, fold: "highest" },
      { label: "p99", colour: "amber", width: 2, column: p99, fold: "highest" },
    ],
  };
}

const charts = CHARTS.map((spec) => new Chart(spec));
let points = [];
let marks = [];
let asked = 0;
/** What the charts are of, if not of everything. */
let what = "";

const codeList = h("ol", { class: "codes" });
const codeNote = h("p", { class: "empty" }, "Loading");

export function startTraffic() {
  const refusals = h(
    "article",
    { class: "panel refusals", "aria-labelledby": "refusals-title" },
    h("header", {}, h("h3", { id: "refusals-title" }, "Refusals by code"), h("p", { class: "muted" }, "total, now")),
    codeNote,
    codeList,
  );
  byId("charts").append(...charts.map((chart) => chart.element), refusals);
  onFilter(() => {
    markChosen();
    loadHistory();
  });
}

/** Asks for the 15 minutes anew: at the start, after a pause, and while a filter is in force. */
export async function loadHistory() {
  const { code, route } = filters();
  const mine = ++asked;
  let answer;
  try {
    answer = await get("history", route !== undefined ? { route } : { code });
  } catch (problem) {
    if (!(problem instanceof Problem) || mine !== asked) throw problem;
    // Not every route has a history.
    points = [];
    draw();
    text(byId("traffic-note"), problem.message);
    return;
  }
  if (mine !== asked) return;
  points = answer.points;
  marks = answer.marks;
  what = route !== undefined ? `of route ${route || "(none)"}, ` : code ? `refused with ${code}, ` : "";
  draw();
}

/** One frame of the stream. */
export function showFrame(frame) {
  const { code, route } = filters();
  showCodes(frame.rejections);
  if (code !== undefined || route !== undefined) return;
  const last = points.at(-1)?.[0] ?? 0;
  if (frame.point && frame.point[0] > last) points.push(frame.point);
  marks = merge(marks, frame.marks ?? []);
  draw();
}

/** Whether what frames bring is not what is shown. */
export const isFiltered = () => filters().code !== undefined || filters().route !== undefined;

function draw() {
  const from = (points.at(-1)?.[0] ?? 0) - WINDOW;
  points = points.filter(([time]) => time > from);
  marks = marks.filter(({ t }) => t > from);
  const whole = withGaps(points);
  const { code, route } = filters();
  const kept = route !== undefined ? KEPT.route : code !== undefined ? KEPT.code : null;
  for (const chart of charts) chart.show(whole, marks, kept);
  const [{ step }] = charts;
  text(byId("traffic-note"), `${what}up to 15 minutes, ${step === 1 ? "one point a second" : `each point the highest of ${step} seconds`}`);
  showMarks();
}

// Where seconds are missing, because nobody sampled them, the line is broken and not drawn across.
function withGaps(list) {
  const whole = [];
  for (const point of list) {
    const before = whole.at(-1)?.[0];
    if (before !== undefined && point[0] - before > 2) whole.push([before + 1], [point[0] - 1]);
    whole.push(point);
  }
  return whole;
}

const nameOf = ({ t, kind, text }) => `${t} ${kind} ${text}`;

function merge(old, fresh) {
  const all = new Map([...old, ...fresh].map((mark) => [nameOf(mark), mark]));
  return [...all.values()].sort((one, other) => one.t - other.t);
}

function showMarks() {
  const latest = marks.slice(-8).reverse();
  keyed(
    byId("marks"),
    latest,
    nameOf,
    ({ t, kind, text }) =>
      h(
        "li",
        { class: BAD.has(kind) ? "bad" : "calm" },
        h("span", { class: "glyph", "aria-hidden": "true" }, BAD.has(kind) ? "▼" : "▽"),
        h("time", { datetime: new Date(t * 1000).toISOString() }, new Date(t * 1000).toLocaleTimeString("en-GB")),
        h("b", {}, words(kind)),
        h("span", { class: "muted", title: text }, text),
      ),
    () => {},
  );
}

function showCodes(rejections) {
  const all = Object.entries(rejections ?? {}).filter(([, [total]]) => total > 0);
  all.sort(([, [one]], [, [other]]) => other - one);
  codeNote.hidden = all.length > 0;
  text(codeNote, "No request has been refused. Codes stand here with their numbers; a click shows only one.");
  const most = all[0]?.[1][0] ?? 1;
  keyed(codeList, all, ([code]) => code, makeCode, (element, [code, [total, now]]) => {
    const [name, meter, sum, second] = element.firstElementChild.children;
    text(name, code);
    text(sum, count(total));
    text(second, perSecond(now));
    meter.firstElementChild.style.width = `${Math.max(1, (100 * total) / most)}%`;
  });
  markChosen();
}

/** Tells which code is chosen at once, and not with the next frame. */
function markChosen() {
  for (const button of codeList.querySelectorAll(".code-row")) {
    attribute(button, "aria-pressed", String(button.firstElementChild.textContent === filters().code));
  }
}

function makeCode([code]) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "code-row", "aria-pressed": "false", title: `Show only ${code} below`, click: () => toggle("code", code) },
      h("code", {}),
      h("span", { class: "meter", "aria-hidden": "true" }, h("span", {})),
      h("span", { class: "number" }),
      h("span", { class: "number muted" }),
    ),
  );
}
