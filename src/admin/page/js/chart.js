// One chart of the last 15 minutes: what it shows now as text, the drawing by uPlot, and its numbers as a table
// of minutes. Series differ by dash and width as well as by colour.
/* global uPlot */
import { attribute, h, redraw, text } from "./dom.js";
import { clock } from "./format.js";

export const WINDOW = 900;
const SHORTEST = 60;
const HEIGHT = 132;
// What of the width the numbers of the axis take, and what is left free beside the last point.
const AXIS = 46;
const MARGIN = 17;
const LATEST = 10;
// What stands in the place of a number that nobody counts of a single route or code.
const UNKEPT = "not kept";
// Kinds of marks that are bad news: drawn filled. All others tell that something is well again, or was changed.
export const BAD = new Set(["reload_refused", "circuit_opened", "redis_lost", "endpoint_down", "draining"]);

let palette = new Map();
window.addEventListener("themechange", () => (palette = new Map()));

/** A custom property of the style sheet, which knows the theme. */
function colour(name) {
  if (!palette.has(name)) {
    palette.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return palette.get(name);
}

export class Chart {
  #spec;
  #plot;
  /** What was measured, and what is drawn of it: times, then a list for each series. */
  #data = [[]];
  #drawn = [[]];
  /** Seconds that are drawn as one point. */
  #step = 1;
  #marks = [];
  /** The columns that there are under the filter in force; `null`: all. */
  #kept = null;
  /** Whether there has been an answer. */
  #loaded = false;
  #values;
  #at;
  #drawing;
  #table;

  /**
   * `spec`: title, log (a logarithmic scale), format (a number as text), tick (the same for the axis), and the
   * series: label, colour, dash, width, fill, column (of a point), fold (how the table sums up a minute).
   */
  constructor(spec) {
    this.#spec = spec;
    this.#values = spec.series.map(() => h("dd", {}, "–"));
    this.#at = h("p", { class: "at muted" }, "loading");
    this.#drawing = h("div", { class: "plot", role: "img", "aria-label": `${spec.title}: loading` });
    this.#table = h("div", {});
    const details = h("details", { class: "numbers", toggle: () => this.#tabulate() }, h("summary", {}, "Numbers"), this.#table);
    this.element = h(
      "article",
      { class: "chart panel" },
      h("header", {}, h("h3", {}, spec.title), this.#at),
      h("dl", { class: "stats" }, ...spec.series.map((series, n) => h("div", {}, h("dt", {}, sample(series), series.label), this.#values[n]))),
      this.#drawing,
      details,
    );
    this.details = details;
    new ResizeObserver(() => this.#draw()).observe(this.#drawing);
    window.addEventListener("themechange", () => this.#plot?.redraw());
  }

  /**
   * `points` as the API has them, oldest first and a second apart; `marks` with their times; `kept` are the columns
   * that these points have, if not all.
   */
  show(points, marks, kept) {
    this.#loaded = true;
    this.#marks = marks;
    this.#kept = kept;
    const { series } = this.#spec;
    this.#data = [points.map(([time]) => time), ...series.map(({ column }) => points.map((point) => this.#drawable(point[column])))];
    this.#draw();
    this.#say(this.#plot?.cursor.idx);
    this.#describe();
    if (this.details.open) this.#tabulate();
  }

  /** How many seconds a drawn point stands for: it is the highest of them. */
  get step() {
    return this.#step;
  }

  // A logarithmic scale has no place for 0.
  #drawable(value) {
    return this.#spec.log && value !== null && value <= 0 ? null : value;
  }

  /** What stands above the drawing: the numbers under the pointer, or the last ones. */
  #say(index) {
    const under = known(index) && index < this.#drawn[0].length;
    this.#values.forEach((value, n) => {
      const told = this.#isKept(n) ? this.#spec.format(under ? this.#drawn[n + 1][index] : this.#now(n)) : UNKEPT;
      text(value, told);
    });
    const at = under ? clock(new Date(this.#drawn[0][index] * 1000)) : "";
    text(this.#at, at && this.#step > 1 ? `${at}, highest of ${this.#step} s` : at);
  }

  // In a second without requests nothing took any time: the one before it still tells.
  #now(n) {
    return this.#data[n + 1]?.slice(-LATEST).findLast(known);
  }

  #isKept(n) {
    return this.#kept?.includes(this.#spec.series[n].column) ?? true;
  }

  #describe() {
    const parts = this.#spec.series.map((series, n) => {
      if (!this.#isKept(n)) return `${series.label}: ${UNKEPT}`;
      const values = this.#data[n + 1].filter(known);
      if (values.length === 0) return `${series.label}: nothing measured`;
      const format = this.#spec.format;
      const high = values.reduce((most, value) => Math.max(most, value));
      return `${series.label}: now ${format(this.#now(n))}, at most ${format(high)}`;
    });
    attribute(this.#drawing, "aria-label", `${this.#spec.title}, up to 15 minutes. ${parts.join("; ")}.`);
  }

  #tabulate() {
    if (!this.details.open) return;
    const { series, format } = this.#spec;
    const minutes = new Map();
    this.#data[0].forEach((time, n) => {
      const minute = Math.floor(time / 60) * 60;
      if (!minutes.has(minute)) minutes.set(minute, series.map(() => []));
      minutes.get(minute).forEach((values, at) => {
        const value = this.#data[at + 1][n];
        if (known(value)) values.push(value);
      });
    });
    const rows = [...minutes].reverse().map(([minute, all]) => [
      clock(new Date(minute * 1000)).slice(0, 5),
      ...all.map((values, n) => (this.#isKept(n) ? format(values.length ? FOLDS[series[n].fold](values) : null) : UNKEPT)),
    ]);
    redraw(this.#table, rows, () =>
      h(
        "table",
        { class: "plain" },
        h("caption", { class: "unseen" }, `${this.#spec.title}, minute by minute`),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Minute"), ...series.map((one) => h("th", { scope: "col", class: "number" }, `${one.label}, ${one.fold}`)))),
        h("tbody", {}, ...rows.map(([time, ...values]) => h("tr", {}, h("th", { scope: "row" }, time), ...values.map((value) => h("td", { class: "number" }, value))))),
      ),
    );
  }

  #draw() {
    const width = Math.floor(this.#drawing.clientWidth);
    if (width < 50 || !this.#loaded) return;
    const [from, to] = span(this.#data[0]);
    this.#step = Math.max(1, Math.ceil((to - from) / (width - AXIS - MARGIN)));
    this.#drawn = folded(this.#data, this.#step);
    if (!this.#plot) {
      this.#plot = new uPlot(this.#options(width), this.#drawn, this.#drawing);
      return;
    }
    if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
    this.#plot.setData(this.#drawn);
  }

  #options(width) {
    const { log, tick, series } = this.#spec;
    const font = "11px system-ui, sans-serif";
    const line = { stroke: () => colour("grid"), width: 1, filter: (_, splits) => splits.map((split) => (log && !isPowerOfTen(split) ? null : split)) };
    const axis = { stroke: () => colour("muted"), font, grid: line, ticks: { show: false } };
    return {
      width,
      height: HEIGHT,
      padding: [10, MARGIN, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "traffic" }, drag: { setScale: false, x: false, y: false }, y: false, points: { size: 6 } },
      scales: { x: { time: true, range: () => span(this.#data[0]) }, y: log ? { distr: 3, range: decades } : { range: fromZero } },
      axes: [
        { ...axis, size: 20, gap: 4, grid: { show: false }, incrs: [15, 30, 60, 120, 180, 300], space: 58, values: (_, times) => times.map(axisTime) },
        { ...axis, size: AXIS, gap: 6, space: log ? 14 : 28, values: (_, splits) => splits.map((split) => (log && !isPowerOfTen(split) ? null : tick(split))) },
      ],
      series: [
        {},
        ...series.map((one) => ({
          stroke: () => colour(one.colour),
          fill: one.fill ? () => colour(`${one.colour}-fill`) : undefined,
          width: one.width ?? 1.5,
          dash: one.dash,
          // A line needs two neighbours.
          points: { show: false, filter: (plot, n) => lonely(plot.data[n]), size: 5, fill: () => colour(one.colour) },
        })),
      ],
      hooks: { draw: [(plot) => drawMarks(plot, this.#marks)], setCursor: [(plot) => this.#say(plot.cursor.idx)] },
    };
  }
}

const FOLDS = {
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  highest: (values) => values.reduce((most, value) => Math.max(most, value)),
};

const known = (value) => value !== null && value !== undefined;

// So many seconds become one point, the highest of them: a mean would hide a spike. Seconds that nobody sampled are
// points of their own, so that a gap stays one.
export function folded([times, ...lists], step) {
  const isGap = (n) => lists.every((list) => list[n] === undefined);
  const starts = [];
  times.forEach((time, n) => {
    const begins = n === 0 || Math.floor(time / step) !== Math.floor(times[n - 1] / step);
    if (begins || isGap(n) !== isGap(n - 1)) starts.push(n);
  });
  const fold = (list) =>
    starts.map((start, n) => {
      const values = list.slice(start, starts[n + 1]).filter(known);
      return values.length > 0 ? FOLDS.highest(values) : null;
    });
  return [starts.map((start) => times[start]), ...lists.map(fold)];
}

/** The places of values that have none beside them. */
export function lonely(list) {
  const places = [];
  list.forEach((value, n) => {
    if (known(value) && !known(list[n - 1]) && !known(list[n + 1])) places.push(n);
  });
  return places;
}

// From the first point to the last: a gateway that has just started shows its first minute in full width. A chart
// without points still has its times.
function span(times) {
  const end = times.at(-1) ?? Math.floor(Date.now() / 1000);
  const length = end - (times[0] ?? end);
  return [end - Math.min(Math.max(length, SHORTEST), WINDOW), end];
}

function fromZero(plot, low, high) {
  if (!(high > 0)) return [0, 1];
  return uPlot.rangeNum(0, high, 0.15, true);
}

function decades(plot, low, high) {
  if (!(high > 0)) return [0.1, 100];
  const from = 10 ** Math.floor(Math.log10(low));
  return [from, Math.max(10 ** Math.ceil(Math.log10(high * 1.05)), from * 100)];
}

// Seconds only where they say something.
function axisTime(time) {
  const told = clock(new Date(time * 1000));
  return time % 60 === 0 ? told.slice(0, 5) : told.slice(2);
}

const isPowerOfTen = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

function sample({ colour: name, dash, width }) {
  // As the series is drawn, so that legend and line can be told by more than colour.
  const kind = dash ? (dash[0] < 4 ? "dotted" : "dashed") : (width ?? 1.5) > 2 ? "thick" : "solid";
  return h("span", { class: `sample ${name} ${kind}`, "aria-hidden": "true" });
}

function drawMarks(plot, marks) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = scale;
  for (const { t, kind } of marks) {
    const x = Math.round(plot.valToPos(t, "x", true)) + 0.5;
    if (x < left || x > left + width) continue;
    const bad = BAD.has(kind);
    ctx.strokeStyle = ctx.fillStyle = colour(bad ? "bad" : "calm");
    ctx.setLineDash(bad ? [] : [3 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(x - 4 * scale, top - 8 * scale);
    ctx.lineTo(x + 4 * scale, top - 8 * scale);
    ctx.lineTo(x, top - scale);
    ctx.closePath();
    if (bad) ctx.fill();
    else ctx.stroke();
  }
  ctx.restore();
}
